//! The keepscope command.

fn main() -> std::process::ExitCode {
    keepscope::cli::main()
}
