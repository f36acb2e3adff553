//! Where the filter has to decide on a request and did not, the upstream hears nothing, whatever has kept it from it.

use std::fs;

use harness::gateway::Ability;
use tempfile::TempDir;
use tests::config::{upstream_mtls, with_policy};
use tests::{Setting, lacks, needs, raw, tests};

tests![
    a_filter_that_rejects_a_change_closes_the_routes_of_policies,
    a_plugin_on_a_route_without_a_service_answers_after_the_decision,
    a_filter_that_cannot_start_opens_no_route_of_another,
    a_policy_that_went_bad_between_two_starts_closes_its_own_route_only,
    a_response_that_a_plugin_wants_buffered_is_not_fetched_past_the_filter,
    a_trap_leaves_every_later_decision_right,
];

/// Kong, whose filters one after the other fail to start, serves on without any.
fn a_filter_that_cannot_start_opens_no_route_of_another() {
    needs(Ability::KongsOwn);
    needs(Ability::RunsFilters);
    let filters = filters_and_one_that_refuses();
    let config = format!(
        "{}  - name: refused
    paths: [/refused]
    plugins: [{{name: refuser, config: anything}}]
",
        with_policy("client_certificate: kong-client", "")
    );
    let path = filters.path().display().to_string();
    let setting = Setting::up(&config, &[("wasm_filters_path", path.as_str())]).unwrap();
    for headers in [vec![], vec![("X-API-Key", setting.key("model-citizen"))]] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for _ in 0..10 {
            let answer = raw::get(setting.proxy(), "/dogs/anything", &headers);
            assert_eq!((answer.status, answer.message().as_str()), (503, "No valid policy"));
        }
    }
    assert_eq!(setting.requests_upstream(), 0);
}

fn a_policy_that_went_bad_between_two_starts_closes_its_own_route_only() {
    needs(Ability::RestartsWorkers);
    needs(Ability::RunsFilters);
    let other = "  - name: other
    paths: [/other]
    plugins: [{name: mtls-policy, config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-vet}}]
";
    let setting = Setting::with_routes("client_certificate: kong-client", other);
    assert_eq!(setting.get("/dogs/anything").key("vet").send().status, 200);
    let bad = "client_certificate: kong-client\nrules: [{match: {methods: [PSOT]}, deny: {}}]";
    setting.reconfigure(bad).unwrap_err();
    for restarted in [false, true] {
        if restarted {
            setting.restart_workers().unwrap();
        }
        let before = setting.requests_upstream();
        for _ in 0..10 {
            let key = setting.key("vet");
            let answer = raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]);
            assert_eq!((answer.status, answer.message().as_str()), (503, "No valid policy"));
        }
        assert_eq!(setting.requests_upstream(), before);
        for _ in 0..10 {
            assert_eq!(raw::get(setting.proxy(), "/other/anything", &[]).seen_client(), Some("kong-vet"));
        }
    }
}

fn a_response_that_a_plugin_wants_buffered_is_not_fetched_past_the_filter() {
    needs(Ability::KongsOwn);
    needs(Ability::RunsFilters);
    let config = format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - {{name: pre-function, config: {{access: ["kong.service.request.enable_buffering()"]}}}}
    - {{name: mtls-policy, config: {{consumers: [{{username: ann}}], anonymous: ann, client_certificate: kong-client}}}}
"#,
        upstream_mtls("")
    );
    let setting = Setting::up(&config, &[("untrusted_lua", "on")]).unwrap();
    let answer = raw::get(setting.proxy(), "/dogs/anything", &[]);
    assert_eq!((answer.status, answer.message().as_str()), (503, "No valid policy"));
    assert_eq!(setting.requests_upstream(), 0);
}

