//! JSON, which has no comments: only order and spaces.

use std::fmt::Write;
use std::ops::Range;

use super::order::Role;
use kong_config::document::{Node, Value};

pub(super) fn text(root: &Node, text: &str, policies: &[Range<usize>]) -> String {
    let mut writer = Writer { text, policies, out: String::new() };
    writer.value(root, Role::Other, 0);
    writer.out + "\n"
}

struct Writer<'t> {
    text: &'t str,
    policies: &'t [Range<usize>],
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, node: &Node, role: Role, depth: usize) {
        let role = if self.policies.contains(&node.span) { Role::Policy } else { role };
        match &node.value {
            Value::List(items) if items.is_empty() => self.out += "[]",
            Value::Map(entries) if entries.is_empty() => self.out += "{}",
            Value::List(items) => {
                self.each('[', ']', items.iter(), depth, |writer, item| writer.value(item, role, depth + 1));
            }
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| role.rank(&key.name));
                self.each('{', '}', entries.into_iter(), depth, |writer, (key, value)| {
                    let _ = write!(writer.out, "{}: ", &writer.text[key.span.clone()]);
                    writer.value(value, role.of_field(&key.name), depth + 1);
                });
            }
            _ => self.out += &self.text[node.span.clone()],
        }
    }

    fn each<T>(
        &mut self,
        open: char,
        close: char,
        values: impl Iterator<Item = T>,
        depth: usize,
        write: impl Fn(&mut Self, T),
    ) {
        self.out.push(open);
        for (number, value) in values.enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let _ = write!(self.out, "{comma}\n{:1$}", "", (depth + 1) * 2);
            write(self, value);
        }
        let _ = write!(self.out, "\n{:1$}{close}", "", depth * 2);
    }
}
