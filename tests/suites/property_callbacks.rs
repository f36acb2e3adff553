//! A request whose Lua code yields goes on with itself, whatever filters ask of Lua meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use harness::gateway::Ability;
use tests::config::with_policy;
use tests::{Setting, needs, raw, tests};

tests![requests_that_yield_are_not_mixed_up];

const ROUNDS: usize = 600;

/// Both routes yield: one after Kong has attached its filters, one after it has used LuaJIT's FFI.
fn requests_that_yield_are_not_mixed_up() {
    needs(Ability::KongsOwn);
    needs(Ability::RunsFilters);
    let routes = format!(
        "  - name: waiting
    paths: [/waiting]
    plugins:
    - name: pre-function
      config:
        access: [{}]
plugins:
- name: post-function
  config:
    access: [{}]
",
        serde_json::json!(WAIT),
        serde_json::json!(YIELD)
    );
    let config = with_policy("client_certificate: kong-client", &routes);
    let settings = [("untrusted_lua", "on"), ("nginx_worker_processes", "1")];
    let setting = Setting::up(&config, &settings).unwrap();
    let key = setting.key("model-citizen");
    let proxy = setting.proxy();
    let mixed_up = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (key, mixed_up) = (&key, &mixed_up);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let path = format!("/dogs/anything/{thread}/{round}");
                    let answer = raw::get(proxy, &path, &[("X-API-Key", key)]);
                    let is_own = answer.status == 200 && answer.seen_client() == Some("kong-client");
                    mixed_up.fetch_add(usize::from(!is_own), Ordering::Relaxed);
                }
            });
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let path = format!("/waiting/{thread}/{round}");
                    let answer = raw::get(proxy, &path, &[]);
                    let is_own = answer.status == 200 && answer.body.trim() == format!("{path} {path}");
                    mixed_up.fetch_add(usize::from(!is_own), Ordering::Relaxed);
                }
            });
        }
    });
    let log = setting.log();
    assert!(!log.contains("exited on signal"), "a worker has ended");
    assert_eq!(mixed_up.load(Ordering::Relaxed), 0, "of {} answers are another request's", 8 * ROUNDS);
}

/// Tells the path before and after it waits.
const WAIT: &str = r#"
local before = ngx.var.request_uri
local use_ffi = function() return require("ffi").new("int[1]") end
jit.off(use_ffi)
use_ffi()
ngx.sleep(0.004)
kong.response.exit(200, before .. " " .. ngx.var.request_uri)
"#;

/// Once in each worker: waits after Kong has resolved the target, when its filters are attached.
const YIELD: &str = r#"
local access_end = require "kong.plugins.upstream-mtls.patches.access_end"
if not access_end.yields then
  access_end.yields = true
  access_end.add_after(function() ngx.sleep(0.003) end)
end
"#;
