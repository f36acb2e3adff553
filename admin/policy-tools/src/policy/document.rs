//! The texts that policies stand in.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use super::mask::{mask, structure};
use super::members::is_resource;
use super::{Finding, Severity};
use kong_config::document::{Node, Problem, Problems, Report, SECOND_DOCUMENT, Value, parse_all};

/// A text and what it holds.
pub struct Document {
    /// As messages call it: its path, or `stdin`.
    pub name: String,
    pub text: String,
    /// A list, if the text holds several documents.
    pub root: Node,
    /// Whether the text holds several documents.
    is_stream: bool,
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
        let (root, is_stream) = root_of(&text, &report).unzip();
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
        let dump = root.get("data").is_some() && !is_resource(&root);
        let is_stream = is_stream.unwrap_or_default();
        Ok(Self { shown: mask(&text, &root), problems, dump, name, text, root, is_stream })
    }

    /// What a program has read elsewhere, such as the entities of a running Kong. It has no text, so nothing of it can be
    /// shown.
    pub fn without_text(name: String, root: Node) -> Self {
        let text = String::new();
        Self { name, shown: text.clone(), text, root, is_stream: false, problems: Vec::new(), dump: true }
    }

    /// The documents in the text.
    pub fn roots(&self) -> &[Node] {
        match self.is_stream {
            true => self.root.items(),
            false => std::slice::from_ref(&self.root),
        }
    }

    /// Whether these are Kubernetes manifests.
    pub fn is_manifest(&self) -> bool {
        self.roots().iter().any(is_resource)
    }

    /// Whether the text holds several documents, as Kubernetes manifests do.
    pub fn is_stream(&self) -> bool {
        self.is_stream
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

/// Returns what a text holds, and whether that is a list of several documents: Kubernetes manifests. Of anything else,
/// Kong and decK read only the first document, so a second one is a problem.
pub fn root_of(text: &str, report: &Report) -> Option<(Node, bool)> {
    let mut documents = parse_all(text, report)?;
    let is_empty = |node: &Node| matches!(node.value, Value::Null);
    if documents.iter().all(|document| is_empty(&document.node) || is_resource(&document.node)) {
        // Helm writes an empty document for each template that produces nothing.
        documents.retain(|document| !is_empty(&document.node));
    }
    let mut documents = documents.into_iter();
    let Some(first) = documents.next() else {
        report.add(None, "", "the document is empty");
        return None;
    };
    let Some(second) = documents.next() else { return Some((first.node, false)) };
    if !is_resource(&first.node) || !is_resource(&second.node) {
        report.add(Some(second.start), "", SECOND_DOCUMENT);
        return None;
    }
    let mut nodes = vec![first.node, second.node];
    for document in documents {
        if !is_resource(&document.node) {
            report.add(Some(document.start), "", SECOND_DOCUMENT);
            return None;
        }
        nodes.push(document.node);
    }
    let span = nodes[0].span.start..nodes.last().map_or(0, |last| last.span.end);
    Some((Node { line: nodes[0].line, column: nodes[0].column, span, value: Value::List(nodes) }, true))
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
        Value::Map(entries) if entries.len() == 1 => root.get("config")?.as_str(),
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
