//! What nothing comes out of, and that nothing is lost by it.

use crate::{migrate, of};

const KEY_AUTH: &str = "_format_version: \"3.0\"\nconsumers: [{username: ann, keyauth_credentials: [{key: ann-key}]}]\nroutes: [{name: r, paths: [/r], plugins: [{name: key-auth}]}]\n";

#[test]
fn what_is_no_config_of_key_auths_is_a_question_that_cannot_be_asked() {
    let rows = [
        ("_format_version: \"3.0\"\n", "no key-auth is in there"),
        (
            "_format_version: \"3.0\"\nplugins: [{name: key-auth, enabled: false}]\n",
            "no key-auth is in there",
        ),
        ("a: [1\n", "no document"),
        ("", "no document"),
        ("realm: r\n", "something else"),
        (
            "{\"data\": [{\"name\": \"key-auth\", \"config\": {}}], \"next\": \"/plugins?offset=x\"}",
            "only the first page",
        ),
        ("apiVersion: configuration.konghq.com/v1\nplugin: key-auth\nconfig: {}\n", "something else"),
    ];
    for (config, owed) in rows {
        let said = of(config, &[]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{config}: {}", said.err);
        assert!(said.err.contains(owed), "{config}: {}", said.err);
    }
    assert_eq!(of(KEY_AUTH, &["--from", "nowhere"]).code, 2);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(migrate(directory.path(), &[], &["absent.yml"]).code, 2);
    let two = [("a.yml", KEY_AUTH), ("b.yml", KEY_AUTH)];
    let said = migrate(directory.path(), &two, &["a.yml", "b.yml"]);
    assert!(said.code == 2 && said.err.contains("one config at a time"), "{}", said.err);
}

#[test]
fn what_would_be_no_valid_config_does_not_come_out() {
    // Kong would not take it either: a key of two consumers.
    let twice = KEY_AUTH
        .replace("]}]\nroutes", "]}, {username: ben, keyauth_credentials: [{key: ann-key}]}]\nroutes");
    let said = of(&twice, &[]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
    assert!(said.err.contains("have the same key"), "{}", said.err);
    assert!(!said.err.contains("ann-key"), "{}", said.err);
}

#[test]
fn files_that_are_there_are_kept_unless_they_are_to_be_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let files = [("old.yml", KEY_AUTH), ("new.yml", "kept"), ("report.txt", "kept too")];
    let all = ["old.yml", "--output", "new.yml", "--report", "report.txt"];
    let said = migrate(directory.path(), &files, &all);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("already there: "), "{}", said.err);
    assert_eq!(
        (read("old.yml").as_str(), read("new.yml").as_str(), read("report.txt").as_str()),
        (KEY_AUTH, "kept", "kept too")
    );
    let said = migrate(directory.path(), &[], &[&all[..], &["--force"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(read("new.yml").contains("mtls-policy") && read("report.txt").contains("mapped"));
}
