mod certificates;
mod refused;

use std::collections::BTreeSet;
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
    let problems = parse_in(text, "kong.yml", &filters(), &|_| None).expect_err("a refusal");
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
    assert!(matches!(&plugin.trust, Some(Trust::File(path)) if path.to_str() == Some("/ca.crt")));
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
fn a_file_that_is_not_there_is_named() {
    let error = load("/nowhere/kong.yml".as_ref(), &filters()).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/kong.yml: cannot be read: "), "{error}");
}
