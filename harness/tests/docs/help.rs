//! Commands that are not run are typed rightly all the same.

use std::collections::BTreeSet;
use std::process::Command;

use regex::Regex;

use crate::page::{pages, root};

#[test]
fn verbs_and_flags_are_those_that_there_are() {
    let (mut wrong, mut looked_at) = (Vec::new(), 0);
    let harness = Regex::new(r"(?:^|[ (|])(?:harness|cargo run .*--) ([a-z].*)").unwrap();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.is_command()) {
            let joined = block.text.replace("\\\n", " ");
            for typed in joined.lines().filter_map(|line| harness.captures(line)) {
                looked_at += 1;
                let unknown = unknown(&typed[1]);
                wrong.extend(
                    unknown.map(|what| format!("{}: `{}` has no {what}", page.at(block.line), &typed[1])),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 20, "{looked_at}");
}

/// The first thing in a command line that its verb does not know.
fn unknown(typed: &str) -> Option<String> {
    let typed = typed.split(['|', '>', '#', '<', ';', '&']).next().unwrap_or_default();
    let words: Vec<_> = typed.split_whitespace().collect();
    let is_verb = |word: &&str| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    // `certs rotate-ca`, but not `man pages`.
    let verb: Vec<_> = words.iter().copied().take(2).take_while(is_verb).collect();
    let help = (1..=verb.len()).rev().find_map(|length| help(&verb[..length]));
    let Some(help) = help else { return Some(format!("verb {:?}", words.first())) };
    let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    flags
        .map(|flag| flag.split('=').next().unwrap_or_default())
        .find(|flag| !has(&help, flag))
        .map(str::to_owned)
}

fn has(help: &str, flag: &str) -> bool {
    help.split([' ', ',', '\n', '[', ']']).any(|word| word == flag)
}

fn help(verb: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_harness")).args(verb).arg("--help").output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn make_is_asked_for_what_it_makes() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let phony = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: "));
    let targets: BTreeSet<_> = phony.flat_map(str::split_whitespace).collect();
    // In prose between backticks alone: elsewhere it is the verb.
    let prose = Regex::new(r"`make ([a-z-]+)").unwrap();
    let typed = Regex::new(r"(?m)(?:^|&& )make ([a-z-]+)").unwrap();
    let (mut wrong, mut looked_at) = (Vec::new(), 0);
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page.path)).unwrap();
        let blocks = page.blocks.iter().filter(|block| block.is_command());
        let typed = blocks.flat_map(|block| typed.captures_iter(&block.text));
        for asked in prose.captures_iter(&text).chain(typed) {
            looked_at += 1;
            if !targets.contains(&asked[1]) {
                wrong.push(format!("{}: make {}", page.path.display(), &asked[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 10, "{looked_at}");
}

#[test]
fn what_is_typed_wrongly_is_found() {
    for good in ["certs generate --client a > out", "man pages", "policy check a.yaml | less --no-such"] {
        assert_eq!(unknown(good), None, "{good}");
    }
    assert_eq!(unknown("certs generate --clients a").as_deref(), Some("--clients"));
    assert!(unknown("certificates generate").is_some());
}
