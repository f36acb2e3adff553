//! What is wrong with a consumers file.

use std::fmt;

use mtls_policy::policy;

/// A position in a text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One problem of a consumers file. Its text is one line: `line 3, column 5: consumers[0].id: expected a string, got a list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Absent where the whole file is meant.
    pub position: Option<Position>,
    /// `consumers[2].keys[0].sha256`; empty for the whole file.
    pub path: String,
    pub message: String,
}

impl Problem {
    pub(crate) fn of_file(message: impl Into<String>) -> Self {
        Self { position: None, path: String::new(), message: message.into() }
    }

    pub(crate) fn at(position: Position, message: impl Into<String>) -> Self {
        Self { position: Some(position), ..Self::of_file(message) }
    }
}

impl From<&policy::Problem> for Problem {
    fn from(problem: &policy::Problem) -> Self {
        Self { position: None, path: problem.path.clone(), message: problem.message.clone() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The problems of a consumers file, in the order of their positions. Never empty. After
/// [`MOST_PROBLEMS`](policy::MOST_PROBLEMS) the rest of the file is not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.position);
        Self(problems)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Returns the first problems, one per line, and the number of the others: for a log, whose lines are limited.
    pub fn summary(&self, most: usize) -> String {
        let mut lines: Vec<String> = self.0.iter().take(most).map(ToString::to_string).collect();
        match self.0.len().saturating_sub(most) {
            0 => {}
            1 => lines.push("and 1 more problem".to_owned()),
            more => lines.push(format!("and {more} more problems")),
        }
        lines.join("\n")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// One problem per line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary(usize::MAX))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_counts_the_problems_it_leaves_out() {
        let problems = |count: usize| {
            let number = |line| Problem::at(Position { line, column: 1 }, "wrong");
            Problems::new((1..=count).rev().map(number).collect())
        };
        assert_eq!(problems(2).summary(2), "line 1, column 1: wrong\nline 2, column 1: wrong");
        assert_eq!(problems(3).summary(1), "line 1, column 1: wrong\nand 2 more problems");
        assert_eq!(problems(2).summary(1), "line 1, column 1: wrong\nand 1 more problem");
    }
}
