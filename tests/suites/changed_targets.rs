//! A request that was decided to go by mutual TLS to one upstream leaves in no other way, whatever a later plugin changes.

use harness::dogcatcher::{ClientCertificate, Dogcatcher, Options};
use harness::gateway::Ability;
use harness::stack::ANY_PORT;
use serde_json::json;
use tests::config::{CA_FILE, from_files, upstream_mtls};
use tests::{Setting, needs, raw, tests};

tests![
    plain_upstream_of_ai_proxy_receives_nothing,
    plugin_that_requests_the_upstream_by_itself_is_rejected,
    target_changed_after_the_decision_receives_nothing,
    target_changed_before_the_decision_is_called_by_the_right_certificate,
    scheme_changed_after_the_plugin_has_run_opens_no_connection,
    upstream_entity_of_a_later_plugin_shares_no_connection_without_its_certificate,
];

fn target_changed_after_the_decision_receives_nothing() {
    let case = Case::new();
    let mut wrong = Vec::new();
    for (number, (name, _)) in CHANGES.iter().enumerate() {
        for prefix in ["policy", "gateway", "default"] {
            let before = case.contacts();
            let target = format!("/{prefix}-{number}/anything");
            let key = case.setting.key("ann");
            let seen = raw::get(case.setting.proxy(), &target, &[("apikey", "ann-key"), ("X-API-Key", &key)]);
            if *name == "nothing" {
                let came = (seen.status, seen.seen_client());
                assert_eq!(came, (200, Some("kong-client")), "{prefix}: {seen:?}");
            } else {
                let after = case.contacts();
                if seen.status != 503 || after != before {
                    wrong.push(format!(
                        "{name}, {prefix}: status {}, contacts {before:?}, then {after:?}",
                        seen.status
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "connections and requests here, at the other upstream, at the one without TLS:\n{}\n{}",
        wrong.join("\n"),
        case.setting.log()
    );
}

/// pre-function runs before mtls-policy in either runtime.
fn target_changed_before_the_decision_is_called_by_the_right_certificate() {
    let case = Case::new();
    for _ in 0..5 {
        let before = case.other.counts().requests;
        let seen = case.setting.get("/before/anything").key("ann").send();
        assert_eq!((seen.status, seen.common_name()), (200, Some("kong-client")), "{}", seen.text);
        assert_eq!(case.other.counts().requests, before + 1);
    }
}

/// The upstream would not be verified, or be called without TLS.
fn scheme_changed_after_the_plugin_has_run_opens_no_connection() {
    needs(Ability::KongsOwn);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: plain
  url: http://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: secured
    paths: [/secured]
    plugins: [{{name: post-function, config: {{access: ['kong.service.request.set_scheme("https")']}}}}]
- name: secure
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: exposed
    paths: [/exposed]
    plugins: [{{name: post-function, config: {{access: ['kong.service.request.set_scheme("http")']}}}}]
"#,
        upstream_mtls("client_certificate: kong-client"),
        upstream_mtls(""),
    ));
    for path in ["/secured/anything", "/exposed/anything"] {
        let before = setting.upstream().counts().connections;
        assert_eq!(setting.get(path).send().status, 503, "{path}");
        assert_eq!(setting.upstream().counts().connections, before, "{path}");
    }
}

/// Two Upstream entities for one address, of which one has a certificate, and a policy that selects none.
fn upstream_entity_of_a_later_plugin_shares_no_connection_without_its_certificate() {
    needs(Ability::KongsOwn);
    let setting = Setting::up(&base_of_upstreams(), &[("untrusted_lua", "on")]).unwrap();
    setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::Asked);
    let port = setting.upstream().mtls().unwrap().port();
    setting.reconfigure_to(&of_upstreams(&setting.issue("of-the-upstream"), port)).unwrap();
    let client = |target: &str| {
        let seen = setting.get(target).key("ann").send();
        assert_eq!(seen.status, 200, "{target}: {}", seen.text);
        seen.common_name().map(str::to_owned)
    };
    for _ in 0..20 {
        assert_eq!(client("/changed/anything").as_deref(), Some("of-the-upstream"));
        assert_eq!(client("/unchanged/anything"), None);
    }
}

fn plain_upstream_of_ai_proxy_receives_nothing() {
    let case = Case::new();
    let chat = r#"{"messages": [{"role": "user", "content": "woof"}]}"#;
    let before = case.contacts();
    let request =
        case.setting.request("POST", "/ai/anything").key("ann").header("Content-Type", "application/json");
    let seen = request.body(chat.into()).send();
    assert_eq!((seen.status, case.contacts()), (503, before), "{}", seen.text);
}

/// ai-response-transformer opens a connection of its own, without a client certificate.
fn plugin_that_requests_the_upstream_by_itself_is_rejected() {
    let case = Case::new();
    for path in ["/transformed/anything", "/transformed-default/anything"] {
        let before = case.contacts();
        let seen = case.setting.get(path).key("ann").send();
        assert_eq!((seen.status, case.contacts()), (503, before), "{path}: {}", seen.text);
    }
}

/// What a plugin does in `access`, and what is wrong with it. `PLAIN` and `OTHER` are ports of other upstreams.
const CHANGES: [(&str, &str); 11] = [
    ("nothing", ""),
    ("scheme", r#"kong.service.request.set_scheme("http")"#),
    ("scheme, by nginx' variable", r#"ngx.var.upstream_scheme = "http""#),
    (
        "scheme and target",
        r#"kong.service.request.set_scheme("http") kong.service.set_target("localhost", PLAIN)"#,
    ),
    ("target without TLS", r#"kong.service.set_target("localhost", PLAIN)"#),
    ("target with TLS", r#"kong.service.set_target("localhost", OTHER)"#),
    ("host", r#"kong.service.set_target("127.0.0.1", ngx.ctx.balancer_data.port)"#),
    ("upstream with TLS", r#"kong.service.set_upstream("others")"#),
    ("scheme and upstream", r#"kong.service.request.set_scheme("http") kong.service.set_upstream("plains")"#),
    ("balancer's data", r#"ngx.ctx.balancer_data.port = OTHER"#),
    (
        "scheme and balancer's data",
        r#"ngx.var.upstream_scheme = "http" local data = ngx.ctx.balancer_data data.scheme, data.port = "http", PLAIN"#,
    ),
];

struct Case {
    setting: Setting,
    other: Dogcatcher,
    plain: Dogcatcher,
}

impl Case {
    fn new() -> Self {
        needs(Ability::KongsOwn);
        let plain = Dogcatcher::start(&Options { http: Some(ANY_PORT), ..Options::default() }).unwrap();
        let plain_port = plain.http().unwrap().port();
        let setting = Setting::up(&config(plain_port, 1), &[("untrusted_lua", "on")]).unwrap();
        let other = setting.another_upstream();
        setting.reconfigure_to(&config(plain_port, other.mtls().unwrap().port())).unwrap();
        Self { setting, other, plain }
    }

    /// Connections to the upstream, the other one and the plain one. Only what is new is a contact: idle ones are not.
    fn contacts(&self) -> [u64; 6] {
        let [here, other, plain] =
            [self.setting.upstream(), &self.other, &self.plain].map(Dogcatcher::counts);
        [
            here.connections,
            here.requests,
            other.connections,
            other.requests,
            plain.connections,
            plain.requests,
        ]
    }
}

fn config(plain: u16, other: u16) -> String {
    let fill = |code: &str| {
        let code = code.replace("PLAIN", &plain.to_string()).replace("OTHER", &other.to_string());
        serde_json::to_string(&code).unwrap()
    };
    let post_function = |code: &str| {
        if code.is_empty() {
            return String::new();
        }
        format!(", {{name: post-function, config: {{access: [{}]}}}}", fill(code))
    };
    let (mut chosen, mut default) = (String::new(), String::new());
    for (number, (_, code)) in CHANGES.iter().enumerate() {
        let plugin = post_function(code);
        chosen += &format!(
            "  - {{name: policy-{number}, paths: [/policy-{number}], plugins: [{POLICY}{plugin}]}}\n  \
             - {{name: gateway-{number}, paths: [/gateway-{number}], plugins: [{{name: key-auth}}, {OF_GATEWAY}{plugin}]}}\n"
        );
        default += &format!(
            "  - {{name: default-{number}, paths: [/default-{number}], plugins: [{}]}}\n",
            plugin.trim_start_matches(", ")
        );
    }
    let before = fill(r#"kong.service.set_target("localhost", OTHER)"#);
    let transformer = format!(
        "{{name: ai-response-transformer, config: {{prompt: bark, https_verify: false, llm: {{route_type: llm/v1/chat, \
         auth: {{header_name: Authorization, header_value: Bearer x}}, model: {{provider: openai, name: dog, options: \
         {{upstream_url: 'http://localhost:{plain}/anything'}}}}}}}}}}"
    );
    format!(
        r#"_format_version: "3.0"
consumers:
- {{username: ann, keyauth_credentials: [{{key: ann-key}}]}}
upstreams:
- {{name: others, host_header: localhost, targets: [{{target: '127.0.0.1:{other}'}}]}}
- {{name: plains, targets: [{{target: '127.0.0.1:{plain}'}}]}}
services:
- name: chosen
  url: https://dogcatcher-api:5443
  plugins: [{upstream_mtls}]
  routes:
{chosen}  - {{name: before, paths: [/before], plugins: [{POLICY}, {{name: pre-function, config: {{access: [{before}]}}}}]}}
  - name: ai
    paths: [/ai]
    plugins:
    - {POLICY}
    - name: ai-proxy
      config:
        route_type: llm/v1/chat
        auth: {{header_name: Authorization, header_value: Bearer x}}
        model: {{provider: openai, name: dog, options: {{upstream_url: 'http://localhost:{plain}/anything'}}}}
  - {{name: transformed, paths: [/transformed], plugins: [{POLICY}, {transformer}]}}
- name: default
  url: https://dogcatcher-api:5443
  plugins: [{{name: upstream-mtls, config: {{client_certificates: [{client}], client_certificate: kong-client, ca_file: {CA_FILE}}}}}]
  routes:
  - {{name: transformed-default, paths: [/transformed-default], plugins: [{transformer}]}}
{default}"#,
        upstream_mtls = upstream_mtls(""),
        client = from_files("kong-client"),
    )
}

fn base_of_upstreams() -> String {
    format!(
        "_format_version: \"3.0\"\nservices: [{{name: it, url: 'https://dogcatcher-api:5443', plugins: [{}]}}]\n",
        upstream_mtls("")
    )
}

fn of_upstreams((chain, key): &(String, String), port: u16) -> String {
    let [chain, key] = [chain, key].map(|pem| json!(pem).to_string());
    let policy = "{name: mtls-policy, config: {key_names: [X-API-Key], consumers: [{username: ann, keys: [{id: '1', \
        sha256: <ann>}]}]}}";
    let change = r#"{name: post-function, config: {access: ['kong.service.set_upstream("with")']}}"#;
    format!(
        r#"_format_version: "3.0"
certificates: [{{id: {ENTITY}, cert: {chain}, key: {key}}}]
upstreams:
- {{name: with, host_header: localhost, client_certificate: {ENTITY}, targets: [{{target: '127.0.0.1:{port}'}}]}}
- {{name: without, host_header: localhost, targets: [{{target: '127.0.0.1:{port}'}}]}}
services:
- name: it
  url: https://without
  plugins: [{}]
  routes:
  - {{name: changed, paths: [/changed], plugins: [{policy}, {change}]}}
  - {{name: unchanged, paths: [/unchanged], plugins: [{policy}]}}
"#,
        upstream_mtls("")
    )
}

const ENTITY: &str = "7c1e0000-0000-4000-8000-000000000021";

const POLICY: &str = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, \
    consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}]}}";

const OF_GATEWAY: &str =
    "{name: mtls-policy, config: {authentication: gateway, client_certificate: kong-client}}";
