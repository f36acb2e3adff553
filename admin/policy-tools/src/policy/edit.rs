//! Changes of a text that leave all else in it as it is written: comments, order, quotes.
//!
//! They hold for what people write. Whoever changes a text reads it again and compares it with what it has to be.

use std::ops::Range;

use kong_config::document::{Node, Value};

/// Changes that are still to be made.
pub struct Edits<'t> {
    text: &'t str,
    made: Vec<(Range<usize>, String)>,
}

impl<'t> Edits<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, made: Vec::new() }
    }

    /// Gives a field of a mapping a value, a string.
    pub fn set(&mut self, map: &Node, name: &str, value: &str) {
        if let Some(field) = map.get(name) {
            return self.made.push((field.span.clone(), quoted(value)));
        }
        let Value::Map(entries) = &map.value else { return };
        let (Some((first, _)), Some((_, last))) = (entries.first(), entries.last()) else { return };
        let field = format!("{}: {}", self.named_as(map, name), quoted(value));
        if self.is_flow(map) {
            let between = self.between(map.span.start, first.span.start);
            self.insert(last.span.end, format!(",{between}{field}"));
        } else {
            let indent = " ".repeat(first.column - 1);
            self.insert(self.line_end(last.span.end), format!("\n{indent}{field}"));
        }
    }

    /// Puts an item, a mapping of strings, behind another one of a list.
    pub fn insert_after(&mut self, item: &Node, fields: &[(&str, &str)]) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}: {}", self.named_as(item, name), quoted(value)))
            .collect();
        let map = format!("{{{}}}", fields.join(", "));
        let line = self.text[..item.span.start].rfind('\n').map_or(0, |at| at + 1);
        let before = &self.text[line..item.span.start];
        let block = before.trim_end().strip_suffix('-').filter(|indent| indent.trim().is_empty());
        match block {
            Some(indent) => self.insert(self.line_end(item.span.end), format!("\n{indent}- {map}")),
            None if before.trim().is_empty() => self.insert(item.span.end, format!(",\n{before}{map}")),
            None => self.insert(item.span.end, format!(", {map}")),
        }
    }

    /// The text with all of them made.
    pub fn apply(mut self) -> String {
        // Stable: what is inserted at one place stays in its order.
        self.made.sort_by_key(|(span, _)| span.start);
        let mut out = String::with_capacity(self.text.len() + 256);
        let mut done = 0;
        for (span, new) in &self.made {
            out.push_str(&self.text[done..span.start.max(done)]);
            out.push_str(new);
            done = span.end.max(done);
        }
        out.push_str(&self.text[done..]);
        out
    }

    fn insert(&mut self, at: usize, new: String) {
        self.made.push((at..at, new));
    }

    fn is_flow(&self, map: &Node) -> bool {
        self.text[map.span.clone()].starts_with('{')
    }

    /// A name as the others of the mapping are written: JSON wants quotes.
    fn named_as(&self, map: &Node, name: &str) -> String {
        let Value::Map(entries) = &map.value else { return name.to_owned() };
        match entries.first().is_some_and(|(key, _)| self.text[key.span.clone()].starts_with('"')) {
            true => quoted(name),
            false => name.to_owned(),
        }
    }

    /// What stands between entries: a space, or a line feed with its indentation.
    fn between(&self, start: usize, first: usize) -> &'t str {
        let between = &self.text[start + 1..first];
        if between.trim().is_empty() && between.contains('\n') { between } else { " " }
    }

    /// Where the line ends, behind a comment if there is one.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |length| at + length);
        at + self.text[at..end].trim_end_matches('\r').len()
    }
}

/// In double quotes, which YAML and JSON read alike: a digest of digits alone would be a number without.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
