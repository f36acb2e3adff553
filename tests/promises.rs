//! Every test that SECURITY.md names exists, and every line of its tables names one, or says why it needs none.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use harness::conformance::suites;
use tests::CASES;

#[test]
fn every_promise_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let cases = suites(CASES.as_ref()).unwrap_or_else(|error| panic!("{error:#}"));
    let exists = |named: &str| {
        if let Some((topic, name)) = named.split_once(".yaml: ") {
            let suite = cases.iter().find(|suite| suite.topic == topic);
            suite.is_some_and(|suite| {
                let names = suite.cases.iter().map(|case| &case.name);
                names.chain(suite.mistakes.iter().map(|mistake| &mistake.name)).any(|each| each == name)
            })
        } else if let Some((file, test)) = named.split_once(".rs: ") {
            let source = read(&format!("{file}.rs"));
            let at = source.find(&format!("fn {test}()"));
            at.is_some_and(|at| source[..at].lines().rev().take(3).any(|line| line.contains("test]")))
        } else if let Some((suite, test)) = named.split_once("::") {
            let source = read(&format!("tests/suites/{suite}.rs"));
            let listed = source.split_once("tests![").and_then(|(_, rest)| rest.split_once("];"));
            listed.is_some_and(|(list, _)| list.split(',').any(|each| each.trim() == test))
        } else {
            false
        }
    };
    let promises = read("SECURITY.md");
    let (_, tables) = promises.split_once("## Promises").expect("there are promises");
    let rows = tables.lines().filter(|line| line.starts_with("| ") && !HEADS.contains(line));
    let (mut counted, mut wrong) = (0, Vec::new());
    for row in rows {
        let held = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let named: Vec<_> = held.split('`').skip(1).step_by(2).filter(|span| is_test(span)).collect();
        if named.is_empty() && !held.starts_with("cannot happen, because ") {
            wrong.push(format!("nothing holds: {row}"));
        }
        counted += named.len();
        wrong.extend(named.iter().filter(|named| !exists(named)).map(|named| format!("there is no {named}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counted > 50, "only {counted} tests are named");
    println!("{counted} tests are named");
}

/// Of the tables.
const HEADS: [&str; 2] = ["| | |", "| elsewhere | here |"];

fn is_test(span: &str) -> bool {
    span.contains("::") || span.contains(".rs: ") || span.contains(".yaml: ")
}
