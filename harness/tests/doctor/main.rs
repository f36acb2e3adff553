//! `harness doctor`, as it is typed: every fault made for real, and recognised.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![allow(clippy::panic, reason = "a panic is how a test says no")]

mod admin;
mod configs;
mod diagnosis;
mod files;
mod gateways;
mod network;
mod real_kong;
mod scene;
mod servers;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use diagnosis::Diagnoses;
use regex::Regex;
use scene::Scene;

/// In one test, so that a fault that nobody makes is seen.
#[test]
fn every_fault_is_made_and_recognised() {
    let mut diagnoses = Diagnoses::default();
    for make in
        [files::make, network::make, servers::make, words::make, configs::make, gateways::make, admin::make]
    {
        make(&mut diagnoses);
    }
    assert!(diagnoses.wrong.is_empty(), "{}", diagnoses.wrong.join("\n"));
    let mut recognised = diagnoses.recognised;
    recognised.extend(diagnoses.skipped);
    let names = names(&read("src/doctor/fault.rs"), r#"=> "([a-z_]+)",\n"#);
    assert!(names.len() >= 40, "{names:?}");
    assert_eq!(recognised, names);
}

#[test]
fn every_fault_is_in_the_table() {
    let in_code = names(&read("src/doctor/fault.rs"), r#"=> "([a-z_]+)",\n"#);
    assert_eq!(names(&read("../docs/doctor.md"), r"(?m)^\| `([a-z_]+)`"), in_code);
}

#[test]
fn a_way_that_is_in_order_is_one_line_for_each_hop_and_exits_with_0() {
    let scene = Scene::new();
    let upstream = scene.upstream(&scene.server());
    let port = upstream.mtls().unwrap().port();
    let (code, told) = scene.doctor(&scene.typed(port));
    assert_eq!(code, 0, "{told}");
    let lines: Vec<_> = told.lines().skip(1).collect();
    assert_eq!(lines.len(), 9, "{told}");
    assert!(lines.iter().all(|line| line.starts_with("  ok ")), "{told}");
}

#[test]
fn what_cannot_be_asked_exits_with_2() {
    let scene = Scene::new();
    for typed in [&[][..], &["--config", "nowhere.yml"], &["--through", "https://localhost/"]] {
        let typed: Vec<_> = typed.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(scene.doctor(&typed).0, 2, "{typed:?}");
    }
}

#[test]
fn no_private_key_and_no_api_key_is_told() {
    let scene = Scene::new();
    let key = std::fs::read_to_string(scene.path("tls.key")).unwrap();
    std::fs::write(scene.path("tls.crt"), &key).unwrap();
    std::fs::write(scene.path("api-key"), "an-api-key-that-nobody-tells\n").unwrap();
    let mut typed = scene.typed(1);
    typed.extend(
        ["--through", "http://127.0.0.1:1/", "--api-key-file", "api-key", "--json"].map(str::to_owned),
    );
    let (_, told) = scene.doctor(&typed);
    for line in key.lines().filter(|line| line.len() > 20).chain(["an-api-key-that-nobody-tells"]) {
        assert!(!told.contains(line), "{told}");
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

fn names(text: &str, pattern: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}
