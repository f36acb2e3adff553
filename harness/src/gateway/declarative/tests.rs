use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::read::parse_in;
use super::*;

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

/// A pair of PEM texts, indented to stand in a block scalar.
fn pem_pair() -> (String, String) {
    let issued = rcgen::generate_simple_self_signed(vec!["kong-client".to_owned()]).unwrap();
    (issued.cert.pem(), issued.signing_key.serialize_pem())
}

fn ca_pem() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

/// As JSON, which is YAML too and needs no indentation.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
