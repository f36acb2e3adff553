use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::read::parse_in;
use super::*;
use crate::document::Problems;

fn filters() -> BTreeSet<String> {
    ["mtls-policy".to_owned(), "other".to_owned()].into()
}

fn read(text: &str) -> Config {
    parse_in(text, "kong.yml", &filters(), &|_| None).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> Vec<String> {
    let problems = parse_in(text, "kong.yml", &filters(), &|_| None).err().expect("a refusal");
    problems.iter().map(ToString::to_string).collect()
}

/// A document of JSON, which needs no indentation; what follows the version.
fn versioned(rest: &str) -> String {
    format!(r#"{{"_format_version": "3.0", {rest}}}"#)
}

/// The messages without file and line.
fn messages(rest: &str) -> Vec<String> {
    let problems = parse_in(&versioned(rest), "kong.yml", &filters(), &|_| None).err();
    let found = problems.iter().flat_map(Problems::iter);
    found.map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Pem {
    chain: String,
    key: String,
}

fn client_pem() -> Pem {
    let issued = rcgen::generate_simple_self_signed(vec!["kong-client".to_owned()]).unwrap();
    Pem { chain: issued.cert.pem(), key: issued.signing_key.serialize_pem() }
}

fn ca_pem() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn a_whole_config_is_read() {
    let config = read(
        r#"
_format_version: "3.0"
_transform: true
services:
- name: dogcatcher-mtls
  url: https://dogcatcher.example:5443/base
  retries: 2
  connect_timeout: 1500
  tags: [demo]
  plugins:
  - name: mtls-policy
    config: {key_names: [X-API-Key], client_certificate: kong-client}
  routes:
  - name: dogcatcher-mtls
    paths: [/dogcatcher-mtls, "~/dogs/(?<id>[0-9]+)$"]
    methods: [GET, POST]
    hosts: ["*.example.com", api.example.com:8000]
    headers: {X-Shelter: [North, "~*^S[OU]"]}
    plugins:
    - name: other
      config: its own text
- name: plain
  host: plain.example
routes:
- name: top
  service: {name: plain}
  paths: [/top]
  strip_path: false
  preserve_host: true
  regex_priority: 7
filter_chains:
- route: top
  filters:
  - {name: mtls-policy, config: {realm: dogs}}
  - {name: other, enabled: false}
plugins:
- name: upstream-mtls
  config:
    client_certificates:
    - {name: kong-client, cert_file: /tls.crt, key_file: /tls.key}
    client_certificate: kong-client
    ca_file: /ca.crt
    reload_interval: 0.5
"#,
    );
    let [dogcatcher, plain] = config.services.as_slice() else { panic!("two services") };
    assert_eq!(dogcatcher.name, "dogcatcher-mtls");
    assert_eq!((dogcatcher.protocol, dogcatcher.port), (Protocol::Https, 5443));
    assert_eq!((dogcatcher.host.as_str(), dogcatcher.path.as_deref()), ("dogcatcher.example", Some("/base")));
    assert_eq!((dogcatcher.retries, dogcatcher.connect_timeout), (2, Duration::from_millis(1500)));
    assert_eq!((plain.retries, plain.read_timeout), (5, Duration::from_secs(60)));
    assert_eq!((plain.protocol, plain.port, plain.path.as_deref()), (Protocol::Http, 80, None));
    assert_eq!(dogcatcher.filters.len(), 1);
    assert_eq!(
        String::from_utf8_lossy(&dogcatcher.filters[0].config),
        r#"{"client_certificate":"kong-client","key_names":["X-API-Key"]}"#
    );
    assert_eq!(dogcatcher.filters[0].place, "kong.yml:11: services[0].plugins[0]");

    let [nested, top] = config.routes.as_slice() else { panic!("two routes") };
    assert_eq!((nested.service, nested.strip_path, nested.preserve_host), (0, true, false));
    assert_eq!(
        nested.hosts[0],
        HostMatch { name: HostName::EndsWith(".example.com".to_owned()), port: None }
    );
    assert_eq!(nested.hosts[1].port, Some(8000));
    assert!(
        matches!(&nested.paths[1], PathMatch::Regex(regex) if regex.as_str() == "^/dogs/(?P<id>[0-9]+)$")
    );
    assert_eq!(nested.headers[0].0, "x-shelter");
    assert!(matches!(&nested.headers[0].1[0], HeaderMatch::Value(value) if value == "north"));
    assert!(matches!(&nested.headers[0].1[1], HeaderMatch::Regex(regex) if regex.as_str() == "^s[ou]"));
    assert_eq!(nested.filters[0].config, b"its own text");
    assert_eq!((top.service, top.strip_path, top.preserve_host, top.regex_priority), (1, false, true, 7));
    assert_eq!(top.filters.len(), 1, "a filter that is switched off is none");

    let plugin = config.upstream_mtls.expect("the plugin");
    assert_eq!(plugin.client_certificate.as_deref(), Some("kong-client"));
    assert_eq!(plugin.reload_interval, Duration::from_millis(500));
    assert_eq!(plugin.tls_verify_depth, 1);
    assert!(matches!(&plugin.trust, Some(Trust::File(path)) if *path == PathBuf::from("/ca.crt")));
}

#[test]
fn ids_are_those_of_a_db_less_kong() {
    let config = read(
        r#"{"_format_version": "3.0", "services": [{"name": "dogs", "host": "dogs.example",
            "routes": [{"name": "dogs", "paths": ["/"]},
                       {"id": "C0FFEE00-0000-4000-8000-000000000000", "paths": ["/a"]}]}]}"#,
    );
    // uuid5(uuid5("fd02801f-0957-4a15-a55a-c8d9606f30b5", "services"), "dogs"), computed by Python's uuid module.
    assert_eq!(config.services[0].id, "c3f23ca1-be00-5009-8114-e7447c9fad5a");
    assert_eq!(config.routes[0].id, "2b542839-723d-5e57-8a2c-fbec220b7be2");
    assert_eq!(config.routes[1].id, "c0ffee00-0000-4000-8000-000000000000");
}

