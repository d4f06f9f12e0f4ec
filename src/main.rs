//! Parses the command line, runs one command, prints its error, sets the exit code.

/// A message's parts live for microseconds: what was freed last, which is still in the cache, is
/// given out first.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    watashi::cli::main()
}
