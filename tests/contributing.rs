//! What CONTRIBUTING.md tells to do works: a copy of the sources takes the steps for a new protocol, and compiles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_toy_protocol_of_the_walk_through_compiles() {
    let copy = copy_of_the_project();
    let [module, tests]: [String; 2] = rust_blocks("## A protocol").try_into().unwrap();
    fs::create_dir_all(copy.join("src/protocol/toy")).unwrap();
    fs::write(copy.join("src/protocol/toy/mod.rs"), module).unwrap();
    fs::write(copy.join("src/protocol/toy/tests.rs"), tests).unwrap();
    let protocols = copy.join("src/protocol/mod.rs");
    insert_before(&protocols, "pub mod tls;", "pub mod toy;\n");
    insert_before(&protocols, "    &ssh::SPEC,", "    &toy::SPEC,\n");
    let fixtures = copy.join("src/protocol/tests.rs");
    insert_before(
        &fixtures,
        "    crate::protocol::ssh::tests::fixtures,",
        "    crate::protocol::toy::tests::fixtures,\n",
    );

    let check = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--lib", "--profile", "test"])
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    fs::remove_dir_all(&copy).unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// The build directory: what others have been compiled for is not compiled again.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().into()
}

/// The sources as a copy, and what they read beside them by reference.
fn copy_of_the_project() -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contributing");
    if copy.exists() {
        fs::remove_dir_all(&copy).unwrap();
    }
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(PROJECT).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        match name.to_str().unwrap() {
            "src" => copy_folder(&entry.path(), &copy.join("src")),
            "target" | "fuzz" => {}
            hidden if hidden.starts_with('.') => {}
            _ => std::os::unix::fs::symlink(entry.path(), copy.join(&name)).unwrap(),
        }
    }
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &copy);
        } else {
            fs::copy(&path, &copy).unwrap();
        }
    }
}

/// The blocks of Rust below a heading of CONTRIBUTING.md, without the indent of the list they stand in.
fn rust_blocks(heading: &str) -> Vec<String> {
    let guide = fs::read_to_string(Path::new(PROJECT).join("CONTRIBUTING.md")).unwrap();
    let (_, section) = guide.split_once(&format!("{heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let block = |rest: &str| {
        let lines = rest.lines().skip(1).take_while(|line| line.trim() != "```");
        lines.map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line))).collect()
    };
    section.split("```rust").skip(1).map(block).collect()
}

fn insert_before(file: &Path, line: &str, added: &str) {
    let text = fs::read_to_string(file).unwrap();
    let at = text.find(line).unwrap_or_else(|| panic!("{} has no line `{line}`", file.display()));
    fs::write(file, format!("{}{added}{}", &text[..at], &text[at..])).unwrap();
}
