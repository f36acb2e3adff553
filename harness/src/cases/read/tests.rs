use super::*;
use crate::cases::{Certificate, Expected, Values};

fn read(text: &str) -> Result<Suite, Vec<String>> {
    parse(text, "dir/topic.yaml", Kind::Conformance)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_case_says_what_is_asked_and_what_is_owed() {
    let suite = read(
        "policy: &p {realm: a, key_names: [x]}
policies: {other: {<<: *p, realm: b}}
cases:
- name: short
  request: GET /a?k=<ann>
  received: /b
  headers: [{X: '1'}, {x: '\\xff'}]
  owed: passes as kong-client
- name: long
  policy: {like: other, key_names: [y]}
  owed: {status: 401, headers: {A: null, B: [c, d]}}
  differs:
    kong: {status: 400, because: it may}
    docker: {not_asked: true, because: it cannot}
",
    )
    .unwrap();
    assert_eq!(suite.topic, "topic");
    let [short, long] = suite.cases.as_slice() else { panic!("{}", suite.cases.len()) };
    assert_eq!((short.line, short.request.headers.len()), (4, 2));
    assert_eq!(short.request.target.to_string(), "/a?k=<ann>");
    let upstream = short.owed.upstream.as_ref().unwrap();
    assert_eq!(upstream.certificate, Some(Certificate::Named("kong-client".to_owned())));
    assert_eq!(
        upstream.uri.as_ref().map(ToString::to_string).as_deref(),
        Some("/b"),
        "what it receives is owed"
    );
    assert_eq!(long.policy, Some(serde_json::json!({"realm": "b", "key_names": ["y"]})));
    assert!(matches!(&long.owed.headers[0], (name, Values::Absent) if name == "A"));
    let status = |host| match long.expected(host) {
        Expected::Differs(owed, "it may") | Expected::Owed(owed) => owed.status,
        _ => None,
    };
    assert_eq!(
        [status("embedded"), status("kong"), status("kong-native"), status("docker-native")],
        [Some(401), Some(400), Some(401), Some(401)]
    );
    assert!(matches!(long.expected("docker"), Expected::NotAsked("it cannot")));
}

#[test]
fn whatever_is_wrong_with_a_case_is_told_with_its_line() {
    let rows = [
        ("nothing", "policy: {}\n", "dir/topic.yaml:1: cases is missing"),
        (
            "no policy",
            "cases:\n- {name: a, owed: 401}\n",
            "dir/topic.yaml:2: cases[0]: policy is missing, and the file has none for all cases",
        ),
        (
            "another name of a policy",
            "policies: {plain: {}}\ncases:\n- {name: a, policy: palin, owed: 401}\n",
            "dir/topic.yaml:3: cases[0].policy: no policy is called \"palin\", did you mean \"plain\"?",
        ),
        (
            "nothing owed",
            "policy: {}\ncases:\n- name: a\n  owed: {message: x}\n",
            "dir/topic.yaml:4: cases[0].owed: neither a status nor an upstream: a case that owes nothing shows nothing",
        ),
        (
            "something else owed",
            "policy: {}\ncases:\n- {name: a, owed: denied}\n",
            "dir/topic.yaml:3: cases[0].owed: `401 Unauthorized`, `passes as kong-client`, or a mapping",
        ),
        (
            "a name twice",
            "policy: {}\ncases:\n- {name: a, owed: 401}\n- {name: a, owed: 401}\n",
            "dir/topic.yaml:4: cases[1].name: \"a\" is the name of another case already",
        ),
        (
            "a host that is none",
            "policy: {}\ncases:\n- {name: a, owed: 401, differs: {kongo: {status: 1, because: x}}}\n",
            "dir/topic.yaml:3: cases[0].differs.kongo.status: 1 is not between 100 and 599",
        ),
        (
            "a difference without a reason",
            "policy: {}\ncases:\n- {name: a, owed: 401, differs: {kong: {status: 400}}}\n",
            "dir/topic.yaml:3: cases[0].differs.kong: because is missing",
        ),
        (
            "a backslash",
            "policy: {}\ncases:\n- {name: a, request: 'GET /a\\b', owed: 401}\n",
            "dir/topic.yaml:3: cases[0].request: a backslash begins \\\\ or \\xNN",
        ),
        (
            "a field",
            "policy: {}\ncases:\n- {name: a, owde: 401, owed: 401}\n",
            "dir/topic.yaml:3: cases[0].owde: unknown field, did you mean \"owed\"?",
        ),
        (
            "a mistake without a problem",
            "mistakes:\n- {name: a, policy: {}, problems: []}\n",
            "dir/topic.yaml:2: mistakes[0]: problems is empty: a mistake has at least one",
        ),
    ];
    for (what, text, owed) in rows {
        let problems = read(text).err().unwrap_or_default();
        assert_eq!(problems.first().map(String::as_str), Some(owed), "{what}");
    }
}

#[test]
fn cases_for_a_config_of_ones_own_have_no_policies_and_no_hosts() {
    let text = "cases:\n- {name: a, owed: 401, policy: {}, differs: {kong: {status: 400, because: x}}}\n";
    let problems = parse(text, "own.yaml", Kind::OwnConfig).unwrap_err().to_string();
    assert!(
        problems.contains("own.yaml:2: cases[0].policy: the gateway's own config has the policies"),
        "{problems}"
    );
    assert!(problems.contains("cases[0].differs: has no meaning here"), "{problems}");
}
