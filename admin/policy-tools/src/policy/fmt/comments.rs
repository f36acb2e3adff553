//! Comments of a YAML text.

use std::ops::Range;

use kong_config::document::{Node, Value};

/// A comment, from its `#` to the end of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    /// Where it begins, in bytes.
    pub(super) at: usize,
    /// Counted from 1.
    pub(super) column: usize,
    /// Whether nothing stands before it on its line.
    pub(super) alone: bool,
    pub(super) text: String,
}

/// All of them, in order: each `#` after a space or at a line's start that is in no scalar.
pub(super) fn of(text: &str, root: &Node) -> Vec<Comment> {
    let mut scalars = Vec::new();
    collect(root, &mut scalars);
    scalars.sort_by_key(|span| span.start);
    let mut found = Vec::new();
    let mut at = 0;
    let mut scalars = scalars.into_iter().peekable();
    while let Some(next) = text[at..].find('#').map(|length| at + length) {
        while scalars.peek().is_some_and(|span| span.end <= next) {
            scalars.next();
        }
        if let Some(span) = scalars.peek().filter(|span| span.contains(&next)) {
            at = span.end;
            continue;
        }
        let line = text[..next].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line..next];
        if !(before.is_empty() || before.ends_with([' ', '\t'])) {
            at = next + 1;
            continue;
        }
        let end = text[next..].find('\n').map_or(text.len(), |length| next + length);
        found.push(Comment {
            at: next,
            column: before.chars().count() + 1,
            alone: before.trim().is_empty(),
            text: text[next..end].trim_end().to_owned(),
        });
        at = end;
    }
    found
}

fn collect(node: &Node, scalars: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, scalars)),
        Value::Map(entries) => entries.iter().for_each(|(key, value)| {
            scalars.push(key.span.clone());
            collect(value, scalars);
        }),
        _ => scalars.push(node.span.clone()),
    }
}
