//! What is wrong, and where; what is hardly meant.

use std::fmt::Write;

use serde_json::Value;

use crate::said::Said;
use crate::{policy, policy_in};

const TEN: &str = r#"key_nmaes: [X-API-Key]
hide_credentials: "yes"
consumers:
- username: model-citizen
  groups: [shelter]
  keys:
  - {id: 2026-q4, sha256: hunter2}
  - id: 2027-q1
    sha256: 3b1d000000000000000000000000000000000000000000000000000000000000
    not_before: 2027-04-01T00:00:00Z
    not_after: 2027-01-01T00:00:00Z
- username: vet
  groups: [vet]
  keys:
  - {id: "1", not_after: tomorrow, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
- username: vet
rules:
- match: {groups: [vets], methods: [PSOT, PUT], path_prefix: api/dogs}
  client_certificate: kong vet
"#;

#[test]
fn ten_mistakes_are_ten_errors_each_with_its_place() {
    let said = policy(&["check", "policy.yaml"], &[("policy.yaml", TEN)]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert_eq!(said.err, "10 errors, 0 warnings\n");
    let owed = r#"error[policy]: there is no such field (did you mean "key_names"?)
 --> policy.yaml:1:1
  |
1 | key_nmaes: [X-API-Key]
  | ^^^^^^^^^ key_nmaes

error[policy]: has to be true or false, is another string
 --> policy.yaml:2:19
  |
2 | hide_credentials: "yes"
  |                   ^^^^^ hide_credentials

error[policy]: has to be the key's SHA-256 as 64 hexadecimal digits
 --> policy.yaml:7:27
  |
7 |   - {id: 2026-q4, sha256: *******}
  |                           ^^^^^^^ consumers[0].keys[0].sha256

error[policy]: is before not_before
  --> policy.yaml:11:16
   |
11 |     not_after: 2027-01-01T00:00:00Z
   |                ^^^^^^^^^^^^^^^^^^^^ consumers[0].keys[1].not_after

error[policy]: "tomorrow" is no RFC 3339 time, such as 2027-01-15T00:00:00Z
  --> policy.yaml:15:26
   |
15 |   - {id: "1", not_after: tomorrow, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
   |                          ^^^^^^^^ consumers[1].keys[0].not_after

error[policy]: "vet" is consumers[1] already
  --> policy.yaml:16:13
   |
16 | - username: vet
   |             ^^^ consumers[2].username

error[policy]: no consumer is in group "vets" (did you mean "vet"?)
  --> policy.yaml:18:20
   |
18 | - match: {groups: [vets], methods: [PSOT, PUT], path_prefix: api/dogs}
   |                    ^^^^ rules[0].match.groups[0]

error[policy]: "PSOT" is not an HTTP method (did you mean "POST"?)
  --> policy.yaml:18:37
   |
18 | - match: {groups: [vets], methods: [PSOT, PUT], path_prefix: api/dogs}
   |                                     ^^^^ rules[0].match.methods[0]

error[policy]: "api/dogs" does not begin with /
  --> policy.yaml:18:62
   |
18 | - match: {groups: [vets], methods: [PSOT, PUT], path_prefix: api/dogs}
   |                                                              ^^^^^^^^ rules[0].match.path_prefix

error[policy]: "kong vet" cannot be a certificate's name: 1 to 128 of A-Z a-z 0-9 . _ -
  --> policy.yaml:19:23
   |
19 |   client_certificate: kong vet
   |                       ^^^^^^^^ rules[0].client_certificate

"#;
    assert_eq!(said.out, owed);
}

/// A Kong's config around a policy; `upstream` are fields of the service, `more` is put behind.
fn kong(policy: &str, upstream: &str, more: &str) -> String {
    let indent = |text: &str, by: usize| -> String {
        text.lines().fold(String::new(), |mut out, line| {
            let _ = writeln!(out, "{:by$}{line}", "");
            out
        })
    };
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: api\n  url: https://api.example\n{}  routes:\n  - name: dogs\n    \
         paths: [/dogs]\n    plugins:\n    - name: mtls-policy\n      config:\n{}{more}",
        indent(upstream, 2),
        indent(policy, 8)
    )
}

const PRESENTER: &str = "plugins:\n- name: upstream-mtls\n  config: {client_certificates: [{name: kong-client, cert_file: /c, key_file: /k}], ca_file: /a}\n";

fn warnings(said: &Said) -> Vec<(String, u64, String)> {
    let findings = said.json()["findings"].as_array().cloned().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings
        .iter()
        .map(|one| {
            assert_eq!(one["severity"], "warning", "{one}");
            (text(&one["code"]), one["line"].as_u64().unwrap(), text(&one["message"]))
        })
        .collect()
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    const PEOPLE: &str = "consumers:\n- {username: ann, groups: [vets]}\n- {username: ben}\n";
    let rows = [
        (
            "rules that an earlier one takes all from",
            format!(
                "{PEOPLE}rules:\n- match: {{consumers: [ann], path_prefix: /a}}\n  deny: {{}}\n\
                 - match: {{groups: [vets], methods: [PUT], path_prefix: /a/b}}\n  deny: {{}}\n"
            ),
            vec![("unreachable_rule", 7, "is never reached: rules[0] matches every request that this rule does")],
        ),
        (
            "rules that several together take all from",
            format!(
                "{PEOPLE}rules:\n- match: {{consumers: [ann]}}\n  deny: {{}}\n- match: {{consumers: [ben]}}\n  deny: {{}}\n\
                 - match: {{methods: [PUT]}}\n  deny: {{}}\n"
            ),
            vec![(
                "unreachable_rule",
                9,
                "is never reached: rules[0] and rules[1] match every request that this rule does",
            )],
        ),
        (
            "rules that could only seem to be taken all from",
            format!(
                "{PEOPLE}rules:\n- match: {{methods: [PUT], path_prefix: /a/b}}\n  deny: {{}}\n\
                 - match: {{methods: [PUT], path_prefix: /a}}\n  deny: {{}}\n- match: {{hosts: [h]}}\n  deny: {{}}\n\
                 - match: {{headers: {{X-A: [b]}}, hosts: [g]}}\n  deny: {{}}\n"
            ),
            vec![],
        ),
        (
            "conditions that never hold together",
            format!("{PEOPLE}rules:\n- match: {{consumers: [ben], groups: [vets]}}\n  deny: {{}}\n"),
            vec![("unreachable_rule", 5, "no request matches this rule: its conditions never hold together")],
        ),
        (
            "keys that end",
            "consumers:\n- username: ann\n  keys:\n  - {id: old, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, not_after: 1971-01-01T00:00:00Z}\n"
                .to_owned(),
            vec![("key_expired", 4, "key \"old\" of \"ann\" has expired")],
        ),
        (
            "what a filter refuses",
            "key_in_body: true\nconsumers_file: /etc/consumers.yaml\n".to_owned(),
            vec![
                ("plugin_only", 1, "key_in_body is for the plugin alone: the filter refuses this policy"),
                ("plugin_only", 2, "consumers_file is for the plugin alone: the filter refuses this policy"),
            ],
        ),
    ];
    for (what, text, owed) in rows {
        let said = policy(&["check", "--json", "p.yaml"], &[("p.yaml", &text)]);
        agree(what, &said, &owed);
        assert_eq!(said.code, i32::from(!owed.is_empty()), "{what}");
        let allowed = policy(&["check", "--allow-warnings", "p.yaml"], &[("p.yaml", &text)]);
        assert_eq!(allowed.code, 0, "{what}");
    }
}

#[test]
fn what_stands_around_a_policy_is_held_against_it() {
    let policy_of = |name: &str| format!("client_certificate: {name}\n");
    let rows = [
        ("all is there", kong(&policy_of("kong-client"), PRESENTER, ""), vec![]),
        (
            "a certificate that is not",
            kong(&policy_of("kong-clinet"), PRESENTER, ""),
            vec![(
                "unknown_certificate",
                14,
                "upstream-mtls holds no client certificate \"kong-clinet\" on route \"dogs\" (did you mean \"kong-client\"?): requests get a 503",
            )],
        ),
        (
            "no upstream-mtls",
            kong(&policy_of("kong-client"), "", ""),
            vec![(
                "no_presenter",
                11,
                "no upstream-mtls serves route \"dogs\", to present \"kong-client\" there: requests get a 503",
            )],
        ),
        (
            "another route to the same upstream",
            kong(&policy_of("kong-client"), PRESENTER, "  - {name: open, paths: [/open]}\n"),
            vec![("no_policy", 15, "route \"open\" has no mtls-policy")],
        ),
        (
            "a route to an upstream of another kind",
            kong(
                &policy_of("kong-client"),
                PRESENTER,
                "- {name: other, url: 'http://o', routes: [{name: open, paths: [/open]}]}\n",
            ),
            vec![],
        ),
        (
            "names that Kong's own consumers do not have",
            kong(
                "authentication: gateway\nrules:\n- match: {groups: [vets]}\n  deny: {}\n- match: {consumers: [ann]}\n  deny: {}\n",
                "",
                "consumers:\n- {username: anna, acls: [{group: vet}]}\n",
            ),
            vec![
                ("unknown_name", 13, "none of Kong's consumers is in group \"vets\" (did you mean \"vet\"?)"),
                ("unknown_name", 15, "Kong has no consumer \"ann\" (did you mean \"anna\"?)"),
            ],
        ),
    ];
    for (what, text, owed) in rows {
        agree(what, &policy(&["check", "--json", "kong.yml"], &[("kong.yml", &text)]), &owed);
    }
}

fn agree(what: &str, said: &Said, owed: &[(&str, u64, &str)]) {
    let came = warnings(said);
    assert_eq!(came.len(), owed.len(), "{what}: {came:#?}");
    for ((code, line, message), (owed_code, owed_line, owed_message)) in came.iter().zip(owed) {
        assert_eq!((code.as_str(), *line), (*owed_code, *owed_line), "{what}: {message}");
        assert!(message.starts_with(owed_message), "{what}: {message}");
    }
}

#[test]
fn what_a_running_kong_tells_is_checked_like_what_it_was_told() {
    let inside = kong("client_certificate: kong-clinet\n", PRESENTER, "");
    let config = serde_json::json!({ "config": inside }).to_string();
    let service = r#"{"data":[{"id":"s1","name":"api","host":"api.example","port":443,"protocol":"https","tags":null}],"next":null}"#;
    let route = r#"{"data":[{"id":"r1","name":"dogs","service":{"id":"s1"},"paths":["/dogs"],"strip_path":true}],"next":null}"#;
    let plugins = r#"{"data":[
        {"id":"p1","name":"mtls-policy","route":{"id":"r1"},"service":null,"consumer":null,"enabled":true,
         "config":{"client_certificate":"kong-clinet","rules":{},"realm":null}},
        {"id":"p2","name":"upstream-mtls","route":null,"service":{"id":"s1"},"enabled":true,
         "config":{"client_certificates":[{"name":"kong-client"}]}},
        {"id":"p3","name":"rate-limiting","route":null,"service":null,"enabled":true,"config":{"minute":5}}],"next":null}"#;
    let joined = format!(r#"{{"services":{service},"routes":{route},"plugins":{plugins}}}"#);
    for files in [
        vec![("config.json", config.as_str())],
        vec![("services.json", service), ("routes.json", route), ("plugins.json", plugins)],
        vec![("all.json", joined.as_str())],
    ] {
        let names = files.iter().map(|(name, _)| *name);
        let said = policy(&["check", "--json"].into_iter().chain(names).collect::<Vec<_>>(), &files);
        let came = warnings(&said);
        assert_eq!(came.len(), 1, "{}: {came:?}", files[0].0);
        assert!(came[0].2.contains("on route \"dogs\" (did you mean \"kong-client\"?)"), "{came:?}");
    }
    // Alone, the plugins do not say which routes there are.
    let said = policy(&["check", "--json", "plugins.json"], &[("plugins.json", plugins)]);
    assert_eq!((said.code, warnings(&said)), (0, vec![]));
}

#[test]
fn no_key_is_shown_wherever_somebody_wrote_one() {
    let hidden = "hunter2";
    let texts = [
        format!("consumers: [{{username: ann, keys: [{{id: a, sha256: {hidden}}}]}}]\n"),
        format!("consumers: [{{username: ann, keys: [{{id: a, key: {hidden}}}]}}]\n"),
        format!("consumers: [{{username: ann, keys: [{hidden}]}}]\n"),
        format!("consumers: [{{username: ann, keys: {hidden}}}]\n"),
        format!("consumers: [{{username: ann, keys: [{{id: a, sha256: {hidden}\n"),
        format!("consumers: [{{username: ann, apikey: {hidden}}}]\n"),
        kong("relm: x\n", &format!("plugins: [{{name: basic-auth, config: {{anything: {hidden}}}}}]\n"), ""),
    ];
    for text in texts {
        for arguments in [&["check", "p.yaml"][..], &["check", "--json", "p.yaml"]] {
            let said = policy(arguments, &[("p.yaml", &text)]);
            assert_eq!(said.code, 1, "{text}{}{}", said.out, said.err);
            assert!(!format!("{}{}", said.out, said.err).contains(hidden), "{text}{}{}", said.out, said.err);
        }
    }
}

#[test]
fn a_consumers_file_is_held_against_its_policy_where_it_is_here() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("people.yaml");
    let text =
        format!("consumers_file: {}\nrules:\n- match: {{groups: [vets]}}\n  deny: {{}}\n", file.display());
    let check = || policy_in(directory.path(), &["check", "--json", "p.yaml"], &[("p.yaml", &text)], "");
    let plugin_only =
        ("plugin_only", 1, "consumers_file is for the plugin alone: the filter refuses this policy");

    agree("not here", &check(), &[plugin_only]);
    std::fs::write(&file, "consumers: [{username: ann, groups: [vets]}]\n").unwrap();
    agree("as it has to be", &check(), &[plugin_only]);
    std::fs::write(&file, "consumers: [{username: ann, groups: [vet]}]\n").unwrap();
    let error = |owed: &str| {
        let said = check();
        assert!(said.code == 1 && said.out.contains(owed), "{}{}", said.out, said.err);
    };
    error("no consumer is in group \\\"vets\\\" (did you mean");
    std::fs::write(&file, "consumers: [{username: ann, keys: [{id: '1', sha256: hunter2}]}]\n").unwrap();
    error("people.yaml: line 1, column 54: consumers[0].keys[0].sha256: has to be the key's SHA-256");
    assert!(!check().out.contains("hunter2"), "{}", check().out);
    std::fs::write(&file, "consumers: {}\nmore: &a [1]\nand: *a\n").unwrap();
    error("people.yaml: line 1, column 12: consumers: expected a list, got a map");
    error("people.yaml: line 3, column 6: and: aliases are not supported in a consumers file");
}

