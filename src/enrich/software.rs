//! What a program says that it is in HTTP (`User-Agent`, `Server`) in, what is known of it out.

use arrayvec::ArrayString;
use hashbrown::HashMap;

/// The most bytes that a program is told by.
const BYTES_MAX: usize = 128;

/// Whether a data file may say this of a program: what programs say is compared with it.
pub(super) fn check(software: &str) -> Result<(), String> {
    let max = BYTES_MAX;
    let is_text = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !(1..=max).contains(&software.len()) || software.trim() != software || !software.bytes().all(is_text) {
        return Err(format!(
            "is nothing to compare with; write up to {max} ASCII characters, as the program says them"
        ));
    }
    if software.eq_ignore_ascii_case("mozilla") {
        return Err(
            "is what every browser says; write all that the program says, from `Mozilla/` to its end".to_owned()
        );
    }
    Ok(())
}

/// What is known of a program that says this in HTTP: what stands before the version, or all of it. A slash parts them (RFC 9110
/// §10.1.5), and in what some send a blank.
pub(super) fn get<'a, T>(index: &'a HashMap<Box<str>, T>, said: &str) -> Option<&'a T> {
    let get = |said: &str| {
        let mut said = ArrayString::<BYTES_MAX>::from(said).ok()?;
        said.make_ascii_lowercase();
        index.get(said.as_str())
    };
    let begins_version = |pair: &[u8]| matches!(pair, [b'/', _] | [b' ', b'0'..=b'9']);
    match said.as_bytes().windows(2).position(begins_version).and_then(|end| said.get(..end)) {
        Some(name) => get(name).or_else(|| get(said)),
        None => get(said),
    }
}
