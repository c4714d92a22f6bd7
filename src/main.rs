//! The keepscope command.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    keepscope::cli::main()
}
