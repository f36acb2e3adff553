//! What became of requests, and how long certificates last, is told to who runs the gateway, and no secret with it.

use std::fs;

use harness::gateway::Ability;
use pki::Validity;
use serde_json::Value;
use tests::config::with_policy;
use tests::{Setting, lacks, needs, raw, tests};

tests![
    what_expires_soon_is_told_once_for_each_version,
    metrics_count_decisions_by_route_and_know_the_days_that_are_left,
    a_log_line_names_the_certificate_that_was_presented,
    a_debug_header_is_sent_only_where_kong_has_them_on,
];

const POLICY: &str = "client_certificate: kong-client
rules:
- match: {consumers: [intern]}
  client_certificate: kong-retired";

fn what_expires_soon_is_told_once_for_each_version() {
    let setting = Setting::new("client_certificate: kong-client");
    let told = || setting.log().lines().filter(|line| line.contains("expires at")).count();
    assert_eq!(told(), 0, "nothing ends within 30 days: {}", setting.log());
    let mut versions = Vec::new();
    // Each worker of a Kong looks, takes over and tells for itself.
    let taken = |versions: &[String]| {
        let log = setting.log().to_lowercase();
        let is_of = |line: &str| versions.iter().any(|version| line.contains(version.as_str()));
        log.lines()
            .filter(|line| {
                ["took over", "in force:", ": loaded "].iter().any(|words| line.contains(words))
                    && is_of(line)
            })
            .count()
    };
    for version in 1..=3 {
        setting.replace("kong-vet", |leaf| leaf.valid(Validity::days(29).unwrap()));
        versions.push(setting.fingerprint("kong-vet"));
        // A worker that starts late may take over one that is replaced before it first looks at the time.
        setting.wait_until("it is told", || told() >= version);
        // Further looks, seen by what they find, add nothing.
        setting.replace("kong-intern", |leaf| leaf);
        let fresh = setting.fingerprint("kong-intern");
        setting
            .wait_until("the files were looked at again", || setting.log().to_lowercase().contains(&fresh));
        assert!(told() <= taken(&versions), "{}", setting.log());
    }
}

fn metrics_count_decisions_by_route_and_know_the_days_that_are_left() {
    needs(Ability::TellsMetrics);
    // A Kong tells by a plugin, the embedded gateway by itself.
    let by = match lacks(Ability::KongsOwn) {
        None => "plugins: [{name: prometheus, config: {status_code_metrics: true}}]\n",
        Some(_) => "",
    };
    let setting = Setting::of(&(with_policy(POLICY, "") + by));
    for _ in 0..3 {
        assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().status, 200);
    }
    assert_eq!(setting.get("/dogs/anything").key("intern").send().status, 503);
    let metrics = || raw::get(setting.status(), "/metrics", &[]).body;
    let counted = |certificate: &str, outcome: &str| {
        let labels = format!(
            "{{service=\"dogcatcher\",route=\"dogs\",certificate=\"{certificate}\",outcome=\"{outcome}\"}}"
        );
        sample(&metrics(), &format!("kong_upstream_mtls_requests_total{labels}"))
    };
    setting.wait_until("three are counted", || counted("kong-client", "presented") == Some(3.0));
    setting.wait_until("the fourth is counted", || counted("kong-retired", "unknown") == Some(1.0));
    let answered = |code: u16| {
        let metrics = metrics();
        let mut lines = metrics.lines().filter(|line| line.starts_with("kong_http_requests_total{"));
        let labels =
            ["service=\"dogcatcher\"".to_owned(), "route=\"dogs\"".to_owned(), format!("code=\"{code}\"")];
        let line = lines.find(|line| labels.iter().all(|label| line.contains(label)));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
    };
    setting.wait_until("answers are counted", || answered(200) == Some(3.0) && answered(503) == Some(1.0));

    let said = metrics();
    let of = |metric: &str, name: &str| {
        let line =
            said.lines().find(|line| line.starts_with(metric) && line.contains(&format!("name=\"{name}\"")));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
    };
    let left = of("kong_upstream_mtls_expiry_seconds", "kong-vet").unwrap();
    assert!((86_400.0..400.0 * 86_400.0).contains(&left), "{left} s are left");
    assert_eq!(of("kong_upstream_mtls_last_reload_successful", "kong-vet"), Some(1.0));
    assert!(said.lines().all(|line| !line.contains("model-citizen")), "a consumer is in the metrics");

    setting.put("kong-vet", "not a certificate", "not a key");
    setting.wait_until("the failed reload is told", || {
        let line = metrics()
            .lines()
            .find(|line| {
                line.starts_with("kong_upstream_mtls_last_reload_successful")
                    && line.contains("name=\"kong-vet\"")
            })
            .map(str::to_owned);
        line.is_some_and(|line| line.ends_with(" 0"))
    });
}

fn sample(metrics: &str, of: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(of)?.trim().parse().ok())
}

fn a_log_line_names_the_certificate_that_was_presented() {
    needs(Ability::KongsOwn);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let plugin =
        format!("plugins: [{{name: file-log, config: {{path: {}, reopen: true}}}}]\n", path.display());
    let setting = Setting::of(&(with_policy(POLICY, "") + &plugin));
    assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().status, 200);
    let lines = || fs::read_to_string(&path).unwrap_or_default();
    setting.wait_until("it is logged", || lines().ends_with('\n'));
    let line: Value = serde_json::from_str(lines().lines().next().unwrap()).unwrap();
    let told = &line["upstream_mtls"];
    assert_eq!(told["client_certificate"], "kong-client", "{line}");
    assert_eq!(told["outcome"], "presented", "{line}");
    assert_eq!(told["fingerprint"], setting.fingerprint("kong-client"), "{line}");
    assert!(!lines().contains("PRIVATE KEY"));
}

fn a_debug_header_is_sent_only_where_kong_has_them_on() {
    needs(Ability::KongsOwn);
    for (allowed, asked, owed) in [("on", "1", Some("kong-client")), ("on", "", None), ("off", "1", None)] {
        let setting = Setting::up(&with_policy(POLICY, ""), &[("allow_debug_header", allowed)]).unwrap();
        let request = setting.get("/dogs/anything").key("model-citizen");
        let request = if asked.is_empty() { request } else { request.header("Kong-Debug", asked) };
        let seen = request.send();
        assert_eq!(
            seen.answer_header("x-kong-upstream-client-certificate"),
            owed,
            "allow_debug_header {allowed}, Kong-Debug {asked:?}"
        );
    }
}