/// A property whose getter fails ends the filter in the middle of its work.
fn a_trap_leaves_every_later_decision_right() {
    needs(Ability::KongsOwn);
    let trap = r#"
local consumer = require "kong.plugins.upstream-mtls.consumer"
if not consumer.untouched then
  consumer.untouched = consumer.field
  consumer.field = function(ctx, name)
    if ctx.provoked then error("provoked") end
    return consumer.untouched(ctx, name)
  end
end
ngx.ctx.provoked = true"#;
    let trap = serde_json::to_string(trap).unwrap();
    let config = with_policy(
        "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet
- match: {consumers: [intern]}
  deny: {status: 403, message: not for interns}",
        "",
    ) + &format!(
        "  - name: trap
    paths: [/trap]
    plugins:
    - {{name: pre-function, config: {{access: [{trap}]}}}}
    - {{name: mtls-policy, config: {{authentication: gateway, client_certificate: kong-client}}}}
"
    );
    let setting = Setting::up(&config, &[("untrusted_lua", "on")]).unwrap();
    let workers = setting.log().matches("start worker process ").count();
    let key = |who| setting.key(who);
    let (citizen, vet, intern) = (key("model-citizen"), key("vet"), key("intern"));
    for round in 0..40 {
        let before = setting.requests_upstream();
        assert_eq!(raw::get(setting.proxy(), "/trap/anything", &[]).status, 500, "round {round}");
        assert_eq!(setting.requests_upstream(), before, "round {round}: the trapped request went upstream");
        let asked = |key: &str| raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", key)]);
        assert_eq!(asked(&citizen).seen_client(), Some("kong-client"), "round {round}");
        assert_eq!(asked(&vet).seen_client(), Some("kong-vet"), "round {round}");
        assert_eq!(asked(&intern).status, 403, "round {round}");
        assert_eq!(asked("nobody's").status, 401, "round {round}");
    }
    let log = setting.log();
    assert!(log.contains("provoked"), "nothing was provoked");
    assert_eq!(log.matches("start worker process ").count(), workers, "a worker has died");
}

/// Kong keeps all filter chains as they were for as long as any filter rejects its configuration: a revoked key would go
/// on counting.
fn a_filter_that_rejects_a_change_closes_the_routes_of_policies() {
    needs(Ability::KongsOwn);
    needs(Ability::RunsFilters);
    let filters = filters_and_one_that_refuses();
    let path = filters.path().display().to_string();
    let policy = |more: &str| with_policy("client_certificate: kong-client", more);
    let setting = Setting::up(&policy(""), &[("wasm_filters_path", path.as_str())]).unwrap();
    let key = setting.key("vet");
    let status = || raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]).status;
    assert_eq!(status(), 200);
    let refused = "  - name: refused
    paths: [/refused]
    plugins: [{name: refuser, config: anything}]
";
    setting.reconfigure_to(&policy(refused)).unwrap_err();
    setting.wait_until_everywhere("the route is closed", || status() == 503);
    setting.reconfigure_to(&policy("")).unwrap();
    setting.wait_until_everywhere("the route is open again", || status() == 200);
}

/// aws-lambda is usually on a route without a service.
fn a_plugin_on_a_route_without_a_service_answers_after_the_decision() {
    needs(Ability::KongsOwn);
    let config = r#"_format_version: "3.0"
routes:
- name: answered
  paths: [/answered]
  plugins:
  - {name: request-termination, config: {status_code: 200, message: answered}}
  - {name: mtls-policy, config: {key_names: [X-API-Key], consumers: [{username: vet, keys: [{id: "1", sha256: <vet>}]}]}}
"#;
    let setting = Setting::of(config);
    let runs_filter = lacks(Ability::RunsFilters).is_none();
    let answer = raw::get(setting.proxy(), "/answered", &[]);
    assert_eq!(answer.status, if runs_filter { 503 } else { 401 }, "{answer:?}");
    let answer = raw::get(setting.proxy(), "/answered", &[("X-API-Key", &setting.key("vet"))]);
    assert_eq!(answer.status, if runs_filter { 503 } else { 200 }, "{answer:?}");
}

/// The filters that are built here, and one that refuses every configuration.
fn filters_and_one_that_refuses() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(harness::gateway::filters().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
    }
    let refuser = wat::parse_str(REFUSER).unwrap();
    fs::write(directory.path().join("refuser.wasm"), refuser).unwrap();
    directory
}

const REFUSER: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0)))"#;
