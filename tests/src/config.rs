//! Kong's declarative config around a policy.

use std::time::Duration;

/// One service, on whose route `/dogs` a policy is in force, with more routes of the same service: their lines, each
/// indented as an entry of the service's `routes`.
///
/// The policy has [`STANDARD`]'s fields where it does not say otherwise.
pub fn with_policy(policy: &str, routes: &str) -> String {
    let own = |line: &str| policy.lines().any(|mine| mine.starts_with(line));
    let standard = STANDARD.iter().filter(|(field, _)| !own(field)).flat_map(|(_, lines)| lines.lines());
    let config: String = standard.chain(policy.lines()).map(|line| format!("        {line}\n")).collect();
    format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config:
{config}{routes}"#,
        upstream_mtls("")
    )
}

/// As [`with_policy`], and the service's upstream is waited for no longer than [`WAIT`] at each step, and tried again so
/// often.
pub fn hasty(policy: &str, retries: u32) -> String {
    let wait = WAIT.as_millis();
    let fields = format!(
        "  connect_timeout: {wait}\n  write_timeout: {wait}\n  read_timeout: {wait}\n  retries: {retries}\n  plugins:"
    );
    with_policy(policy, "").replacen("  plugins:", &fields, 1)
}

/// Enough for any handshake on a machine that is busy.
pub const WAIT: Duration = Duration::from_secs(1);

/// An entry of `plugins`: upstream-mtls with all of [`CLIENTS`], and what else its config is to have.
pub fn upstream_mtls(more: &str) -> String {
    format!(
        "{{name: upstream-mtls, config: {{client_certificates: [{}], ca_file: {CA_FILE}, reload_interval: 0.1, {more}}}}}",
        CLIENTS.map(from_files).join(", ")
    )
}

/// An entry of `client_certificates`.
pub fn from_files(client: &str) -> String {
    let secret = secret(client);
    format!("{{name: {client}, cert_file: {secret}/tls.crt, key_file: {secret}/tls.key}}")
}

/// Where a client certificate is mounted.
fn secret(client: &str) -> String {
    let secret = if client == CLIENTS[0] { "kong-upstream-mtls" } else { client };
    format!("/etc/secrets/{secret}")
}

/// The client certificates of every setting.
pub const CLIENTS: [&str; 3] = ["kong-client", "kong-vet", "kong-intern"];

/// What upstreams have to chain to.
pub const CA_FILE: &str = "/etc/secrets/kong-upstream-mtls/ca.crt";

/// What a policy has unless it says otherwise: the field, and its lines.
const STANDARD: [(&str, &str); 3] = [
    ("key_names:", "key_names: [X-API-Key]\n"),
    ("hide_credentials:", "hide_credentials: true\n"),
    (
        "consumers:",
        r#"consumers:
- username: model-citizen
  keys: [{id: "1", sha256: <model-citizen>}]
- username: vet
  id: 7c1e0000-0000-4000-8000-000000000001
  custom_id: vet-1
  groups: [vets]
  keys: [{id: "1", sha256: <vet>}]
- username: intern
  keys: [{id: "1", sha256: <intern>}]
- username: guest
- username: former-citizen
  keys: [{id: "1", sha256: <former-citizen>, not_after: "2020-01-01T00:00:00Z"}]
- username: future-citizen
  keys: [{id: "1", sha256: <future-citizen>, not_before: "2999-01-01T00:00:00Z"}]
"#,
    ),
];
