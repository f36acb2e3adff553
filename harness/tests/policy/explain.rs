//! Why a request got what it got.

use mtls_policy::policy::{Certificate, Decision, Policy, Reason, Request as View, Target};
use policy_tools::keys::ApiKey;
use policy_tools::policy::{Asker, Document, Outcome, Question, Request, Setup, explain};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{policy, policy_in, with_consumers_in};

const POLICY: &str = "\
key_names: [X-API-Key]
consumers:
- {username: ann, groups: [vets], keys: [{id: '1', sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, not_after: 2027-01-15T00:00:00Z}]}
- {username: intern}
client_certificate: kong-client
rules:
- match: {groups: [vets], methods: [POST, PUT], path_prefix: /api/dogs}
  client_certificate: kong-vet
- match: {consumers: [intern], headers: {X-Shift: [night]}}
  deny: {status: 403, message: interns sleep}
";

#[test]
fn consumers_of_a_file_are_asked_as_the_plugin_does_where_it_is_here() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("people.yaml");
    let (moved, people) = with_consumers_in(&file, POLICY);
    let ask = |more: &[&str]| {
        let arguments = [&["explain", "p.yaml", "--method", "PUT", "--path", "/api/dogs"], more].concat();
        policy_in(directory.path(), &arguments, &[("p.yaml", &moved)], "test")
    };
    let with_key = ["--key", "--at", "2026-12-01T00:00:00Z"];

    let said = ask(&["--consumer", "ann", "--group", "vets"]);
    assert!(said.out.contains("allowed as \"kong-vet\""), "{}{}", said.out, said.err);
    assert!(ask(&with_key).err.contains("consumers_file is not on this machine"));

    std::fs::write(&file, &people).unwrap();
    for who in [&["--consumer", "ann"][..], &with_key] {
        let said = ask(who);
        assert!(said.out.contains("allowed as \"kong-vet\""), "{}{}", said.out, said.err);
    }
    assert_eq!(ask(&["--consumer", "anne"]).code, 2);

    std::fs::write(&file, people.replace("'1'", "[]")).unwrap();
    let said = ask(&["--consumer", "ann"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("keys[0].id: expected a string, got a list"), "{}", said.err);
}

