//! docs/exit-codes.md, against the verbs that there are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md");

/// Verbs by the manual pages, which clap writes: those that have none below them.
fn verbs() -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run(directory.path(), &["man", "pages"]), 0);
    let names: BTreeSet<_> = fs::read_dir(directory.path().join("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_prefix("harness-")?.strip_suffix(".1")?.to_owned()))
        .collect();
    let groups = ["certs", "envoy", "keys", "kong", "policy"];
    let spaced = |name: &String| match groups.iter().find(|group| name.starts_with(&format!("{group}-"))) {
        Some(group) => name.replacen(&format!("{group}-"), &format!("{group} "), 1),
        None => name.clone(),
    };
    names.iter().filter(|name| !groups.contains(&name.as_str())).map(spaced).collect()
}

fn run(directory: &Path, arguments: &[&str]) -> i32 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().code().unwrap()
}

#[test]
fn every_verb_has_its_row_and_takes_usage_for_what_it_is() {
    let page = fs::read_to_string(PAGE).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
    let rows: BTreeSet<_> = rows.collect();
    assert_eq!(rows, verbs());
    let directory = tempfile::tempdir().unwrap();
    for verb in rows {
        let verb: Vec<_> = verb.split(' ').collect();
        assert_eq!(run(directory.path(), &[&verb[..], &["--help"]].concat()), 0, "{verb:?}");
        assert_eq!(run(directory.path(), &[&verb[..], &["--no-such-flag"]].concat()), 2, "{verb:?}");
    }
}

/// As far as nothing has to be brought up for it.
#[test]
fn verbs_exit_with_what_the_page_says() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("good.yaml", "anonymous: guest\n");
    write("other.yaml", "anonymous: nobody\n");
    write("closed.yaml", "realm: r\n");
    write("bad.yaml", "relm: r\n");
    write("unformatted.yaml", "realm:   r\n");
    write("anchored.yaml", "realm: &r r\n");
    write(
        "key.yaml",
        "consumers: [{username: ann, keys: [{id: a, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, not_after: 2001-01-01T00:00:00Z}]}]\n",
    );
    write("kong.yml", "_format_version: '3.0'\n");
    let key_auth = |config: &str| {
        format!(
            "_format_version: '3.0'\nroutes: [{{name: r, paths: [/r], plugins: [{{name: key-auth, config: {config}}}]}}]\n"
        )
    };
    write("key-auth.yml", &key_auth("{}"));
    write("unmapped.yml", &key_auth("{unknown: 1}"));
    write("refused.yml", "_format_version: '2.0'\n");
    let rows = [
        ("certs generate --output-dir certs", 0),
        ("certs generate --output-dir certs", 1),
        ("certs inspect certs", 0),
        ("certs inspect certs --warn-days 3650", 1),
        ("certs inspect nowhere", 2),
        ("certs renew certs", 2),
        ("certs revoke", 2),
        ("certs rotate-ca", 2),
        ("completions fish", 0),
        ("completions", 2),
        ("doctor", 2),
        ("e2e --config nowhere.yml --suite nowhere.yaml", 2),
        ("envoy config refused.yml", 1),
        ("envoy config nowhere.yml", 2),
        ("gateway --config refused.yml", 1),
        ("gateway --config nowhere.yml", 2),
        ("keys hash", 2),
        ("keys list key.yaml", 0),
        ("keys list key.yaml --warn-days 1", 1),
        ("keys list nowhere.yaml", 2),
        ("keys new", 0),
        ("keys new --days 0", 2),
        ("keys rotate key.yaml --consumer ann --key a --days 9", 0),
        ("keys rotate key.yaml --consumer ben", 2),
        ("man good.yaml", 1),
        ("migrate key-auth.yml", 0),
        ("migrate unmapped.yml", 1),
        ("migrate kong.yml", 2),
        ("migrate nowhere.yml", 2),
        ("policy check good.yaml", 0),
        ("policy check bad.yaml", 1),
        ("policy check key.yaml", 1),
        ("policy check key.yaml --allow-warnings", 0),
        ("policy check kong.yml", 2),
        ("policy diff good.yaml good.yaml", 0),
        ("policy diff good.yaml other.yaml", 1),
        ("policy diff good.yaml bad.yaml", 2),
        ("policy explain good.yaml", 0),
        ("policy explain closed.yaml", 1),
        ("policy explain bad.yaml", 2),
        ("policy fmt --check good.yaml", 0),
        ("policy fmt --check unformatted.yaml", 1),
        ("policy fmt anchored.yaml", 2),
        ("policy schema", 0),
    ];
    for (typed, owed) in rows {
        let came = run(directory.path(), &typed.split(' ').collect::<Vec<_>>());
        assert_eq!(came, owed, "harness {typed}");
    }
}
