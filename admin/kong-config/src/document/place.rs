//! Reading a document: typed access that reports what is wrong and goes on.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::problem::below;
use super::{Key, Node, Report, Value};

/// A value in a document, with its path.
#[derive(Clone)]
pub struct Place<'d> {
    node: &'d Node,
    path: String,
    report: &'d Report,
}

impl<'d> Place<'d> {
    /// The document's root.
    pub fn root(node: &'d Node, report: &'d Report) -> Self {
        Self { node, path: String::new(), report }
    }

    /// Where this is, for messages: `kong.yml:12: services[0]`.
    pub fn describe(&self) -> String {
        self.report.place(self.node.line, &self.path)
    }

    /// The path in the document, `services[0].routes[1]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.node.line
    }

    /// The value itself.
    pub fn node(&self) -> &'d Node {
        self.node
    }

    /// Reports a problem with this value.
    pub fn problem(&self, message: impl Display) {
        self.report.add(Some(self.node.at()), &self.path, message);
    }

    /// The string that must stand here.
    pub fn string(&self) -> Option<&'d str> {
        match &self.node.value {
            Value::String(text) => Some(text),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                self.wanted("a string: put it in quotes");
                None
            }
            _ => {
                self.wanted("a string");
                None
            }
        }
    }

    /// The boolean that must stand here.
    pub fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Boolean(value) => Some(*value),
            _ => {
                self.wanted("true or false");
                None
            }
        }
    }

    /// The integer within the range that must stand here.
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let Value::Integer(value) = self.node.value else {
            self.wanted("an integer");
            return None;
        };
        if !range.contains(&value) {
            self.problem(format_args!("{value} is not between {} and {}", range.start(), range.end()));
            return None;
        }
        Some(value)
    }

    /// The number that must stand here, with or without a fraction.
    pub fn number(&self) -> Option<f64> {
        match self.node.value {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => {
                self.wanted("a number");
                None
            }
        }
    }

    /// The one of these strings that must stand here.
    pub fn one_of(&self, choices: &[&'static str]) -> Option<&'static str> {
        let text = self.string()?;
        let chosen = choices.iter().find(|choice| **choice == text).copied();
        if chosen.is_none() {
            let hint = match nearest(text, choices.iter().copied()) {
                Some(choice) => format!("did you mean {choice:?}?"),
                None => format!("one of: {}", choices.join(", ")),
            };
            self.problem(format_args!("{text:?} is not known here ({hint})"));
        }
        chosen
    }

    /// The items of the list that must stand here; none where something else stands.
    pub fn items(&self) -> Vec<Place<'d>> {
        let Value::List(items) = &self.node.value else {
            self.wanted("a list");
            return Vec::new();
        };
        let item =
            |(index, node)| Place { node, path: format!("{}[{index}]", self.path), report: self.report };
        items.iter().enumerate().map(item).collect()
    }

    /// The fields of the mapping that must stand here.
    pub fn fields(&self) -> Option<Fields<'d>> {
        let Value::Map(entries) = &self.node.value else {
            self.wanted("a mapping");
            return None;
        };
        Some(Fields { place: self.clone(), entries, known: Vec::new() })
    }

    /// The entries of the mapping that must stand here, whatever their names.
    pub fn entries(&self) -> Vec<(&'d Key, Place<'d>)> {
        let Value::Map(entries) = &self.node.value else {
            self.wanted("a mapping");
            return Vec::new();
        };
        entries.iter().map(|(key, node)| (key, self.child(key, node))).collect()
    }

    /// The value by which this is told to be of the wrong kind is never part of the message: it may be secret.
    fn wanted(&self, what: &str) {
        self.problem(format_args!("{} stands here, not {what}", self.node.value.kind()));
    }

    fn child(&self, key: &Key, node: &'d Node) -> Place<'d> {
        Place { node, path: below(&self.path, &key.name), report: self.report }
    }
}

/// A mapping that is read by names; a name that nobody asked for is a problem.
pub struct Fields<'d> {
    place: Place<'d>,
    entries: &'d [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'d> Fields<'d> {
    /// The mapping itself.
    pub fn place(&self) -> &Place<'d> {
        &self.place
    }

    /// The field of this name. One that is null counts as absent, as it does for Kong.
    pub fn get(&mut self, name: &'static str) -> Option<Place<'d>> {
        self.known.push(name);
        let (key, node) = self.entries.iter().find(|(key, _)| key.name == name)?;
        match node.value {
            Value::Null => None,
            _ => Some(self.place.child(key, node)),
        }
    }

    /// The field of this name, which must be there.
    pub fn need(&mut self, name: &'static str) -> Option<Place<'d>> {
        let found = self.get(name);
        if found.is_none() {
            self.place.problem(format_args!("{name} is missing"));
        }
        found
    }

    /// Reports the field of this name, if it is there, and why it may not be.
    pub fn refuse(&mut self, name: &'static str, why: &str) {
        if let Some(found) = self.get(name) {
            found.problem(why);
        }
    }

    /// Passes over a field that changes nothing.
    pub fn skip(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// Reports every field that was not asked for.
    pub fn finish(self) {
        for (key, node) in self.entries {
            if !self.known.contains(&key.name.as_str()) {
                let hint = match nearest(&key.name, self.known.iter().copied()) {
                    Some(name) => format!(", did you mean {name:?}?"),
                    None => String::new(),
                };
                let path = self.place.child(key, node).path;
                self.place.report.add(Some(key.at()), &path, format_args!("unknown field{hint}"));
            }
        }
    }
}

/// The name that was probably meant: at most a third of its letters are wrong.
pub fn nearest<'c>(written: &str, choices: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    choices
        .map(|choice| (strsim::damerau_levenshtein(&written.to_lowercase(), &choice.to_lowercase()), choice))
        .filter(|(distance, choice)| *distance * 3 <= choice.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}
