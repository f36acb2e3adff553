//! The dashboard: what it asks for can be asked, and is told.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use crate::gateway::Telling;
use crate::rules::rules;
use crate::tools::{content, find, monitoring};

fn dashboard() -> Value {
    serde_json::from_str(&monitoring("grafana-dashboard.json")).unwrap()
}

/// What its panels ask for, with values in the place of Grafana's variables.
fn questions() -> Vec<String> {
    let dashboard = dashboard();
    let targets =
        dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let questions = targets.map(|target| target["expr"].as_str().unwrap());
    questions.map(|text| text.replace("$__rate_interval", "5m").replace("$service", ".*")).collect()
}

#[test]
fn every_panel_asks_what_can_be_asked() {
    let Some(mut promtool) = find("promtool") else { return };
    let rules: Vec<_> = (questions().iter().enumerate())
        .map(|(index, question)| json!({ "record": format!("panel:{index}"), "expr": question }))
        .collect();
    assert!(rules.len() >= 6);
    let directory = tempfile::tempdir().unwrap();
    let file = json!({ "groups": [{ "name": "panels", "rules": rules }] });
    std::fs::write(directory.path().join("panels.yml"), file.to_string()).unwrap();
    promtool.args(["check", "rules", "panels.yml"]).current_dir(directory.path());
    content(promtool);
}

#[test]
fn panels_and_alerts_ask_for_metrics_that_are_told() {
    let gateway = Telling::for_another(time::Duration::days(90));
    gateway.ask();
    let told = gateway.metrics();
    let asked = questions().join("\n") + &rules().to_string() + &dashboard()["templating"].to_string();
    let names = Regex::new("kong_[a-z_]+").unwrap();
    let names: BTreeSet<_> = names.find_iter(&asked).map(|found| found.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        assert!(told.lines().any(|line| line.starts_with(&format!("{name}{{"))), "{name} is not in\n{told}");
    }
}

#[test]
fn panels_do_not_cover_each_other() {
    let dashboard = dashboard();
    let mut seen = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(seen.insert((x, y)), "{} covers another", panel["title"]);
            }
        }
    }
}
