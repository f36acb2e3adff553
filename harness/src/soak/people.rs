//! Who asks, and what is owed to them under each of two policies.

use crate::stack::Keys;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// The upstream sees this common name.
    As(&'static str),
    /// The gateway answers so itself.
    Refused(u16),
}

/// A request that is asked again and again. No `Debug`: it holds an API key.
pub(super) struct Asking {
    /// As it goes over the wire.
    pub(super) request: Vec<u8>,
    /// Under the first policy, and under the second.
    pub(super) owed: [Owed; 2],
}

/// All of them.
///
/// # Errors
/// There is no randomness for keys.
pub(super) fn everybody(keys: &Keys) -> anyhow::Result<Vec<Asking>> {
    use Owed::{As, Refused};
    let rows = [
        ("GET", Some("citizen"), [As("kong-client"), As("kong-vet")]),
        ("GET", Some("vet"), [As("kong-vet"), Refused(403)]),
        ("GET", Some("intern"), [As("kong-intern"), As("kong-intern")]),
        ("DELETE", Some("intern"), [Refused(403), Refused(403)]),
        ("GET", Some("former-citizen"), [Refused(401), Refused(401)]),
        ("GET", Some("stranger"), [Refused(401), Refused(401)]),
        ("GET", None, [Refused(401), Refused(401)]),
    ];
    rows.into_iter()
        .map(|(method, who, owed)| {
            let key = match who {
                Some(who) => format!("X-API-Key: {}\r\n", keys.of(who)?),
                None => String::new(),
            };
            // Whoever says who he is gains nothing by it.
            let request = format!(
                "{method} /dogs/anything HTTP/1.1\r\nHost: soak.example\r\nX-Consumer-Username: intern\r\n{key}\r\n"
            );
            Ok(Asking { request: request.into_bytes(), owed })
        })
        .collect()
}

/// The config with the first policy or the second, as [`Plan::config`](crate::stack::Plan::config).
pub(super) fn config(policy: usize) -> String {
    CONFIG.replace("POLICY", POLICIES[policy])
}

/// The same with mistakes.
pub(super) fn broken_config() -> String {
    CONFIG.replace("POLICY", "client_certificate: kong-client, rules: [{match: {groups: [nobody]}}]")
}

/// Client certificates, the first one in the Secret `kong-upstream-mtls`.
pub(super) const CLIENTS: [&str; 3] = ["kong-client", "kong-vet", "kong-intern"];

const POLICIES: [&str; 2] = [
    "client_certificate: kong-client, rules: [
        {match: {methods: [DELETE]}, deny: {}},
        {match: {groups: [vets]}, client_certificate: kong-vet},
        {match: {consumers: [intern]}, client_certificate: kong-intern}]",
    "client_certificate: kong-vet, rules: [
        {match: {methods: [DELETE]}, deny: {}},
        {match: {groups: [vets]}, deny: {}},
        {match: {consumers: [intern]}, client_certificate: kong-intern}]",
];

const CONFIG: &str = r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  connect_timeout: 2000
  read_timeout: 5000
  plugins:
  - name: upstream-mtls
    config:
      client_certificates:
      - {name: kong-client, cert_file: /etc/secrets/kong-upstream-mtls/tls.crt, key_file: /etc/secrets/kong-upstream-mtls/tls.key}
      - {name: kong-vet, cert_file: /etc/secrets/kong-vet/tls.crt, key_file: /etc/secrets/kong-vet/tls.key}
      - {name: kong-intern, cert_file: /etc/secrets/kong-intern/tls.crt, key_file: /etc/secrets/kong-intern/tls.key}
      ca_file: /etc/secrets/kong-upstream-mtls/ca.crt
      reload_interval: 0.1
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config: {
        key_names: [X-API-Key],
        hide_credentials: true,
        consumers: [
          {username: citizen, keys: [{id: "1", sha256: <citizen>}]},
          {username: vet, groups: [vets], keys: [{id: "1", sha256: <vet>}]},
          {username: intern, keys: [{id: "1", sha256: <intern>}]},
          {username: former-citizen, keys: [{id: "1", sha256: <former-citizen>, not_after: "2020-01-01T00:00:00Z"}]}],
        POLICY}
"#;
