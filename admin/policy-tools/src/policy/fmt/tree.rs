//! A document with its comments where they belong, and its fields in their order.

use std::collections::VecDeque;
use std::ops::Range;

use super::comments::{self, Comment};
use super::order::Role;
use kong_config::document::{Node, Value};

/// A whole document.
pub(super) struct Tree {
    /// Whether it begins with `---`.
    pub(super) marked: bool,
    /// Comments of the whole, before what is said of the first field.
    pub(super) header: Vec<Line>,
    pub(super) root: Branch,
    pub(super) footer: Vec<Line>,
}

/// A comment on a line of its own.
pub(super) struct Line {
    /// Whether an empty line stands before it.
    pub(super) spaced: bool,
    pub(super) text: String,
}

/// A value.
pub(super) enum Branch {
    List(Vec<Slot>, Style),
    Map(Vec<Slot>, Style),
    /// As it is written, in one line.
    Scalar(String),
    /// Of several lines.
    Text(String),
}

/// How a list or a mapping is written.
pub(super) struct Style {
    /// In brackets, or braces.
    pub(super) flow: bool,
    /// Comments behind its last value.
    pub(super) after: Vec<Line>,
}

/// An item, or a field with its value.
pub(super) struct Slot {
    pub(super) before: Vec<Line>,
    /// Whether an empty line stands before it.
    pub(super) spaced: bool,
    /// As it is written.
    pub(super) key: Option<String>,
    pub(super) value: Branch,
    /// The comment at the end of its first line.
    pub(super) beside: Option<String>,
}

impl Tree {
    /// `policies`: where policies stand.
    pub(super) fn of(root: &Node, text: &str, policies: &[Range<usize>]) -> Self {
        let mut comments: VecDeque<_> = comments::of(text, root).into();
        let first = root.span.start;
        let marked = text[..first].lines().any(|line| line.trim_end() == "---");
        // What is followed by an empty line, and what speaks to editors, is about the whole.
        let of_all =
            comments.iter().take_while(|comment| comment.at < first).enumerate().filter(|(_, comment)| {
                let end = comment.at + comment.text.len();
                let rest = text[end..].trim_start_matches([' ', '\t', '\r']);
                let rest = rest.strip_prefix('\n').unwrap_or(rest).trim_start_matches([' ', '\t', '\r']);
                rest.starts_with('\n')
                    || comment.text.contains("yaml-language-server")
                    || rest.starts_with("---")
            });
        let header = of_all.last().map_or(0, |(number, _)| number + 1);
        let header: Vec<_> = comments.drain(..header).collect();
        let mut reader = Reader { text, policies, comments };
        let header = header.iter().map(|comment| reader.line(comment)).collect();
        let root = reader.branch(root, Role::Other, text.len());
        let rest = std::mem::take(&mut reader.comments);
        let footer = rest.iter().map(|comment| reader.line(comment)).collect();
        Self { marked, header, root, footer }
    }
}

struct Reader<'t> {
    text: &'t str,
    policies: &'t [Range<usize>],
    /// Those that belong to nothing yet.
    comments: VecDeque<Comment>,
}

impl Reader<'_> {
    /// `next`: where what comes behind the value begins.
    fn branch(&mut self, node: &Node, role: Role, next: usize) -> Branch {
        let role = if self.policies.contains(&node.span) { Role::Policy } else { role };
        // What stands behind a bracket does not belong to what is within.
        let next = if self.is_flow(node) { node.span.end } else { next };
        match &node.value {
            Value::List(items) => {
                let starts: Vec<_> = items.iter().map(|item| item.span.start).collect();
                let slots = items.iter().enumerate().map(|(number, item)| {
                    let next = starts.get(number + 1).copied().unwrap_or(next);
                    self.slot(None, item, item.span.start, role, next)
                });
                let slots = slots.collect();
                Branch::List(slots, self.style(node, next))
            }
            Value::Map(entries) => {
                let starts: Vec<_> = entries.iter().map(|(key, _)| key.span.start).collect();
                let slots = entries.iter().enumerate().map(|(number, (key, value))| {
                    let next = starts.get(number + 1).copied().unwrap_or(next);
                    let written = self.text[key.span.clone()].to_owned();
                    let slot =
                        self.slot(Some(written), value, key.span.start, role.of_field(&key.name), next);
                    (role.rank(&key.name), slot)
                });
                let mut slots: Vec<_> = slots.collect();
                slots.sort_by_key(|(rank, _)| *rank);
                let slots = slots.into_iter().map(|(_, slot)| slot).collect();
                Branch::Map(slots, self.style(node, next))
            }
            value => match (value, &self.text[node.span.clone()]) {
                (Value::String(value), written) if written.contains('\n') || value.contains('\n') => {
                    Branch::Text(value.clone())
                }
                (_, written) => Branch::Scalar(written.to_owned()),
            },
        }
    }

    fn slot(&mut self, key: Option<String>, value: &Node, start: usize, role: Role, next: usize) -> Slot {
        let mut before = Vec::new();
        let mut beside: Vec<String> = Vec::new();
        while let Some(comment) = self.comments.pop_front_if(|comment| comment.at < start) {
            before.push(self.line(&comment));
        }
        let spaced = self.spaced(start);
        // What stands behind the name of a field, before the first of its values.
        let first = match &value.value {
            Value::List(items) => items.first().map(|item| item.span.start),
            Value::Map(entries) => entries.first().map(|(key, _)| key.span.start),
            _ => None,
        };
        let mut take = |reader: &mut Self, until: usize| {
            while let Some(comment) = reader.comments.pop_front_if(|one| one.at < until && !one.alone) {
                beside.push(comment.text);
            }
        };
        if let Some(first) = first.filter(|_| key.is_some()) {
            take(self, first);
        }
        let value = self.branch(value, role, next);
        take(self, next);
        Slot { before, spaced, key, value, beside: (!beside.is_empty()).then(|| beside.join(" ")) }
    }

    fn style(&mut self, node: &Node, next: usize) -> Style {
        let flow = self.is_flow(node);
        let mut after = Vec::new();
        let belongs =
            |comment: &Comment| comment.at < next && comment.alone && (flow || comment.column >= node.column);
        while let Some(comment) = self.comments.pop_front_if(|comment| belongs(comment)) {
            after.push(self.line(&comment));
        }
        Style { flow, after }
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text[node.span.clone()].starts_with(['[', '{'])
    }

    fn line(&self, comment: &Comment) -> Line {
        Line { spaced: self.spaced(comment.at), text: comment.text.clone() }
    }

    /// Whether the line before is empty.
    fn spaced(&self, at: usize) -> bool {
        let line = self.text[..at].rfind('\n').unwrap_or(0);
        let before = self.text[..line].rsplit('\n').next().unwrap_or_default();
        line > 0 && before.trim().is_empty()
    }
}
