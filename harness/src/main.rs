//! The `harness` command; each verb is a file of [`harness::cli`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    harness::cli::main()
}
