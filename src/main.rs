//! Parses the command line, runs one command, prints its error, sets the exit code.

/// Messages are allocated on one thread and freed on another, which the system's allocator pays
/// for with locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    watashi::cli::main()
}