#[test]
fn the_rule_that_decides_is_shown_and_what_kept_those_before_it() {
    let ask = |more: &[&str]| policy(&[&["explain", "p.yaml"], more].concat(), &[("p.yaml", POLICY)]);
    let said = ask(&["--consumer", "intern", "--path", "/api/cats", "--header", "X-Shift: night"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert_eq!(
        said.out,
        "\
the upstream would receive /api/cats

policy at p.yaml:1
  asked by \"intern\"
  rules[0] at p.yaml:7 does not match
    ✗ groups: \"intern\" is in no group, none of which is wanted: vets
    ✗ methods: GET is not one of POST, PUT
    ✗ path_prefix: /api/cats is not within /api/dogs
  rules[1] at p.yaml:9 decides
    ✓ consumers: \"intern\" is one of intern
    ✓ headers: X-Shift: night are there
  refused with 403 \"interns sleep\": rules[1] denies it
"
    );
    let said = ask(&["--consumer", "ann", "--path", "/api/dogs/7?x=1", "--method", "PUT"]);
    assert_eq!(said.code, 0);
    assert!(said.out.contains("allowed as \"kong-vet\", by rules[0]"), "{}", said.out);
    assert!(!said.out.contains("x=1"), "a query may hold a key: {}", said.out);
    let said = ask(&["--consumer", "ann", "--path", "/api/dogs%2F7"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("refused with 400 \"Ambiguous path\""), "{}", said.out);
    let said = ask(&[]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("refused with 401 \"No API key found in request\""), "{}", said.out);
    let said = ask(&["--consumer", "anne"]);
    assert_eq!(said.code, 2);
    assert_eq!(said.err, "error: the policy has no consumer \"anne\" (did you mean \"ann\"?)\n");
}

#[test]
fn a_key_comes_by_stdin_alone_and_is_never_told() {
    let directory = tempfile::tempdir().unwrap();
    let ask = |key: &str, more: &[&str]| {
        let arguments = [&["explain", "p.yaml", "--key", "--json"], more].concat();
        policy_in(directory.path(), &arguments, &[("p.yaml", POLICY)], key)
    };
    let said = ask("test\n", &["--at", "2027-01-15T00:00:00Z"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.json()["policies"][0]["caller"], "\"ann\" by key \"1\"");
    let said = ask("test\n", &["--at", "2027-01-15T00:00:01Z"]);
    assert_eq!(said.code, 1);
    let outcome = &said.json()["policies"][0]["outcome"]["refused"];
    assert_eq!(outcome["reason"], "key \"1\" of \"ann\" has expired");
    let said = ask("hunter2", &[]);
    assert_eq!(said.json()["policies"][0]["by"], "authentication");
    assert!(!format!("{}{}", said.out, said.err).contains("hunter2"));
    assert_eq!(ask("", &[]).code, 2);
}

#[test]
fn a_clients_path_is_routed_as_kong_would() {
    let config = "\
_format_version: '3.0'
services:
- name: api
  url: https://api.example/base
  routes:
  - {name: dogs, paths: [/dogs], plugins: [{name: mtls-policy, config: {anonymous: guest, rules: [{match: {path_prefix: /base/vets}, client_certificate: kong-vet}]}}]}
  - {name: cats, paths: [/cats]}
";
    let ask = |more: &[&str]| policy(&[&["explain", "k.yml", "--json"], more].concat(), &[("k.yml", config)]);
    let told = ask(&["--path", "/dogs/vets"]).json();
    assert_eq!((&told["route"], &told["upstream_path"]), (&json!("dogs"), &json!("/base/vets")));
    assert_eq!(told["policies"][0]["outcome"], json!({ "present": "kong-vet" }));
    let told = ask(&["--route", "dogs", "--upstream-path", "/base/vets"]).json();
    assert_eq!(told["policies"][0]["outcome"], json!({ "present": "kong-vet" }));
    let told = ask(&["--path", "/cats"]).json();
    assert_eq!(told["policies"], json!([]));
    for (more, why) in [
        (&["--path", "/birds"][..], "no route matches GET /birds"),
        (&["--path", "/cats", "--route", "dogs"], "does not take route \"dogs\" but \"cats\""),
        (&["--path", "/cats", "--route", "dosg"], "there is no route \"dosg\" (did you mean \"dogs\"?)"),
        (&["--upstream-path", "/"], "--upstream-path needs --route"),
    ] {
        let said = ask(more);
        assert_eq!(said.code, 2, "{more:?}");
        assert!(said.err.contains(why), "{more:?}: {}", said.err);
    }
}

/// Policies and requests by the thousand, from few words, so that conditions hold often.
#[test]
fn what_is_explained_is_what_the_filter_decides() {
    let mut some = fastrand::Rng::with_seed(4711);
    let (mut allowed, mut refused, mut by_rule) = (0, 0, 0);
    for _ in 0..300 {
        let written = policy_of(&mut some);
        let text = written.to_string();
        let documents = [Document::parse("p".to_owned(), text.clone()).unwrap_or_else(|_| panic!("{text}"))];
        let setup = Setup::of(&documents);
        let policy = Policy::compile(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        for _ in 0..20 {
            let request = request_of(&mut some);
            let key = *some.choice(&["", "key of ann", "key of ben", "key of eve", "nobody's"]).unwrap();
            let now = some.i64(0..40);
            let asker = match key {
                "" => Asker::Nobody,
                key => Asker::Key(ApiKey::read(key.replace(' ', "-").as_bytes()).unwrap().unwrap()),
            };
            let question = Question {
                request: request.clone(),
                asker,
                route: None,
                upstream: false,
                now: OffsetDateTime::from_unix_timestamp(now).unwrap(),
            };
            let told = explain(&setup, &question).unwrap();
            // By name it is as by a key that is valid, but for preflights that nobody is asked about.
            if key == "key of ann" && written["run_on_preflight"] == true {
                let asker = Asker::Consumer { username: "ann".to_owned(), groups: Vec::new() };
                let by_name = explain(&setup, &Question { asker, ..question }).unwrap();
                assert_eq!(by_name.policies[0].outcome, told.policies[0].outcome, "{text}");
                assert_eq!(by_name.policies[0].by, told.policies[0].by, "{text}");
            }
            let decided = &told.policies[0];
            let sent = key.replace(' ', "-");
            let name = written["key_names"][0].as_str().unwrap();
            let own = [(name.as_bytes(), sent.as_bytes())];
            let decision = policy.decide(View {
                method: request.method.as_bytes(),
                authority: request.host.as_bytes(),
                target: Target::of(request.target.as_bytes()),
                headers: (request.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
                    .chain(own.iter().copied().filter(|_| !key.is_empty())),
                body: &[],
                established: None,
                now,
            });
            let what = format!("{text}\n{request:?} with {key:?} at {now}: {decided:#?}");
            match (&decision, &decided.outcome) {
                (Decision::Allow(allow), Outcome::Present(name)) => {
                    let came = match allow.certificate {
                        Certificate::Present(name) => name.as_str(),
                        Certificate::Unchanged => "",
                    };
                    assert_eq!(came, name, "{what}");
                    allowed += 1;
                }
                (Decision::Allow(allow), Outcome::Unchanged) => {
                    assert_eq!(allow.certificate, Certificate::Unchanged, "{what}");
                    allowed += 1;
                }
                (Decision::Refuse(refusal), Outcome::Refused { status, message, reason }) => {
                    let came = (refusal.status, refusal.message, refusal.reason.to_string());
                    assert_eq!(came, (*status, message.as_str(), reason.clone()), "{what}");
                    if let Reason::Denied { rule } = refusal.reason {
                        assert_eq!(decided.by, format!("rules[{rule}]"), "{what}");
                    }
                    refused += 1;
                }
                _ => panic!("the filter and the explanation disagree: {what}"),
            }
            // The rule that is said to decide is the one whose certificate it is, and nothing kept it from deciding;
            // something did each one before.
            for looked in &decided.rules {
                assert_eq!(looked.matches, looked.conditions.iter().all(|one| one.holds), "{what}");
                assert_eq!(looked.matches, decided.by == format!("rules[{}]", looked.rule), "{what}");
            }
            if let (Some(rule), Outcome::Present(name)) =
                (decided.rules.iter().find(|rule| rule.matches), &decided.outcome)
            {
                assert_eq!(written["rules"][rule.rule]["client_certificate"], **name, "{what}");
                by_rule += 1;
            }
        }
    }
    assert!(allowed > 500 && refused > 500 && by_rule > 100, "{allowed} {refused} {by_rule}");
}

fn policy_of(some: &mut fastrand::Rng) -> Value {
    let consumer = |name: &str, groups: &[&str], window: Value| {
        let digest = policy_tools::keys::digest(format!("key-of-{name}"));
        let mut key = json!({ "id": "1", "sha256": digest });
        key.as_object_mut().unwrap().extend(window.as_object().unwrap().clone());
        json!({ "username": name, "groups": groups, "keys": [key] })
    };
    let rules: Vec<_> = (0..some.usize(0..5)).map(|number| rule_of(some, number)).collect();
    let mut policy = json!({
        "key_names": [some.choice(["X-API-Key", "apikey"]).unwrap()],
        "run_on_preflight": some.bool(),
        "consumers": [
            consumer("ann", &["g1", "g2"], json!({})),
            consumer("ben", &["g2"], json!({ "not_before": "1970-01-01T00:00:10Z", "not_after": "1970-01-01T00:00:30Z" })),
            consumer("eve", &[], json!({})),
        ],
        "rules": rules,
    });
    if some.bool() {
        policy["anonymous"] = (*some.choice(&["guest", "eve"]).unwrap()).into();
    }
    if some.bool() {
        policy["key_authorization"] = "Bearer".into();
        policy["key_cookies"] = json!(["k"]);
    }
    if some.bool() {
        policy["client_certificate"] = "default".into();
    }
    policy
}

fn rule_of(some: &mut fastrand::Rng, number: usize) -> Value {
    let mut conditions = json!({});
    let mut any = |field: &str, of: &[&str], some: &mut fastrand::Rng| {
        let chosen: Vec<_> = of.iter().filter(|_| some.bool()).collect();
        if some.u8(0..3) == 0 && !chosen.is_empty() {
            conditions[field] = json!(chosen);
        }
    };
    any("consumers", &["ann", "ben", "eve"], some);
    any("groups", &["g1", "g2"], some);
    any("methods", &["GET", "POST", "OPTIONS"], some);
    any("hosts", &["a.example", "b.example"], some);
    if some.u8(0..3) == 0 {
        conditions["path_prefix"] = (*some.choice(&["/a", "/a/b", "/c d"]).unwrap()).into();
    }
    if some.u8(0..3) == 0 {
        conditions["headers"] = json!({ "X-One": ["1", "2"] });
    }
    // One without any condition would make those after it a mistake.
    if conditions == json!({}) {
        conditions["methods"] = json!(["PUT"]);
    }
    match some.bool() {
        true => json!({ "match": conditions, "client_certificate": format!("c{number}") }),
        false => json!({ "match": conditions, "deny": { "status": 400 + number } }),
    }
}

fn request_of(some: &mut fastrand::Rng) -> Request {
    let paths = ["/", "/a", "/a/b/", "/a/bc?x=1", "/c%20d", "/a%2Fb", "//a"];
    let headers = [("x-one", "1"), ("X-One", "3"), ("x_one", "2")];
    Request {
        method: (*some.choice(&["GET", "POST", "OPTIONS", "PUT"]).unwrap()).to_owned(),
        host: (*some.choice(&["a.example", "A.example:80", "c.example"]).unwrap()).to_owned(),
        target: (*some.choice(&paths).unwrap()).to_owned(),
        headers: (headers.iter().filter(|_| some.u8(0..3) == 0))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}
