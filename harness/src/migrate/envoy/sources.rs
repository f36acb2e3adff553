//! Where Envoy looks for keys.

use super::text;
use crate::document::Node;
use crate::migrate::policy::Policy;
use crate::migrate::report::{Notes, Outcome};

/// Names and places; `false`: they cannot be mapped, and it has been said why.
pub(super) fn into(policy: &mut Policy, sources: Option<&Node>, notes: &mut Notes<'_>) -> bool {
    let Some(sources) = sources.filter(|sources| !sources.items().is_empty()) else {
        // Nobody can give a key, so nobody passes: the policy has no consumers then.
        return true;
    };
    let (mut headers, mut queries, mut mapped) = (Vec::new(), Vec::new(), true);
    let mut refuse = |at: &Node, message: &str, notes: &mut Notes<'_>| {
        mapped = false;
        notes.cure(Outcome::Unmapped, at, message, "let clients send their keys otherwise first");
    };
    for source in sources.items() {
        let (header, query) = (text(source, "header"), text(source, "query"));
        if header.eq_ignore_ascii_case("authorization") {
            refuse(source, "a key in Authorization: a policy does not take the scheme off", notes);
        } else if !header.is_empty() {
            headers.push(header);
            let message = format!("a key in {header:?} behind `Bearer ` is not found any more");
            notes.add(Outcome::Differs, source, message);
        } else if !query.is_empty() {
            queries.push(query);
        } else {
            refuse(source, "keys are looked for in headers and queries, not here", notes);
        }
    }
    let mut names: Vec<String> = Vec::new();
    for name in headers.iter().chain(&queries) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push((*name).to_owned());
        }
    }
    let everywhere = |names_there: &[&str]| {
        names.iter().all(|name| names_there.iter().any(|one| one.eq_ignore_ascii_case(name)))
    };
    let alone = headers.is_empty() || queries.is_empty();
    if !alone && !(everywhere(&headers) && everywhere(&queries)) {
        let message = "each name is looked for in headers and in the query";
        notes.add(Outcome::Differs, sources, message);
    }
    policy.key_in_header = headers.is_empty().then_some(false);
    policy.key_in_query = queries.is_empty().then_some(false);
    policy.key_names = Some(names);
    mapped
}