#[test]
fn what_cannot_be_asked_is_told_from_what_is_wrong() {
    let rows = [
        ("a good one", "client_certificate: a\n", 0),
        ("no YAML", "a: [\n", 1),
        ("what YAML 1.1 reads otherwise", "realm: no\n", 1),
        ("no policy", "_format_version: '3.0'\n", 2),
    ];
    for (what, text, code) in rows {
        let said = policy(&["check", "p.yaml"], &[("p.yaml", text)]);
        assert_eq!(said.code, code, "{what}: {}{}", said.out, said.err);
    }
    assert_eq!(policy(&["check", "nowhere.yaml"], &[]).code, 2);
    assert_eq!(policy(&["check"], &[]).code, 2);
}

#[test]
fn what_a_document_holds_moves_no_cursor() {
    let name = "\\e[2J\\e]0;x\\a";
    let route = format!(
        "_format_version: '3.0'\nservices: [{{url: 'https://a', routes: [{{name: \"{name}\", paths: [/a], plugins: [{{name: mtls-policy, config: {{\"{name}\": 1}}}}]}}]}}]\n"
    );
    let good = route.replace(&format!("\"{name}\": 1"), "anonymous: guest");
    let keys = format!("consumers: [{{username: \"{name}\", keys: [{{id: \"{name}\", sha256: '1'}}]}}]\n");
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
    write("bad.yml", &route);
    write("good.yml", &good);
    write("other.yml", &good.replace("guest", "nobody"));
    write("keys.yml", &keys);
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for typed in [
        &["policy", "check", "bad.yml"][..],
        &["policy", "check", "keys.yml"],
        &["policy", "explain", "good.yml", "--path", "/a"],
        &["policy", "explain", "bad.yml", "--path", "/a"],
        &["policy", "diff", "good.yml", "other.yml"],
        &["keys", "list", "keys.yml"],
        &["keys", "rotate", "keys.yml", "--consumer", "ann"],
    ] {
        // As on a terminal: into a pipe no escapes are written anyhow.
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(typed).current_dir(directory.path()).env("CLICOLOR_FORCE", "1");
        let output = command.output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let told = colours.replace_all(&told, "");
        assert!(
            !told.is_empty() && told.chars().all(|c| c == '\n' || !c.is_control()),
            "{typed:?}: {told:?}"
        );
    }
}