#[test]
fn every_problem_is_told_with_its_line() {
    let found = problems(
        r#"_format_version: "3.0"
consumers: [{username: rex}]
services:
- name: dogs
  host: dogs.example
  prot: 80
  routes:
  - name: one
    paths: [/a, /b//c, "~/(", x]
    protocols: [tcp]
  - name: one
    method: [GET]
plugins:
- name: mtls-polic
- name: mtls-policy
"#,
    );
    let expected = [
        r#"kong.yml:2: consumers: not supported here: consumers and their keys belong into the filter's config"#,
        r#"kong.yml:6: services[0].prot: unknown field, did you mean "port"?"#,
        r#"kong.yml:9: services[0].routes[0].paths[1]: "/b//c" has an empty segment"#,
        r#"kong.yml:9: services[0].routes[0].paths[2]: not a regular expression that Kong's router takes: unclosed group"#,
        r#"kong.yml:9: services[0].routes[0].paths[3]: "x" begins neither with / (a prefix) nor with ~/ (a regex)"#,
        r#"kong.yml:10: services[0].routes[0].protocols[0]: "tcp" is not known here (one of: http, https)"#,
        r#"kong.yml:11: services[0].routes[1]: one of methods, hosts, headers and paths is missing"#,
        r#"kong.yml:11: services[0].routes[1].name: another route on line 8 is already called "one""#,
        r#"kong.yml:12: services[0].routes[1].method: unknown field, did you mean "methods"?"#,
        r#"kong.yml:14: plugins[0]: no plugin "mtls-polic" is here (did you mean "mtls-policy"?)"#,
        r#"kong.yml:15: plugins[1]: a filter belongs to a service or a route: name one, or nest it there"#,
    ];
    let missing: Vec<_> = expected.iter().filter(|line| !found.iter().any(|f| f == *line)).collect();
    let surplus: Vec<_> = found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}\nsurplus {surplus:#?}");
}

#[test]
fn what_is_not_supported_is_refused() {
    const URL: &str = "is not a service's URL";
    let service = |fields: &str| format!(r#""services": [{{"name": "dogs", {fields}}}]"#);
    let http = |fields: &str| service(&format!(r#""host": "dogs.example", {fields}"#));
    let route = |fields: &str| http(&format!(r#""routes": [{{"name": "r", {fields}}}]"#));
    let in_route = |fields: &str| route(&format!(r#""paths": ["/"], {fields}"#));
    let chain = |fields: &str| in_route(&format!(r#""filter_chains": [{{{fields}}}]"#));
    let plugin = |fields: &str| in_route(&format!(r#""plugins": [{{{fields}}}]"#));
    const S: &str = "services[0]";
    const R: &str = "services[0].routes[0]";
    let rows = [
        (
            "upstreams",
            r#""upstreams": []"#.to_owned(),
            "upstreams: not supported here: name the host in the service".to_owned(),
        ),
        (
            "unknown entity",
            r#""servces": []"#.to_owned(),
            r#"servces: unknown field, did you mean "services"?"#.to_owned(),
        ),
        ("_transform", r#""_transform": false"#.to_owned(), "_transform: only true is supported".to_owned()),
        ("no host", service(r#""port": 80"#), format!("{S}: host is missing (or url)")),
        (
            "host with a port",
            service(r#""host": "a:80""#),
            format!(r#"{S}.host: "a:80" is not a host name or an address without a port"#),
        ),
        (
            "url and host",
            http(r#""url": "http://a/""#),
            format!("{S}.host: url has it already: give one of the two"),
        ),
        (
            "url without scheme",
            service(r#""url": "dogs.example""#),
            format!(r#"{S}.url: "dogs.example" {URL}: it has no scheme, http or https"#),
        ),
        (
            "url of another scheme",
            service(r#""url": "tcp://a""#),
            format!(r#"{S}.url: "tcp://a" {URL}: only http and https are supported"#),
        ),
        (
            "url with a query",
            service(r#""url": "http://a/?b""#),
            format!(r#"{S}.url: "http://a/?b" {URL}: neither query nor fragment may stand in it"#),
        ),
        (
            "url with credentials",
            service(r#""url": "http://a:b@c/""#),
            format!(r#"{S}.url: "http://a:b@c/" {URL}: credentials in it are not supported"#),
        ),
        (
            "other protocol",
            http(r#""protocol": "grpc""#),
            format!("{S}.protocol: not supported here: only http and https"),
        ),
        (
            "service path",
            http(r#""path": "/a//b""#),
            format!(r#"{S}.path: "/a//b" is not a path: /, no empty segments, other characters escaped"#),
        ),
        (
            "disabled service",
            http(r#""enabled": false"#),
            format!("{S}: enabled: false is not supported: take the service out"),
        ),
        (
            "TLS field on http",
            http(r#""tls_verify": true"#),
            format!("{S}.tls_verify: needs protocol: https"),
        ),
        (
            "unknown certificate",
            http(r#""protocol": "https", "client_certificate": {"id": "x"}"#),
            format!(r#"{S}.client_certificate.id: there is no certificate "x""#),
        ),
        (
            "port out of range",
            http(r#""port": 65536"#),
            format!("{S}.port: 65536 is not between 0 and 65535"),
        ),
        (
            "timeout of nothing",
            http(r#""read_timeout": 0"#),
            format!("{S}.read_timeout: 0 is not between 1 and 2147483646"),
        ),
        ("bad id", http(r#""id": "x""#), format!(r#"{S}.id: "x" is not a UUID"#)),
        ("bad name", http(r#""name_": 1"#), format!(r#"{S}.name_: unknown field, did you mean "name"?"#)),
        (
            "nested route with a service",
            in_route(r#""service": "dogs""#),
            format!("{R}.service: not needed here: the route belongs to the service that it is nested in"),
        ),
        (
            "route without service",
            r#""routes": [{"paths": ["/"]}]"#.to_owned(),
            "routes[0]: service is missing".to_owned(),
        ),
        (
            "https only",
            in_route(r#""protocols": ["https"]"#),
            format!("{R}.protocols: http must be among them: this gateway is reached by plain HTTP only"),
        ),
        (
            "lower-case method",
            route(r#""methods": ["get"]"#),
            format!(r#"{R}.methods[0]: "get" is not a method: only capital letters may stand in it"#),
        ),
        (
            "empty list",
            route(r#""hosts": []"#),
            format!("{R}.hosts: an empty list: fill it, or take it out to allow all"),
        ),
        (
            "two wildcards",
            route(r#""hosts": ["*.a.*"]"#),
            format!(
                r#"{R}.hosts[0]: "*.a.*" is not a host: a name with a port or without, with one * as its first or last label or none"#
            ),
        ),
        (
            "wildcard in the middle",
            route(r#""hosts": ["a.*.b"]"#),
            format!(
                r#"{R}.hosts[0]: "a.*.b" is not a host: a name with a port or without, with one * as its first or last label or none"#
            ),
        ),
        (
            "path that never matches",
            route(r#""paths": ["/a/../b%41"]"#),
            format!(
                r#"{R}.paths[0]: "/a/../b%41" can never match, for paths are normalised first: write "/bA""#
            ),
        ),
        (
            "regex without slash",
            route(r#""paths": ["~^/a"]"#),
            format!(r#"{R}.paths[0]: "~^/a" does not begin with ~/"#),
        ),
        (
            "look-around",
            route(r#""paths": ["~/a(?!b)"]"#),
            format!(
                "{R}.paths[0]: not a regular expression that Kong's router takes: look-around, including look-ahead and look-behind, is not supported"
            ),
        ),
        (
            "host as a header",
            route(r#""headers": {"Host": ["a"]}"#),
            format!("{R}.headers.Host: hosts belong into hosts"),
        ),
        (
            "header without values",
            route(r#""headers": {"a": []}"#),
            format!("{R}.headers.a: an empty list: fill it, or take it out to allow all"),
        ),
        (
            "path handling",
            in_route(r#""path_handling": "v1""#),
            format!(r#"{R}.path_handling: "v1" is not known here (did you mean "v0"?)"#),
        ),
        (
            "expression",
            in_route(r#""expression": "true""#),
            format!("{R}.expression: only the router flavor traditional_compatible is supported"),
        ),
        (
            "unknown filter",
            chain(r#""filters": [{"name": "mtls-polcy"}]"#),
            format!(
                r#"{R}.filter_chains[0].filters[0].name: no filter "mtls-polcy" is here (did you mean "mtls-policy"?)"#
            ),
        ),
        (
            "no filters",
            chain(r#""filters": []"#),
            format!("{R}.filter_chains[0]: no filter is in this chain"),
        ),
        (
            "chain of nothing",
            r#""filter_chains": [{"filters": [{"name": "other"}]}]"#.to_owned(),
            "filter_chains[0]: service or route is missing".to_owned(),
        ),
        (
            "nested chain with a scope",
            chain(r#""route": "r", "filters": [{"name": "other"}]"#),
            format!("{R}.filter_chains[0].route: not needed here: it belongs to what it is nested in"),
        ),
        (
            "other plugin",
            plugin(r#""name": "key-auth""#),
            format!(
                r#"{R}.plugins[0]: no plugin "key-auth" is here (there are: mtls-policy, other, upstream-mtls)"#
            ),
        ),
        (
            "plugin of a consumer",
            plugin(r#""name": "other", "consumer": "rex""#),
            format!("{R}.plugins[0].consumer: not supported here: scope it to a service or a route"),
        ),
        (
            "plugin without http",
            plugin(r#""name": "other", "protocols": ["grpc"]"#),
            format!(
                "{R}.plugins[0].protocols: http must be among them: this gateway is reached by plain HTTP only"
            ),
        ),
        (
            "plugin of no route",
            r#""plugins": [{"name": "other", "route": "r"}]"#.to_owned(),
            r#"plugins[0].route: there is no route "r""#.to_owned(),
        ),
        (
            "upstream-mtls without config",
            plugin(r#""name": "upstream-mtls""#),
            format!("{R}.plugins[0]: config is missing"),
        ),
        (
            "a plugin twice",
            in_route(r#""plugins": [{"name": "other"}, {"name": "other"}]"#),
            format!("{R}.plugins[1]: a second plugin other, the first is on line 1"),
        ),
        (
            "two chains",
            in_route(
                r#""filter_chains": [{"filters": [{"name": "other"}]}, {"filters": [{"name": "other"}]}]"#,
            ),
            format!("{R}.filter_chains[1]: a second filter chain, the first is on line 1"),
        ),
    ];
    for (name, document, expected) in rows {
        assert_eq!(messages(&document), [expected], "{name}");
    }
    assert_eq!(
        problems("_format_version: 3.0"),
        ["kong.yml:1: _format_version: a number stands here, not a string: put it in quotes"]
    );
    assert_eq!(
        problems("_format_version: '2.1'"),
        [r#"kong.yml:1: _format_version: "2.1" is not supported: only "3.0" is"#]
    );
    assert_eq!(problems("[]"), ["kong.yml:1: a list stands here, not a mapping"]);
}

#[test]
fn what_changes_nothing_on_kong_is_passed_over() {
    let config = read(
        r#"
_format_version: "3.0"
_comment: by hand
services:
- name: dogs
  host: dogs.example
  enabled: true
  created_at: 1
  updated_at: 2
  tags: [a]
  client_certificate: null
  routes:
  - paths: [/]
    protocols: [http, https]
    https_redirect_status_code: 426
    path_handling: v0
    request_buffering: true
    response_buffering: false
    tags: null
    plugins:
    - name: other
      id: 00000000-0000-4000-8000-000000000001
      instance_name: mine
      protocols: [grpc, grpcs, http, https]
      enabled: false
"#,
    );
    assert_eq!(config.services.len(), 1);
    assert!(config.routes[0].filters.is_empty(), "a plugin that is switched off is none");
}

#[test]
fn filters_keep_kongs_order_chain_before_plugins() {
    let config = read(&versioned(
        r#""services": [{"name": "dogs", "host": "a", "routes": [{"name": "r", "paths": ["/"],
            "plugins": [{"name": "mtls-policy", "config": "plugin"}],
            "filter_chains": [{"filters": [{"name": "other", "config": "chain"}, {"name": "other"}]}]}]}]"#,
    ));
    let configs: Vec<_> = config.routes[0].filters.iter().map(|filter| filter.config.as_slice()).collect();
    assert_eq!(configs, [b"chain".as_slice(), b"", b"plugin"]);
}

#[test]
fn upstream_mtls_is_scoped_to_all_a_service_or_a_route() {
    let config = |name| {
        format!(
            r#"{{"client_certificates": [{{"name": "{name}", "cert_file": "/c", "key_file": "/k"}}], "tls_verify": false}}"#
        )
    };
    let config = read(&versioned(&format!(
        r#""services": [{{"name": "dogs", "host": "a", "routes": [{{"name": "r", "paths": ["/"]}}],
                          "plugins": [{{"name": "upstream-mtls", "config": {}}}]}}],
           "plugins": [{{"name": "upstream-mtls", "config": {}}},
                       {{"name": "upstream-mtls", "route": {{"name": "r"}}, "config": {}}}]"#,
        config("service"),
        config("all"),
        config("route")
    )));
    let name = |plugin: &Option<UpstreamMtls>| plugin.as_ref().unwrap().client_certificates[0].name.clone();
    assert_eq!(name(&config.upstream_mtls), "all");
    assert_eq!(name(&config.services[0].upstream_mtls), "service");
    assert_eq!(name(&config.routes[0].upstream_mtls), "route");
    assert!(config.upstream_mtls.unwrap().trust.is_none());
}

#[test]
fn a_wrong_upstream_mtls_is_refused() {
    let config = |text: &str| format!(r#""plugins": [{{"name": "upstream-mtls", "config": {{{text}}}}}]"#);
    let certificate =
        |fields: &str| config(&format!(r#""ca_file": "/ca", "client_certificates": [{{{fields}}}]"#));
    const C: &str = "plugins[0].config";
    const ONE: &str = "plugins[0].config.client_certificates[0]";
    const SOURCES: &str = "give either cert_file and key_file, or certificate, or cert and key";
    let files = r#""cert_file": "/c", "key_file": "/k""#;
    let rows = [
        (
            "no CA",
            config(""),
            format!(
                "{C}: tls_verify needs a CA: give ca_file or ca_certificates, or say tls_verify: false to trust any upstream"
            ),
        ),
        (
            "two CAs",
            config(r#""ca_file": "/a", "ca_certificates": []"#),
            format!("{C}.ca_file: ca_certificates is given too: give one of the two"),
        ),
        ("empty CAs", config(r#""ca_certificates": []"#), format!("{C}.ca_certificates: no CA is given")),
        (
            "unknown CA",
            config(r#""ca_certificates": ["x"]"#),
            format!(r#"{C}.ca_certificates[0]: there is no CA certificate "x""#),
        ),
        (
            "unused CA",
            config(r#""ca_file": "/a", "tls_verify": false"#),
            format!("{C}: a CA is given, but tls_verify: false leaves it unused: take one of the two out"),
        ),
        (
            "unknown field",
            config(r#""ca_file": "/a", "ca_fil": 1"#),
            format!(r#"{C}.ca_fil: unknown field, did you mean "ca_file"?"#),
        ),
        (
            "interval",
            config(r#""ca_file": "/a", "reload_interval": 0.05"#),
            format!("{C}.reload_interval: 0.05 seconds is not an interval: at least 0.1"),
        ),
        (
            "depth",
            config(r#""ca_file": "/a", "tls_verify_depth": 65"#),
            format!("{C}.tls_verify_depth: 65 is not between 0 and 64"),
        ),
        ("no source", certificate(r#""name": "a""#), format!("{ONE}: no source: {SOURCES}")),
        (
            "two sources",
            certificate(&format!(r#""name": "a", "certificate": {{"id": "x"}}, {files}"#)),
            format!("{ONE}: more than one source: {SOURCES}"),
        ),
        (
            "half a source",
            certificate(r#""name": "a", "cert_file": "/c""#),
            format!("{ONE}: key_file is missing"),
        ),
        ("no name", certificate(files), format!("{ONE}: name is missing")),
        (
            "bad name",
            certificate(&format!(r#""name": "a b", {files}"#)),
            format!(r#"{ONE}.name: "a b" is not a name: 1 to 128 letters, digits and . _ -"#),
        ),
        (
            "unknown entity",
            certificate(r#""name": "a", "certificate": {"id": "x"}"#),
            format!(r#"{ONE}.certificate.id: there is no certificate "x""#),
        ),
        (
            "a name twice",
            config(&format!(
                r#""ca_file": "/a", "client_certificates": [{{"name": "a", {files}}}, {{"name": "a", {files}}}]"#
            )),
            format!(r#"{C}.client_certificates[1].name: another client certificate is already called "a""#),
        ),
        (
            "default that is none",
            config(&format!(
                r#""ca_file": "/a", "client_certificate": "kong-vat", "client_certificates": [{{"name": "kong-vet", {files}}}]"#
            )),
            format!(
                r#"{C}.client_certificate: no client certificate of this plugin is called "kong-vat" (did you mean "kong-vet"?)"#
            ),
        ),
    ];
    for (name, document, expected) in rows {
        assert_eq!(messages(&document), [expected], "{name}");
    }
}

#[test]
fn certificates_come_from_entities_inline_and_the_environment() {
    const ID: &str = "00000000-0000-4000-8000-000000000001";
    const CA: &str = "00000000-0000-4000-8000-000000000002";
    let (pem, ca) = (client_pem(), ca_pem());
    let text = versioned(&format!(
        r#""certificates": [{{"id": "{ID}", "cert": {chain}, "key": {key}}}],
           "ca_certificates": [{{"id": "{CA}", "cert": {ca}}}],
           "services": [{{"url": "https://dogs.example", "client_certificate": {{"id": "{ID}"}},
                          "tls_verify": true, "tls_verify_depth": 2, "ca_certificates": ["{CA}"]}}],
           "plugins": [{{"name": "upstream-mtls", "config": {{"ca_certificates": ["{CA}"], "client_certificates": [
               {{"name": "entity", "certificate": {{"id": "{ID}"}}}},
               {{"name": "inline", "cert": {chain}, "key": {key}}},
               {{"name": "env", "cert": "{{vault://env/vet-cert}}", "key": "{{vault://env/VET_KEY}}"}}]}}}}]"#,
        chain = quoted(&pem.chain),
        key = quoted(&pem.key),
        ca = quoted(&ca),
    ));
    let env = |name: &str| match name {
        "VET_CERT" => Some(pem.chain.clone()),
        "VET_KEY" => Some(pem.key.clone()),
        _ => None,
    };
    let config =
        parse_in(&text, "kong.json", &filters(), &env).unwrap_or_else(|problems| panic!("{problems}"));
    let service = &config.services[0];
    assert_eq!((service.client_certificate, service.tls_verify), (Some(0), Some(true)));
    assert_eq!((service.tls_verify_depth, service.ca_certificates.as_slice()), (Some(2), [0].as_slice()));
    assert_eq!((service.port, service.path.as_deref()), (443, None));
    assert_eq!(config.certificates[0].pair.key, pem.key);
    let plugin = config.upstream_mtls.unwrap();
    assert!(matches!(plugin.trust, Some(Trust::Entities(ref list)) if *list == [0]));
    let [entity, inline, env] = plugin.client_certificates.as_slice() else { panic!("three") };
    assert!(matches!(entity.source, CertificateSource::Entity(0)));
    assert!(matches!(&inline.source, CertificateSource::Inline(pair) if pair.chain == pem.chain));
    assert!(matches!(&env.source, CertificateSource::Inline(pair) if pair.key == pem.key));
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_and_never_shown() {
    let (pem, other, ca) = (client_pem(), client_pem(), ca_pem());
    let entity = |chain: &str, key: &str| {
        format!(r#""certificates": [{{"cert": {}, "key": {}}}]"#, quoted(chain), quoted(key))
    };
    let anchor = |pem: &str| format!(r#""ca_certificates": [{{"cert": {}}}]"#, quoted(pem));
    const C: &str = "certificates[0]";
    const CA: &str = "ca_certificates[0].cert";
    let rows = [
        (
            "key of another",
            entity(&pem.chain, &other.key),
            format!("{C}.key: the pair is not usable: keys may not be consistent: KeyMismatch"),
        ),
        ("no chain", entity("SECRET", &pem.key), format!("{C}.cert: not a chain of certificates in PEM")),
        (
            "no key",
            entity(&pem.chain, "SECRET"),
            format!("{C}.key: not a private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted)"),
        ),
        (
            "unset variable",
            entity(&pem.chain, "{vault://env/no-key}"),
            format!("{C}.key: the environment variable NO_KEY is not set"),
        ),
        (
            "another vault",
            entity(&pem.chain, "{vault://hcv/key}"),
            format!("{C}.key: of Kong's vaults only env is supported: {{vault://env/NAME}}"),
        ),
        (
            "a vault's subkey",
            entity(&pem.chain, "{vault://env/a/b}"),
            format!("{C}.key: a reference to the environment has the form {{vault://env/NAME}}"),
        ),
        (
            "no CA",
            anchor(&pem.chain),
            format!("{CA}: not the certificate of a CA: it lacks the CA basic constraint"),
        ),
        (
            "two CAs",
            anchor(&format!("{ca}{ca}")),
            format!("{CA}: more than one certificate: give each an entry of its own"),
        ),
        ("no certificate", anchor("SECRET"), format!("{CA}: not a certificate in PEM")),
    ];
    for (name, document, expected) in rows {
        assert_eq!(messages(&document), [expected], "{name}");
    }
    let wrong_type = messages(r#""certificates": [{"cert": 1, "key": 271828}]"#).join("\n");
    assert!(!wrong_type.contains("271828"), "{wrong_type}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load("/nowhere/kong.yml".as_ref(), &filters()).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/kong.yml: cannot be read: "), "{error}");
}
