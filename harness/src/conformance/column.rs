//! One host's answers to all cases.

use super::{Asked, Host, Shown};
use crate::cases::{Case, Expected, Instead, Mistake, Suite, difference_of, judge};

/// What one host made of all cases.
pub struct Column {
    pub host: String,
    pub cells: Vec<Cell>,
}

/// What one host made of one case.
pub struct Cell {
    pub topic: String,
    /// `tests/conformance/hiding.yaml:12: name`.
    pub place: String,
    pub name: String,
    pub verdict: Verdict,
}

/// How that compares with what is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    AsOwed,
    /// As the case says that this host differs, and why.
    Differs(String),
    /// Why not.
    NotAsked(String),
    Wrong(Vec<String>),
}

impl Column {
    /// Asks a host all there is to ask.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn of(host: &dyn Host, suites: &[Suite]) -> anyhow::Result<Self> {
        let mut cells = Vec::new();
        for suite in suites {
            let mut add = |name: &str, line: usize, verdict| {
                let place = format!("{}:{line}: {name}", suite.file);
                cells.push(Cell { topic: suite.topic.clone(), place, name: name.to_owned(), verdict });
            };
            for case in &suite.cases {
                add(&case.name, case.line, asked(host, case)?);
            }
            for mistake in &suite.mistakes {
                add(&mistake.name, mistake.line, shown(host, mistake)?);
            }
        }
        Ok(Self { host: host.name().to_owned(), cells })
    }

    /// What is neither as owed nor a difference with a reason.
    pub fn wrong(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.cells.iter().filter_map(|cell| match &cell.verdict {
            Verdict::Wrong(why) => Some((cell.place.as_str(), why.as_slice())),
            _ => None,
        })
    }
}

fn asked(host: &dyn Host, case: &Case) -> anyhow::Result<Verdict> {
    let (owed, differs) = match case.expected(host.name()) {
        Expected::NotAsked(because) => return Ok(Verdict::NotAsked(because.to_owned())),
        Expected::Owed(owed) => (owed, None),
        Expected::Differs(owed, because) => (owed, Some(because)),
    };
    let outcome = match host.ask(case)? {
        Asked::Not(because) => return Ok(Verdict::NotAsked(because)),
        Asked::Came(outcome) => outcome,
    };
    let wrong = judge(owed, &outcome, host.keys())?;
    Ok(match differs {
        _ if !wrong.is_empty() => Verdict::Wrong(wrong),
        Some(because) => Verdict::Differs(because.to_owned()),
        None => Verdict::AsOwed,
    })
}

fn shown(host: &dyn Host, mistake: &Mistake) -> anyhow::Result<Verdict> {
    let differs = difference_of(&mistake.differs, host.name());
    let owed = match differs.map(|differs| &differs.instead) {
        None => &mistake.problems,
        Some(Instead::Problems(problems)) => problems,
        Some(Instead::NotAsked | Instead::Owed(_)) => {
            let because = differs.map(|differs| differs.because.clone());
            return Ok(Verdict::NotAsked(because.unwrap_or_default()));
        }
    };
    let wrong = match host.show(mistake)? {
        Shown::Not(because) => return Ok(Verdict::NotAsked(because)),
        Shown::Accepted => vec!["it was accepted".to_owned()],
        Shown::Problems(found) => unlike(owed, &found),
        Shown::Refused(text) => {
            let missing = owed.iter().filter(|problem| !text.contains(problem.as_str()));
            missing.map(|problem| format!("owed {problem:?} is missing in: {text}")).collect()
        }
    };
    Ok(match differs {
        _ if !wrong.is_empty() => Verdict::Wrong(wrong),
        Some(differs) => Verdict::Differs(differs.because.clone()),
        None => Verdict::AsOwed,
    })
}

/// Each problem that is owed begins one that was found, and none is found beside these.
fn unlike(owed: &[String], found: &[String]) -> Vec<String> {
    let mut left: Vec<_> = found.iter().collect();
    let mut wrong = Vec::new();
    for problem in owed {
        match left.iter().position(|found| found.starts_with(problem.as_str())) {
            Some(at) => drop(left.remove(at)),
            None => wrong.push(format!("owed {problem:?} was not found")),
        }
    }
    wrong.extend(left.into_iter().map(|found| format!("found, but not owed: {found}")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_found_once_and_none_beside() {
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let rows = [
            (&["a: is", "b"][..], &["b: x", "a: is y"][..], 0),
            (&["a"], &["a: 1", "a: 2"], 1),
            (&["a", "a"], &["a: 1"], 1),
            (&["a"], &["b: a"], 2),
        ];
        for (owed, found, wrong) in rows {
            assert_eq!(unlike(&strings(owed), &strings(found)).len(), wrong, "{owed:?} {found:?}");
        }
    }
}
