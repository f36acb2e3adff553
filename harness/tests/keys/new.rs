//! New keys, and digests of keys.

use sha2::{Digest, Sha256};

use crate::keys;

#[test]
fn the_entry_admits_exactly_the_key_that_is_shown_and_stdout_holds_nothing_else() {
    let said = keys(&["new", "--id", "2026-q4", "--days", "30"], "");
    assert_eq!(said.code, 0, "{}", said.err);
    let key = said.out.strip_suffix('\n').unwrap();
    assert!(
        regex::Regex::new(policy_tools::keys::PATTERN).unwrap().is_match(key) && key.len() == 55,
        "{key}"
    );
    assert!(!said.err.contains(key), "{}", said.err);
    let entry = said.err.lines().find_map(|line| line.trim().strip_prefix("- ")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
    assert_eq!(entry["id"], "2026-q4");
    assert_eq!(entry["sha256"], hex(&Sha256::digest(key)));
    assert!(entry["not_before"].as_str() < entry["not_after"].as_str());
    assert!(said.err.contains("256 bits"), "{}", said.err);
    let hashed = keys(&["hash"], &said.out);
    assert_eq!(hashed.out, format!("{}\n", entry["sha256"].as_str().unwrap()));
}

#[test]
fn a_key_is_hashed_from_stdin_and_what_is_none_is_told_from_what_was_mistyped() {
    let test = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";
    let key = keys(&["new"], "").out;
    let mistyped = key.replace("mtlsk_", "mtlsk_0");
    for (stdin, code, out) in [
        ("test", 0, test),
        ("test\r\n", 0, test),
        ("", 2, ""),
        ("two words", 2, ""),
        ("two\nlines\n", 2, ""),
        (&mistyped, 1, ""),
    ] {
        let said = keys(&["hash"], stdin);
        assert_eq!((said.code, said.out.as_str()), (code, out), "{}", said.err);
        assert!(stdin.trim().is_empty() || !said.err.contains(stdin.trim()), "{}", said.err);
    }
    assert_eq!(keys(&["hash", "test"], "").code, 2, "a key is no argument");
    assert_eq!(keys(&["hash", "--json"], "test").json()["sha256"], test.trim());
}

#[test]
fn a_placeholder_is_hashed_only_as_literal_text() {
    for (placeholder, name) in
        [("$KEY", "$NAME"), ("${KEY:-letmein}", "${NAME}"), ("{{KEY}}", "{{ … }}"), ("<KEY>", "<NAME>")]
    {
        let said = keys(&["hash"], placeholder);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{placeholder}: {}", said.err);
        assert!(said.err.contains(&format!("got a placeholder ({name})")), "{placeholder}: {}", said.err);
        assert!(!said.err.contains("letmein"), "{}", said.err);
        let literal = keys(&["hash", "--literal"], placeholder);
        assert_eq!((literal.code, literal.out.trim()), (0, hex(&Sha256::digest(placeholder)).as_str()));
    }
}

#[test]
fn a_key_without_an_end_has_none_in_the_policy() {
    let document = json(&[]);
    let entry = document["entry"].as_object().unwrap();
    assert_eq!(entry.keys().collect::<Vec<_>>(), ["id", "not_before", "sha256"]);
    assert_eq!(entry["sha256"], hex(&Sha256::digest(document["key"].as_str().unwrap())));
    assert!(entry["id"].as_str().unwrap().ends_with(&entry["sha256"].as_str().unwrap()[..6]));
}

#[test]
fn no_two_keys_are_alike() {
    let (one, two) = (json(&["--id", "a"]), json(&["--id", "a"]));
    assert_ne!(one["key"], two["key"]);
}

#[test]
fn a_day_ends_with_its_last_second() {
    for (typed, meant) in [
        ("2999-01-15", "2999-01-15T23:59:59Z"),
        ("2999-01-15T08:00:00Z", "2999-01-15T08:00:00Z"),
        ("2999-01-15T08:00:00.5+02:00", "2999-01-15T06:00:00Z"),
    ] {
        assert_eq!(json(&["--not-after", typed])["entry"]["not_after"], meant, "{typed}");
    }
}

#[test]
fn what_cannot_be_is_told_at_once_without_a_key() {
    for (typed, lines) in [
        (&["--id", "a b", "--not-after", "2020-01-01"][..], 2),
        (&["--id", "", "--days", "0"], 2),
        (&["--not-after", "tomorrow"], 1),
        (&["--not-after", "2999-02-30"], 1),
    ] {
        let said = keys(&[&["new"], typed].concat(), "");
        assert_eq!(said.code, 2, "{typed:?}");
        assert_eq!(said.err.lines().count(), lines, "{typed:?}: {}", said.err);
        assert!(said.out.is_empty(), "{typed:?}");
    }
    assert_eq!(keys(&["new", "--days", "1", "--not-after", "2999-01-01"], "").code, 2);
}

fn json(arguments: &[&str]) -> serde_json::Value {
    keys(&[&["new", "--json"], arguments].concat(), "").json()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
