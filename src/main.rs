use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Facts are made on one thread and dropped on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    spanwatch::cli::main()
}
