//! What a document is made of.

use std::ops::Range;

/// A value and where it stands. Lines and columns count from 1.
#[derive(Clone)]
pub struct Node {
    pub line: usize,
    pub column: usize,
    /// Its bytes in the text; of an alias, those of what it refers to.
    pub span: Range<usize>,
    pub value: Value,
}

/// Where something stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// Counted from 1.
    pub line: usize,
    /// In bytes.
    pub span: Range<usize>,
}

/// A value, with the types of YAML's core schema, which are JSON's.
#[derive(Clone)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    List(Vec<Node>),
    /// In the document's order; names are unique.
    Map(Vec<(Key, Node)>),
}

/// A mapping's key and where it stands.
#[derive(Clone)]
pub struct Key {
    pub name: String,
    pub line: usize,
    pub column: usize,
    /// Its bytes in the text, with quotes if it has any.
    pub span: Range<usize>,
}

impl Key {
    pub fn at(&self) -> At {
        At { line: self.line, span: self.span.clone() }
    }
}

impl Value {
    /// What kind of value this is, in the words of a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// One that stands in no text yet.
impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { line: 0, column: 0, span: 0..0, value }
    }
}

/// One that stands in no text. A number beyond 64 bits becomes a float.
impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let key = |name| Key { name, line: 0, column: 0, span: 0..0 };
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Boolean(value),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => Value::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Value::String(text),
            Json::Array(items) => Value::List(items.into_iter().map(Self::from).collect()),
            Json::Object(fields) => {
                Value::Map(fields.into_iter().map(|(name, value)| (key(name), Self::from(value))).collect())
            }
        };
        value.into()
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned()).into()
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Value::Boolean(value).into()
    }
}

impl FromIterator<Node> for Node {
    fn from_iter<I: IntoIterator<Item = Node>>(items: I) -> Self {
        Value::List(items.into_iter().collect()).into()
    }
}

/// Fields in their order, whose names have to be unique.
impl<'n> FromIterator<(&'n str, Node)> for Node {
    fn from_iter<I: IntoIterator<Item = (&'n str, Node)>>(fields: I) -> Self {
        let key = |name: &str| Key { name: name.to_owned(), line: 0, column: 0, span: 0..0 };
        Value::Map(fields.into_iter().map(|(name, node)| (key(name), node)).collect()).into()
    }
}

impl Node {
    pub fn at(&self) -> At {
        At { line: self.line, span: self.span.clone() }
    }

    /// The field of this name, where this is a mapping that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The field of this name with its key, where this is a mapping that has it.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Node)> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
    }

    /// The items, where this is a list; else none.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, where this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// How many values this one consists of, itself included.
    pub(super) fn count(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|(_, node)| node.count()).sum::<usize>(),
            _ => 1,
        }
    }

    /// The value as JSON. Infinities and not-a-number, which JSON cannot carry, become null, as serde_json
    /// has it; [`parse`](super::parse) lets none in.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::String(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
            }
        }
    }
}
