//! `watashi-verify DIR --key FILE`: whether exported segments are the record that was signed.

fn main() -> std::process::ExitCode {
    watashi::cli::verify_main()
}
