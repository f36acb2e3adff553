//! `harness e2e`, as a user's CI runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kong");

fn e2e(config: &Path, suite: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.arg("e2e").arg("--config").arg(config).arg("--suite").arg(suite).args(more);
    command.output().unwrap()
}

#[test]
fn the_shipped_setup_keeps_what_its_cases_promise() {
    let directory = tempfile::tempdir().unwrap();
    let (junit, html) = (directory.path().join("e2e.xml"), directory.path().join("e2e.html"));
    let sources = Path::new(SOURCES);
    let reports = ["--junit", junit.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let output = e2e(&sources.join("kong.yml"), &sources.join("e2e.yaml"), &reports);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("9 of 9 as they are owed"), "{said}");
    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains(r#"tests="9""#) && junit.contains(r#"failures="0""#), "{junit}");
    let html = fs::read_to_string(html).unwrap();
    assert!(
        !html.contains("http://") && !html.contains("src=") && !html.contains("href="),
        "the page needs more than itself"
    );
}

#[test]
fn a_case_that_fails_says_what_was_sent_owed_and_decided_and_shows_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // Nothing is hidden, so that the upstream tells of keys.
    let config = format!(
        "_format_version: '3.0'
services:
- name: api
  url: https://api.example/base
  plugins:
  - name: upstream-mtls
    config:
      client_certificates: [{{name: one, cert_file: /x, key_file: /y}}, {{name: two, cert_file: /x, key_file: /y}}]
      ca_file: /z
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config:
        consumers: [{{username: ann, keys: [{{id: '1', sha256: '{}'}}]}}]
        client_certificate: one
        rules: [{{match: {{path_prefix: /base/vets}}, client_certificate: two}}]
",
        "a1".repeat(32)
    );
    fs::write(at("kong.yml"), config).unwrap();
    fs::write(
        at("cases.yaml"),
        "cases:
- name: right
  request: GET /dogs/x
  headers: [{apikey: <ann>}]
  owed: passes as one
- name: <wrong> & \"quoted\"
  request: GET /dogs/vets?apikey=<escaped ann>&a=<digest of ann>&b=<ann>
  owed: {upstream: {certificate: one, uri: /nowhere, headers: {apikey: <ann>}}}
",
    )
    .unwrap();
    let (junit, html) = (at("e2e.xml"), at("e2e.html"));
    let reports = ["--junit", junit.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let output = e2e(&at("kong.yml"), &at("cases.yaml"), &reports);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    for owed in [
        "cases.yaml:6: <wrong>",
        "GET /dogs/vets?apikey=<escaped ann>&a=<digest of ann>&b=<ann>",
        "upstream hears it as one",
        "upstream heard GET /base/vets?apikey=<escaped ann>&a=<digest of ann>&b=<ann> as two",
        "route \"dogs\"; the upstream would receive /base/vets",
        "asked by \"ann\" by key \"1\"",
        "allowed as \"two\", by rules[0]",
        "certificate: owed one, the upstream saw two",
        "1 of 2 as they are owed",
    ] {
        assert!(said.contains(owed), "{owed:?} is missing in:\n{said}");
    }
    let (junit, html) = (fs::read_to_string(junit).unwrap(), fs::read_to_string(html).unwrap());
    assert!(junit.contains(r#"failures="1""#) && junit.contains("owed one, the upstream saw two"), "{junit}");
    assert!(html.contains("&lt;wrong&gt; &amp; ") && html.contains("rules[0]"), "{html}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    for text in [said.as_ref(), &stderr, &junit, &html] {
        let words = text.split(|c: char| !c.is_ascii_hexdigit());
        assert_eq!(words.filter(|word| word.len() >= 64).count(), 0, "a key or a digest in:\n{text}");
        // Each byte percent-encoded.
        assert!(!text.contains("%3"), "an escaped key in:\n{text}");
    }
}

#[test]
fn what_cannot_be_asked_is_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let sources = Path::new(SOURCES);
    fs::write(at("unknown.yaml"), "cases:\n- {name: a, headers: [{X-API-Key: <modl-citizen>}], owed: 401}\n")
        .unwrap();
    fs::write(at("broken.yaml"), "cases:\n- {name: a, owde: 401}\n").unwrap();
    fs::write(at("refused.yml"), "_format_version: '3.0'\nservices: [{url: https://a.example, rutes: []}]\n")
        .unwrap();
    let (config, suite) = (sources.join("kong.yml"), sources.join("e2e.yaml"));
    let rows = [
        (&config, &at("missing.yaml"), "missing.yaml: cannot be read"),
        (&at("missing.yml"), &suite, "cannot read"),
        (&config, &at("broken.yaml"), "broken.yaml:2: cases[0].owde: unknown field, did you mean \"owed\"?"),
        (
            &config,
            &at("unknown.yaml"),
            "nobody in the config is called \"modl-citizen\" (did you mean <model-citizen>?)",
        ),
        (&at("refused.yml"), &suite, "nobody in the config is called \"model-citizen\""),
    ];
    for (config, suite, owed) in rows {
        let output = e2e(config, suite, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(owed), "{owed:?} is missing in: {said}");
    }
}
