//! A diff in words.

use std::fmt::Write;

use super::{Access, Diff, Fate, Gain, KeyChange, Setting};
use kong_config::document::visible;

/// By route, then keys.
pub fn text(diff: &Diff) -> String {
    let mut out = String::new();
    let routes = diff.access.iter().map(|one| &one.route).chain(diff.settings.iter().map(|one| &one.route));
    let mut known: Vec<&Option<String>> = Vec::new();
    for route in routes {
        if !known.contains(&route) {
            known.push(route);
        }
    }
    for route in known {
        out += &match route {
            // A route's name has no spaces.
            Some(resource) if resource.starts_with("Kong") && resource.contains(' ') => {
                format!("{resource}\n")
            }
            Some(route) => format!("route {route}\n"),
            None => "policy\n".to_owned(),
        };
        for one in diff.settings.iter().filter(|one| one.route == *route) {
            let Setting { field, was, is, .. } = one;
            let _ = writeln!(out, "  everybody: {field} was {was}, is {is}");
        }
        diff.access.iter().filter(|one| one.route == *route).for_each(|one| access(one, &mut out));
    }
    if !diff.keys.is_empty() {
        out += "keys\n";
    }
    for change in &diff.keys {
        let _ = match change {
            KeyChange::Added { consumer, id, window } => {
                writeln!(out, "  {consumer}: {id:?} is added, valid {window}")
            }
            KeyChange::Dropped { consumer, id } => writeln!(out, "  {consumer}: {id:?} is dropped"),
            KeyChange::Owner { was, is, id } => {
                writeln!(out, "  {was}: whoever has this key is {is} from now on, by {id:?}")
            }
            KeyChange::Replaced { consumer, id } => {
                writeln!(out, "  {consumer}: {id:?} is another key; the one before is dropped")
            }
            KeyChange::Window { consumer, id, was, is } => {
                writeln!(out, "  {consumer}: {id:?} was valid {was}, is valid {is}")
            }
        };
    }
    visible(&out)
}

fn access(access: &Access, out: &mut String) {
    let Access { who, what, requests, was, is, .. } = access;
    let who = match who.as_slice() {
        [some @ .., last] if !some.is_empty() && some.len() < 10 => format!("{} and {last}", some.join(", ")),
        [first, others @ ..] if !others.is_empty() => format!("{first} and {} others", others.len()),
        one => one.join(""),
    };
    let does = match what {
        Gain::Changes => "changes identity",
        Gain::Gains => "gains",
        Gain::Loses => "loses",
        Gain::Refused => "is refused otherwise",
    };
    let _ = writeln!(out, "  {who}: {does}, was {}, is {}", fate(was), fate(is));
    for line in requests {
        let _ = writeln!(out, "    {line}");
    }
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Denied { status, message } => format!("refused with {status} {message:?}"),
        Fate::NoRoute => "without a route".to_owned(),
        Fate::Unauthorized => "refused with 401".to_owned(),
        Fate::Passes { anonymous, certificate } => {
            let anonymous = anonymous.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
            match certificate {
                Some(name) => format!("let through as {name}{anonymous}"),
                None => format!("let through under the upstream's own setting{anonymous}"),
            }
        }
    }
}
