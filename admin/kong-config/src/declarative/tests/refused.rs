use super::{messages, problems};

#[test]
fn what_is_not_supported_is_refused() {
    const URL: &str = "not a service's URL";
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
            format!(r#"{S}.url: {URL}: it has no scheme, http or https"#),
        ),
        (
            "url of another scheme",
            service(r#""url": "tcp://a""#),
            format!(r#"{S}.url: {URL}: only http and https are supported"#),
        ),
        (
            "url with a query",
            service(r#""url": "http://a/?b""#),
            format!(r#"{S}.url: {URL}: neither query nor fragment may stand in it"#),
        ),
        (
            "url with credentials",
            service(r#""url": "http://a:b@c/""#),
            format!(r#"{S}.url: {URL}: credentials in it are not supported"#),
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
            format!("{R}.plugins[1]: a second plugin \"other\", the first is on line 1"),
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
fn a_wrong_upstream_mtls_is_refused() {
    let config = |text: &str| format!(r#""plugins": [{{"name": "upstream-mtls", "config": {{{text}}}}}]"#);
    let certificate =
        |fields: &str| config(&format!(r#""ca_file": "/ca", "client_certificates": [{{{fields}}}]"#));
    const C: &str = "plugins[0].config";
    const ONE: &str = "plugins[0].config.client_certificates[0]";
    const UNCHECKED: &str = "without tls_verify and a CA nothing of the upstream's certificate is checked";
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
            "lists that nobody looks at",
            config(r#""tls_verify": false, "crl_file": "/a""#),
            format!("{C}.crl_file: {UNCHECKED}"),
        ),
        (
            "names that nobody looks at",
            config(r#""tls_verify": false, "upstream_names": ["dogs"]"#),
            format!("{C}.upstream_names: {UNCHECKED}"),
        ),
        (
            "no names",
            config(r#""ca_file": "/a", "upstream_names": []"#),
            format!("{C}.upstream_names: no name is given"),
        ),
        (
            "an address for a name",
            config(r#""ca_file": "/a", "upstream_names": ["dogs", "127.0.0.1"]"#),
            format!(r#"{C}.upstream_names[1]: "127.0.0.1" is neither a URI (spiffe://…) nor a DNS name"#),
        ),
        (
            "a pattern for a name",
            config(r#""ca_file": "/a", "upstream_names": ["*.dogs"]"#),
            format!(r#"{C}.upstream_names[0]: "*.dogs" is neither a URI (spiffe://…) nor a DNS name"#),
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
