//! From the path of a problem, as the policy's compiler names it, to the bytes that are meant.

use std::ops::Range;

use kong_config::document::{Key, Node, Value};

/// What to point at: the value; its name, where the field itself or a whole collection is meant; and where something is
/// missing, what it is missing from.
pub(super) fn locate(root: &Node, path: &str, field: bool) -> Range<usize> {
    let mut nearest = root.span.clone();
    let (named, node) = match find(root, None, path, &mut nearest) {
        Some(found) => found,
        None => return nearest,
    };
    match (named, &node.value) {
        (Some(key), _) if field => key.span.clone(),
        (Some(key), Value::List(_) | Value::Map(_)) => key.span.clone(),
        _ => node.span.clone(),
    }
}

/// Names may hold dots and brackets, so all ways to read the path are tried.
fn find<'d>(
    node: &'d Node,
    key: Option<&'d Key>,
    path: &str,
    nearest: &mut Range<usize>,
) -> Option<(Option<&'d Key>, &'d Node)> {
    if path.is_empty() {
        return Some((key, node));
    }
    *nearest = key.map_or(&node.span, |key| &key.span).clone();
    match &node.value {
        Value::List(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            find(item, None, rest.strip_prefix('.').unwrap_or(rest), nearest)
        }
        Value::Map(entries) => entries.iter().find_map(|(key, value)| {
            let rest = path.strip_prefix(key.name.as_str())?;
            let rest = match rest.strip_prefix('.') {
                Some(rest) => rest,
                None if rest.is_empty() || rest.starts_with('[') => rest,
                None => return None,
            };
            find(value, Some(key), rest, nearest)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kong_config::document::{Report, parse};

    #[test]
    fn a_path_leads_to_what_it_means() {
        let text = "rules:\n- match: {headers: {a.b: [x, y], a: [z]}}\n  deny: {}\nrealm: r\n";
        let root = parse(text, &Report::new(None)).unwrap();
        let rows = [
            ("rules[0].match.headers.a.b[1]", false, "y"),
            ("rules[0].match.headers.a[0]", false, "z"),
            ("rules[0].match.headers.a.b", false, "a.b"),
            ("realm", false, "r"),
            ("realm", true, "realm"),
            ("rules", false, "rules"),
            ("rules[0].deny.status", false, "deny"),
            ("rules[0].client_certificate", false, "match: {headers: {a.b: [x, y], a: [z]}}\n  deny: {}"),
        ];
        for (path, field, owed) in rows {
            assert_eq!(&text[locate(&root, path, field)], owed, "{path}");
        }
    }
}
