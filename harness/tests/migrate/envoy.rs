//! From Envoy's api_key_auth: the same requests to a real Envoy before, and to what comes out after.

use std::fs;
use std::net::SocketAddr;

use harness::cases::http;
use harness::gateway::embedded::Embedded;
use harness::gateway::envoy::Envoy;
use harness::gateway::{self, Ability, Gateway, Running, Setup};
use harness::stack::{ANY_PORT, Plan, Stack};
use policy_tools::migrate::{Source, migrate, text};
use policy_tools::policy::Document;

use crate::of;
use crate::plain_envoy::{self, envoy};

/// What became of a request, in what both gateways can say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Became {
    status: u16,
    /// As whom the upstream was called, for what, and whether it saw a key; absent where it heard nothing.
    heard: Option<(Option<String>, String, String, bool)>,
}

#[test]
fn what_envoy_answered_is_answered_after() {
    let Some(envoy) = envoy() else { return };
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let plan = Plan { config: OLD, clients: &["kong-client"], proxy: ANY_PORT, status: None };
    let stack = Stack::up(&Old(envoy), &plan).unwrap();
    let asks = asks(&stack);
    assert!(asks.len() >= 40, "{}", asks.len());
    let before: Vec<_> =
        asks.iter().map(|(_, bytes, _)| ask(&stack, stack.gateway().proxy(), bytes)).collect();
    assert!(before.iter().filter(|one| one.status == 200).count() > 15, "{before:?}");

    let old = fs::read_to_string(stack.config()).unwrap();
    let document = Document::parse("envoy.yaml".to_owned(), old).unwrap_or_else(|_| panic!("no document"));
    let migrated =
        migrate(&[document], Source::Envoy, None, None).unwrap_or_else(|refused| panic!("{refused}"));
    assert!(migrated.report.is_whole(), "{}", text(&migrated.report));
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("kong.yml");
    fs::write(&config, migrated.config.unwrap()).unwrap();
    let setup = Setup { config, filters: gateway::filters().unwrap(), proxy: ANY_PORT, status: None };
    let after: [Box<dyn Gateway>; 2] =
        [Box::new(Embedded::default()), Box::new(plain_envoy::envoy().unwrap())];
    for gateway in after {
        let running = gateway.start(&setup).unwrap();
        for ((name, bytes, differs), before) in asks.iter().zip(&before) {
            let came = ask(&stack, running.proxy(), bytes);
            match differs {
                None => assert_eq!(came, hidden(name, before.clone()), "{}: {name}", gateway.name()),
                Some(owed) => {
                    assert_ne!(came, *before, "{}: {name}: differs no longer", gateway.name());
                    assert_eq!((came.status, came.heard), (*owed, None), "{}: {name}", gateway.name());
                }
            }
        }
    }
}

/// Envoy forgets to hide keys on routes with settings of their own.
fn hidden(name: &str, mut before: Became) -> Became {
    if let Some((_, _, uri, key)) = &mut before.heard
        && ["/vets/", "/own"].iter().any(|route| name.contains(route))
    {
        *key = false;
        uri.truncate(uri.find("&api_key=").unwrap_or(uri.len()));
    }
    before
}

/// Name, bytes, and the status where it is to be another one.
fn asks(stack: &Stack) -> Vec<(String, Vec<u8>, Option<u16>)> {
    let key = |who: &str| stack.keys().of(who).unwrap();
    let header = |value: &str| format!("X-API-Key: {value}\r\n");
    let rows = [
        ("none", String::new(), String::new(), None),
        ("ann", header(&key("ann")), String::new(), None),
        ("ann's second", header(&key("ann-second")), String::new(), None),
        ("vet", header(&key("vet")), String::new(), None),
        ("own", header(&key("own")), String::new(), None),
        ("wrong", header("wrong"), String::new(), None),
        ("empty", header(""), String::new(), None),
        ("a query", String::new(), format!("?a=1&api_key={}", key("ann")), None),
        ("own in a query", String::new(), format!("?a=1&api_key={}", key("own")), None),
        ("twice", header(&key("ann")) + &header(&key("ann")), String::new(), Some(401)),
        ("behind a scheme", header(&format!("Bearer {}", key("ann"))), String::new(), Some(401)),
    ];
    let mut asks = Vec::new();
    for (method, path) in [
        ("GET", "/anything/rest"),
        ("GET", "/anything/exact"),
        ("GET", "/anything/exactly"),
        ("GET", "/anything/vets/7"),
        ("GET", "/anything/own"),
        ("GET", "/anything/open/7"),
        ("POST", "/anything/post"),
        ("GET", "/anything/post"),
        ("OPTIONS", "/anything/rest"),
    ] {
        for (name, headers, query, differs) in &rows {
            let bytes = format!(
                "{method} {path}{query} HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
            );
            // Nobody is asked there, or for other keys, so that nothing differs.
            let same = path.starts_with("/anything/open")
                || path == "/anything/own"
                || path.starts_with("/anything/vets");
            asks.push((format!("{method} {path}: {name}"), bytes.into_bytes(), differs.filter(|_| !same)));
        }
    }
    // Who is not let in there is told so before.
    asks.retain(|(name, ..)| {
        !(name.contains("/vets/") && (name.ends_with("twice") || name.ends_with("scheme")))
    });
    asks
}

fn ask(stack: &Stack, to: SocketAddr, bytes: &[u8]) -> Became {
    let before = stack.dogcatcher().counts().requests;
    let answer = http::send(to, bytes, "x-request-id").unwrap();
    let heard =
        (stack.dogcatcher().counts().requests > before).then(|| stack.dogcatcher().latest().pop().unwrap());
    let heard = heard.map(|seen| {
        let key = seen.headers.iter().any(|(name, _)| name == "x-api-key") || seen.uri.contains("api_key");
        (seen.connection.client.and_then(|client| client.common_name), seen.method, seen.uri, key)
    });
    Became { status: answer.status, heard }
}

