//! A key's successor, in its file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::keys;
use crate::said::Said;

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Rotates in a file that holds this, and what the file holds then.
fn rotate(text: &str, arguments: &[&str]) -> (Said, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p.yaml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let said = keys(&[&["rotate", path.to_str().unwrap()], arguments].concat(), "");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "something is left beside the file");
    (said, fs::read_to_string(path).unwrap())
}

/// The text with times and digests that are new as `<time>` and `<sha256>`.
fn plain(text: &str) -> String {
    let time = regex::Regex::new(r"20[0-9-]{8}T[0-9:]{8}Z").unwrap();
    let digest = regex::Regex::new(r"[0-9a-f]{64}").unwrap();
    let text = time.replace_all(text, "<time>");
    let known =
        |found: &regex::Captures<'_>| if &found[0] == DIGEST { "<old>" } else { "<sha256>" }.to_owned();
    digest.replace_all(&text, known).into_owned()
}

#[test]
fn all_else_in_the_file_stays_as_it_is_written() {
    let new = r#"{id: "n", sha256: "<sha256>", not_before: "<time>"}"#;
    let json = r#"{"id": "n", "sha256": "<sha256>", "not_before": "<time>"}"#;
    let rows = [
        (
            "flow",
            "# who\nconsumers:\n- username: ann # she\n  keys: [{id: a, sha256: <old>}] # hers\nrealm: r # last\n",
            format!(
                "# who\nconsumers:\n- username: ann # she\n  keys: [{{id: a, sha256: <old>, not_after: \"<time>\"}}, {new}] # hers\nrealm: r # last\n"
            ),
        ),
        (
            "a list of flow mappings",
            "consumers:\n- username: ann\n  keys:\n  # the first\n  - {id: a, sha256: <old>} # hers\n  # the second\n  - {id: b, sha256: <sha256>, not_after: 2001-01-01T00:00:00Z}\n",
            format!(
                "consumers:\n- username: ann\n  keys:\n  # the first\n  - {{id: a, sha256: <old>, not_after: \"<time>\"}} # hers\n  - {new}\n  # the second\n  - {{id: b, sha256: <sha256>, not_after: <time>}}\n"
            ),
        ),
        (
            "a list of block mappings, indented",
            "consumers:\n  - username: ann\n    keys:\n      - id: a # one\n        sha256: <old> # two\n    groups: [g]\n",
            format!(
                "consumers:\n  - username: ann\n    keys:\n      - id: a # one\n        sha256: <old> # two\n        not_after: \"<time>\"\n      - {new}\n    groups: [g]\n"
            ),
        ),
        (
            "no line feed at the end",
            "consumers:\n- username: ann\n  keys:\n  - id: a\n    sha256: <old>",
            format!(
                "consumers:\n- username: ann\n  keys:\n  - id: a\n    sha256: <old>\n    not_after: \"<time>\"\n  - {new}"
            ),
        ),
        (
            "an end that is there",
            "consumers:\n- username: ann\n  keys:\n  - {id: a, not_after: 2999-01-01T00:00:00Z, sha256: <old>}\n",
            format!(
                "consumers:\n- username: ann\n  keys:\n  - {{id: a, not_after: \"<time>\", sha256: <old>}}\n  - {}\n",
                new.replace('}', ", not_after: \"<time>\"}")
            ),
        ),
        (
            "JSON in one line",
            r#"{"consumers":[{"username":"ann","keys":[{"id":"a","sha256":"<old>"}]}]}"#,
            format!(
                r#"{{"consumers":[{{"username":"ann","keys":[{{"id":"a","sha256":"<old>", "not_after": "<time>"}}, {json}]}}]}}"#
            ),
        ),
        (
            "JSON in lines",
            "{\"consumers\": [{\"username\": \"ann\", \"keys\": [\n    {\n      \"id\": \"a\",\n      \"sha256\": \"<old>\"\n    }\n  ]}]}\n",
            format!(
                "{{\"consumers\": [{{\"username\": \"ann\", \"keys\": [\n    {{\n      \"id\": \"a\",\n      \"sha256\": \"<old>\",\n      \"not_after\": \"<time>\"\n    }},\n    {json}\n  ]}}]}}\n"
            ),
        ),
        (
            "one policy on two routes, by an alias",
            "plugins:\n- {name: mtls-policy, route: r, config: &p {consumers: [{username: ann, keys: [{id: a, sha256: <old>}]}]}}\n- {name: mtls-policy, route: s, config: *p}\n",
            format!(
                "plugins:\n- {{name: mtls-policy, route: r, config: &p {{consumers: [{{username: ann, keys: [{{id: a, sha256: <old>, not_after: \"<time>\"}}, {new}]}}]}}}}\n- {{name: mtls-policy, route: s, config: *p}}\n"
            ),
        ),
        (
            "the same consumer on two routes",
            "plugins:\n- {name: mtls-policy, route: ä, config: {consumers: [{username: ann, keys: [{id: a, sha256: <old>}]}]}}\n- {name: mtls-policy, route: s, config: {consumers: [{username: ann, keys: [{id: a, sha256: <old>}]}]}}\n",
            format!(
                "plugins:\n- {{name: mtls-policy, route: ä, config: {{consumers: [{{username: ann, keys: [{{id: a, sha256: <old>, not_after: \"<time>\"}}, {new}]}}]}}}}\n- {{name: mtls-policy, route: s, config: {{consumers: [{{username: ann, keys: [{{id: a, sha256: <old>, not_after: \"<time>\"}}, {new}]}}]}}}}\n"
            ),
        ),
    ];
    for (what, text, owed) in rows {
        let text = text.replace("<old>", DIGEST).replace("<sha256>", &"a".repeat(64));
        let more: &[&str] = if what.contains("end that") { &["--days", "9"] } else { &[] };
        let arguments = [&["--consumer", "ann", "--key", "a", "--id", "n"], more].concat();
        let (said, came) = rotate(&text, &arguments);
        assert_eq!(said.code, 0, "{what}: {}", said.err);
        assert_eq!(plain(&came), owed, "{what}");
        assert!(!came.contains(said.out.trim()) && !said.err.contains(said.out.trim()), "{what}");
        let listed = said.err.contains("in 2 places");
        assert_eq!(listed, what.contains("the same"), "{what}: {}", said.err);
    }
}

