//! What of a text may be shown. A config may hold private keys and credentials, and somebody may have written an API
//! key where its digest belongs; lines around a mistake must not tell them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use kong_config::document::{Node, Value};

/// The text with `*` for each byte of what may be a secret.
pub(super) fn mask(text: &str, root: &Node) -> String {
    let mut secret = Vec::new();
    walk(root, Within::Anything, &mut secret);
    let mut shown = text.as_bytes().to_vec();
    for span in secret {
        cover(&mut shown, span);
    }
    readable(shown)
}

/// The same of a text that is no document: only the names of fields can be told from values there.
pub(super) fn structure(text: &str) -> String {
    let mut shown = text.as_bytes().to_vec();
    for word in WORD.captures_iter(text).filter_map(|found| found.name("value")) {
        cover(&mut shown, word.range());
    }
    readable(shown)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Anything,
    /// The `keys` of a consumer of a policy.
    Keys,
    /// What other plugins are told.
    Others,
}

fn walk(node: &Node, within: Within, secret: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, within, secret)),
        Value::Map(entries) => {
            // A KongPlugin names its plugin in `plugin`.
            let plugin = node.get("name").or(node.get("plugin")).and_then(Node::as_str);
            let is_secret = node.get("kind").and_then(Node::as_str) == Some("Secret");
            for (key, value) in entries {
                let inside = match key.name.as_str() {
                    _ if within == Within::Others => Within::Others,
                    "data" | "stringData" if is_secret => Within::Others,
                    // A copy of the whole manifest, as text.
                    "kubectl.kubernetes.io/last-applied-configuration" => Within::Others,
                    "config" if plugin.is_some_and(|name| !OURS.contains(&name)) => Within::Others,
                    "keys" if node.get("username").is_some() => Within::Keys,
                    "id" | "not_before" | "not_after" if within == Within::Keys => Within::Anything,
                    name if node.get("username").is_some() && !CONSUMER.contains(&name) => Within::Others,
                    "sha256" if value.as_str().is_some_and(is_digest) => Within::Anything,
                    "sha256" => Within::Keys,
                    name if SECRETS.contains(&name) && !refers(value) => Within::Others,
                    _ => within,
                };
                walk(value, inside, secret);
            }
        }
        _ if within != Within::Anything => secret.push(node.span.clone()),
        _ => {}
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A reference into a vault tells nothing.
fn refers(value: &Node) -> bool {
    value.as_str().is_some_and(|text| text.starts_with("{vault://"))
}

/// Nothing that would move a terminal's cursor, each byte in its place.
fn readable(mut text: Vec<u8>) -> String {
    for byte in text.iter_mut().filter(|byte| byte.is_ascii_control() && !b"\t\r\n".contains(*byte)) {
        *byte = b'?';
    }
    String::from_utf8(text).unwrap_or_default()
}

fn cover(text: &mut [u8], span: Range<usize>) {
    let end = span.end.min(text.len());
    for byte in text[span.start.min(end)..end].iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
        *byte = b'*';
    }
}

const OURS: [&str; 2] = ["mtls-policy", "upstream-mtls"];

/// Fields of a consumer, in ours and in Kong's.
const CONSUMER: [&str; 8] = ["acls", "created_at", "custom_id", "groups", "id", "keys", "tags", "username"];

/// Fields that hold secrets, in ours and in Kong's entities.
const SECRETS: [&str; 8] =
    ["apikey", "api_key", "client_secret", "key", "password", "private_key", "secret", "token"];

#[expect(clippy::expect_used, reason = "the pattern is constant, and tests use it")]
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:[\w-]+["']?\s*:(?:\s|$))|(?<value>[^\s\[\]{},:"'#-][^\s\[\]{},:"'#]*)"#)
        .expect("a pattern")
});

#[cfg(test)]
mod tests {
    use super::*;
    use kong_config::document::{Report, parse};

    #[test]
    fn what_may_be_a_secret_is_covered_and_all_else_stays_in_its_place() {
        let hex = "ab".repeat(32);
        let rows = [
            (
                "a digest is shown",
                format!("consumers: [{{username: a, keys: [{{id: b, sha256: {hex}}}]}}]"),
                None,
            ),
            (
                "a key in its place is not",
                "consumers: [{username: a, keys: [{id: b, sha256: hunter2}]}]".to_owned(),
                Some("hunter2"),
            ),
            (
                "a key as a list's item",
                "consumers: [{username: a, keys: [hunter2]}]".to_owned(),
                Some("hunter2"),
            ),
            (
                "a field that is none",
                "consumers: [{username: a, keys: [{id: b, value: hunter2}]}]".to_owned(),
                Some("hunter2"),
            ),
            (
                "a field of a consumer that is none",
                "consumers: [{username: a, pin: hunter2}]".to_owned(),
                Some("hunter2"),
            ),
            (
                "a private key",
                "{name: upstream-mtls, config: {client_certificates: [{name: a, key: hunter2}]}}".to_owned(),
                Some("hunter2"),
            ),
            (
                "a reference to one",
                "{name: upstream-mtls, config: {client_certificates: [{name: a, key: '{vault://env/k}'}]}}"
                    .to_owned(),
                None,
            ),
            (
                "what another plugin is told",
                "{name: other, config: {anything: hunter2}}".to_owned(),
                Some("hunter2"),
            ),
            (
                "what another KongPlugin is told",
                "{apiVersion: v1, kind: KongPlugin, plugin: other, config: {anything: hunter2}}".to_owned(),
                Some("hunter2"),
            ),
            (
                "a Secret",
                "{apiVersion: v1, kind: Secret, stringData: {config: hunter2}}".to_owned(),
                Some("hunter2"),
            ),
            (
                "a copy of the manifest",
                "{apiVersion: v1, kind: KongPlugin, plugin: mtls-policy, metadata: {annotations: \
                 {kubectl.kubernetes.io/last-applied-configuration: hunter2}}}"
                    .to_owned(),
                Some("hunter2"),
            ),
            (
                "Kong's credential",
                "keyauth_credentials: [{consumer: a, key: hunter2}]".to_owned(),
                Some("hunter2"),
            ),
        ];
        for (what, text, secret) in rows {
            let root = parse(&text, &Report::new(None)).unwrap();
            let owed = secret.map_or(text.clone(), |secret| text.replace(secret, &"*".repeat(secret.len())));
            assert_eq!(mask(&text, &root), owed, "{what}");
        }
    }

    #[test]
    fn of_what_is_no_document_only_names_of_fields_are_shown() {
        assert_eq!(
            structure("keys: [{id: b, sha256: hunter2\n- \"a\": x"),
            "keys: [{id: *, sha256: *******\n- \"a\": *"
        );
    }
}
