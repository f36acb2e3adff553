//! Requests that rules tell apart, and what is owed.

use super::{GATEWAY, PLAIN, Row, SAYS_ANN};

const RULES: &str = r#"{"key_names":["k"],"client_certificate":"other","consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]},
    {"username":"bob","groups":["vets","night"],"keys":[{"id":"1","sha256":"<bob>"}]}],
  "rules":[
    {"match":{"path_prefix":"/locked"},"deny":{}},
    {"match":{"groups":["vets"],"methods":["POST","PUT"],"path_prefix":"/dogs/"},"client_certificate":"vet"},
    {"match":{"consumers":["bob"],"headers":{"X-Shift":["early","late"]}},"client_certificate":"shift"},
    {"match":{"hosts":["cats.example"]},"client_certificate":"cats"},
    {"match":{"hosts":["Dogs.Example."],"methods":["DELETE"]},"deny":{"status":405,"message":"not here"}},
    {"match":{"groups":["night"]},"client_certificate":"night"}]}"#;

const SAYS_BOB: &str = "+X-Consumer-Username=bob +X-Credential-Identifier=1";

const ON_A_HEADER: &str = r#"{"key_names":["k"],"consumers":[{"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}],
    "rules":[{"match":{"headers":{"X-Shift":["late"]}},"client_certificate":"shift"}]}"#;

/// A policy for multiple authentication: any of several plugins may establish the consumer.
const OR: &str = r#"{"key_names":["k"],"anonymous":"guest","client_certificate":"c","consumers":[
    {"username":"ann","groups":["vets"],"keys":[{"id":"1","sha256":"<ann>"}]},
    {"username":"bob","keys":[{"id":"1","sha256":"<bob>"}]}],
  "rules":[{"match":{"groups":["vets"]},"client_certificate":"vet"},{"match":{"consumers":["ann"]},"deny":{"message":"not you"}},
    {"match":{"consumers":["guest"]},"client_certificate":"guest"}]}"#;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "no rule matches",
        policy: RULES,
        headers: &[("k", "ann")],
        owed: "ann other",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "group, method and path",
        policy: RULES,
        method: "POST",
        target: "/dogs/7",
        headers: &[("k", "bob")],
        owed: "bob vet",
        edits: SAYS_BOB,
        ..PLAIN
    },
    Row {
        name: "another method",
        policy: RULES,
        target: "/dogs/7",
        headers: &[("k", "bob")],
        owed: "bob night",
        edits: SAYS_BOB,
        ..PLAIN
    },
    Row {
        name: "half a segment",
        policy: RULES,
        method: "POST",
        target: "/dogsled",
        headers: &[("k", "bob")],
        owed: "bob night",
        edits: SAYS_BOB,
        ..PLAIN
    },
    Row {
        name: "header with one of the values",
        policy: RULES,
        headers: &[("k", "bob"), ("x-shift", "late")],
        owed: "bob shift",
        edits: SAYS_BOB,
        ..PLAIN
    },
    Row {
        name: "header with another value",
        policy: RULES,
        headers: &[("k", "bob"), ("x-shift", "lately")],
        owed: "bob night",
        edits: SAYS_BOB,
        ..PLAIN
    },
    Row {
        name: "host without regard to case and port",
        policy: RULES,
        method: "DELETE",
        headers: &[("k", "ann")],
        owed: "405 not here",
        ..PLAIN
    },
    Row {
        name: "denied path",
        policy: RULES,
        target: "/locked/7",
        headers: &[("k", "ann")],
        owed: "403 Forbidden",
        ..PLAIN
    },
    Row {
        name: "denied path, spelt otherwise",
        policy: RULES,
        target: "//%6cocked",
        headers: &[("k", "ann")],
        owed: "403 Forbidden",
        ..PLAIN
    },
    Row {
        name: "a way up that not every upstream takes",
        policy: RULES,
        target: "/x/%2e%2e/locked",
        headers: &[("k", "ann")],
        owed: "400 Ambiguous path",
        ..PLAIN
    },
    Row {
        name: "ambiguous path",
        policy: RULES,
        target: "/x%2flocked",
        headers: &[("k", "ann")],
        owed: "400 Ambiguous path",
        ..PLAIN
    },
    Row {
        name: "without a rule on paths none is ambiguous",
        target: "/x%2flocked;v",
        headers: &[("X-API-Key", "ann")],
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "a key comes before a path",
        policy: RULES,
        target: "/locked",
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "the gateway names nobody",
        policy: GATEWAY,
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "the gateway names somebody",
        policy: GATEWAY,
        established: Some(("bob", "vets")),
        owed: "bob vet",
        edits: "+X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "the gateway names somebody else",
        policy: GATEWAY,
        established: Some(("ann", "night")),
        headers: &[("X-Consumer-Username", "bob")],
        owed: "ann c",
        edits: "-X-Consumer-Username +X-Consumer-Username=ann",
        ..PLAIN
    },
    Row {
        name: "a header that Connection names matches no rule",
        policy: ON_A_HEADER,
        headers: &[("k", "ann"), ("X-Shift", "late"), ("Connection", "x-shift")],
        owed: "ann unchanged",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "with anonymous rules are about an established consumer",
        policy: OR,
        established: Some(("bob", "vets")),
        headers: &[("k", "ann")],
        owed: "bob vet",
        edits: "+X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "and may deny it",
        policy: OR,
        established: Some(("ann", "night")),
        owed: "403 not you",
        ..PLAIN
    },
    Row {
        name: "who is not established is anonymous",
        policy: OR,
        owed: "anonymous guest",
        edits: "+X-Consumer-Username=guest +X-Anonymous-Consumer=true",
        ..PLAIN
    },
    Row {
        name: "a key counts where nothing is established",
        policy: OR,
        headers: &[("k", "bob")],
        owed: "bob c",
        edits: "+X-Consumer-Username=bob +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "an empty list may come as an empty object, as from Kong",
        policy: r#"{"anonymous":"guest","consumers":[{"username":"guest","groups":{},"keys":{}}],"rules":{}}"#,
        owed: "anonymous unchanged",
        edits: "+X-Consumer-Username=guest +X-Anonymous-Consumer=true",
        ..PLAIN
    },
    Row {
        name: "no consumers may come as an empty object, as from Kong",
        policy: r#"{"anonymous":"guest","consumers":{ },"rules":{}}"#,
        owed: "anonymous unchanged",
        edits: "+X-Consumer-Username=guest +X-Anonymous-Consumer=true",
        ..PLAIN
    },
    Row {
        name: "what is null is not there, as from Kong",
        policy: r#"{"key_names":null,"realm":null,"anonymous":"guest","consumers":null,"rules":null}"#,
        owed: "anonymous unchanged",
        edits: "+X-Consumer-Username=guest +X-Anonymous-Consumer=true",
        ..PLAIN
    },
];
