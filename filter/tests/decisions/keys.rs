//! Requests with keys and without, who they say they are, and what is owed.

use super::{GATEWAY, PLAIN, Row, SAYS_ANN};

const TWO_NAMES: &str = r#"{"key_names":["a","b"],"hide_credentials":true,"consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const EVERYWHERE: &str = r#"{"key_names":["a"],"key_authorization":"Bearer","key_cookies":["k","l"],"hide_credentials":true,
    "anonymous":"guest","consumers":[{"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const NEITHER_HEADER_NOR_QUERY: &str = r#"{"key_in_header":false,"key_in_query":false,"key_authorization":"ApiKey",
    "key_cookies":["k"],"consumers":[{"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const ANONYMOUS: &str = r#"{"key_names":["a","b"],"hide_credentials":true,"anonymous":"guest","run_on_preflight":false,
    "consumers":[{"username":"ann","id":"7c1e0000-0000-4000-8000-000000000007","custom_id":"x","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

const SHIFTS: &str = r#"{"key_names":["k"],"hide_credentials":true,"consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}],
  "rules":[{"match":{"headers":{"X-Shift":["late"]}},"client_certificate":"shift"}]}"#;

const QUERY_ONLY: &str = r#"{"key_names":["k"],"key_in_header":false,"hide_credentials":true,"consumers":[
    {"username":"ann","keys":[{"id":"1","sha256":"<ann>"}]}],
  "rules":[{"match":{"headers":{"K":["v"]}},"client_certificate":"c"}]}"#;

const HEADER_ONLY: &str = r#"{"key_names":["k"],"key_in_query":false,"hide_credentials":true,"consumers":[
    {"username":"ann","custom_id":"x","keys":[{"id":"1","sha256":"<ann>"}]}]}"#;

pub(super) const ROWS: &[Row] = &[
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
        edits: "-a -X-Anonymous-Consumer +X-Consumer-ID=7c1e0000-0000-4000-8000-000000000007 +X-Consumer-Custom-ID=x +X-Consumer-Username=ann \
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
        name: "a header of a key's name goes, where none is looked for in headers",
        policy: QUERY_ONLY,
        target: "/?k=ann&a=1",
        headers: &[("k", "v")],
        owed: "ann c",
        edits: "-k +X-Consumer-Username=ann +X-Credential-Identifier=1 /?a=1",
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
        name: "an argument of a key's name goes, where none is looked for in the query",
        policy: HEADER_ONLY,
        target: "/?k=ann",
        headers: &[("k", "ann")],
        owed: "ann unchanged",
        edits: "-k +X-Consumer-Custom-ID=x +X-Consumer-Username=ann +X-Credential-Identifier=1 /",
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
        name: "a key in a header that Connection names does not count",
        headers: &[("X-API-Key", "ann"), ("Connection", "X-API-Key")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "in whatever case and among others",
        headers: &[("Connection", "close , x-api-KEY"), ("X-API-Key", "ann")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "also where Connection is there twice",
        headers: &[("X-API-Key", "ann"), ("Connection", "keep-alive"), ("connection", "X-API-Key")],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "another name in Connection changes nothing",
        headers: &[("X-API-Key", "ann"), ("Connection", "X-API-Keys, upgrade")],
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "a key in the query counts beside a header that Connection names",
        target: "/?X-API-Key=ann",
        headers: &[("X-API-Key", "eve"), ("Connection", "X-API-Key")],
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "a header that Connection names is hidden all the same",
        policy: TWO_NAMES,
        headers: &[("a", "eve"), ("b", "ann"), ("Connection", "a")],
        owed: "ann unchanged",
        edits: "-a -b +X-Consumer-Username=ann +X-Credential-Identifier=1",
        ..PLAIN
    },
    Row {
        name: "Authorization and cookies that Connection names hold no key",
        policy: NEITHER_HEADER_NOR_QUERY,
        headers: &[
            ("Authorization", "ApiKey ann"),
            ("Cookie", "k=ann"),
            ("Connection", "authorization, cookie"),
        ],
        owed: "401 No API key found in request",
        ..PLAIN
    },
    Row {
        name: "with anonymous an established consumer stays",
        policy: ANONYMOUS,
        established: Some(("bob", "vets")),
        owed: "bob unchanged",
        edits: "+X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "whatever key comes beside it, which is hidden",
        policy: ANONYMOUS,
        target: "/?a=eve",
        established: Some(("bob", "vets")),
        headers: &[("b", "ann"), ("X-Consumer-Username", "ann")],
        owed: "bob unchanged",
        edits: "-b -X-Consumer-Username +X-Consumer-Username=bob /",
        ..PLAIN
    },
    Row {
        name: "and for a preflight",
        policy: ANONYMOUS,
        method: "OPTIONS",
        established: Some(("bob", "vets")),
        owed: "bob unchanged",
        edits: "+X-Consumer-Username=bob",
        ..PLAIN
    },
    Row {
        name: "without anonymous only the key counts",
        established: Some(("bob", "vets")),
        headers: &[("X-API-Key", "ann")],
        owed: "ann c",
        edits: SAYS_ANN,
        ..PLAIN
    },
    Row {
        name: "without anonymous an established consumer needs a key",
        established: Some(("bob", "vets")),
        owed: "401 No API key found in request",
        ..PLAIN
    },
];
