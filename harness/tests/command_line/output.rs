//! What goes where: results to stdout and nothing else there, the rest to stderr, colours and progress to terminals alone.

use std::collections::BTreeSet;

use crate::scene::Scene;
use crate::verbs::leaves;

/// One way to call a verb.
struct Row {
    verb: &'static str,
    typed: &'static str,
    code: i32,
    /// It may take more than a second, so a terminal is told what is going on.
    is_slow: bool,
}

const fn quick(verb: &'static str, typed: &'static str, code: i32) -> Row {
    Row { verb, typed, code, is_slow: false }
}

const fn slow(verb: &'static str, typed: &'static str) -> Row {
    Row { verb, typed, code: 0, is_slow: true }
}

/// Each verb once at least. What is owed to users of `keys new` and `keys rotate` is a key, which is shown once: where
/// nobody reads it, that is an error.
const ROWS: &[Row] = &[
    slow("bench", "bench --variants bare --against bare --rounds 1 --seconds 0.1"),
    slow("certs generate", "certs generate --client a --client b --force --output-dir more"),
    quick("certs inspect", "certs inspect certs/mtls", 0),
    quick("certs renew", "certs renew certs/mtls/kong-client.crt", 0),
    quick("certs revoke", "certs revoke certs/mtls/kong-client.crt", 0),
    quick("certs rotate-ca", "certs rotate-ca", 0),
    quick("certs watch", "certs watch certs/mtls --once", 0),
    quick("completions", "completions bash", 0),
    slow("conformance", "conformance --gateway embedded --cases cases"),
    slow("demo", "demo"),
    Row { code: 1, ..slow("doctor", "doctor --host localhost --port 1") },
    quick("dogcatcher", "dogcatcher --mtls 127.0.0.1:0 --http none", 0),
    slow("e2e", "e2e --config kong.yml --suite cases.yaml"),
    quick("envoy config", "envoy config empty.yml", 0),
    slow("gateway", "gateway --config empty.yml --proxy 127.0.0.1:0"),
    quick("keys hash", "keys hash", 2),
    quick("keys list", "keys list keys.yaml", 0),
    quick("keys new", "keys new", 0),
    quick("keys rotate", "keys rotate keys.yaml --consumer ann --key a --days 9", 0),
    quick("kong configure", "kong configure", 0),
    quick("man", "man pages", 0),
    quick("migrate", "migrate old.yml", 0),
    quick("policy check", "policy check policy.yaml", 0),
    quick("policy check", "policy check warned.yaml", 1),
    slow("policy diff", "policy diff policy.yaml policy.yaml"),
    quick("policy explain", "policy explain policy.yaml", 0),
    quick("policy fmt", "policy fmt --check policy.yaml", 0),
    quick("policy schema", "policy schema", 0),
    slow("soak", "soak --requests 200 --connections 2"),
    slow("up", "up"),
];

#[test]
fn every_verb_is_in_the_table() {
    let known: BTreeSet<_> = ROWS.iter().map(|row| row.verb.to_owned()).collect();
    let there: BTreeSet<_> = leaves().into_iter().map(|(verb, _)| verb).collect();
    assert_eq!(known, there);
}

#[test]
fn in_pipes_there_are_neither_colours_nor_progress() {
    let scene = Scene::new();
    for Row { verb: _, typed, code, is_slow } in ROWS {
        let ran = scene.in_pipes(typed);
        assert_eq!(ran.code, Some(*code), "harness {typed}\n{}", ran.stderr);
        for (output, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            assert!(!text.contains(['\x1b', '\r']), "harness {typed}, {output}: {text:?}");
        }
        if *is_slow && *code == 0 {
            let said: Vec<_> = ran.stderr.lines().filter(|line| !is_logged(line)).collect();
            assert!(said.is_empty(), "harness {typed}: {said:?}");
        }
    }
}

#[test]
fn on_a_terminal_there_is_progress_and_with_no_color_no_colour() {
    let scene = Scene::new();
    for Row { verb: _, typed, code, is_slow } in ROWS {
        let ran = scene.on_a_terminal(typed, &[("NO_COLOR", "1")]);
        assert_eq!(ran.code, Some(*code), "harness {typed}\n{}", ran.stdout);
        assert!(!is_coloured(&ran.stdout), "harness {typed}: {:?}", ran.stdout);
        assert_eq!(shows_progress(&ran.stdout), *is_slow, "harness {typed}: {:?}", ran.stdout);
        if *is_slow {
            let ran = scene.on_a_terminal(&format!("{typed} --quiet"), &[("NO_COLOR", "1")]);
            assert!(!shows_progress(&ran.stdout), "harness {typed} --quiet: {:?}", ran.stdout);
        }
    }
}

/// As `| head` does when it has seen enough.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scene = Scene::new();
    for Row { verb, typed, code, .. } in ROWS {
        if ["dogcatcher", "gateway", "up"].contains(verb) {
            continue; // they serve on, whoever reads where
        }
        let ran = scene.unread(typed);
        assert!(!ran.stderr.contains("panicked"), "harness {typed}: {}", ran.stderr);
        let code = if ["keys new", "keys rotate"].contains(verb) { 1 } else { *code };
        assert_eq!(ran.code, Some(code), "harness {typed}: {}", ran.stderr);
    }
}

#[test]
fn colours_are_for_terminals_or_for_who_asks_for_them() {
    let scene = Scene::new();
    let warned = "policy check warned.yaml";
    assert!(is_coloured(&scene.on_a_terminal(warned, &[]).stdout));
    assert!(is_coloured(&scene.in_pipes_with(warned, &[("CLICOLOR_FORCE", "1")]).stdout));
    assert!(!is_coloured(&scene.on_a_terminal(warned, &[("CLICOLOR", "0")]).stdout));
    let both = [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")];
    assert!(!is_coloured(&scene.in_pipes_with(warned, &both).stdout));
}

/// Sequences that end in `m` set colours and weights; others move the cursor, as progress does.
fn is_coloured(text: &str) -> bool {
    text.split("\x1b[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

/// Of the line that is taken back.
fn shows_progress(text: &str) -> bool {
    text.contains("\x1b[2K")
}

/// Warnings of a gateway in this process, by env_logger.
fn is_logged(line: &str) -> bool {
    line.starts_with('[')
}
