//! Certificates behind references to a vault.

use harness::gateway::Ability;
use tests::config::CA_FILE;
use tests::{Setting, needs, raw, tests};

tests![a_reference_that_comes_to_mean_another_certificate_is_another_identity];

/// The environment of a process does not change from outside, so that a function of the test's own does it within. Kong
/// asks a vault again when what it has said is too old, which for the environment takes years: it is made to age.
const SET: &str = r#"
local env = require "kong.vaults.env"
for i = 1, 20 do
  local name, value = debug.getupvalue(env.get, i)
  if name == "ENV" then
    value[kong.request.get_header("X-Name")] = kong.request.get_raw_body()
    local said = ngx.shared.kong_secrets
    for _, key in ipairs(said:get_keys(0)) do
      said:expire(key, 5)
    end
    kong.vault.flush()
    return kong.response.exit(204)
  end
end
return kong.response.exit(500)"#;

fn a_reference_that_comes_to_mean_another_certificate_is_another_identity() {
    needs(Ability::KongsOwn);
    let set = serde_json::to_string(SET).unwrap();
    let config = format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: upstream-mtls
      config:
        client_certificates:
        - {{name: vaulted, cert: '{{vault://env/dog-cert}}', key: '{{vault://env/dog-key}}'}}
        client_certificate: vaulted
        ca_file: {CA_FILE}
        reload_interval: 0.1
  - name: set
    paths: [/set]
    plugins:
    - {{name: pre-function, config: {{access: [{set}]}}}}
"#
    );
    let settings = [("untrusted_lua", "on"), ("nginx_worker_processes", "1")];
    let setting = Setting::up(&config, &settings).unwrap();
    let answer = raw::get(setting.proxy(), "/dogs/anything", &[]);
    assert_eq!((answer.status, answer.message().as_str()), (503, "No client certificate in force"));

    for _ in 0..3 {
        let before = setting.get("/dogs/anything").send().fingerprint();
        let (chain, key) = setting.issue("kong-client");
        for (name, value) in [("DOG_CERT", chain), ("DOG_KEY", key)] {
            let set = setting.request("POST", "/set").header("X-Name", name).body(value.into_bytes()).send();
            assert_eq!(set.status, 204);
        }
        setting.wait_until("the new certificate is presented", || {
            let seen = setting.get("/dogs/anything").send();
            seen.status == 200 && seen.fingerprint() != before
        });
        let now = setting.get("/dogs/anything").send().fingerprint();
        for _ in 0..20 {
            assert_eq!(setting.get("/dogs/anything").send().fingerprint(), now);
        }
    }
    assert!(!setting.log().contains("PRIVATE KEY"));
}
