//! Text to tree. JSON is read as the YAML that it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use saphyr::{Scalar, ScalarStyle, Tag};
use saphyr_parser::{Event, Parser, ScanError, Span, StrInput};

use super::problem::below;
use super::template::{Masked, restore};
use super::{At, Key, Node, Report, Value};

/// Reads a text that holds one document. What is wrong goes into the report; `None` only where no tree could
/// be made at all.
///
/// Anchors, aliases and merge keys (`<<`) work. An error: a key that stands twice in one mapping or is no
/// string, a second document, a tag other than YAML's own, and what Kong's YAML 1.1 would read as another value.
pub fn parse(text: &str, report: &Report) -> Option<Node> {
    let mut documents = read(text, &[], report)?.into_iter();
    let first = documents.next();
    if let Some(Document { start, .. }) = documents.next() {
        report.add(Some(start), "", SECOND_DOCUMENT);
        return None;
    }
    match first {
        Some(Document { node, .. }) => Some(node),
        None => {
            report.add(None, "", "the document is empty");
            None
        }
    }
}

/// Parses a text that holds any number of documents, as administrators' tools do: decK's `${{ … }}` may stand wherever a
/// value can. Returns `None` only if no tree could be made at all.
///
/// The rest is as for [`parse`].
pub fn parse_all(text: &str, report: &Report) -> Option<Vec<Document>> {
    match Masked::of(text) {
        Some(masked) => read(&masked.text, &masked.templates, report),
        None => read(text, &[], report),
    }
}

/// One of the documents of a text.
pub struct Document {
    /// Where it starts.
    pub start: At,
    pub node: Node,
}

/// What is wrong with a second document, where a program reads only the first.
pub const SECOND_DOCUMENT: &str = "a second document starts here: only one is read";

/// `templates`: those that [`Masked`] has replaced in the text.
fn read(text: &str, templates: &[&str], report: &Report) -> Option<Vec<Document>> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        text,
        templates,
        bytes: Bytes::of(text),
        anchors: HashMap::new(),
        aliased: 0,
        report,
    };
    match reader.documents() {
        Ok(documents) => Some(documents),
        Err(Stop::Syntax(error)) => {
            let at = reader.bytes.at(&Span::empty(*error.marker()));
            // Only here, since what can be read is a string with this text in it.
            let hint = match text.contains("${{") {
                true => {
                    "; decK replaces ${{ … }} before this is YAML: `deck file render --populate-env-vars` does so"
                }
                false => "",
            };
            report.add(Some(at), "", format_args!("{}{hint}", error.info()));
            None
        }
        Err(Stop::Reported) => None,
    }
}

/// Deeper trees could exhaust the stack; none of Kong's entities needs a tenth of it.
const MAX_DEPTH: usize = 100;

/// How many values aliases may copy: a few nested ones could otherwise fill the memory.
const MAX_ALIASED: usize = 100_000;

enum Stop {
    Syntax(ScanError),
    Reported,
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::Syntax(error)
    }
}

struct Reader<'t, 'r> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    templates: &'r [&'r str],
    bytes: Bytes,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    report: &'r Report,
}

