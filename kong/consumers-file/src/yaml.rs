//! YAML, read from the parser's events without a tree in between.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use mtls_policy::policy::{ConsumerConfig, KeyConfig, MOST_PROBLEMS};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::problem::{Position, Problem};
use crate::scalar::Plain;

/// How deep lists and maps may be nested. A valid file has five levels.
pub const MAX_DEPTH: usize = 16;

/// What reading finds apart from consumers.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    /// The text is not YAML; the last problem says so.
    pub(crate) is_not_yaml: bool,
    /// Positions of the paths that were asked for.
    pub(crate) positions: HashMap<String, Position>,
}

/// Reads the consumers of a YAML document one by one. A consumer with problems is among them, with what could be read
/// of it, so that what follows has the right number.
pub(crate) struct Consumers<'t, 'f> {
    parser: Parser<'t, StrInput<'t>>,
    state: State,
    path: Vec<Segment>,
    /// Number of the next consumer.
    number: usize,
    findings: &'f RefCell<Findings>,
    wanted: HashSet<String>,
    seen: Seen,
}

enum State {
    Start,
    /// In the list of consumers.
    List,
    End,
}

/// What the document's map has had so far.
#[derive(Default)]
struct Seen {
    consumers: Option<Position>,
    document: Option<Position>,
}

#[derive(Clone)]
enum Segment {
    Field(String),
    Index(usize),
}

/// Reading cannot go on; the problem is among the findings.
struct Stop;

