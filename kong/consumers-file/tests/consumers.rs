//! Consumers files, valid and not, in YAML and JSON.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use consumers_file::{Content, MAX_DEPTH};
use mtls_policy::policy::{ConsumerConfig, MOST_PROBLEMS};

#[test]
fn yaml_and_json_have_the_same_consumers() {
    let files = [
        format!(
            "consumers:\n- username: ann\n  groups: [vets]\n  keys:\n  - {{id: '1', sha256: {ANN}}}\n- username: bob\n"
        ),
        format!(
            r#"{{"consumers":[{{"username":"ann","groups":["vets"],"keys":[{{"id":"1","sha256":"{ANN}"}}]}},{{"username":"bob"}}]}}"#
        ),
        format!(
            "\n{{\"consumers\":\r\n\t[{{\"username\":\"ann\", \"groups\":[\"vets\"],\"keys\":[{{\"id\":\"1\",\"sha256\":\"{ANN}\"}}],\"id\":null}},{{\"username\":\"bob\",\"groups\":null,\"keys\":null}}]}}"
        ),
        // YAML in flow style is not JSON.
        format!(
            "{{consumers: [{{username: ann, groups: [vets], keys: [{{id: !!str 1, sha256: {ANN}}}]}}, {{username: bob}},]}} # end\n"
        ),
        format!(
            "---\nconsumers:\n- username: \"\\u0061nn\"\n  groups:\n  - vets\n  keys:\n  - sha256: {ANN}\n    id: |-\n      1\n- username: 'bob'\n  id: ~\n  keys:\n...\n"
        ),
    ];
    for file in files {
        let content = content(&file);
        assert_eq!(content.consumers().map(|consumers| consumers.keys()), Ok(1), "{file}");
        let configs = content.configs().unwrap();
        let names: Vec<_> = configs.iter().map(|one| (&*one.username, one.groups.join(","))).collect();
        assert_eq!(names, [("ann", "vets".to_owned()), ("bob", String::new())], "{file}");
        assert_eq!((&*configs[0].keys[0].id, &*configs[0].keys[0].sha256), ("1", ANN), "{file}");
    }
}

#[test]
fn an_empty_list_has_no_consumers() {
    for file in ["consumers: []", r#"{"consumers":[]}"#] {
        assert_eq!(content(file).consumers().map(|consumers| consumers.keys()), Ok(0), "{file}");
    }
}

