//! What a policy may ask of a host that can do more than a filter's.
#![cfg(not(target_arch = "wasm32"))]

use mtls_policy::policy::{
    Caller, Certificate, Consumers, ConsumersFile, Decision, Established, Header, Host, Policy, Request,
    Target,
};

/// Query, body, and who it is or what is said.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const NATIVE: Host<'_> = Host { reads_bodies: true, consumers_file: ConsumersFile::Unread };

#[test]
fn a_key_is_found_in_the_body_after_header_and_query_and_hidden_there() {
    let document = format!(
        r#"{{"key_names":["k","l"],"key_in_body":true,"hide_credentials":true,
            "consumers":[{{"username":"ann","keys":[{{"id":"1","sha256":"{ANN}"}}]}}]}}"#
    );
    let policy = Policy::compile_for(&NATIVE, document.as_bytes()).unwrap();
    assert!(policy.wants().body);
    let rows: [Row; 7] = [
        ("", &[("k", "ann")], "ann"),
        ("", &[("l", "ann")], "ann"),
        ("k=ann", &[("k", "eve")], "ann"),
        ("l=ann", &[("k", "eve")], "Unauthorized"),
        ("", &[("k", "ann"), ("k", "ann")], "Duplicate API key found"),
        ("", &[("K", "ann")], "No API key found in request"),
        ("", &[("k", "")], "No API key found in request"),
    ];
    for (query, fields, owed) in rows {
        let body: Vec<Header<'_>> =
            fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let came = match policy.decide(request(query, &body)) {
            Decision::Allow(allow) => {
                assert!(allow.edits.hide_in_body, "{query} {fields:?}");
                allow.caller.username().unwrap_or_default().to_owned()
            }
            Decision::Refuse(refusal) => refusal.message.to_owned(),
        };
        assert_eq!(came, owed, "{query} {fields:?}");
    }
}

#[test]
fn a_body_is_not_looked_at_where_no_key_may_be_in_it() {
    let document = format!(
        r#"{{"key_names":["k"],"hide_credentials":true,
            "consumers":[{{"username":"ann","keys":[{{"id":"1","sha256":"{ANN}"}}]}}]}}"#
    );
    let policy = Policy::compile_for(&NATIVE, document.as_bytes()).unwrap();
    assert!(!policy.wants().body);
    let body = [(&b"k"[..], &b"ann"[..])];
    assert!(matches!(policy.decide(request("", &body)), Decision::Refuse(_)));
    match policy.decide(request("k=ann", &body)) {
        Decision::Allow(allow) => assert!(!allow.edits.hide_in_body),
        Decision::Refuse(refusal) => panic!("{}", refusal.reason),
    }
}

