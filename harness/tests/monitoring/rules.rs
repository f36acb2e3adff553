//! The alerts, by promtool.

use std::path::Path;

use kong_config::document::{self, Report};
use serde_json::Value;

use crate::tools::{content, find, monitoring};

/// The rule file of Prometheus' own that stands in the PrometheusRule.
pub fn rules() -> Value {
    let node = document::parse(&monitoring("prometheus-rule.yaml"), &Report::new(None)).unwrap();
    node.to_json()["spec"].clone()
}

/// Writes it into a directory as `rules.yml`.
pub fn write(directory: &Path) {
    std::fs::write(directory.join("rules.yml"), rules().to_string()).unwrap();
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules() {
    let Some(mut promtool) = find("promtool") else { return };
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    promtool.args(["check", "rules", "rules.yml"]).current_dir(directory.path());
    let said = content(promtool);
    assert!(said.contains("SUCCESS: 10 rules found"), "{said}");
}

#[test]
fn alerts_fire_when_they_should_and_at_no_other_time() {
    let Some(mut promtool) = find("promtool") else { return };
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    std::fs::write(directory.path().join("alerts.yml"), include_str!("../data/alerts.yaml")).unwrap();
    promtool.args(["test", "rules", "alerts.yml"]).current_dir(directory.path());
    content(promtool);
}
