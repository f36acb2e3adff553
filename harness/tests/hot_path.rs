//! The hot path only looks up: what the real filter asks of its host, counted, whatever the size of its policy.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use harness::gateway::embedded::wasm::{Filters, Headers, Outcome, Properties, Stream, Unsettable, Worker};
use sha2::{Digest, Sha256};

#[test]
fn an_allowed_request_costs_these_host_calls_however_many_keys_there_are() {
    for keys in [1, 20_000] {
        // No clock: no key has a window.
        let owed = [
            // All of them at once: duplicates, and every spelling of an identity header, have to be seen.
            ("proxy_get_header_map_pairs", 1),
            // What the upstream will receive; then one order, that the key goes and the certificate is presented.
            ("proxy_get_property", 2),
            // Two identity headers come.
            ("proxy_replace_header_map_value", 2),
        ];
        assert_eq!(calls(keys, &[("x-api-key", "key-0")]), (true, owed.map(named).to_vec()), "{keys} keys");
    }
}

#[test]
fn what_is_as_it_should_be_is_not_written_again() {
    let said =
        [("x-api-key", "key-0"), ("x-consumer-username", "consumer-0"), ("x-credential-identifier", "1")];
    let (passes, calls) = calls(1, &said);
    assert!(passes);
    assert!(!calls.iter().any(|(name, _)| name == "proxy_replace_header_map_value"), "{calls:?}");
}

#[test]
fn what_is_left_of_cookies_is_one_host_call_more() {
    let told = r#""key_authorization":"Bearer","key_cookies":["k"],"#;
    let owed = |written| {
        [
            ("proxy_get_header_map_pairs", 1),
            ("proxy_get_property", 2),
            ("proxy_replace_header_map_value", written),
        ]
    };
    for (headers, written) in [
        ([("cookie", "a=1; k=key-0"), ("x-a", "1")], 3),
        ([("cookie", "k=key-0"), ("x-a", "1")], 2),
        ([("cookie", "a=1"), ("authorization", "bearer key-0")], 2),
    ] {
        assert_eq!(calls_of(1, told, &headers), (true, owed(written).map(named).to_vec()), "{headers:?}");
    }
}

/// Whether a request with these headers passes, and the host calls that it cost, by name.
fn calls(keys: usize, headers: &[(&str, &str)]) -> (bool, Vec<(String, u32)>) {
    calls_of(keys, "", headers)
}

/// Likewise under a policy with something more.
fn calls_of(keys: usize, more: &str, headers: &[(&str, &str)]) -> (bool, Vec<(String, u32)>) {
    let filters = Filters::load(&harness::gateway::filters().unwrap()).unwrap();
    let worker = Worker::new(&filters, Kong);
    let root = worker.configure("mtls-policy", policy(keys, more).into_bytes()).unwrap();
    let mut sent: Headers = [(":method", "GET"), (":path", "/"), (":authority", "localhost")]
        .iter()
        .chain(headers)
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    // The first request tells the filter which kind of host it has.
    let mut first = Stream::start([&root]);
    first.request_headers(&mut sent.clone(), &mut Kong).unwrap();
    first.finish();
    let mut stream = Stream::start([&root]);
    let outcome = stream.request_headers(&mut sent, &mut Kong).unwrap();
    let mut calls: Vec<_> = stream.calls().filter(|(_, count)| *count > 0).map(named).collect();
    calls.sort();
    stream.finish();
    (outcome == Outcome::Continue, calls)
}

fn named((name, count): (&str, u32)) -> (String, u32) {
    (name.to_owned(), count)
}

fn policy(keys: usize, more: &str) -> String {
    let mut consumers = String::new();
    for number in 0..keys {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(consumers, r#"{comma}{{"username":"consumer-{number}","keys":[{{"id":"1","sha256":""#);
        for byte in Sha256::digest(format!("key-{number}")) {
            let _ = write!(consumers, "{byte:02x}");
        }
        consumers += r#""}]}"#;
    }
    format!(
        r#"{{{more}"key_names":["X-API-Key"],"hide_credentials":true,"client_certificate":"c","consumers":[{consumers}]}}"#
    )
}

/// Kong as far as the filter asks it, with one certificate in force.
#[derive(Clone)]
struct Kong;

impl Properties for Kong {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        match path {
            "ngx.upstream_uri" => Some(b"/".to_vec()),
            "kong.mtls_policy.allow.c\nx-api-key"
            | "kong.mtls_policy.allow.c\ncookie"
            | "kong.mtls_policy.allow.c\nauthorization" => Some(b"done".to_vec()),
            _ => None,
        }
    }

    fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
        Err(Unsettable)
    }
}