#[test]
fn the_gateway_is_asked_only_where_the_policy_says_so() {
    let rows = [
        ("{}", false),
        (r#"{"authentication":"api_key"}"#, false),
        (r#"{"authentication":"gateway"}"#, true),
    ];
    for (document, owed) in rows {
        assert_eq!(Policy::compile(document.as_bytes()).unwrap().asks_the_gateway(), owed, "{document}");
    }
}

#[test]
fn an_established_consumer_is_kept_with_keys_and_anonymous() {
    let rows = [
        ("{}", false),
        (r#"{"anonymous":"guest"}"#, true),
        (r#"{"authentication":"api_key","anonymous":"guest"}"#, true),
        (r#"{"authentication":"gateway"}"#, false),
    ];
    for (document, expected) in rows {
        let policy = Policy::compile(document.as_bytes()).unwrap();
        assert_eq!(policy.keeps_established(), expected, "{document}");
    }
}

#[test]
fn a_credential_without_a_consumer_is_not_established() {
    let policy = Policy::compile(br#"{"anonymous":"guest"}"#).unwrap();
    let credential = Established { credential: Some("c"), ..Established::default() };
    match policy.decide(Request { established: Some(&credential), ..request("", &[]) }) {
        Decision::Allow(allow) => assert!(matches!(allow.caller, Caller::Anonymous(_))),
        Decision::Refuse(refusal) => panic!("{}", refusal.reason),
    }
}

#[test]
fn rules_are_evaluated_again_under_every_policy() {
    let rules = r#""client_certificate":"c","rules":[{"match":{"consumers":["eve"]},"deny":{}},
        {"match":{"groups":["vets"]},"client_certificate":"vet"}]"#;
    let people = format!(
        r#""consumers":[{{"username":"eve"}},{{"username":"ann","groups":["vets"],"keys":[{{"id":"1","sha256":"{ANN}"}}]}}]"#
    );
    let policies = [
        format!(r#"{{"authentication":"gateway",{rules}}}"#),
        format!("{{{people},{rules}}}"),
        format!(r#"{{"anonymous":"guest",{people},{rules}}}"#),
    ];
    let who = |username: Option<&'static str>, groups: &[&'static str]| Established {
        username,
        groups: groups.to_vec(),
        ..Established::default()
    };
    for document in &policies {
        let policy = Policy::compile(document.as_bytes()).unwrap();
        let again = |who: &Established<'_>| match policy.reselect(who, request("", &[])) {
            Ok(Certificate::Present(name)) => name.as_str().to_owned(),
            Ok(Certificate::Unchanged) => "unchanged".to_owned(),
            Err(refusal) => refusal.status.to_string(),
        };
        assert_eq!(again(&who(Some("eve"), &[])), "403", "{document}");
        assert_eq!(again(&who(Some("a stranger"), &["vets"])), "vet", "{document}");
        assert_eq!(again(&who(None, &[])), "c", "{document}");
    }
}

#[test]
fn consumers_may_come_from_a_file_and_rules_are_held_against_them() {
    let consumers = Consumers::compile(
        format!(
            r#"{{"consumers":[{{"username":"ann","groups":["vets"],"keys":[{{"id":"1","sha256":"{ANN}"}},{{"id":"2","sha256":"{OTHER}"}}]}}]}}"#
        )
        .as_bytes(),
    )
    .unwrap();
    assert_eq!(consumers.keys(), 2);
    let host = Host { consumers_file: ConsumersFile::Read(&consumers), ..NATIVE };
    let with = |rest: &str| {
        let document = format!(r#"{{"consumers_file":"/etc/consumers.yml"{rest}}}"#);
        (Policy::compile_for(&host, document.as_bytes()), Policy::compile_for(&NATIVE, document.as_bytes()))
    };
    let (policy, _) = with(r#","anonymous":"ann""#);
    let policy = policy.unwrap();
    match policy.decide(request("apikey=ann", &[])) {
        Decision::Allow(allow) => assert!(matches!(allow.caller, Caller::Consumer(..))),
        Decision::Refuse(refusal) => panic!("{}", refusal.reason),
    }
    match policy.decide(request("", &[])) {
        Decision::Allow(allow) => match allow.caller {
            Caller::Anonymous(consumer) => assert_eq!(&*consumer.groups, &["vets".into()]),
            other => panic!("{other:?}"),
        },
        Decision::Refuse(refusal) => panic!("{}", refusal.reason),
    }

    let (read, unread) = with(r#","rules":[{"match":{"groups":["vetz"]},"deny":{}}]"#);
    let owed = "rules[0].match.groups[0]: no consumer is in group \"vetz\" (did you mean \"vets\"?)";
    assert_eq!(read.err().map(|problems| problems.to_string()).as_deref(), Some(owed));
    // Only the file could tell.
    assert!(unread.is_ok());

    let (_, beside) = with(r#","consumers":[{"username":"bob"}]"#);
    let owed = "consumers_file: is there beside consumers; leave one out";
    assert_eq!(beside.err().map(|problems| problems.to_string()).as_deref(), Some(owed));
}

#[test]
fn a_policy_whose_file_is_unread_lets_nobody_in() {
    let policy = Policy::compile_for(&NATIVE, br#"{"consumers_file":"/etc/consumers.yml"}"#).unwrap();
    assert!(matches!(policy.decide(request("apikey=ann", &[])), Decision::Refuse(_)));
}

#[test]
fn every_mistake_in_a_consumers_file_is_found_with_its_place() {
    let rows = [
        ("[]", "has to be an object, is a list"),
        ("{}", "consumers: is missing"),
        (
            r#"{"consumers":[{"username":"a","id":"1"},{"username":"b","id":"7c1e0000-0000-4000-8000-000000000001"},
                {"username":"c","id":"7c1e0000-0000-4000-8000-000000000001"}]}"#,
            "consumers[0].id: expected a UUID such as 7c1e0000-0000-4000-8000-000000000001, got \"1\"\n\
             consumers[2].id: \"c\" and \"b\" have the same id; each needs one of its own",
        ),
        (
            r#"{"consumers":[{"username":"a","keys":[{"id":"1","sha256":"x"}]}],"rules":[]}"#,
            "rules: there is no such field\n\
             consumers[0].keys[0].sha256: has to be the key's SHA-256 as 64 hexadecimal digits",
        ),
    ];
    for (document, owed) in rows {
        let problems = Consumers::compile(document.as_bytes()).err().map(|problems| problems.to_string());
        assert_eq!(problems.as_deref(), Some(owed), "{document}");
    }
}

fn request<'r>(query: &'r str, body: &'r [Header<'r>]) -> Request<'r, [Header<'r>; 0]> {
    let target = Target { path: b"/", query: Some(query.as_bytes()) };
    Request { method: b"POST", authority: b"localhost", target, headers: [], body, established: None, now: 0 }
}

const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// SHA-256 of `ann`.
const ANN: &str = "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1";
