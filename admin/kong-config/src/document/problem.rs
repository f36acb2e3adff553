//! What is wrong with a document, and where.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use super::At;

/// One thing that is wrong: `kong.yml:12: services[0].routes[1].paths[0]: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The document's name; absent for a text that has none.
    pub file: Option<String>,
    /// Counted from 1; absent where the whole document is meant.
    pub line: Option<usize>,
    /// Bytes of the text; absent where the whole document is meant.
    pub span: Option<Range<usize>>,
    /// Empty for the document itself.
    pub path: String,
    /// What is wrong and what to do: lower case, no full stop, no secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong with a document, one problem a line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects the problems of one document while it is read.
pub struct Report {
    file: Option<String>,
    found: RefCell<Vec<Problem>>,
}

impl Report {
    /// A report on the document of this name.
    pub fn new(file: Option<&str>) -> Self {
        Self { file: file.map(str::to_owned), found: RefCell::default() }
    }

    /// Adds a problem.
    pub fn add(&self, at: Option<At>, path: &str, message: impl fmt::Display) {
        let (line, span) = at.map(|At { line, span }| (line, span)).unzip();
        self.found.borrow_mut().push(Problem {
            file: self.file.clone(),
            line,
            span,
            path: path.to_owned(),
            // One problem is one line, whatever a document calls its things.
            message: message.to_string().replace(char::is_control, "\u{fffd}"),
        });
    }

    /// `kong.yml:12: path`, for messages about what was read here but turns out wrong later.
    pub(super) fn place(&self, line: usize, path: &str) -> String {
        match &self.file {
            Some(file) => format!("{file}:{line}: {path}"),
            None => format!("line {line}: {path}"),
        }
    }

    /// The value that was read, unless anything was wrong.
    ///
    /// # Errors
    /// All problems, in the order of their lines. A value that is missing has been reported as one.
    pub fn conclude<T>(self, value: Option<T>) -> Result<T, Problems> {
        let mut found = self.found.into_inner();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ => {
                found.sort_by_key(|problem| problem.line);
                Err(Problems(found))
            }
        }
    }
}

/// The path of a field, by that of its mapping and its name, which may hold a line of its own.
pub(super) fn below(path: &str, name: &str) -> String {
    let name = name.escape_debug();
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// A text of lines as a terminal may be given it: names in a document may hold what would move its cursor.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
