//! Filters of others in one chain with mtls-policy undo no decision and show no key.

use std::fs;

use harness::gateway::Ability;
use tempfile::TempDir;
use tests::config::upstream_mtls;
use tests::{Setting, needs, raw, tests};

tests![answer_of_another_filter_needs_a_decision, trap_of_another_filter_is_a_500_without_the_key_in_the_log,];

fn answer_of_another_filter_needs_a_decision() {
    let case = Case::new();
    let key = case.setting.key("ann");
    for headers in [&[][..], &[("X-API-Key", key.as_str())]] {
        let answer = raw::get(case.setting.proxy(), "/answered/it", headers);
        assert_eq!((answer.status, answer.message().as_str()), (503, "No valid policy"), "{headers:?}");
    }
    // Where no policy applies, filters do as they like.
    assert_eq!(raw::get(case.setting.proxy(), "/free/it", &[]).status, 200);
    assert_eq!(case.setting.requests_upstream(), 0);
}

/// nginx makes an error page then, in which Kong's PDK can do less.
fn trap_of_another_filter_is_a_500_without_the_key_in_the_log() {
    let case = Case::new();
    let key = case.setting.key("ann");
    for query in ["", "?a=1", &format!("?X-API-Key={key}")] {
        let answer = raw::get(case.setting.proxy(), &format!("/trapped/it{query}"), &[("X-API-Key", &key)]);
        assert_eq!(answer.status, 500, "{query}: {answer:?}");
    }
    let entries = || fs::read_to_string(&case.log).unwrap_or_default();
    case.setting.wait_until("the requests are logged", || entries().lines().count() == 3);
    assert!(!entries().contains(&key), "{}", entries());
    assert!(!case.setting.log().contains("exited on signal"), "a worker has ended");
}

struct Case {
    setting: Setting,
    log: std::path::PathBuf,
    _directory: TempDir,
}

impl Case {
    fn new() -> Self {
        needs(Ability::KongsOwn);
        needs(Ability::RunsFilters);
        let directory = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(harness::gateway::filters().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
        }
        for (name, what) in [("answering", ANSWER), ("trapping", "unreachable")] {
            let module = wat::parse_str(FILTER.replace("WHAT", what)).unwrap();
            fs::write(directory.path().join(format!("{name}.wasm")), module).unwrap();
        }
        let log = directory.path().join("entries");
        let config = format!(
            r#"_format_version: "3.0"
plugins:
- {{name: file-log, config: {{path: {log}, reopen: true}}}}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{upstream_mtls}]
  routes:
  - {{name: free, paths: [/free], filter_chains: [{{filters: [{{name: answering, config: it}}]}}]}}
  - {{name: answered, paths: [/answered], filter_chains: [{{filters: [{{name: answering, config: it}}, {POLICY}]}}]}}
  - {{name: trapped, paths: [/trapped], filter_chains: [{{filters: [{{name: trapping, config: it}}, {POLICY}]}}]}}
"#,
            log = log.display(),
            upstream_mtls = upstream_mtls(""),
        );
        let path = directory.path().display().to_string();
        let setting = Setting::up(&config, &[("wasm_filters_path", path.as_str())]).unwrap();
        Self { setting, log, _directory: directory }
    }
}

const POLICY: &str = "{name: mtls-policy, config: {key_names: [X-API-Key], hide_credentials: true, client_certificate: kong-client, \
    consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}]}}";

const ANSWER: &str = "(drop (call $answer (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) \
    (i32.const 0) (i32.const 0) (i32.const -1)))";

const FILTER: &str = r#"(module
  (import "env" "proxy_send_local_response"
    (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) WHAT (i32.const 1))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))"#;