#[test]
fn what_cannot_be_done_leaves_the_file_as_it_was() {
    let key = |id: &str, more: &str| format!("{{id: {id}, sha256: {}{more}}}", DIGEST.replace('9', id));
    let keys = |keys: &[String]| format!("consumers: [{{username: ann, keys: [{}]}}]\n", keys.join(", "));
    let rows = [
        (
            "nobody",
            keys(&[key("a", "")]),
            "--consumer anna",
            "no consumer \"anna\" with a key is in there (did you mean \"ann\"?)",
        ),
        (
            "no such key",
            keys(&[key("a", "")]),
            "--consumer ann --key b",
            "\"ann\" has no key \"b\"; there are: \"a\"",
        ),
        (
            "several",
            keys(&[key("a", ""), key("b", "")]),
            "--consumer ann",
            "say which by --key: \"a\", \"b\"",
        ),
        (
            "none in force",
            keys(&[key("a", ", not_after: 2001-01-01T00:00:00Z")]),
            "--consumer ann",
            "no key of \"ann\" is in force",
        ),
        (
            "an end without a start",
            keys(&[key("a", ", not_after: 2999-01-01T00:00:00Z")]),
            "--consumer ann",
            "say so by --days or --not-after",
        ),
        ("an id that is there", keys(&[key("a", "")]), "--consumer ann --id a", "has a key \"a\" already"),
        (
            "too long an overlap",
            keys(&[key("a", "")]),
            "--consumer ann --overlap 400",
            "--overlap 400: give 0 to 365",
        ),
        (
            "text within text",
            format!(
                "filter_chains: [{{route: r, filters: [{{name: mtls-policy, config: '{{\"consumers\":[]}}'}}]}}]\n# {DIGEST}\n"
            ),
            "--consumer ann",
            "no consumer \"ann\"",
        ),
        (
            "a dump",
            format!(
                "{{\"data\": [{{\"name\": \"mtls-policy\", \"config\": {{\"consumers\": [{{\"username\": \"ann\", \"keys\": [{{\"id\": \"a\", \"sha256\": \"{DIGEST}\"}}]}}]}}}}]}}"
            ),
            "--consumer ann",
            "name the file that it was told",
        ),
    ];
    for (what, text, arguments, why) in rows {
        let (said, came) = rotate(&text, &arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(said.code, 2, "{what}: {}", said.err);
        assert!(said.err.contains(why), "{what}: {}", said.err);
        assert_eq!((came, said.out), (text, String::new()), "{what}");
    }
}

#[test]
fn a_successor_lives_as_long_as_the_old_key_and_no_overlap_outlives_its_end() {
    let text = format!(
        "consumers: [{{username: ann, keys: [{{id: a, sha256: {DIGEST}, not_before: 2000-01-01T00:00:00Z, not_after: 2999-01-01T00:00:00Z}}]}}]\n"
    );
    let (said, _) = rotate(&text, &["--consumer", "ann", "--json", "--overlap", "3"]);
    let told = said.json();
    let day = |text: &serde_json::Value| {
        let format = &time::format_description::well_known::Rfc3339;
        time::OffsetDateTime::parse(text.as_str().unwrap(), format).unwrap()
    };
    let entry = &told["entry"];
    assert_eq!((day(&entry["not_after"]) - day(&entry["not_before"])).whole_days(), 364_878);
    assert_eq!((day(&told["old_not_after"]) - day(&entry["not_before"])).whole_days(), 3);
    assert_eq!(entry["sha256"], policy_tools::keys::digest(told["key"].as_str().unwrap()));

    let soon = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    let soon = policy_tools::keys::time(soon.truncate_to_second()).unwrap();
    let text = text.replace("2999-01-01T00:00:00Z", &soon);
    let (said, came) = rotate(&text, &["--consumer", "ann", "--json", "--overlap", "3"]);
    assert_eq!(said.json()["old_not_after"], *soon);
    assert!(came.contains(&format!("not_after: {soon}")), "{came}");
}

#[test]
fn a_key_is_rotated_in_kubernetes_manifests() {
    let plugin = |name: &str, consumer: &str| {
        format!(
            "apiVersion: configuration.konghq.com/v1\nkind: KongPlugin\nmetadata: {{name: {name}}}\nplugin: mtls-policy\n\
             config:\n  consumers:\n  - username: {consumer}\n    keys:\n    - {{id: a, sha256: {DIGEST}}}\n"
        )
    };
    let text = format!("# first\n{}---\n# second\n{}", plugin("one", "ann"), plugin("two", "ben"));
    let (said, after) = rotate(&text, &["--consumer", "ben", "--id", "n"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let new = "not_after: \"<time>\"}\n    - {id: \"n\", sha256: \"<sha256>\", not_before: \"<time>\"}\n";
    let expected = format!(
        "# first\n{}---\n# second\n{}",
        plain(&plugin("one", "ann")),
        plain(&plugin("two", "ben")).replace("<old>}\n", &format!("<old>, {new}"))
    );
    assert_eq!(plain(&after), expected);
}
