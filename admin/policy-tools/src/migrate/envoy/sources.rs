//! Where Envoy looks for keys.

use super::text;
use crate::migrate::policy::Policy;
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::Node;

/// Names and places; `false`: they cannot be mapped, and it has been said why.
pub(super) fn into(policy: &mut Policy, sources: Option<&Node>, notes: &mut Notes<'_>) -> bool {
    let Some(sources) = sources.filter(|sources| !sources.items().is_empty()) else {
        // Nobody can give a key, so nobody passes: the policy has no consumers then.
        return true;
    };
    let (mut headers, mut queries, mut cookies, mut mapped) = (Vec::new(), Vec::new(), Vec::new(), true);
    for source in sources.items() {
        let (header, query, cookie) = (text(source, "header"), text(source, "query"), text(source, "cookie"));
        if header.eq_ignore_ascii_case("authorization") {
            policy.key_authorization = Some("Bearer".to_owned());
            notes.add(
                Outcome::Differs,
                source,
                "a key in Authorization without `Bearer` is not found any more",
            );
        } else if !header.is_empty() {
            headers.push(header);
            let message = format!("a key in {header:?} behind `Bearer ` is not found any more");
            notes.add(Outcome::Differs, source, message);
        } else if !query.is_empty() {
            queries.push(query);
        } else if !cookie.is_empty() {
            cookies.push(cookie.to_owned());
        } else {
            mapped = false;
            notes.cure(Outcome::Unmapped, source, "not a place that is known", "map it by hand");
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
    let both = !headers.is_empty() && !queries.is_empty();
    let alike = everywhere(&headers) && everywhere(&queries);
    if both && !alike {
        let message = "each name is looked for in headers and in the query";
        notes.add(Outcome::Differs, sources, message);
    }
    policy.key_in_header = headers.is_empty().then_some(false);
    policy.key_in_query = queries.is_empty().then_some(false);
    policy.key_names = (!names.is_empty()).then_some(names);
    policy.key_cookies = (!cookies.is_empty()).then_some(cookies);
    mapped
}
