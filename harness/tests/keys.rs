//! `harness keys new`, as it is typed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::process::{Command, Output};

use sha2::{Digest, Sha256};

#[test]
fn the_entry_admits_exactly_the_key_that_is_shown() {
    let output = new(&["--id", "2026-q4", "--days", "30"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = told.lines().map(str::trim).collect();

    let key = lines[2];
    assert!(key.len() == 43 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{key}");
    assert_eq!(told.matches(key).count(), 1);
    let entry: serde_json::Value = serde_json::from_str(lines[6].trim_start_matches("- ")).unwrap();
    assert_eq!(entry["id"], "2026-q4");
    assert_eq!(entry["sha256"], hex(&Sha256::digest(key)));
    assert!(entry["not_before"].as_str() < entry["not_after"].as_str());
    assert!(lines[0].contains("256 bits"), "{told}");
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
        let output = new(typed);
        assert_eq!(output.status.code(), Some(2), "{typed:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.lines().count(), lines, "{typed:?}: {told}");
        assert!(output.stdout.is_empty(), "{typed:?}");
    }
    assert_eq!(new(&["--days", "1", "--not-after", "2999-01-01"]).status.code(), Some(2));
}

fn new(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).args(["keys", "new"]).args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_slice(&new(&[&["--json"], arguments].concat()).stdout).unwrap()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
