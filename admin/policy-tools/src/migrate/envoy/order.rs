//! Envoy takes the first route that matches, Kong the most specific: a config comes out only where that is the same one.

use super::routes::Mapped;
use crate::migrate::report::{Notes, Outcome};

/// Whether Kong finds each request's route where Envoy did.
pub(super) fn is_kongs(routes: &[Mapped<'_>], notes: &mut Notes<'_>) -> bool {
    let mut same = true;
    for (number, later) in routes.iter().enumerate() {
        let earlier = routes[..number].iter().filter(|earlier| earlier.host == later.host);
        if earlier.into_iter().any(|earlier| may_meet(earlier, later) && rank(earlier) <= rank(later)) {
            same = false;
            let message = "Kong would prefer it to a route that stands before it";
            notes.cure(Outcome::Unmapped, later.node, message, "put the more specific one first");
        }
        let of_all = |one: &Mapped<'_>| {
            one.route.hosts.is_empty() || one.route.hosts.iter().any(|host| host.contains('*'))
        };
        if routes[..number].iter().any(|other| other.host != later.host && (of_all(other) || of_all(later))) {
            same = false;
            let message = "what is not found on its own host is looked for on every host by Kong";
            notes.cure(Outcome::Unmapped, later.node, message, "name the domains of each virtual host");
        }
    }
    same
}

/// Whether one request may match both, as far as paths tell.
fn may_meet(one: &Mapped<'_>, other: &Mapped<'_>) -> bool {
    let apart = |a: &str, b: &str| !a.starts_with(b) && !b.starts_with(a);
    let paths = |of: &Mapped<'_>| of.route.paths.iter().map(|path| literal(path)).collect::<Vec<_>>();
    paths(one).iter().any(|a| paths(other).iter().any(|b| !apart(a, b)))
}

/// As much of a path as every request has that matches.
fn literal(path: &str) -> String {
    match path.strip_prefix('~') {
        None => path.to_owned(),
        Some(regex) => {
            let end = regex
                .find(|c: char| !(c.is_ascii_alphanumeric() || "/_-".contains(c)))
                .unwrap_or(regex.len());
            // What may be repeated, or be absent.
            let end =
                if regex[end..].starts_with(['?', '*', '{', '+']) { end.saturating_sub(1) } else { end };
            regex[..end].to_owned()
        }
    }
}

/// Kong's: more conditions first, then regular expressions, then longer prefixes.
fn rank(of: &Mapped<'_>) -> (usize, usize, bool, usize) {
    let route = &of.route;
    let conditions = usize::from(!route.methods.is_empty()) + usize::from(!route.headers.is_empty());
    let path = route.paths.first().map(String::as_str).unwrap_or_default();
    let regex = path.starts_with('~');
    (conditions, route.headers.len(), regex, if regex { 0 } else { path.len() })
}
