//! Paths against rules, and keys in queries.

use std::sync::LazyLock;

use mtls_policy::policy::{Decision, Policy, Request, Target};

use crate::oracle::{arguments, readings};

/// Bytes as what the upstream would receive.
pub(super) fn run(data: &[u8]) {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| {
        let policy = br#"{"key_names":["token","X-API-Key"],"hide_credentials":true,"anonymous":"guest",
            "consumers":[{"username":"guest"}],"rules":[{"match":{"path_prefix":"/locked"},"deny":{}}]}"#;
        Policy::compile(policy).unwrap_or_else(|problems| panic!("{problems}"))
    });
    let target = Target::of(data);
    let decision = POLICY.decide(Request {
        method: b"GET",
        authority: b"dogs.example",
        target,
        headers: std::iter::empty(),
        body: &[],
        established: None,
        now: 1_800_000_000,
    });
    let Decision::Allow(allow) = decision else { return };

    for reading in readings(target.path) {
        let locked = reading == b"/locked" || reading.starts_with(b"/locked/");
        assert!(
            !locked,
            "{:?} may be read as {:?}",
            String::from_utf8_lossy(data),
            String::from_utf8_lossy(&reading)
        );
    }
    let Some(query) = target.query else {
        assert!(allow.edits.target.is_none(), "a target without a query was changed");
        return;
    };
    let is_key = |name: &[u8]| name == b"token" || name == b"X-API-Key";
    let arguments = arguments(query);
    let kept: Vec<_> =
        arguments.iter().filter(|(name, _)| !is_key(name)).map(|(_, written)| *written).collect();
    let owed = match kept.len() == arguments.len() {
        true => None,
        false if kept.is_empty() => Some(target.path.to_vec()),
        false => Some([target.path, b"?", &kept.join(&b'&')].concat()),
    };
    assert_eq!(allow.edits.target, owed);
}
