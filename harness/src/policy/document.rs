//! The texts that policies stand in.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use super::mask::{mask, structure};
use super::{Finding, Severity};
use crate::document::{Node, Problem, Problems, Report, parse};

/// A text and what it holds.
pub struct Document {
    /// As messages call it: its path, or `stdin`.
    pub name: String,
    pub text: String,
    pub root: Node,
    /// What no gateway reads of it, though it can be read.
    problems: Vec<Problem>,
    /// Whether this is what a gateway has told.
    dump: bool,
    /// The text without what may be a secret, each byte in its place: all that is ever shown.
    shown: String,
}

/// A text that is no document; what of it may be shown, and why it is none.
pub struct Unread {
    pub name: String,
    shown: String,
    problems: Problems,
}

/// The documents of files; `-` is stdin. A dump of `GET /config` is the config that it holds.
///
/// # Errors
/// A file cannot be read.
pub fn read(paths: &[std::path::PathBuf]) -> anyhow::Result<Result<Vec<Document>, Unread>> {
    let mut documents = Vec::new();
    for path in paths {
        let (name, text) = text_of(path)?;
        match Document::parse(name, text) {
            Ok(document) => documents.push(document),
            Err(unread) => return Ok(Err(unread)),
        }
    }
    Ok(Ok(documents))
}

fn text_of(path: &Path) -> anyhow::Result<(String, String)> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read stdin")?;
        return Ok(("stdin".to_owned(), text));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((path.display().to_string(), text))
}

impl Document {
    /// # Errors
    /// It is neither YAML nor JSON.
    pub fn parse(name: String, text: String) -> Result<Self, Unread> {
        let report = Report::new(Some(&name));
        let root = parse(&text, &report);
        let problems = match (report.conclude(Some(())), &root) {
            (Err(problems), None) => return Err(Unread { shown: structure(&text), name, problems }),
            (Err(problems), Some(_)) => problems.iter().cloned().collect(),
            (Ok(()), _) => Vec::new(),
        };
        let Some(root) = root else {
            let message = "the document is empty".to_owned();
            let problem = Problem { file: None, line: None, span: None, path: String::new(), message };
            return Err(Unread { shown: structure(&text), name, problems: problem.into() });
        };
        if let Some(config) = dumped(&root) {
            let inside = Self::parse(format!("{name} (config)"), config.to_owned())?;
            return Ok(Self { dump: true, ..inside });
        }
        let dump = root.get("data").is_some();
        Ok(Self { shown: mask(&text, &root), problems, dump, name, text, root })
    }

    /// What no gateway reads of it, one finding each.
    pub fn findings(&self) -> Vec<Finding<'_>> {
        self.problems.iter().map(|problem| finding(&self.name, &self.shown, problem)).collect()
    }

    /// Whether this is what a gateway has told, so that it is no use to change it.
    pub fn is_dump(&self) -> bool {
        self.dump
    }

    /// Whether there are comments in it.
    pub fn has_comments(&self) -> bool {
        super::fmt::has_comments(&self.text, &self.root)
    }

    /// Line and column of a byte, both counted from 1, the column in characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        position(&self.text, byte)
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl Unread {
    /// What is wrong, one finding each.
    pub fn findings(&self) -> Vec<Finding<'_>> {
        self.problems.iter().map(|problem| finding(&self.name, &self.shown, problem)).collect()
    }
}

fn finding<'d>(name: &'d str, shown: &'d str, problem: &Problem) -> Finding<'d> {
    Finding {
        severity: Severity::Error,
        code: "document",
        name,
        shown,
        span: problem.span.clone().map(|span| one_line(shown, span)),
        path: problem.path.clone(),
        message: problem.message.clone(),
        help: None,
    }
}

/// What `GET /config` holds.
fn dumped(root: &Node) -> Option<&str> {
    match &root.value {
        crate::document::Value::Map(entries) if entries.len() == 1 => root.get("config")?.as_str(),
        _ => None,
    }
}

/// As much of a span as its first line holds; at least one byte where there is one.
pub(super) fn one_line(text: &str, span: Range<usize>) -> Range<usize> {
    let start = span.start.min(text.len());
    let end = span.end.clamp(start, text.len());
    let line = text[start..end].find('\n').map_or(end, |at| start + at);
    start..start + text[start..line].trim_end().len()
}

pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}
