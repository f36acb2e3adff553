//! Policies, requests, and what is owed: one table, held against the core natively and in wasm, and against the native
//! library's C ABI.
#![allow(clippy::panic)]

mod core_itself;
mod keys;
mod mistakes;
mod rules;

use std::fmt::Write;

use sha2::{Digest, Sha256};

#[allow(unused_imports, reason = "the ABI's tests have a shell of their own")]
pub(crate) use core_itself::core;
#[allow(unused_imports, reason = "the ABI's tests need no second proof of it")]
pub(crate) use mistakes::unnoticed;

/// A request under a policy. `<name>` in a policy is the digest of the key `name`.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    name: &'static str,
    policy: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Whom the gateway has established, and of which group.
    pub(crate) established: Option<(&'static str, &'static str)>,
    /// `USERNAME CERTIFICATE`, or `STATUS MESSAGE`.
    owed: &'static str,
    /// What changes on the way: `-name`, `+name=value`, `+Cookie=` with the whole of it, and a new target.
    edits: &'static str,
}

/// Holds every row against a shell of the core, which is given a policy and a request and says what came of it, as
/// `owed` and `edits` have it; a message for each row that is wrong.
pub(crate) fn wrong(decide: impl Fn(&str, &Row) -> (String, String)) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in keys::ROWS.iter().chain(rules::ROWS) {
        let (came, edits) = decide(&filled(row.policy), row);
        if (came.as_str(), edits.as_str()) != (row.owed, row.edits) {
            wrong.push(format!("{}: {came:?} {edits:?}, owed: {:?} {:?}", row.name, row.owed, row.edits));
        }
    }
    wrong
}

fn filled(policy: &str) -> String {
    let mut filled = String::new();
    for (number, part) in policy.split('<').enumerate() {
        match part.split_once('>') {
            Some((key, rest)) if number > 0 => {
                for byte in Sha256::digest(key) {
                    let _ = write!(filled, "{byte:02x}");
                }
                filled += rest;
            }
            _ => filled += part,
        }
    }
    filled
}

pub(crate) const AUTHORITY: &str = "Dogs.Example:8000";

/// 2026-11-24T00:00:00Z.
pub(crate) const NOW: i64 = 1_795_478_400;

/// A request of nobody, of which a row says what is other.
const PLAIN: Row = Row {
    name: "",
    policy: ONE,
    method: "GET",
    target: "/",
    headers: &[],
    established: None,
    owed: "",
    edits: "",
};

const ONE: &str = r#"{"key_names":["X-API-Key"],"client_certificate":"c","consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"},{"id":"2","sha256":"<old>","not_after":"2026-11-23T23:59:59Z"},
                              {"id":"3","sha256":"<new>","not_before":"2026-11-24T00:00:01Z"},
                              {"id":"4","sha256":"<now>","not_before":"2026-11-24T00:00:00Z","not_after":"2026-11-24T00:00:00Z"}]}]}"#;

const GATEWAY: &str = r#"{"authentication":"gateway","client_certificate":"c",
    "rules":[{"match":{"groups":["vets"]},"client_certificate":"vet"}]}"#;

const SAYS_ANN: &str = "+X-Consumer-Username=ann +X-Credential-Identifier=1";