#[test]
fn what_cannot_be_mapped_is_closed_or_nothing_comes_out() {
    let old = OLD.replace("<key of ", "").replace('>', "").replace("UPSTREAM", "5443");
    let rows = [
        // What is closed with its route, and what no config comes out for.
        ("key_sources: [{header: X-API-Key}]", "key_sources: [{elsewhere: k}]", true),
        (
            "match: {path: /anything/exact}",
            "match: {path: /anything/exact, query_parameters: [{name: a, present_match: true}]}",
            true,
        ),
        (
            "route: {cluster: dogcatcher}}\n              - name: vets",
            "redirect: {path_redirect: /x}}\n              - name: vets",
            true,
        ),
        ("certificate_chain: {filename: /etc", "certificate_chain: {inline_string: /etc", true),
        (
            "          - name: router",
            "          - {name: rbac, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC}}\n          - name: router",
            false,
        ),
        (
            "              domains: [\"*\"]",
            "              domains: [\"*\"]\n              require_tls: ALL",
            true,
        ),
        ("    - filters:\n", "    - filter_chain_match: {source_ports: [1]}\n      filters:\n", false),
        ("{name: rest, match: {prefix: /}", "{name: rest, match: {prefix: /anything/vets/special}", false),
    ];
    for (from, to, comes_out) in rows {
        assert!(old.contains(from), "{from}");
        let said = of(&old.replacen(from, to, 1), &[]);
        assert_eq!(said.code, 1, "{to}: {}", said.err);
        assert!(said.err.contains("not mapped\n"), "{to}: {}", said.err);
        assert_eq!(!said.out.is_empty(), comes_out, "{to}: {}{}", said.out, said.err);
        if comes_out {
            assert!(
                said.err.contains("closed to everybody") && said.out.contains("config: {}"),
                "{to}: {}",
                said.out
            );
        }
    }
}

#[test]
fn keys_behind_a_scheme_and_in_cookies_are_looked_for_there() {
    let old = OLD.replace("<key of ", "").replace('>', "").replace("UPSTREAM", "5443");
    let said = of(&old.replace("[{header: X-API-Key}]", "[{header: authorization}, {cookie: session}]"), &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    for line in
        ["key_in_header: false", "key_in_query: false", "key_authorization: Bearer", "key_cookies: [session]"]
    {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
}

#[test]
fn no_client_may_write_what_envoy_wrote() {
    let old = OLD
        .replace("<key of ", "")
        .replace('>', "")
        .replace("UPSTREAM", "5443")
        .replace("forwarding: {hide", "forwarding: {header: x-client-id, hide");
    let said = of(&old, &[]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("no x-client-id any more"), "{}", said.err);
    assert!(
        said.out.contains("name: request-transformer") && said.out.contains("headers: [x-client-id]"),
        "{}",
        said.out
    );
}

/// Runs an Envoy on a config of its own.
struct Old(Envoy);

impl Gateway for Old {
    fn name(&self) -> &'static str {
        "an Envoy of its own"
    }

    fn lacks(&self, _: Ability) -> Option<&'static str> {
        None
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        let written = fs::read_to_string(&setup.config)?;
        let (_, rest) = written.split_once("localhost:").unwrap();
        let upstream: String = rest.chars().take_while(char::is_ascii_digit).collect();
        plain_envoy::serve(&self.0, |proxy, _| {
            let config = written.replace("UPSTREAM", &upstream).replace("PROXY", &proxy.port().to_string());
            // What is migrated later.
            fs::write(&setup.config, &config)?;
            Ok(config)
        })
    }
}

const OLD: &str = r#"# The upstream is dogcatcher-api:5443
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PROXY}}
    filter_chains:
    - filters:
      - name: manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - {name: exact, match: {path: /anything/exact}, route: {cluster: dogcatcher}}
              - name: vets
                match: {prefix: /anything/vets}
                route: {cluster: dogcatcher}
                typed_per_filter_config:
                  keys:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute
                    allowed_clients: [vet]
              - name: own
                match: {path_separated_prefix: /anything/own}
                route: {cluster: dogcatcher}
                typed_per_filter_config:
                  keys:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute
                    credentials: [{client: own, key: <key of own>}]
                    key_sources: [{query: api_key}]
              - name: open
                match: {prefix: /anything/open}
                route: {cluster: dogcatcher}
                typed_per_filter_config:
                  keys: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}
              - name: post
                match: {prefix: /anything/post, headers: [{name: ":method", string_match: {exact: POST}}]}
                route: {cluster: dogcatcher}
              - {name: rest, match: {prefix: /}, route: {cluster: dogcatcher}}
          http_filters:
          - name: keys
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth
              credentials:
              - {client: ann, key: <key of ann>}
              - {client: ann, key: <key of ann-second>}
              - {client: vet, key: <key of vet>}
              key_sources: [{header: X-API-Key}]
              forwarding: {hide_credentials: true}
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: dogcatcher
    type: STRICT_DNS
    dns_lookup_family: V4_ONLY
    load_assignment:
      cluster_name: dogcatcher
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: localhost, port_value: UPSTREAM}}}}]}]
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: localhost
        common_tls_context:
          tls_certificates:
          - certificate_chain: {filename: /etc/secrets/kong-upstream-mtls/tls.crt}
            private_key: {filename: /etc/secrets/kong-upstream-mtls/tls.key}
          validation_context: {trusted_ca: {filename: /etc/secrets/kong-upstream-mtls/ca.crt}}
"#;
