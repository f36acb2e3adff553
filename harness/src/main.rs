//! The `harness` command; each verb is a file of [`harness::cli`].

fn main() -> std::process::ExitCode {
    harness::cli::main()
}
