//! Every test that SECURITY.md names exists, and every line of its tables names one, or says why it needs none; `unsafe`
//! is where it says.
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

#[test]
fn unsafe_is_nowhere_but_where_hosts_and_c_are_met() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut allowed = Vec::new();
    for member in [
        "admin/kong-config",
        "admin/pki",
        "filter",
        "fuzz",
        "harness",
        "kong/consumers-file",
        "kong/native",
        "tests",
    ] {
        let manifest = fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap();
        let denies = ["unsafe_code = \"deny\"", "[lints]\nworkspace = true"];
        assert!(denies.iter().any(|lint| manifest.contains(lint)), "{member} does not deny unsafe code");
        allow_unsafe(&root, &root.join(member), &mut allowed);
    }
    allowed.sort();
    assert_eq!(allowed, UNSAFE);
}

/// Sources within a directory in which the compiler lets `unsafe` pass; clippy wants a reason at each block.
fn allow_unsafe(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            allow_unsafe(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let mut attributes = source.lines().filter(|line| line.trim_start().starts_with('#'));
            if attributes.any(|line| line.contains("unsafe_code") && !line.contains("forbid")) {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
}

/// What whoever looks for memory that is touched wrongly has to read.
const UNSAFE: [&str; 14] = [
    "filter/examples/decide.rs",
    "filter/examples/empty-sdk.rs",
    "filter/src/abi.rs",
    "filter/src/proxy.rs",
    "fuzz/src/targets/views.rs",
    "kong/native/src/body_exports.rs",
    "kong/native/src/consumers_exports.rs",
    "kong/native/src/decision.rs",
    "kong/native/src/exports.rs",
    "kong/native/src/request.rs",
    "kong/native/src/text.rs",
    "kong/native/src/thread.rs",
    "kong/native/tests/abi.rs",
    "kong/native/tests/lists.rs",
];

/// Of the tables.
const HEADS: [&str; 3] = ["| | |", "| plugins may | what holds | test |", "| elsewhere | here |"];

fn is_test(span: &str) -> bool {
    span.contains("::") || span.contains(".rs: ") || span.contains(".yaml: ")
}
