//! A filter chain that Kong has replaced is freed when no filter runs.

use harness::gateway::Ability;
use tests::config::with_policy;
use tests::{Setting, needs, raw, tests};

tests![garbage_collected_chain_does_not_end_a_running_filter];

/// Lua's garbage collector runs in the middle of a decision, where the filter has headers cleared by Lua.
fn garbage_collected_chain_does_not_end_a_running_filter() {
    needs(Ability::KongsOwn);
    needs(Ability::RunsFilters);
    let config = |certificate: &str| {
        format!(
            "{COLLECT}{}",
            with_policy(&format!("client_certificate: {certificate}"), "").split_once('\n').unwrap().1
        )
    };
    let setting = Setting::up(&config("kong-client"), &[("untrusted_lua", "on")]).unwrap();
    let key = setting.key("model-citizen");
    for certificate in ["kong-vet", "kong-client", "kong-vet"] {
        setting.reconfigure_to(&config(certificate)).unwrap();
        for _ in 0..20 {
            let answer = raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]);
            assert_eq!(answer.seen_client(), Some(certificate));
        }
    }
    let log = setting.log();
    assert!(!log.contains("exited on signal"), "{log}");
}

/// A plugin for all routes.
const COLLECT: &str = r#"_format_version: "3.0"
plugins:
- name: pre-function
  config:
    access:
    - |
      local request = kong.service.request
      if not request.collects then
        local clear_header = request.clear_header
        request.collects = true
        function request.clear_header(...)
          collectgarbage()
          collectgarbage()
          return clear_header(...)
        end
      end
"#;