#[test]
fn a_map_or_null_where_a_list_belongs_is_an_error() {
    let rows = [
        ("consumers: {}", "line 1, column 12: consumers: expected a list, got a map"),
        (r#"{"consumers":{}}"#, "line 1, column 14: consumers: expected a list, got a map"),
        ("consumers:\n  ann: {}\n", "line 2, column 3: consumers: expected a list, got a map"),
        ("consumers:\n", "line 1, column 10: consumers: expected a list, got null"),
        (
            r#"{"consumers":[{"username":"ann","groups":{},"keys":{}}]}"#,
            "line 1, column 42: consumers[0].groups: expected a list, got a map\n\
             line 1, column 52: consumers[0].keys: expected a list, got a map",
        ),
        (
            "consumers:\n- username: ann\n  keys: {1: x}\n",
            "line 3, column 9: consumers[0].keys: expected a list, got a map",
        ),
    ];
    for (file, expected) in rows {
        assert_eq!(problems(file), expected, "{file}");
    }
}

#[test]
fn the_document_is_one_map_with_consumers() {
    let rows = [
        ("", "expected a map with consumers, got an empty file"),
        ("# only a comment\n", "expected a map with consumers, got an empty file"),
        ("[]", "line 1, column 1: expected a map with consumers, got a list"),
        ("a", "line 1, column 1: expected a map with consumers, got a string"),
        ("~", "line 1, column 1: expected a map with consumers, got null"),
        ("{}", "line 1, column 1: consumers: missing required field"),
        (
            "Consumers: []\n",
            "line 1, column 1: Consumers: unknown field; did you mean \"consumers\"?\n\
             line 1, column 1: consumers: missing required field",
        ),
        (
            "consumers: []\nrules: [{match: {}}]\n",
            "line 2, column 1: rules: unknown field; expected consumers",
        ),
        ("consumers: []\n---\nconsumers: []\n", "line 2, column 1: expected one document, got a second one"),
        (
            "consumers: []\nconsumers: [{username: a}]\n",
            "line 2, column 1: consumers: duplicate field; the first one is on line 1",
        ),
        (
            r#"{"consumers":[],"consumers":[{"username":"a"}]}"#,
            "line 1, column 17: consumers: duplicate field; the first one is on line 1",
        ),
    ];
    for (file, expected) in rows {
        assert_eq!(problems(file), expected, "{file}");
    }
}

#[test]
fn all_problems_are_reported_with_their_positions() {
    let yaml = format!(
        "consumers:
- username: ann
  id: 7
  rôle: warden
  keys:
  - {{id: '1', sha256: abc}}
  - id: '1'
    sha256: {ANN}
    sha256: {ANN}
- groups: [vets, 1, vets, '']
  keys: [7]
- username: ann
  custom_id: ''
  keys:
  - {{id: no, sha256: {ANN}, not_after: yesterday}}
- 7
"
    );
    let expected = "\
line 3, column 7: consumers[0].id: expected a string, got a number; put it in quotes
line 4, column 3: consumers[0].rôle: unknown field; expected username, id, custom_id, groups, keys
line 6, column 23: consumers[0].keys[0].sha256: has to be the key's SHA-256 as 64 hexadecimal digits
line 7, column 9: consumers[0].keys[1].id: \"1\" is there twice
line 9, column 5: consumers[0].keys[1].sha256: duplicate field; the first one is on line 8
line 10, column 3: consumers[1].username: missing required field
line 10, column 18: consumers[1].groups[1]: expected a string, got a number; put it in quotes
line 10, column 21: consumers[1].groups[2]: \"vets\" is there twice
line 10, column 27: consumers[1].groups[3]: is empty or holds control characters
line 11, column 10: consumers[1].keys[0]: expected a map, got a number
line 12, column 13: consumers[2].username: \"ann\" is consumers[0] already
line 13, column 14: consumers[2].custom_id: expected a string, got an empty one
line 15, column 10: consumers[2].keys[0].id: expected a string, got a boolean; put it in quotes
line 15, column 22: consumers[2].keys[0].sha256: \"ann\" and \"ann\" have the same key; each needs one of its own
line 15, column 99: consumers[2].keys[0].not_after: \"yesterday\" is no RFC 3339 time, such as 2027-01-15T00:00:00Z
line 16, column 3: consumers[3]: expected a map, got a number";
    assert_eq!(problems(&yaml), expected);
}

#[test]
fn json_problems_have_the_positions_of_their_values() {
    let json = "{\n  \"consumers\": [\n    {\"username\": \"ann\", \"keys\": [{\"id\": 1, \"sha256\": \"abc\"}]},\n    {\"username\": \"\"}\n  ]\n}\n";
    assert_eq!(
        problems(json),
        "line 3, column 41: consumers[0].keys[0].id: expected a string, got a number; put it in quotes\n\
         line 3, column 54: consumers[0].keys[0].sha256: has to be the key's SHA-256 as 64 hexadecimal digits\n\
         line 4, column 18: consumers[1].username: expected a string, got an empty one"
    );
}

#[test]
fn keys_that_are_not_strings_are_errors() {
    for (key, kind) in
        [("true", "a boolean"), ("~", "null"), ("7", "a number"), ("[a]", "a list"), ("{a: b}", "a map")]
    {
        let file = format!("consumers:\n- username: ann\n  ? {key}\n  : x\n");
        let quote = if matches!(key, "true" | "7") { "; put it in quotes" } else { "" };
        let expected = format!(
            "line 3, column 5: consumers[0]: expected a string as the name of a field, got {kind}{quote}"
        );
        assert_eq!(problems(&file), expected, "{key}");
        assert!(content(&format!("{key}: x\nconsumers: []\n")).consumers().is_err(), "{key}");
    }
}

#[test]
fn aliases_merge_keys_and_tags_are_not_supported() {
    let rows = [
        (
            "consumers:\n- &a {username: ann}\n- *a\n",
            "line 3, column 3: consumers[1]: aliases are not supported in a consumers file",
        ),
        (
            "consumers: &a\n- username: ann\n  groups: *a\n",
            "line 3, column 11: consumers[0].groups: aliases are not supported in a consumers file",
        ),
        (
            "consumers:\n- username: ann\n  <<: {id: x}\n",
            "line 3, column 3: consumers[0]: merge keys are not supported in a consumers file",
        ),
        (
            "consumers:\n- username: !secret ann\n",
            "line 2, column 13: consumers[0].username: tags are not supported in a consumers file",
        ),
        ("consumers: !!seq []\n", "line 1, column 12: consumers: tags are not supported in a consumers file"),
    ];
    for (file, expected) in rows {
        assert_eq!(problems(file), expected, "{file}");
    }
}

/// Each level of it is nine times the one before: expanded, it has 387 million values.
#[test]
fn an_alias_bomb_is_an_error_at_once() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (level, before) in ('b'..='i').zip('a'..) {
        let aliases = vec![format!("*{before}"); 9].join(",");
        writeln!(bomb, "{level}: &{level} [{aliases}]").unwrap();
    }
    bomb += "consumers: *i\n";
    let began = Instant::now();
    let found = problems(&bomb);
    assert!(found.contains("aliases are not supported in a consumers file"), "{found}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn deep_nesting_is_an_error_and_exhausts_no_stack() {
    let expected = format!("nested more than {MAX_DEPTH} levels deep");
    let deep = 1_000_000;
    let files = [
        "[".repeat(deep),
        format!("consumers: {}", "[".repeat(deep)),
        format!("{{\"consumers\":{}", "[".repeat(deep)),
        format!("consumers:\n- username: {}", "{a: ".repeat(1000)),
        format!("consumers:\n- {}a", "- ".repeat(1000)),
        format!("{{\"consumers\":[{{\"username\":{}1{}}}]}}", "[".repeat(deep), "]".repeat(deep)),
    ];
    for file in files {
        let found = problems(&file);
        // The YAML parser has a limit of its own, and looks ahead.
        let is_expected = found.contains(&expected) || found.contains("recursion limit exceeded");
        assert!(is_expected && found.lines().count() <= 2, "{}: {found}", &file[..40]);
    }
    let shallow = "[".repeat(MAX_DEPTH - 4) + &"]".repeat(MAX_DEPTH - 4);
    let found = problems(&format!("consumers:\n- username: {shallow}\n"));
    assert_eq!(found, "line 2, column 13: consumers[0].username: expected a string, got a list");
}

#[test]
fn text_that_is_neither_yaml_nor_json_is_an_error_that_quotes_nothing() {
    for file in [
        "consumers: {",
        "consumers: [secret",
        "{\"consumers\":[{\"username\":\"secret\"",
        "consumers:\n\t- secret",
        "\"secret",
    ] {
        let found = problems(file);
        assert!(found.contains("not valid"), "{file}: {found}");
        assert!(!found.contains("secret"), "{file}: {found}");
    }
    assert_eq!(problems("{\"consumers\": [}"), "not valid JSON: expected value at line 1 column 16");
}

#[test]
fn a_value_of_a_wrong_type_is_not_quoted() {
    let files = [
        "consumers:\n- username: ann\n  keys: secret\n",
        r#"{"consumers":[{"username":"ann","keys":"secret"}]}"#,
        r#"{"consumers":[{"username":"ann","keys":[{"id":"1","sha256":"secret"}]}]}"#,
        r#"{"consumers":[{"username":"\ud83d\udc15","keys":"secret"}]}"#,
        "consumers: secret\n",
        "secret",
    ];
    for file in files {
        let found = problems(file);
        assert!(!found.is_empty() && !found.contains("secret"), "{file}: {found}");
    }
}

#[test]
fn json_that_yaml_cannot_read_is_read_and_checked() {
    // A pair of surrogates, and a key that is not on the line of its value.
    let valid = r#"{"consumers":[{"username":"\ud83d\udc15","groups"
        :["vets"]}]}"#;
    assert_eq!(content(valid).configs().unwrap()[0].username, "🐕");
    let invalid = r#"{"consumers":[{"username":"\ud83d\udc15","keys":[{"id":"1","sha256":"abc"}]}]}"#;
    assert_eq!(
        problems(invalid),
        "consumers[0].keys[0].sha256: has to be the key's SHA-256 as 64 hexadecimal digits"
    );
    for twice in [
        r#"{"consumers":[{"username":"\ud83d\udc15","keys":{}}]}"#,
        r#"{"consumers":[{"username":"\ud83d\udc15","username":"a"}]}"#,
    ] {
        assert_eq!(problems(twice), "a field is duplicate, or a map stands where a list is expected");
    }
}