impl<'t> Reader<'t, '_> {
    fn documents(&mut self) -> Result<Vec<Document>, Stop> {
        let mut documents = Vec::new();
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(documents),
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) => {
                    let start = self.bytes.at(&at);
                    // An alias refers to its own document (YAML 1.2.2, 3.2.2.2).
                    self.anchors.clear();
                    let (event, at) = self.next()?;
                    documents.push(Document { start, node: self.node(event, at, "", 0)? });
                }
                _ => return Err(self.stop(at, "", "no document starts here")),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, at: Span, path: &str, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            return Err(self.stop(at, path, format_args!("more than {MAX_DEPTH} levels deep")));
        }
        let (anchor, value, end) = match event {
            Event::Alias(anchor) => return self.alias(anchor, at, path),
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(text, style, tag, at, path), at),
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), at, path);
                let (items, end) = self.list(path, depth)?;
                (anchor, Value::List(items), end)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), at, path);
                let (entries, end) = self.map(path, depth)?;
                (anchor, Value::Map(entries), end)
            }
            _ => return Err(self.stop(at, path, "a value was expected here")),
        };
        let start = self.bytes.at(&at).span.start;
        let end = match &value {
            // The parser's token goes on to the line's end; a bracket is one byte.
            Value::List(_) | Value::Map(_) if !end.is_empty() => self.bytes.at(&end).span.start + 1,
            // In block style a collection ends with its last value, and not where the next thing begins.
            Value::List(items) if !items.is_empty() => items.last().map_or(start, |node| node.span.end),
            Value::Map(entries) if !entries.is_empty() => {
                entries.last().map_or(start, |(_, node)| node.span.end)
            }
            _ => {
                let end = self.bytes.at(&end).span.end.max(start);
                quoted_end(&self.text[start..end]).map_or(end, |length| start + length)
            }
        };
        let node = Node { line: at.start.line(), column: at.start.col() + 1, span: start..end, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: Span, path: &str) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.stop(at, path, "this alias stands inside of what it refers to"));
        };
        self.aliased += node.count();
        if self.aliased > MAX_ALIASED {
            return Err(self.stop(at, path, format_args!("aliases copy more than {MAX_ALIASED} values")));
        }
        Ok(node)
    }

    /// The items, and what ends them.
    fn list(&mut self, path: &str, depth: usize) -> Result<(Vec<Node>, Span), Stop> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok((items, at));
            }
            let path = format!("{path}[{}]", items.len());
            items.push(self.node(event, at, &path, depth + 1)?);
        }
    }

    /// The entries, and what ends them.
    fn map(&mut self, path: &str, depth: usize) -> Result<(Vec<(Key, Node)>, Span), Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut merged = Vec::new();
        let end = loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break at;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.node(event, at, path, depth + 1)?;
            let Node { line, column, span, value } = key;
            let name = match value {
                Value::String(name) => name,
                _ => {
                    self.report.add(
                        Some(At { line, span: span.clone() }),
                        path,
                        "a key must be a string: put it in quotes",
                    );
                    "?".to_owned()
                }
            };
            let path = below(path, &name);
            let (event, at) = self.next()?;
            let node = self.node(event, at, &path, depth + 1)?;
            if merges {
                merged.push((path, node));
                continue;
            }
            match entries.iter().find(|(other, _)| other.name == name) {
                Some((first, _)) => {
                    let message =
                        format_args!("stands here a second time, the first is on line {}", first.line);
                    self.report.add(Some(At { line, span }), &path, message);
                }
                None => entries.push((Key { name, line, column, span }, node)),
            }
        };
        for (path, node) in merged {
            self.merge(&mut entries, node, &path);
        }
        Ok((entries, end))
    }

    /// `<<: *one` or `<<: [*one, *two]`: adds what is not there yet.
    fn merge(&self, entries: &mut Vec<(Key, Node)>, node: Node, path: &str) {
        match node.value {
            Value::Map(more) => {
                for (key, node) in more {
                    if !entries.iter().any(|(other, _)| other.name == key.name) {
                        entries.push((key, node));
                    }
                }
            }
            Value::List(nodes) => nodes.into_iter().for_each(|node| self.merge(entries, node, path)),
            _ => self.report.add(Some(node.at()), path, "only a mapping can be merged"),
        }
    }

    fn scalar(
        &self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<Cow<'t, Tag>>,
        at: Span,
        path: &str,
    ) -> Value {
        if style == ScalarStyle::Plain && tag.is_none() && YAML_1_1.is_match(&text) {
            let message = "Kong's YAML 1.1 reads another value here than YAML 1.2: write true or false, \
                           a plain decimal number, or put it in quotes";
            self.report.add(Some(self.bytes.at(&at)), path, message);
        }
        self.check_tag(tag.as_deref(), at, path);
        match Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref()) {
            Some(Scalar::Null) => Value::Null,
            Some(Scalar::Boolean(value)) => Value::Boolean(value),
            Some(Scalar::Integer(value)) => Value::Integer(value),
            Some(Scalar::FloatingPoint(value)) if value.is_finite() => Value::Float(*value),
            Some(Scalar::FloatingPoint(_)) => {
                self.report.add(Some(self.bytes.at(&at)), path, "not a finite number");
                Value::Null
            }
            Some(Scalar::String(value)) if self.templates.is_empty() => Value::String(value.into_owned()),
            Some(Scalar::String(value)) => Value::String(restore(&value, self.templates)),
            None => {
                self.report.add(
                    Some(self.bytes.at(&at)),
                    path,
                    "the value is not of the type that its tag names",
                );
                Value::Null
            }
        }
    }

    fn check_tag(&self, tag: Option<&Tag>, at: Span, path: &str) {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            self.report.add(
                Some(self.bytes.at(&at)),
                path,
                "unknown tag: only YAML's own (!!str, !!int, …) are read",
            );
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.parser.next_event() {
            Some(event) => event.map_err(Stop::Syntax),
            None => {
                self.report.add(None, "", "the document ends too early");
                Err(Stop::Reported)
            }
        }
    }

    fn stop(&self, at: Span, path: &str, message: impl std::fmt::Display) -> Stop {
        self.report.add(Some(self.bytes.at(&at)), path, message);
        Stop::Reported
    }
}

/// How long a scalar in quotes is, if it is one: the parser's token goes on to the line's end, over a comment too.
fn quoted_end(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quote == '"' => drop(bytes.next()),
            // A quote in single quotes is written twice.
            b'\'' if quote == '\'' && text[at + 1..].starts_with('\'') => drop(bytes.next()),
            byte if char::from(byte) == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where the characters of a text begin, in bytes: the parser counts characters. `None`: each is one byte.
struct Bytes(Option<Vec<usize>>);

impl Bytes {
    fn of(text: &str) -> Self {
        let starts = || text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        Self((!text.is_ascii()).then(starts))
    }

    fn at(&self, span: &Span) -> At {
        At { line: span.start.line(), span: self.byte(span.start.index())..self.byte(span.end.index()) }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character,
            Some(starts) => starts.get(character).or(starts.last()).copied().unwrap_or_default(),
        }
    }
}

/// Plain scalars that lyaml, Kong's parser, resolves to something else than the core schema of YAML 1.2 does:
/// booleans, octal, binary and sexagesimal numbers, digits with underscores (lyaml: lib/lyaml/implicit.lua).
static YAML_1_1: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x) ^ (?:
          (?: yes | Yes | YES | no | No | NO | on | On | ON | off | Off | OFF )
        | [+-]? (?: 0_*[0-7][0-7_]* | 0b[01_]+ | 0o[0-7]+ | 0x[0-9a-fA-F]*_[0-9a-fA-F_]* )
        | [+-]? _* [0-9][0-9_]*_[0-9_]* (?: \.[0-9_]* )?
        | [+-]? [0-9]+ : [0-5]?[0-9] [:0-9]* (?: \.[0-9]+ )?
    ) $";
    #[expect(clippy::expect_used, reason = "the pattern is constant, and a test compiles it")]
    Regex::new(pattern).expect("a valid pattern")
});
