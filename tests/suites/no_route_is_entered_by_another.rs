//! A route's policy holds for whatever the upstream takes for that route's path: no spelling gets there by the route of
//! another.
//!
//! What upstreams may read in more than one way, such as `%2F`, goes through where no rule asks for paths; how to close
//! that is in SECURITY.md.

use std::collections::BTreeSet;

use tests::{Setting, raw, tests};

tests![
    a_path_of_a_locked_route_is_reached_by_no_spelling,
    a_policy_of_another_host_is_not_chosen_by_a_target
];

/// One that lets everybody in, and one that asks for a key, both with paths as they come.
const ROUTES: &str = "  - name: open
    paths: [/open]
    strip_path: false
    plugins:
    - name: mtls-policy
      config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-intern}
  - name: anything
    paths: [/anything/locked]
    strip_path: false
    plugins:
    - name: mtls-policy
      config: {key_names: [X-API-Key], consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}], client_certificate: kong-vet}
  - name: whole
    paths: [/anything]
    strip_path: false
    plugins:
    - name: mtls-policy
      config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-intern}
";

fn a_path_of_a_locked_route_is_reached_by_no_spelling() {
    let setting = Setting::with_routes("client_certificate: kong-client", ROUTES);
    let ups = [
        "..",
        "%2e%2e",
        ".%2E",
        "%2E.",
        "..;",
        "..%00",
        "..%2f..",
        "..%5c",
        "..\\",
        ". .",
        "%252e%252e",
        "..#",
        "..?",
    ];
    let locked = [
        "locked",
        "%6cocked",
        "l%6Fcked/7",
        "locked/",
        "./locked",
        "%2e/locked",
        "locked/.",
        "locked/x/..",
        "/locked",
        "locked?",
        "locked#",
        "LOCKED",
    ];
    let mut spellings = BTreeSet::new();
    for way in locked {
        for begin in [
            "/anything/",
            "//anything/",
            "/./anything/",
            "/%61nything/",
            "/anything//",
            "/anything/./",
            "/anything\\",
            "/anything%2f",
            "http://localhost/anything/",
            "http://localhost//anything/",
            "http:///anything/",
        ] {
            spellings.insert(format!("{begin}{way}"));
        }
        for up in ups {
            for from in ["/open", "/open/x/..", "/anything/x", "/dogs"] {
                spellings.insert(format!("{from}/{up}/anything/{way}"));
                spellings.insert(format!("{from}/{up}/{way}"));
            }
        }
    }
    let mut passed = 0;
    for target in &spellings {
        let answer = raw::get(setting.proxy(), target, &[]);
        assert_ne!(answer.seen_client(), Some("kong-vet"), "{target}: {answer:?}");
        passed += usize::from(answer.seen_client().is_some());
    }
    for seen in setting.upstream().latest() {
        let path = seen.uri.split(['?', '#']).next().unwrap();
        let path = normal(path);
        assert!(!(path == "/anything/locked" || path.starts_with("/anything/locked/")), "{seen:?}");
    }
    println!("{} spellings, of which {passed} went elsewhere", spellings.len());
    assert!(passed > 0);
    let key = setting.key("ann");
    let answer = raw::get(setting.proxy(), "/anything/locked", &[("X-API-Key", &key)]);
    assert_eq!(answer.seen_client(), Some("kong-vet"), "{answer:?}");
}

fn a_policy_of_another_host_is_not_chosen_by_a_target() {
    let setting = Setting::with_routes(
        "client_certificate: kong-client",
        "  - name: open
    hosts: [open.example]
    paths: [/anything]
    strip_path: false
    plugins:
    - name: mtls-policy
      config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-intern}
  - name: locked
    hosts: [locked.example]
    paths: [/anything]
    strip_path: false
    plugins:
    - name: mtls-policy
      config: {key_names: [X-API-Key], consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}], client_certificate: kong-vet}
",
    );
    let hosts = [
        "open.example",
        "locked.example",
        "OPEN.example",
        "open.example.",
        "open.example:80",
        "locked.example@open.example",
        "open.example@locked.example",
        "open.example, locked.example",
    ];
    for in_target in [None].into_iter().chain(hosts.map(Some)) {
        for in_header in hosts {
            let origin = in_target.map(|host| format!("http://{host}")).unwrap_or_default();
            let request =
                format!("GET {origin}/anything/x HTTP/1.1\r\nHost: {in_header}\r\nConnection: close\r\n\r\n");
            let answer = raw::send(setting.proxy(), request.as_bytes());
            // Nobody has shown a key: whatever is chosen, it is not what a key is asked for.
            assert_ne!(answer.seen_client(), Some("kong-vet"), "{request}: {answer:?}");
        }
    }
}

/// As an upstream that keeps to RFC 3986 reads it: letters decoded, dot segments resolved, empty ones left out.
fn normal(path: &str) -> String {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let escape =
            rest.get(1..3).filter(|_| first == '%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let plain = escape.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte));
        decoded.push(plain.map_or(first, char::from));
        rest = &rest[if plain.is_some() { 3 } else { first.len_utf8() }..];
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => (),
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}
