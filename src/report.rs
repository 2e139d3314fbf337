//! The published view of a replay in; one HTML file out that needs nothing beside it: the console with all of its data.

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::digest::{SHA256, digest};

use crate::serve::console::{INDEX, SCRIPT, STYLE};
use crate::serve::view::{List, Selection, View};

/// The most entries of a list that a report holds.
const ENTRIES_MAX: usize = 2000;

/// The file. Its policy lets run what is in it, and nothing else.
pub fn page(view: &View) -> String {
    let data = data(view);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let head = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n  <title>spanwatch report</title>\n  \
         <style>{STYLE}</style>"
    );
    let tail = format!(
        "<script type=\"application/json\" id=\"recorded\">{data}</script>\n<script>{SCRIPT}</script>\n</body>"
    );
    let linked = |line: &&str| !["<link ", "<script ", "<title>"].iter().any(|tag| line.trim_start().starts_with(tag));
    let body: Vec<&str> = INDEX.lines().filter(linked).collect();
    body.join("\n").replacen("</head>", &format!("  {head}\n</head>"), 1).replacen("</body>", &tail, 1) + "\n"
}

/// Every list as `[[terms, entry], …]`. Nothing in it can end the element that it stands in.
fn data(view: &View) -> String {
    let selection = Selection { limit: ENTRIES_MAX, ..Selection::default() };
    let lists = List::ALL.iter().map(|list| {
        let page = view.page(*list, &selection);
        let entries: Vec<String> =
            page.entries.iter().map(|entry| format!("[{},{}]", json(entry.terms()), entry.json)).collect();
        format!("\"{}\":[{}]", list.as_str(), entries.join(","))
    });
    format!("{{{}}}", lists.collect::<Vec<_>>().join(",")).replace('<', "\\u003c")
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::serve::view::Entry;

    #[test]
    fn names_from_the_wire_cannot_leave_the_data() {
        let view = View::new();
        let name = "</script><script>alert(1)</script><!--";
        view.publish(List::Accounts, [Arc::new(Entry::new("1", &json!({ "id": name }), [name]))]);
        let page = page(&view);
        assert!(!page.contains("alert(1)</script>") && page.contains("\\u003c/script>"));
        assert_eq!(page.matches("</script>").count(), 2, "the data's and the code's own");
    }

    #[test]
    fn the_file_asks_for_nothing_and_runs_only_what_is_in_it() {
        let page = page(&View::new());
        for word in ["src=", "<link", "url("] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains(&format!("script-src 'sha256-{}'", hash(SCRIPT))));
        assert!(
            page.contains(&format!("<script>{SCRIPT}</script>")) && page.contains(&format!("<style>{STYLE}</style>"))
        );
    }
}
