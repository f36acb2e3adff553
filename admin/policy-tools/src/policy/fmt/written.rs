//! Values that stand in no text yet, as YAML that every reader takes for the same: Kong's is one of YAML 1.1.

use std::sync::LazyLock;

use regex::Regex;

use super::emit;
use super::tree::{Branch, Slot, Style, Tree};
use kong_config::document::{Node, Value, quoted, templates};

/// A document as text.
pub fn written(root: &Node) -> String {
    let mut root = branch(root);
    // What begins at the margin stands apart.
    if let Branch::Map(slots, _) = &mut root {
        slots.iter_mut().skip(1).for_each(|slot| slot.spaced = true);
    }
    emit::text(Tree { marked: false, header: Vec::new(), root, footer: Vec::new() })
}

fn branch(node: &Node) -> Branch {
    let slot = |key, node| Slot { before: Vec::new(), spaced: false, key, value: branch(node), beside: None };
    match &node.value {
        Value::List(items) => {
            let slots = items.iter().map(|item| slot(None, item)).collect();
            Branch::List(slots, Style { flow: items.iter().all(is_scalar), after: Vec::new() })
        }
        Value::Map(entries) => {
            let slots = entries.iter().map(|(key, value)| slot(Some(scalar(&key.name)), value)).collect();
            let flow = entries.iter().all(|(_, value)| is_scalar(value));
            Branch::Map(slots, Style { flow, after: Vec::new() })
        }
        Value::String(text) if text.contains('\n') => Branch::Text(text.clone()),
        Value::String(text) => Branch::Scalar(scalar(text)),
        other => Branch::Scalar(Node::from(other.clone()).to_json().to_string()),
    }
}

fn is_scalar(node: &Node) -> bool {
    match &node.value {
        Value::String(text) => !text.contains('\n'),
        Value::List(_) | Value::Map(_) => false,
        _ => true,
    }
}

/// In quotes where any version of YAML could read something else than the text.
fn scalar(text: &str) -> String {
    if !templates(text).is_empty() {
        // In single quotes, decK's templates are YAML both before and after decK has replaced them.
        let needs_escapes = text.chars().any(|c| c == '\'' || c.is_control());
        return if needs_escapes { quoted(text) } else { format!("'{text}'") };
    }
    match PLAIN.is_match(text) && !WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}

/// Begins as no number does, and holds nothing that means something else in brackets or before a comment. No colon: in
/// brackets, older readers stop there.
#[expect(clippy::expect_used, reason = "the pattern is constant, and tests use it")]
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[A-Za-z/_](?:[A-Za-z0-9 ._/=+-]*[A-Za-z0-9._/=+-])?$").expect("a pattern")
});

/// Words that YAML 1.1 or 1.2 takes for something else than text.
const WORDS: [&str; 9] = ["false", "n", "no", "null", "off", "on", "true", "y", "yes"];

#[cfg(test)]
mod tests {
    use super::*;
    use kong_config::document::{Report, parse};

    #[test]
    fn what_is_written_reads_as_what_it_was() {
        let texts = [
            "",
            " ",
            "a ",
            "no",
            "Off",
            "y",
            "~",
            "0123",
            "1:30",
            "1_000",
            "0x1F",
            "1e3",
            "-",
            "- a",
            "a: b",
            "a:b",
            "a #b",
            "{a}",
            "[a]",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\nb\n",
            "\na",
            "a\tb",
            "ä",
            "<<",
            "null",
            "2026-01-01",
            "https://a.example:5443/b",
            "~/a.*$",
            "\u{1}",
            "a\n\n b\n\n",
            ".inf",
            "=",
            "?",
            ",a",
        ];
        let fields: Vec<_> = texts.iter().map(|text| ((*text), Node::from(*text))).collect();
        let map: Node = fields.into_iter().collect();
        let list: Node = texts.into_iter().map(Node::from).collect();
        let others =
            [Value::Null, Value::Integer(-7), Value::Float(1.5), Value::List(vec![]), Value::Map(vec![])];
        let others: Node = others.into_iter().map(Node::from).collect();
        let root: Node =
            [("map", map), ("list", list), ("others", others), ("on_", true.into())].into_iter().collect();
        let text = written(&root);
        let report = Report::new(None);
        let again = parse(&text, &report).unwrap();
        assert!(report.conclude(Some(())).is_ok(), "{text}");
        assert_eq!(again.to_json(), root.to_json(), "{text}");
    }
}
