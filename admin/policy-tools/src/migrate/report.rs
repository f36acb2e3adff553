//! What has become of a setup, as people read it and as programs do.

use std::collections::HashMap;
use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json as object};

use super::Source;
use crate::policy::Document;
use kong_config::document::{Node, Value as Written, visible};

/// What has become of a setup. Holds no key and no private key.
pub struct Report {
    pub source: Source,
    pub entries: Vec<Entry>,
}

/// What has become of one thing in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub outcome: Outcome,
    pub file: String,
    /// Counted from 1; absent where no single place is meant.
    pub line: Option<usize>,
    /// In the old document: `services[0].plugins[1]`.
    pub path: String,
    pub message: String,
    /// In how many further places it is the same.
    #[serde(skip_serializing_if = "is_none")]
    pub more: usize,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Mapped,
    /// It is mapped, and something is other than before.
    Differs,
    /// It was nothing to be mapped, and is as it was.
    Stays,
    Unmapped,
}

/// Where things stand in the old documents, and what is said of them.
pub(super) struct Notes<'d> {
    places: HashMap<*const Node, (&'d Document, String)>,
    first: Option<&'d Document>,
    entries: Vec<Entry>,
}

impl<'d> Notes<'d> {
    pub(super) fn on(documents: &'d [Document]) -> Self {
        let mut notes = Self { places: HashMap::new(), first: documents.first(), entries: Vec::new() };
        for document in documents {
            notes.walk(document, &document.root, String::new());
        }
        notes
    }

    fn walk(&mut self, document: &'d Document, node: &'d Node, path: String) {
        match &node.value {
            Written::List(items) => items.iter().enumerate().for_each(|(number, item)| {
                self.walk(document, item, format!("{path}[{number}]"));
            }),
            Written::Map(entries) => entries.iter().for_each(|(key, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                self.walk(document, value, format!("{path}{dot}{}", key.name));
            }),
            _ => {}
        }
        self.places.insert(std::ptr::from_ref(node), (document, path));
    }

    pub(super) fn add(&mut self, outcome: Outcome, at: &Node, message: impl Into<String>) {
        self.push(outcome, at, message.into(), None);
    }

    /// Also what is to be done.
    pub(super) fn cure(&mut self, outcome: Outcome, at: &Node, message: impl Into<String>, help: &str) {
        self.push(outcome, at, message.into(), Some(help.to_owned()));
    }

    fn push(&mut self, outcome: Outcome, at: &Node, message: String, help: Option<String>) {
        let (document, path) = match self.places.get(&std::ptr::from_ref(at)) {
            Some((document, path)) => (Some(*document), path.clone()),
            None => (self.first, String::new()),
        };
        let file = document.map(|document| document.name.clone()).unwrap_or_default();
        let line = Some(at.line).filter(|line| *line > 0 && !path.is_empty());
        let entry = Entry { outcome, file, line, path, message, more: 0, help };
        // What is said of many routes' one plugin is said once.
        if !self.entries.contains(&entry) {
            self.entries.push(entry);
        }
    }

    /// All of it, by outcome and by where it stands.
    pub(super) fn report(mut self, source: Source) -> Report {
        self.entries.sort_by(|a, b| (a.outcome, &a.file, a.line).cmp(&(b.outcome, &b.file, b.line)));
        let mut entries: Vec<Entry> = Vec::with_capacity(self.entries.len());
        let mut first = HashMap::new();
        for entry in self.entries {
            // There may be very many keys without an id.
            let same =
                (entry.outcome == Outcome::Differs).then(|| (entry.file.clone(), entry.message.clone()));
            if let Some(index) = same.as_ref().and_then(|same| first.get(same)).copied() {
                let earlier: &mut Entry = &mut entries[index];
                earlier.more += 1;
                continue;
            }
            if let Some(same) = same {
                first.insert(same, entries.len());
            }
            entries.push(entry);
        }
        Report { source, entries }
    }
}

impl Report {
    pub fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.outcome == outcome)
    }

    /// Whether nothing is left to be done by hand.
    pub fn is_whole(&self) -> bool {
        self.of(Outcome::Unmapped).next().is_none()
    }
}

/// As a table, a section for each outcome.
pub fn text(report: &Report) -> String {
    let sections = [
        (Outcome::Mapped, "mapped"),
        (Outcome::Differs, "other than before"),
        (Outcome::Stays, "as it was"),
        (Outcome::Unmapped, "not mapped"),
    ];
    let mut out = format!("read as {}\n", report.source);
    for (outcome, title) in sections {
        let rows: Vec<_> = report.of(outcome).map(|entry| (place(entry), entry)).collect();
        let width = rows.iter().map(|(place, _)| place.chars().count()).max().unwrap_or_default().min(WIDTH);
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}");
        for (place, entry) in rows {
            let more =
                if entry.more > 0 { format!(" (and in {} places more)", entry.more) } else { String::new() };
            let _ = writeln!(out, "  {place:width$}  {}{more}", visible(&entry.message));
            if let Some(help) = &entry.help {
                let _ = writeln!(out, "  {:width$}  to do: {}", "", visible(help));
            }
        }
    }
    out
}

fn is_none(more: &usize) -> bool {
    *more == 0
}

fn place(entry: &Entry) -> String {
    let at = match entry.line {
        Some(line) => format!("{}:{line} {}", entry.file, entry.path),
        None => entry.file.clone(),
    };
    visible(&at)
}

/// As one JSON value.
pub fn json(report: &Report) -> Value {
    let count = |outcome| report.of(outcome).count();
    object!({
        "source": report.source.to_string(),
        "mapped": count(Outcome::Mapped),
        "differs": count(Outcome::Differs),
        "stays": count(Outcome::Stays),
        "unmapped": count(Outcome::Unmapped),
        "entries": report.entries,
    })
}

/// A longer place moves what stands beside it, and nothing else.
const WIDTH: usize = 60;
