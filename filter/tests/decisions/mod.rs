//! Policies, requests, and what is owed: one table, held against the core natively and in wasm, and against the native
//! library's C ABI.
#![allow(clippy::panic)]

use std::fmt::Write;

use mtls_policy::policy::{Caller, Certificate, Decision, Edit, Edits, Established, Policy, Request, Target};
use sha2::{Digest, Sha256};

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
    for row in ROWS {
        let (came, edits) = decide(&filled(row.policy), row);
        if (came.as_str(), edits.as_str()) != (row.owed, row.edits) {
            wrong.push(format!("{}: {came:?} {edits:?}, owed: {:?} {:?}", row.name, row.owed, row.edits));
        }
    }
    wrong
}

/// What is wrong with each of these policies is found, all of it, each with its path.
#[allow(dead_code, reason = "the ABI's tests need no second proof of it")]
pub(crate) fn unnoticed() -> Vec<String> {
    let mut unnoticed = Vec::new();
    for (policy, owed) in MISTAKES {
        let problems = match Policy::compile(filled(policy).as_bytes()) {
            Ok(_) => String::new(),
            Err(problems) => problems.to_string(),
        };
        if problems != *owed {
            unnoticed.push(format!("{policy}: {problems:?}, owed: {owed:?}"));
        }
    }
    unnoticed
}

/// The core itself.
#[allow(dead_code, reason = "the ABI's tests have a shell of their own")]
pub(crate) fn core(policy: &str, row: &Row) -> (String, String) {
    let policy =
        Policy::compile(policy.as_bytes()).unwrap_or_else(|problems| panic!("{}: {problems}", row.name));
    let established = row.established.map(|(username, group)| Established {
        username: Some(username),
        groups: vec![group],
        ..Established::default()
    });
    let request = Request {
        method: row.method.as_bytes(),
        authority: AUTHORITY.as_bytes(),
        target: Target::of(row.target.as_bytes()),
        headers: row.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        body: &[],
        established: established.as_ref(),
        now: NOW,
    };
    match policy.decide(request) {
        Decision::Allow(allow) => {
            let who = allow.caller.username().unwrap_or("nobody");
            let who = if matches!(allow.caller, Caller::Anonymous(_)) { "anonymous" } else { who };
            let certificate = match allow.certificate {
                Certificate::Present(name) => name.as_str(),
                Certificate::Unchanged => "unchanged",
            };
            (format!("{who} {certificate}"), told(&allow.edits))
        }
        Decision::Refuse(refusal) => (format!("{} {}", refusal.status, refusal.message), String::new()),
    }
}

