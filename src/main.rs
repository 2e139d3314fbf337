use std::process::ExitCode;

fn main() -> ExitCode {
    spanwatch::cli::main()
}
