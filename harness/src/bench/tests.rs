//! That a measurement measures what it says, and nothing else. Not how long anything takes.

use super::*;
use crate::gateway::embedded::Embedded;

fn plan(names: &[&str]) -> Plan {
    let all = all().unwrap();
    Plan {
        variants: (names.iter())
            .map(|name| all.iter().find(|variant| variant.name == *name).unwrap().clone())
            .collect(),
        baselines: vec!["bare".to_owned()],
        arrangement: Arrangement::Together,
        rounds: 2,
        time: Duration::from_millis(50),
        connections: 4,
    }
}

/// Puts another word into a variant's config.
fn altered(plan: &mut Plan, word: &str, other: &str) {
    let variant = plan.variants.last_mut().unwrap();
    let text = serde_json::to_string(&variant.config).unwrap();
    assert!(text.contains(word), "{text}");
    variant.config = serde_json::from_str(&text.replace(word, other)).unwrap();
}

fn refused(plan: &Plan) -> String {
    format!("{:#}", run(&Embedded::default(), plan).expect_err("a refusal"))
}

#[test]
fn every_variant_of_a_gateway_is_measured_beside_its_baseline() {
    for arrangement in [Arrangement::Together, Arrangement::Apart] {
        let plan = Plan { arrangement, ..plan(&["bare", "upstream-mtls", "mtls-policy", "empty"]) };
        let report = run(&Embedded::default(), &plan).unwrap();
        assert!(report.limit.unwrap().min > 0.0);
        for row in &report.rows {
            assert!(row.requests_per_second.unwrap().min > 0.0, "{}", row.variant);
            let beside: Vec<_> = row.against.iter().map(|against| against.baseline.as_str()).collect();
            assert_eq!(beside, if row.variant == "bare" { vec![] } else { vec!["bare"] });
        }
        let table = report.markdown();
        let row = table.lines().find(|line| line.starts_with("| **mtls-policy**")).unwrap();
        assert_eq!(row.matches(" | ").count(), 4, "{table}");
    }
}

#[test]
fn a_refusal_is_no_figure() {
    let mut plan = plan(&["bare", "mtls-policy"]);
    altered(&mut plan, r#""hide_credentials":true"#, r#""rules":[{"match":{},"deny":{"status":403}}]"#);
    assert!(refused(&plan).starts_with("mtls-policy: answered with 403"), "{}", refused(&plan));
}

#[test]
fn another_certificate_than_is_owed_is_no_figure() {
    let scene = |plan: &Plan| Scene::up(&Embedded::default(), &plan.variants, plan.arrangement).unwrap();
    let plan = plan(&["mtls-policy"]);
    let scene = scene(&plan);
    let owed = || scene.target(0, &plan.variants[0]);
    let of_somebody_else = load::Target { owed: b"somebody-else".as_slice().into(), ..owed() };
    let measure = |target| {
        let load = load::Load::start(target, 1, scene.load());
        load.go_on(Duration::from_secs(10))
    };
    let error = format!("{:#}", measure(&of_somebody_else).expect_err("a refusal"));
    assert_eq!(error, "mtls-policy: the upstream saw \"kong-client\"");
}

#[test]
fn a_key_that_is_not_hidden_is_no_figure() {
    let mut plan = plan(&["mtls-policy"]);
    altered(&mut plan, r#""hide_credentials":true"#, r#""hide_credentials":false"#);
    assert_eq!(refused(&plan), "mtls-policy: the upstream saw the API key");
}

#[test]
fn a_route_that_lets_everybody_in_is_no_figure() {
    let mut plan = plan(&["bare", "upstream-mtls"]);
    plan.variants[1].authenticates = true;
    assert!(refused(&plan).starts_with("upstream-mtls: "), "{}", refused(&plan));
}
