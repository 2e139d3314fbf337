mod allocator;

use std::process::ExitCode;

use allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    spanwatch::cli::main()
}