impl<'t, 'f> Consumers<'t, 'f> {
    /// `wanted`: paths whose positions are to be among the findings.
    pub(crate) fn new(text: &'t str, findings: &'f RefCell<Findings>, wanted: HashSet<String>) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            state: State::Start,
            path: Vec::new(),
            number: 0,
            findings,
            wanted,
            seen: Seen::default(),
        }
    }

    fn step(&mut self) -> Result<Option<ConsumerConfig>, Stop> {
        match self.state {
            State::Start => self.start()?,
            State::List => {}
            State::End => return Ok(None),
        }
        if !matches!(self.state, State::List) {
            return Ok(None);
        }
        let (event, at) = self.event()?;
        if matches!(event, Event::SequenceEnd) {
            self.path.clear();
            self.rest_of_map()?;
            return Ok(None);
        }
        self.path = vec![Segment::Field(CONSUMERS.to_owned()), Segment::Index(self.number)];
        self.number += 1;
        self.consumer(event, at).map(Some)
    }

    /// Reads up to the list of consumers, or the whole document if there is none.
    fn start(&mut self) -> Result<(), Stop> {
        loop {
            let (event, at) = self.event()?;
            match event {
                Event::StreamStart | Event::Nothing => {}
                Event::DocumentStart(_) => break,
                Event::StreamEnd => {
                    self.report(Problem::of_file("expected a map with consumers, got an empty file"));
                    return Err(Stop);
                }
                _ => return Err(self.unexpected(at)),
            }
        }
        let (event, at) = self.event()?;
        self.seen.document = Some(at);
        self.visit(at);
        if matches!(event, Event::MappingStart(_, None)) {
            return self.rest_of_map();
        }
        self.mismatch(event, at, "a map with consumers")?;
        self.end_of_document()?;
        self.state = State::End;
        Ok(())
    }

    /// Reads the document's fields up to the list of consumers, or to its end.
    fn rest_of_map(&mut self) -> Result<(), Stop> {
        loop {
            let (event, at) = self.event()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let name = self.key(event, at)?;
            let (event, value_at) = self.event()?;
            let Some(name) = name else {
                self.skip(event, value_at)?;
                continue;
            };
            self.path = vec![Segment::Field(name.clone())];
            if name != CONSUMERS {
                self.report_at(at, unknown_field(&name, &[CONSUMERS]));
                self.skip(event, value_at)?;
            } else if let Some(first) = self.seen.consumers {
                self.report_at(at, duplicate(first));
                self.skip(event, value_at)?;
            } else {
                self.seen.consumers = Some(at);
                self.visit(value_at);
                match event {
                    Event::SequenceStart(_, None) => {
                        self.state = State::List;
                        return Ok(());
                    }
                    event => self.mismatch(event, value_at, "a list")?,
                }
            }
            self.path.clear();
        }
        self.path.clear();
        if self.seen.consumers.is_none()
            && let Some(at) = self.seen.document
        {
            self.path = vec![Segment::Field(CONSUMERS.to_owned())];
            self.report_at(at, "missing required field");
            self.path.clear();
        }
        self.end_of_document()?;
        self.state = State::End;
        Ok(())
    }

    fn end_of_document(&mut self) -> Result<(), Stop> {
        loop {
            let (event, at) = self.event()?;
            match event {
                Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    self.report_at(at, "expected one document, got a second one");
                    return Err(Stop);
                }
                _ => return Err(self.unexpected(at)),
            }
        }
    }

    fn consumer(&mut self, event: Event<'t>, at: Position) -> Result<ConsumerConfig, Stop> {
        let mut consumer = ConsumerConfig::default();
        let fields = ["username", "id", "custom_id", "groups", "keys"];
        self.map(event, at, fields, ["username"], |reader, field, event, at| {
            match field {
                "username" => consumer.username = reader.text(event, at)?.unwrap_or_default(),
                "id" => consumer.id = reader.text(event, at)?,
                "custom_id" => consumer.custom_id = reader.text(event, at)?,
                "groups" => reader.list(event, at, |reader, event, at| {
                    // An empty one is reported by the core.
                    consumer.groups.push(reader.string(event, at)?.unwrap_or_default());
                    Ok(())
                })?,
                _ => reader.list(event, at, |reader, event, at| {
                    consumer.keys.push(reader.api_key(event, at)?);
                    Ok(())
                })?,
            }
            Ok(())
        })?;
        Ok(consumer)
    }

    fn api_key(&mut self, event: Event<'t>, at: Position) -> Result<KeyConfig, Stop> {
        let mut key = KeyConfig::default();
        let fields = ["id", "sha256", "not_before", "not_after"];
        self.map(event, at, fields, ["id", "sha256"], |reader, field, event, at| {
            match field {
                "id" => key.id = reader.text(event, at)?.unwrap_or_default(),
                "sha256" => key.sha256 = reader.text(event, at)?.unwrap_or_default(),
                "not_before" => key.not_before = reader.text(event, at)?,
                _ => key.not_after = reader.text(event, at)?,
            }
            Ok(())
        })?;
        Ok(key)
    }

    /// Reads a map with known fields. A field that is null is absent, as in a policy.
    fn map<const N: usize, const R: usize>(
        &mut self,
        event: Event<'t>,
        at: Position,
        fields: [&'static str; N],
        required: [&'static str; R],
        mut read: impl FnMut(&mut Self, &'static str, Event<'t>, Position) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.visit(at);
        if !matches!(event, Event::MappingStart(_, None)) {
            return self.mismatch(event, at, "a map");
        }
        let mut seen: [Option<Position>; N] = [None; N];
        let mut absent: Vec<&'static str> = required.to_vec();
        loop {
            let (event, key_at) = self.event()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let name = self.key(event, key_at)?;
            let (event, value_at) = self.event()?;
            let Some(name) = name else {
                self.skip(event, value_at)?;
                continue;
            };
            let Some(known) = fields.iter().position(|field| *field == name) else {
                let message = unknown_field(&name, &fields);
                self.within(Segment::Field(name), |reader| {
                    reader.report_at(key_at, message);
                    reader.skip(event, value_at)
                })?;
                continue;
            };
            let field = fields[known];
            self.within(Segment::Field(name), |reader| {
                if let Some(first) = seen[known].replace(key_at) {
                    reader.report_at(key_at, duplicate(first));
                    return reader.skip(event, value_at);
                }
                reader.visit(value_at);
                if is_null(&event) {
                    return Ok(());
                }
                absent.retain(|missing| *missing != field);
                read(reader, field, event, value_at)
            })?;
        }
        for field in absent {
            self.within(Segment::Field(field.to_owned()), |reader| {
                reader.report_at(at, "missing required field");
                Ok(())
            })?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        event: Event<'t>,
        at: Position,
        mut read: impl FnMut(&mut Self, Event<'t>, Position) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if !matches!(event, Event::SequenceStart(_, None)) {
            return self.mismatch(event, at, "a list");
        }
        for index in 0.. {
            let (event, at) = self.event()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            self.within(Segment::Index(index), |reader| {
                reader.visit(at);
                read(reader, event, at)
            })?;
        }
        Ok(())
    }

    /// A string that is not empty.
    fn text(&mut self, event: Event<'t>, at: Position) -> Result<Option<String>, Stop> {
        let text = self.string(event, at)?;
        if text.as_deref() == Some("") {
            self.report_at(at, "expected a string, got an empty one");
            return Ok(None);
        }
        Ok(text)
    }

    fn string(&mut self, event: Event<'t>, at: Position) -> Result<Option<String>, Stop> {
        match event {
            Event::Scalar(text, style, _, tag) if is_string(&text, style, tag.as_deref()) => {
                Ok(Some(text.into_owned()))
            }
            event => self.mismatch(event, at, "a string").map(|()| None),
        }
    }

    /// Returns the name of a field, or `None` if it is none.
    fn key(&mut self, event: Event<'t>, at: Position) -> Result<Option<String>, Stop> {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                self.report_at(at, "merge keys are not supported in a consumers file");
                Ok(None)
            }
            Event::Scalar(text, style, _, tag) if is_string(&text, style, tag.as_deref()) => {
                Ok(Some(text.into_owned()))
            }
            event => self.mismatch(event, at, "a string as the name of a field").map(|()| None),
        }
    }

    /// Reports a value of a wrong type and skips it.
    fn mismatch(&mut self, event: Event<'t>, at: Position, expected: &str) -> Result<(), Stop> {
        if let Event::Alias(_) = event {
            // Reported where it is skipped.
        } else if has_unsupported_tag(&event) {
            self.report_at(at, "tags are not supported in a consumers file");
        } else {
            let got = kind(&event);
            let quote = match got {
                "a number" | "a boolean" if expected.starts_with("a string") => "; put it in quotes",
                _ => "",
            };
            self.report_at(at, format!("expected {expected}, got {got}{quote}"));
        }
        self.skip(event, at)
    }

    /// Skips a value. What is not supported anywhere in a file is reported.
    fn skip(&mut self, event: Event<'t>, at: Position) -> Result<(), Stop> {
        let (mut event, mut at) = (event, at);
        // The list of consumers, a consumer, a list in it: what is in those is at least so deep.
        let mut depth = self.path.len();
        let outside = depth;
        loop {
            match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        self.report_at(at, too_deep());
                        return Err(Stop);
                    }
                }
                Event::SequenceEnd | Event::MappingEnd if depth > outside => depth -= 1,
                Event::Alias(_) => self.report_at(at, "aliases are not supported in a consumers file"),
                Event::Scalar(..) => {}
                _ => return Err(self.unexpected(at)),
            }
            if depth == outside {
                return Ok(());
            }
            (event, at) = self.event()?;
        }
    }

    fn event(&mut self) -> Result<(Event<'t>, Position), Stop> {
        if self.findings.borrow().problems.len() >= MOST_PROBLEMS {
            return Err(Stop);
        }
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(&span))),
            Some(Err(error)) => Err(self.not_yaml(&error)),
            None => {
                self.report(Problem::of_file("not valid YAML: the document ends too early"));
                Err(Stop)
            }
        }
    }

    fn not_yaml(&mut self, error: &ScanError) -> Stop {
        let position = position(&Span::empty(*error.marker()));
        let info = error.info().replace(char::is_control, "\u{fffd}");
        self.report(Problem::at(position, format!("not valid YAML: {info}")));
        self.findings.borrow_mut().is_not_yaml = true;
        Stop
    }

    fn unexpected(&mut self, at: Position) -> Stop {
        self.report_at(at, "not valid YAML: expected a value");
        Stop
    }

    fn within<T>(
        &mut self,
        segment: Segment,
        read: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.path.push(segment);
        let outcome = read(self);
        self.path.pop();
        outcome
    }

    /// Notes where the value of the current path is, if that was asked for.
    fn visit(&mut self, at: Position) {
        if !self.wanted.is_empty() {
            let path = self.render();
            if self.wanted.contains(&path) {
                self.findings.borrow_mut().positions.insert(path, at);
            }
        }
    }

    fn report_at(&mut self, at: Position, message: impl Into<String>) {
        let path = self.render();
        self.report(Problem { path, ..Problem::at(at, message) });
    }

    fn report(&self, problem: Problem) {
        self.findings.borrow_mut().problems.push(problem);
    }

    /// `consumers[0].keys[1].sha256`.
    fn render(&self) -> String {
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Index(index) => _ = write!(path, "[{index}]"),
                Segment::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&shown(name));
                }
            }
        }
        path
    }
}

