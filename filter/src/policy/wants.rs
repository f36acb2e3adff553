//! What a policy looks at in a request: found out when it is compiled, so that a host need not hand over the rest.

use super::cookie;
use super::credential::{AUTHORIZATION, Places, same_header};
use super::decide::Asks;
use super::identity;
use super::request::CONNECTION;
use super::rules::Rules;

/// What a policy looks at in a request. Headers for the refusal's format, `Accept` and `Content-Type`, are another
/// matter: see [`Format::preferred`](super::Format::preferred).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    pub method: bool,
    pub authority: bool,
    pub path: bool,
    pub query: bool,
    /// Fields of the body, of these names: those of the keys.
    pub body: bool,
    /// The time: some key has a window.
    pub time: bool,
    /// The header `Connection`: it may name a header that a decision would depend on.
    connection: bool,
    /// Other headers than those that speak of consumers.
    names: Box<[Box<str>]>,
}

impl Wants {
    pub(super) fn of(asks: &Asks, rules: &Rules) -> Self {
        let keys = match asks {
            Asks::Gateway => None,
            Asks::Keys(keys) => Some(keys),
        };
        let places = keys.map(|keys| &keys.places);
        let mut names: Vec<Box<str>> = Vec::new();
        let hides = keys.is_some_and(|keys| keys.hide);
        let of_keys = places.filter(|places| places.in_header || hides).map(|places| &*places.names);
        let of_keys = of_keys.into_iter().flatten().map(|name| &**name);
        let authorization = places.and_then(|places| places.authorization.as_ref()).map(|_| AUTHORIZATION);
        let cookies = places.filter(|places| !places.cookies.is_empty()).map(|_| cookie::HEADER);
        let of_rules = rules.rules.iter().flat_map(|rule| &rule.headers).map(|header| &*header.name);
        let connection = places.is_some_and(Places::look_at_headers)
            || rules.rules.iter().any(|rule| !rule.headers.is_empty());
        for name in of_keys.chain(authorization).chain(cookies).chain(of_rules) {
            if !identity::is_ours(name.as_bytes()) && !names.iter().any(|each| same(each, name)) {
                names.push(name.to_ascii_lowercase().into());
            }
        }
        Self {
            method: keys.is_some_and(|keys| keys.preflight_passes)
                || rules.rules.iter().any(|rule| !rule.methods.is_empty()),
            authority: rules.rules.iter().any(|rule| !rule.hosts.is_empty()),
            path: rules.look_at_paths,
            query: places.is_some_and(|places| places.in_query || hides && !places.names.is_empty()),
            body: places.is_some_and(|places| places.in_body),
            time: keys.is_some_and(|keys| keys.keyring.has_windows()),
            connection,
            names: names.into(),
        }
    }

    /// Whether a header is looked at. `X_API_Key` counts as `X-API-Key`: to many an upstream the two are one name.
    pub fn header(&self, name: &[u8]) -> bool {
        self.names.iter().any(|each| same_header(each.as_bytes(), name))
            || self.connection && name.eq_ignore_ascii_case(CONNECTION)
            || identity::is_ours(name)
    }

    /// The headers that are looked at by name, in lower case. For `Connection`, and for those that speak of consumers,
    /// whose names have no end (`X-Consumer-…`), ask [`header`](Self::header).
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

fn same(a: &str, b: &str) -> bool {
    same_header(a.as_bytes(), b.as_bytes())
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    #[test]
    fn a_policy_wants_no_more_than_it_looks_at() {
        // Policy; method, authority, path, query; headers by name.
        let rows = [
            ("{}", [false, false, false, true], "apikey"),
            (r#"{"key_in_query":false,"run_on_preflight":false}"#, [true, false, false, false], "apikey"),
            (r#"{"key_in_header":false}"#, [false, false, false, true], ""),
            // What is to be hidden is looked for where no key counts, too.
            (r#"{"key_in_header":false,"hide_credentials":true}"#, [false, false, false, true], "apikey"),
            (r#"{"key_in_query":false,"hide_credentials":true}"#, [false, false, false, true], "apikey"),
            (
                r#"{"key_in_header":false,"key_in_query":false,"key_cookies":["k"],"hide_credentials":true}"#,
                [false; 4],
                "cookie",
            ),
            (r#"{"authentication":"gateway"}"#, [false; 4], ""),
            (
                r#"{"authentication":"gateway","rules":[{"match":{"methods":["PUT"]},"deny":{}}]}"#,
                [true, false, false, false],
                "",
            ),
            (
                r#"{"authentication":"gateway","rules":[{"match":{"hosts":["h"]},"deny":{}}]}"#,
                [false, true, false, false],
                "",
            ),
            (
                r#"{"authentication":"gateway","rules":[{"match":{"path_prefix":"/a"},"deny":{}}]}"#,
                [false, false, true, false],
                "",
            ),
            (
                r#"{"key_in_header":false,"key_in_query":false,"key_authorization":"Bearer","key_cookies":["k"]}"#,
                [false; 4],
                "authorization cookie",
            ),
            (
                r#"{"key_names":["X-API-Key","k"],"rules":[
                    {"match":{"methods":["PUT"],"path_prefix":"/a"},"deny":{}},
                    {"match":{"hosts":["h"],"headers":{"x_api_key":["1"],"X-Shift":["2"],"X-Consumer-ID":["3"]}},"deny":{}}]}"#,
                [true; 4],
                "x-api-key k x-shift",
            ),
        ];
        for (policy, owed, names) in rows {
            let compiled = Policy::compile(policy.as_bytes()).unwrap();
            let wants = compiled.wants();
            assert_eq!([wants.method, wants.authority, wants.path, wants.query], owed, "{policy}");
            assert_eq!(wants.names().collect::<Vec<_>>().join(" "), names, "{policy}");
        }
    }

    #[test]
    fn the_time_is_wanted_where_a_key_has_a_window() {
        for (window, owed) in [
            ("", false),
            (r#","not_before":"2026-01-01T00:00:00Z""#, true),
            (r#","not_after":"2026-01-01T00:00:00Z""#, true),
        ] {
            let digest = "0".repeat(64);
            let policy = format!(
                r#"{{"consumers":[{{"username":"a","keys":[{{"id":"1","sha256":"{digest}"{window}}}]}}]}}"#
            );
            assert_eq!(Policy::compile(policy.as_bytes()).unwrap().wants().time, owed, "{window}");
        }
    }

    #[test]
    fn what_speaks_of_consumers_is_wanted_in_every_spelling() {
        let policy = Policy::compile(br#"{"key_names":["X-API-Key"]}"#).unwrap();
        let rows = [
            ("x-api-key", true),
            ("X_API_KEY", true),
            ("X-Consumer-Username", true),
            ("x_consumer_role", true),
            ("X-Credential_Identifier", true),
            ("x-anonymous-consumer", true),
            ("X-Consumers", false),
            ("connection", true),
            ("Accept", false),
            ("X", false),
            ("", false),
        ];
        for (name, owed) in rows {
            assert_eq!(policy.wants().header(name.as_bytes()), owed, "{name}");
        }
    }
}