#[test]
fn a_problem_is_one_line_whatever_a_field_is_called() {
    let found = problems(&format!("\"a\\nb\\e[2J{}\": 1\nconsumers: []\n", "x".repeat(1000)));
    assert_eq!(found.lines().count(), 1);
    assert!(found.chars().all(|c| !c.is_control()) && found.len() < 200, "{found}");
}

#[test]
fn no_more_problems_than_the_limit_are_collected() {
    let mut file = "consumers:\n".to_owned();
    for _ in 0..100_000 {
        file += "- {username: 1, id: 2}\n";
    }
    let found = content(&file).consumers().err().unwrap();
    assert!(found.iter().count() <= 2 * MOST_PROBLEMS, "{}", found.iter().count());
    let mut file = "consumers:\n".to_owned();
    for _ in 0..100_000 {
        file += "- {username: a}\n";
    }
    let found = content(&file).consumers().err().unwrap();
    assert_eq!(found.iter().count(), MOST_PROBLEMS);
}

#[test]
fn rules_see_the_names_and_groups_of_very_many_consumers() {
    use mtls_policy::policy::{Consumers, ConsumersFile, Host, Policy};
    let consumer = |number: usize| ConsumerConfig {
        username: format!("consumer-{number}"),
        groups: vec![format!("group-{}", number % 7)],
        ..ConsumerConfig::default()
    };
    let consumers = Consumers::from_configs((0..5000).map(consumer)).unwrap();
    let host = Host { consumers_file: ConsumersFile::Read(&consumers), ..Host::PLUGIN };
    let problems = |condition: &str, anonymous: &str| {
        let document = format!(
            r#"{{"consumers_file":"/x"{anonymous},"rules":[{{"match":{{{condition}}},"deny":{{}}}}]}}"#
        );
        Policy::compile_for(&host, document.as_bytes()).err().map(|problems| problems.to_string())
    };
    assert_eq!(problems(r#""consumers":["consumer-0","consumer-4999","consumer-77"]"#, ""), None);
    assert_eq!(problems(r#""groups":["group-0","group-6"]"#, ""), None);
    assert_eq!(problems(r#""consumers":["guest"]"#, r#","anonymous":"guest""#), None);
    assert!(problems(r#""consumers":["consumer-5000"]"#, "").unwrap().contains("consumer-5000"));
    assert!(problems(r#""groups":["group-7"]"#, "").unwrap().contains("did you mean"));
}

fn content(file: &str) -> Content {
    Content::of_bytes(file.as_bytes().to_vec()).ok().unwrap()
}

fn problems(file: &str) -> String {
    content(file).consumers().err().map(|problems| problems.to_string()).unwrap_or_default()
}

/// SHA-256 of `ann`.
const ANN: &str = "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1";