#[allow(dead_code, reason = "as `core`")]
fn told(edits: &Edits<'_>) -> String {
    let mut told = String::new();
    for edit in &edits.headers {
        let _ = match edit {
            Edit::Remove(name) => write!(told, "-{} ", String::from_utf8_lossy(name)),
            Edit::Set(name, value) => write!(told, "+{}={value} ", name.as_str()),
        };
    }
    if let Some(cookies) = &edits.cookies {
        let _ = write!(told, "+Cookie={} ", String::from_utf8_lossy(cookies));
    }
    let target = edits.target.as_deref().unwrap_or_default();
    told += &String::from_utf8_lossy(target);
    told.trim_end().to_owned()
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

const TWO_NAMES: &str = r#"{"key_names":["a","b"],"hide_credentials":true,"consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const EVERYWHERE: &str = r#"{"key_names":["a"],"key_authorization":"Bearer","key_cookies":["k","l"],"hide_credentials":true,
    "anonymous":"guest","consumers":[{"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const NEITHER_HEADER_NOR_QUERY: &str = r#"{"key_in_header":false,"key_in_query":false,"key_authorization":"ApiKey",
    "key_cookies":["k"],"consumers":[{"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const ANONYMOUS: &str = r#"{"key_names":["a","b"],"hide_credentials":true,"anonymous":"guest","run_on_preflight":false,
    "consumers":[{"username":"ann","id":"7","custom_id":"x","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

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

const GATEWAY: &str = r#"{"authentication":"gateway","client_certificate":"c",
    "rules":[{"match":{"groups":["vets"]},"client_certificate":"vet"}]}"#;

const SHIFTS: &str = r#"{"key_names":["k"],"hide_credentials":true,"consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}],
  "rules":[{"match":{"headers":{"X-Shift":["late"]}},"client_certificate":"shift"}]}"#;

const QUERY_ONLY: &str = r#"{"key_names":["k"],"key_in_header":false,"hide_credentials":true,"consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}],
  "rules":[{"match":{"headers":{"K":["v"]}},"client_certificate":"c"}]}"#;

const HEADER_ONLY: &str = r#"{"key_names":["k"],"key_in_query":false,"hide_credentials":true,"consumers":[
    {"username":"ann","custom_id":"x","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const SAYS_ANN: &str = "+X-Consumer-Username=ann +X-Credential-Identifier=1";
const SAYS_BOB: &str = "+X-Consumer-Username=bob +X-Credential-Identifier=1";

const ROWS: &[Row] = &[
    Row {
        name: "key in the header",
        headers: &[("x-api-key", "ann")],
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row { name: "key in the query", target: "/?X-API-Key=ann", owed: "ann c", edits: SAYS_ANN, ..PLAIN },
    Row {
        name: "escaped in the query",
        target: "/?X%2DAPI-Key=a%6en",
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "an escaped question mark begins no query",
        target: "/%3FX-API-Key=ann",
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "query names have a case",
        target: "/?x-api-key=ann",
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row { name: "no key", owed: "401 No API key found in request", ..PLAIN },
    Row {
        name: "empty key",
        headers: &[("X-API-Key", "")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "argument without a value",
        target: "/?X-API-Key",
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row { name: "unknown key", headers: &[("X-API-Key", "eve")], owed: "401 Unauthorized", ..PLAIN },
    Row { name: "expired key", headers: &[("X-API-Key", "old")], owed: "401 Unauthorized", ..PLAIN },
    Row { name: "key of tomorrow", headers: &[("X-API-Key", "new")], owed: "401 Unauthorized", ..PLAIN },
    Row {
        name: "key of this very second",
        headers: &[("X-API-Key", "now")],
        owed: "ann c",
        edits: "+X-Consumer-Username=ann +X-Credential-Identifier=4",
        ..PLAIN
    },
    Row {
        name: "header twice",
        headers: &[("X-API-Key", "ann"), ("x-api-key", "ann")],
        owed: "401 Duplicate API key found",
        ..PLAIN
    },
    Row {
        name: "query twice",
        target: "/?X-API-Key=ann&X-API-Key=ann",
        owed: "401 Duplicate API key found",
        ..PLAIN
    },
    Row {
        name: "header before query",
        target: "/?X-API-Key=eve",
        headers: &[("X-API-Key", "ann")],
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "first name before second",
        policy: TWO_NAMES,
        headers: &[("b", "eve"), ("a", "ann")],
        owed: "ann unchanged",
        edits: "-b -a +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "an empty first name ends the search",
        policy: TWO_NAMES,
        headers: &[("a", ""), ("b", "ann")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "hidden in every place",
        policy: TWO_NAMES,
        target: "/up?a=ann&c=%2f&b=1&&d",
        headers: &[("A", "ann"), ("c", "stays")],
        owed: "ann unchanged",
        edits: "-A +X-Consumer-Username=ann +X-Credential-Identifier=1 /up?c=%2f&&d",
        ..PLAIN
    },
    Row {
        name: "a key behind a scheme",
        policy: EVERYWHERE,
        headers: &[("authorization", "BEARER  ann")],
        owed: "ann unchanged",
        edits: "-authorization +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "a key in a cookie, of which the others stay",
        policy: EVERYWHERE,
        headers: &[("Cookie", "b=1;k=\"ann\""), ("cookie", " l=x; c=\"2\""), ("c", "stays")],
        owed: "ann unchanged",
        edits: "-Cookie -cookie +X-Consumer-Username=ann +X-Credential-Identifier=1 +Cookie=b=1; c=\"2\"",
        ..PLAIN
    },
    Row {
        name: "nothing is left of a cookie header that held only keys",
        policy: EVERYWHERE,
        headers: &[("Cookie", "l=ann; k=ann;")],
        owed: "ann unchanged",
        edits: "-Cookie +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "cookies without keys stay as they are",
        policy: EVERYWHERE,
        headers: &[("a", "ann"), ("Cookie", "K=ann;  b"), ("Cookie", "kk=1")],
        owed: "ann unchanged",
        edits: "-a +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "names come before the scheme, and it before cookies",
        policy: EVERYWHERE,
        target: "/?a=ann",
        headers: &[("Authorization", "Bearer eve"), ("Cookie", "k=eve")],
        owed: "ann unchanged",
        edits: "-Authorization -Cookie +X-Consumer-Username=ann +X-Credential-Identifier=1 /",
        ..PLAIN
    },
    Row {
        name: "a wrong key behind the scheme is not made good by a cookie",
        policy: NEITHER_HEADER_NOR_QUERY,
        headers: &[("Cookie", "k=ann"), ("Authorization", "ApiKey eve")],
        owed: "401 Unauthorized",
        ..PLAIN
    },
    Row {
        name: "another scheme is none, and a cookie is looked for",
        policy: NEITHER_HEADER_NOR_QUERY,
        headers: &[("Cookie", "k=ann"), ("Authorization", "Bearer eve")],
        owed: "ann unchanged",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "two cookies of a name are two keys",
        policy: NEITHER_HEADER_NOR_QUERY,
        headers: &[("Cookie", "k=ann"), ("Cookie", "k=ann")],
        owed: "401 Duplicate API key found",
        ..PLAIN
    },
    Row {
        name: "two credentials are two keys, whatever their schemes",
        policy: NEITHER_HEADER_NOR_QUERY,
        headers: &[("Authorization", "ApiKey ann"), ("Authorization", "Basic x")],
        owed: "401 Duplicate API key found",
        ..PLAIN
    },
    Row {
        name: "where only cookies and a scheme count, the default name does not",
        policy: NEITHER_HEADER_NOR_QUERY,
        target: "/?apikey=ann",
        headers: &[("apikey", "ann")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "what was no key is hidden from the anonymous request in every place",
        policy: EVERYWHERE,
        headers: &[("Authorization", "Bearer\tann"), ("Cookie", "k=ann; b=1; k=ann")],
        owed: "anonymous unchanged",
        edits: "-Authorization -Cookie +X-Consumer-Username=guest +X-Anonymous-Consumer=true +Cookie=b=1",
        ..PLAIN
    },
    Row {
        name: "a wrong key is hidden from the anonymous request too",
        policy: ANONYMOUS,
        target: "/?b=eve",
        headers: &[("a", "eve")],
        owed: "anonymous unchanged",
        edits: "-a +X-Consumer-Username=guest +X-Anonymous-Consumer=true /",
        ..PLAIN
    },
    Row {
        name: "a right key is not anonymous",
        policy: ANONYMOUS,
        headers: &[("a", "ann"), ("X-Anonymous-Consumer", "true")],
        owed: "ann unchanged",
        edits: "-a -X-Anonymous-Consumer +X-Consumer-ID=7 +X-Consumer-Custom-ID=x +X-Consumer-Username=ann \
                +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "a preflight passes, but says nothing about itself",
        policy: ANONYMOUS,
        method: "OPTIONS",
        headers: &[
            ("x_consumer_username", "warden"),
            ("X-Consumer-ID", "0"),
            ("X-Consumer-ID", "1"),
            ("a", "eve"),
        ],
        owed: "nobody unchanged",
        edits: "-x_consumer_username -X-Consumer-ID -a",
        ..PLAIN
    },
    Row {
        name: "what is true may stay",
        headers: &[("X-API-Key", "ann"), ("X-Consumer-Username", "ann")],
        owed: "ann c",
        edits: "+X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "what is true but said twice goes",
        headers: &[("X-API-Key", "ann"), ("X-Consumer-Username", "ann"), ("X_Consumer_Username", "ann")],
        owed: "ann c",
        edits: "-X_Consumer_Username +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "a header that rules look at is not hidden with the key",
        policy: SHIFTS,
        headers: &[("k", "ann"), ("x-shift", "late")],
        owed: "ann shift",
        edits: "-k +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "where keys are in no header, none of that name is hidden",
        policy: QUERY_ONLY,
        target: "/?k=ann&a=1",
        headers: &[("k", "v")],
        owed: "ann c",
        edits: "+X-Consumer-Username=ann +X-Credential-Identifier=1 /?a=1",
        ..PLAIN
    },
    Row {
        name: "where keys are in no header, none there counts",
        policy: QUERY_ONLY,
        headers: &[("k", "ann")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "where keys are in no query, none there counts",
        policy: HEADER_ONLY,
        target: "/?k=ann",
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "where keys are in no query, it is left alone",
        policy: HEADER_ONLY,
        target: "/?k=ann",
        headers: &[("k", "ann")],
        owed: "ann unchanged",
        edits: "-k +X-Consumer-Custom-ID=x +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "nobody else speaks of consumers",
        headers: &[
            ("X-API-Key", "ann"),
            ("X-Consumer-Groups", "vets"),
            ("x_consumer_role", "warden"),
            ("X-Consumers", "7"),
        ],
        owed: "ann c",
        edits: "-X-Consumer-Groups -x_consumer_role +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "the caller's groups may be named",
        policy: GATEWAY,
        established: Some(("bob", "vets")),
        headers: &[("X-Consumer-Groups", "vets")],
        owed: "bob vet",
        edits: "+X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "but in no other header",
        policy: GATEWAY,
        established: Some(("bob", "vets")),
        headers: &[("X-Consumer-Role", "vets")],
        owed: "bob vet",
        edits: "-X-Consumer-Role +X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "but no others beside them",
        policy: GATEWAY,
        established: Some(("bob", "vets")),
        headers: &[("X-Consumer-Groups", "vets, wardens")],
        owed: "bob vet",
        edits: "-X-Consumer-Groups +X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "the gateway's guest stays one",
        policy: GATEWAY,
        established: Some(("bob", "vets")),
        headers: &[("X-Anonymous-Consumer", "true"), ("X-Consumer-Username", "bob")],
        owed: "bob vet",
        ..PLAIN
    },
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
        name: "an empty list may come as an empty object, as from Kong",
        policy: r#"{"anonymous":"guest","consumers":[{"username":"guest","groups":{},"keys":{}}],"rules":{}}"#,
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

/// A policy, and all that is wrong with it, a line each.
const MISTAKES: &[(&str, &str)] = &[
    ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
    (r#"{"key_nmaes":[]}"#, "key_nmaes: there is no such field (did you mean \"key_names\"?)"),
    (r#"{"key_names":[]}"#, "key_names: is empty; leave it out for [apikey]"),
    (
        r#"{"key_names":["a b","x","X"],"key_in_header":false,"key_in_query":false}"#,
        "key_names[0]: \"a b\" is no header name: letters, digits and !#$%&'*+-.^_`|~\nkey_names[2]: \"X\" is there twice\n\
         key_in_query: with key_in_header off too, a key could be nowhere",
    ),
    (
        r#"{"key_cookies":["a=b","x","X","x",7],"key_authorization":"Bearer "}"#,
        "key_cookies[4]: has to be a string, is a number\n\
         key_cookies[0]: \"a=b\" is no cookie name: letters, digits and !#$%&'*+-.^_`|~\nkey_cookies[3]: \"x\" is there twice\n\
         key_cookies[4]: \"\" is no cookie name: letters, digits and !#$%&'*+-.^_`|~\n\
         key_authorization: \"Bearer \" is no scheme, such as Bearer",
    ),
    (
        r#"{"key_names":["authorization","cookie"],"key_authorization":"Bearer","key_cookies":["k"]}"#,
        "key_authorization: key_names has all of the header \"Authorization\"; leave one out\n\
         key_cookies: key_names has all of the header \"Cookie\"; leave one out",
    ),
    (
        r#"{"key_cookies":[],"key_authorization":""}"#,
        "key_authorization: has to be a string, is empty\nkey_cookies: is empty; leave it out",
    ),
    (
        r#"{"authentication":"gateway","key_cookies":["k"],"key_authorization":"Bearer"}"#,
        "key_authorization: has no meaning with authentication: gateway; leave it out\n\
         key_cookies: has no meaning with authentication: gateway; leave it out",
    ),
    (
        r#"{"hide_credentials":"yes","realm":"a\"b"}"#,
        "hide_credentials: has to be true or false, is another string\n\
         realm: \"a\\\"b\" cannot go into a header: control characters, quotes or outer spaces",
    ),
    (
        r#"{"consumers":[{"keys":[{"sha256":"abc"}]},{"username":"a"},{"username":"a","id":7}]}"#,
        "consumers[0].username: is missing\nconsumers[0].keys[0].id: is missing\n\
         consumers[0].keys[0].sha256: has to be the key's SHA-256 as 64 hexadecimal digits\n\
         consumers[2].id: has to be a string, is a number\n\
         consumers[2].username: \"a\" is consumers[1] already",
    ),
    (
        r#"{"consumers":[{"username":"a","keys":[{"id":"1","sha256":"<k>"}]},{"username":"b","keys":[{"id":"1","sha256":"<k>"}]}]}"#,
        "consumers[1].keys[0].sha256: \"b\" and \"a\" have the same key; each needs one of its own",
    ),
    (
        r#"{"consumers":[{"username":"a","keys":[{"id":"1","sha256":"<k>","not_before":"2027-01-01T00:00:00Z","not_after":"2026-01-01T00:00:00Z"},
            {"id":"1","sha256":"<l>","not_after":"tomorrow"}]}]}"#,
        "consumers[0].keys[0].not_after: is before not_before\nconsumers[0].keys[1].id: \"1\" is there twice\n\
         consumers[0].keys[1].not_after: \"tomorrow\" is no RFC 3339 time, such as 2027-01-15T00:00:00Z",
    ),
    (
        r#"{"consumers":[{"username":"a","groups":["vet"]}],"rules":[{"match":{"methods":["PSOT"]},"client_certificate":"c"},
            {"match":{"groups":["vets"],"consumers":["A"]},"deny":{"status":200}},{"match":{"path_prefix":"x"},"client_certificate":"c","deny":{}},
            {"match":{"hosts":["a:80"],"headers":{"a b":[]}}}]}"#,
        "rules[0].match.methods[0]: \"PSOT\" is not an HTTP method (did you mean \"POST\"?)\n\
         rules[1].deny.status: 200 is not between 400 and 599\n\
         rules[1].match.consumers[0]: there is no consumer \"A\" (did you mean \"a\"?)\n\
         rules[1].match.groups[0]: no consumer is in group \"vets\" (did you mean \"vet\"?)\n\
         rules[2]: has both client_certificate and deny; leave one out\n\
         rules[2].match.path_prefix: \"x\" does not begin with /\n\
         rules[3]: has neither client_certificate nor deny\n\
         rules[3].match.hosts[0]: \"a:80\" is no host name, without port\n\
         rules[3].match.headers.a b: is no header name\n\
         rules[3].match.headers.a b: is empty: no request would match",
    ),
    (
        r#"{"client_certificate":"a/b","rules":[{"match":{},"deny":{}},{"match":{"methods":[]},"deny":{}}]}"#,
        "client_certificate: \"a/b\" cannot be a certificate's name: 1 to 128 of A-Z a-z 0-9 . _ -\n\
         rules[1]: is never reached: rules[0] matches every request\n\
         rules[1].match.methods: is empty: leave the condition out, or name something",
    ),
    (r#"{"consumers":{}}"#, "consumers: has to be a list, is an object"),
    (
        r#"{"authentication":"gate"}"#,
        "authentication: has to be \"api_key\" or \"gateway\", is another string",
    ),
    (r#"{"rules":{"a":1}}"#, "rules: has to be a list, is an object"),
    ("7x", "not JSON: invalid type: integer `7`, expected an object at line 1 column 1"),
    (
        r#"{"consumers":[{"username":"a","groups":["","x\ny","vet","vet"]},{"username":null}]}"#,
        "consumers[0].groups[0]: is empty or holds control characters\n\
         consumers[0].groups[1]: is empty or holds control characters\n\
         consumers[0].groups[3]: \"vet\" is there twice\nconsumers[1].username: is missing",
    ),
    (
        r#"{"rules":[{"match":{"path_prefix":"/a?b"},"deny":{"message":"no\nway"}},{"match":{"path_prefix":"/a/../b"},"deny":{}},
            {"match":null,"deny":{}}]}"#,
        "rules[2].match: is missing\nrules[0].deny.message: holds control characters\n\
         rules[0].match.path_prefix: \"/a?b\" is no plain path: leave out ? # ; \\ %, dot segments and encoded slashes\n\
         rules[1].match.path_prefix: \"/a/../b\" is no plain path: leave out ? # ; \\ %, dot segments and encoded slashes",
    ),
    (
        r#"{"consumers":[{"username":"a","id":""},{"username":"b","custom_id":""},{"username":"c","id":"","custom_id":""},
            {"username":""},{"username":"d","keys":[{"id":"","sha256":"<d>"}]},{"username":"e","keys":[{"id":"1","sha256":""}]},
            {"username":"f","keys":[{"id":"1","sha256":"<f>","not_before":""}]},
            {"username":"g","keys":[{"id":"1","sha256":"<g>","not_after":""}]}]}"#,
        "consumers[0].id: has to be a string, is empty\nconsumers[1].custom_id: has to be a string, is empty\n\
         consumers[2].id: has to be a string, is empty\nconsumers[2].custom_id: has to be a string, is empty\n\
         consumers[3].username: has to be a string, is empty\nconsumers[4].keys[0].id: has to be a string, is empty\n\
         consumers[5].keys[0].sha256: has to be a string, is empty\n\
         consumers[6].keys[0].not_before: has to be a string, is empty\n\
         consumers[7].keys[0].not_after: has to be a string, is empty",
    ),
    ("[]", "has to be an object, is a list"),
    (
        r#"{"realm":"","anonymous":"","consumers":[{"username":"","keys":[{"id":"","sha256":""}]},{}],
            "rules":[{"match":{"hosts":["."]},"client_certificate":""}]}"#,
        "realm: has to be a string, is empty\nanonymous: has to be a string, is empty\n\
         rules[0].client_certificate: has to be a string, is empty\n\
         consumers[0].username: has to be a string, is empty\nconsumers[0].keys[0].id: has to be a string, is empty\n\
         consumers[0].keys[0].sha256: has to be a string, is empty\nconsumers[1].username: is missing\n\
         rules[0]: has neither client_certificate nor deny\n\
         rules[0].match.hosts[0]: \".\" is no host name, without port",
    ),
    (
        r#"{"key_in_body":true,"consumers_file":"consumers.yml"}"#,
        "key_in_body: needs the native plugin: a filter has to decide before it sees a body; leave it out\n\
         consumers_file: needs the native plugin: a filter has no files; write consumers into the policy",
    ),
    (
        r#"{"authentication":"gateway","consumers":[{"username":"a"}],"realm":"x"}"#,
        "realm: has no meaning with authentication: gateway; leave it out\n\
         consumers: has no meaning with authentication: gateway; leave it out",
    ),
];
