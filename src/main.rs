//! Parses the command line, runs one command, prints its error, sets the exit code.

fn main() -> std::process::ExitCode {
    watashi::cli::main()
}