impl Iterator for Consumers<'_, '_> {
    type Item = ConsumerConfig;

    fn next(&mut self) -> Option<ConsumerConfig> {
        self.step().unwrap_or_else(|Stop| {
            self.state = State::End;
            None
        })
    }
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

fn is_string(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> bool {
    match tag {
        Some(tag) => is_string_tag(tag),
        None => style != ScalarStyle::Plain || Plain::of(text) == Plain::String,
    }
}

fn is_null(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if Plain::of(text) == Plain::Null)
}

fn is_string_tag(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "str"
}

fn has_unsupported_tag(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(_, _, _, tag) => tag.as_deref().is_some_and(|tag| !is_string_tag(tag)),
        Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => tag.is_some(),
        _ => false,
    }
}

fn kind(event: &Event<'_>) -> &'static str {
    match event {
        Event::SequenceStart(..) => "a list",
        Event::MappingStart(..) => "a map",
        Event::Scalar(text, ScalarStyle::Plain, _, None) => match Plain::of(text) {
            Plain::Null => "null",
            Plain::Boolean => "a boolean",
            Plain::Number => "a number",
            Plain::String => "a string",
        },
        _ => "a string",
    }
}

fn unknown_field(name: &str, known: &[&str]) -> String {
    match known.iter().find(|field| field.eq_ignore_ascii_case(name)) {
        Some(near) => format!("unknown field; did you mean {near:?}?"),
        None => format!("unknown field; expected {}", known.join(", ")),
    }
}

pub(crate) fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} levels deep")
}

fn duplicate(first: Position) -> String {
    format!("duplicate field; the first one is on line {}", first.line)
}

/// The name of a field in a message: one short line.
fn shown(name: &str) -> String {
    let mut shown: String = name.escape_debug().take(MOST_SHOWN).collect();
    if name.chars().count() > MOST_SHOWN {
        shown.push('…');
    }
    shown
}

const MOST_SHOWN: usize = 64;
const CONSUMERS: &str = "consumers";
