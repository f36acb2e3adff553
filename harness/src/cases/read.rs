//! A document to a [`Suite`].

mod difference;
mod mistake;
mod owed;
mod policy;
mod request;

use std::path::Path;

use super::{Case, Suite, Text};
use kong_config::document::{self, Place, Problem, Problems, Report};

/// What cases are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every case has a policy, and owes the upstream its own target where it says nothing else.
    Conformance,
    /// The gateway's own config has the policies; hosts and their differences mean nothing.
    OwnConfig,
}

/// Reads the cases of a file.
///
/// # Errors
/// It cannot be read, or all that is wrong with it, each with its line.
pub fn load(path: &Path, kind: Kind) -> Result<Suite, Problems> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &file, kind),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            Err(Problem { file: Some(file), line: None, span: None, path: String::new(), message }.into())
        }
    }
}

/// Reads cases; `file` stands in messages, and its stem is the topic.
///
/// # Errors
/// All that is wrong, each with its line.
pub fn parse(text: &str, file: &str, kind: Kind) -> Result<Suite, Problems> {
    let report = Report::new(Some(file));
    let suite = document::parse(text, &report)
        .and_then(|document| suite(&Place::root(&document, &report), file, kind));
    report.conclude(suite)
}

fn suite(root: &Place<'_>, file: &str, kind: Kind) -> Option<Suite> {
    let mut fields = root.fields()?;
    // For anchors alone.
    fields.skip("shared");
    let policies = policy::Policies::read(&mut fields, kind);
    let established = request::people(&mut fields, kind);
    let (cases, mistakes) = (fields.get("cases"), fields.get("mistakes"));
    if cases.is_none() && mistakes.is_none() {
        root.problem("cases is missing");
    }
    fields.finish();

    let mut names = Vec::new();
    let mut read = Vec::new();
    for place in cases.iter().flat_map(Place::items) {
        read.extend(case(&place, kind, &policies, &established, &mut names));
    }
    let mut found = Vec::new();
    for place in mistakes.iter().flat_map(Place::items) {
        match kind {
            Kind::Conformance => found.extend(mistake::read(&place, &mut names)),
            Kind::OwnConfig => place.problem("a policy with mistakes belongs to no config"),
        }
    }
    let topic = Path::new(file).file_stem()?.to_string_lossy().into_owned();
    Some(Suite { topic, file: file.to_owned(), cases: read, mistakes: found })
}

fn case(
    place: &Place<'_>,
    kind: Kind,
    policies: &policy::Policies<'_>,
    people: &[super::Established],
    names: &mut Vec<String>,
) -> Option<Case> {
    let mut fields = place.fields()?;
    let name = name(fields.need("name"), names);
    let policy = policies.of(fields.get("policy"), place);
    let request = request::read(&mut fields, people);
    let owed = fields.need("owed").and_then(|place| owed::read(&place));
    let differs = match kind {
        Kind::Conformance => difference::read(fields.get("differs")),
        Kind::OwnConfig => {
            fields.refuse("differs", "has no meaning here: one gateway is asked");
            Vec::new()
        }
    };
    fields.finish();
    let mut case = Case { name: name?, line: place.line(), policy, request: request?, owed: owed?, differs };
    if kind == Kind::Conformance {
        case.owe_the_target();
    }
    Some(case)
}

/// A name that no other case of the file has.
fn name(place: Option<Place<'_>>, names: &mut Vec<String>) -> Option<String> {
    let place = place?;
    let name = place.string()?.to_owned();
    if names.contains(&name) {
        place.problem(format_args!("{name:?} is the name of another case already"));
    }
    names.push(name.clone());
    Some(name)
}

fn text(place: &Place<'_>) -> Option<Text> {
    match Text::parse(place.string()?) {
        Ok(text) => Some(text),
        Err(why) => {
            place.problem(why);
            None
        }
    }
}

#[cfg(test)]
mod tests;
