//! For gRPC upstreams, rules see the path that the upstream receives.
//!
//! nginx sends its own URI to a gRPC upstream, and to others the one that Kong has computed.

use std::fs;
use std::path::Path;

use harness::dogcatcher::Seen;
use harness::gateway::Ability;
use tempfile::TempDir;
use tests::config::upstream_mtls;
use tests::{Setting, grpc, is_native, needs, tests};

tests![
    denied_method_is_not_reached_by_percent_encoding,
    denied_method_is_not_reached_by_grpc_web,
    denied_method_is_not_reached_by_replacing_the_uri,
    denied_method_is_not_reached_by_setting_the_uri,
    denied_method_is_not_reached_by_transcoding,
    denied_method_is_not_reached_through_a_stripped_path,
    key_in_the_query_reaches_no_grpc_upstream,
    rules_see_the_method_of_a_grpc_route,
];

fn rules_see_the_method_of_a_grpc_route() {
    let case = Case::new();
    case.call("plain", "/hello.HelloService/Admin").assert_denied();
    case.call("plain", "/hello.HelloService/Vet").assert_passes_as("kong-vet", "/hello.HelloService/Vet");
    case.call("plain", "/hello.HelloService/Say").assert_passes_as("kong-client", "/hello.HelloService/Say");
}

/// nginx sends the query as it came, unless a plugin sets another.
fn key_in_the_query_reaches_no_grpc_upstream() {
    let case = Case::new();
    let key = case.setting.key("ann");
    for (query, with_header) in [("X-API-Key", false), ("a=1&X%2DAPI-Key", true)] {
        let before = case.setting.requests_upstream();
        let mut headers = vec![("x-route", "plain")];
        if with_header {
            headers.push(("x-api-key", &key));
        }
        let path = format!("/hello.HelloService/Say?{query}={key}");
        let response = grpc::call(case.setting.proxy(), &path, &headers);
        let outcome = case.outcome(before, response.http_status, response.grpc_status);
        match &outcome.received {
            Some(received) => assert!(!received.uri.contains(&key), "{outcome:?}"),
            None => {
                assert_eq!(outcome.status, if with_header && is_native() { 401 } else { 400 }, "{outcome:?}")
            }
        }
    }
    let path = "/hello.HelloService/Say?other=1";
    case.call("plain", path).assert_passes_as("kong-client", path);
}

/// An HTTP route, whose path Kong strips, onto a gRPC service, to which the path is sent all the same.
fn denied_method_is_not_reached_through_a_stripped_path() {
    let case = Case::new();
    for method in ["GET", "POST"] {
        case.http(method, "stripped", "/hello.HelloService/Admin").assert_denied();
        let vet = "/hello.HelloService/Vet";
        case.http(method, "stripped", vet).assert_passes_as("kong-vet", vet);
        let say = "/hello.HelloService/Say";
        case.http(method, "stripped", say).assert_passes_as("kong-client", say);
    }
}

/// Kong's grpc-gateway plugin sets the path after mtls-policy has run as a plugin.
fn denied_method_is_not_reached_by_transcoding() {
    let case = Case::new();
    case.http("GET", "transcoded", "/v1/say").assert_passes_as("kong-client", "/hello.HelloService/Say");
    case.http("GET", "transcoded", "/v1/vet").assert_passes_as("kong-vet", "/hello.HelloService/Vet");
    case.http("GET", "transcoded", "/v1/admin").assert_denied();
}

/// Kong's grpc-web plugin sends the stripped path, or the one that it was asked for.
fn denied_method_is_not_reached_by_grpc_web() {
    let case = Case::new();
    for (route, prefix) in [("web-stripped", "/web"), ("web", "")] {
        let post = |path: &str| case.http("POST", route, &format!("{prefix}{path}"));
        post("/hello.HelloService/Say").assert_passes_as("kong-client", "/hello.HelloService/Say");
        post("/hello.HelloService/Vet").assert_passes_as("kong-vet", "/hello.HelloService/Vet");
        post("/hello.HelloService/Admin").assert_denied();
    }
    case.assert_rules_are_kept();
}

/// Another plugin sets nginx's own URI after all others.
fn denied_method_is_not_reached_by_setting_the_uri() {
    let case = Case::new();
    for path in ["/hello.HelloService/Say", "/hello.HelloService/Admin"] {
        case.call("set", path).assert_denied();
        case.http("POST", "set-by-http", path).assert_denied();
    }
}

/// request-transformer replaces the path that Kong has computed, which is not what is sent.
fn denied_method_is_not_reached_by_replacing_the_uri() {
    let case = Case::new();
    case.call("says", "/hello.HelloService/Admin").assert_denied();
    case.call("says", "/hello.HelloService/Vet").assert_passes_as("kong-vet", "/hello.HelloService/Vet");
    case.http("POST", "says-by-http", "/hello.HelloService/Admin").assert_denied();
    // Whether these pass is not the point: what is sent is what was decided about.
    case.call("administers", "/hello.HelloService/Say");
    case.call("administers", "/hello.HelloService/Vet");
    case.assert_rules_are_kept();
}

/// What rules see is decoded, and what is sent is not.
fn denied_method_is_not_reached_by_percent_encoding() {
    let case = Case::new();
    let paths = [
        "/hello.HelloService/%41dmin",
        "/hello.HelloService/Admi%6E",
        "/hello.HelloService/Adm%69n?x=1",
        "/hello.HelloService/S%61y",
        "/hello.HelloService/Admin%2F",
        "/hello.HelloService/Admin%3F",
        "/hello.HelloService/%2e/Admin",
        "/hello.HelloService/%2e%2e/hello.HelloService/Admin",
        "/hello.HelloService/./Admin",
        "/hello.HelloService/x/../Admin",
        "/hello.HelloService/Admin/../Say",
        "/hello.HelloService//Admin",
    ];
    for path in paths {
        for outcome in [case.call("plain", path), case.http("POST", "stripped", path)] {
            assert!(outcome.received.is_none(), "{path}: {outcome:?}");
            assert!(matches!(outcome.status, 200 | 400 | 403 | 404 | 503), "{path}: {outcome:?}");
        }
    }
}

/// A gRPC upstream, and routes to it by the value of the header `x-route`.
struct Case {
    setting: Setting,
    _directory: TempDir,
}

/// What the client and the upstream received.
#[derive(Debug)]
struct Outcome {
    status: u16,
    grpc_status: Option<String>,
    received: Option<Seen>,
}

impl Case {
    fn new() -> Self {
        needs(Ability::KongsOwn);
        needs(Ability::StreamsProtocols);
        let directory = tempfile::Builder::new().prefix("proto-").tempdir().unwrap();
        let google = directory.path().join("google/api");
        fs::create_dir_all(&google).unwrap();
        fs::write(google.join("annotations.proto"), ANNOTATIONS).unwrap();
        let proto = directory.path().join("hello.proto");
        fs::write(&proto, HELLO).unwrap();
        Self {
            setting: Setting::up(&config(&proto), &[("untrusted_lua", "on")]).unwrap(),
            _directory: directory,
        }
    }

    /// Calls by gRPC.
    fn call(&self, route: &str, path: &str) -> Outcome {
        let before = self.setting.requests_upstream();
        let key = self.setting.key("ann");
        let response = grpc::call(self.setting.proxy(), path, &[("x-api-key", &key), ("x-route", route)]);
        self.outcome(before, response.http_status, response.grpc_status)
    }

    /// Asks by HTTP/1.1, as clients of gRPC-Web do.
    fn http(&self, method: &str, route: &str, path: &str) -> Outcome {
        let before = self.setting.requests_upstream();
        let key = self.setting.key("ann");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-API-Key: {key}\r\nX-Route: {route}\r\n"
        );
        let request = if route.starts_with("web") {
            let kind = format!(
                "Content-Type: application/grpc-web+proto\r\nContent-Length: {}\r\n\r\n",
                grpc::MESSAGE.len()
            );
            [head.as_bytes(), kind.as_bytes(), grpc::MESSAGE].concat()
        } else {
            [head.as_bytes(), b"Content-Length: 0\r\n\r\n"].concat()
        };
        let answer = tests::raw::send(self.setting.proxy(), &request);
        self.outcome(before, answer.status, answer.header("grpc-status").map(str::to_owned))
    }

    fn outcome(&self, before: u64, status: u16, grpc_status: Option<String>) -> Outcome {
        let received = self.setting.requests_upstream() - before;
        assert!(received <= 1, "one request was received {received} times");
        let latest = self.setting.upstream().latest();
        Outcome { status, grpc_status, received: latest.last().filter(|_| received == 1).cloned() }
    }

    /// By all that the upstream has received.
    fn assert_rules_are_kept(&self) {
        for seen in self.setting.upstream().latest() {
            let client = seen.connection.client.and_then(|client| client.common_name);
            let expected = match seen.uri.as_str() {
                "/hello.HelloService/Vet" => Some("kong-vet"),
                "/hello.HelloService/Say" => Some("kong-client"),
                _ => None,
            };
            assert!(expected.is_some() && client.as_deref() == expected, "{} as {client:?}", seen.uri);
        }
    }
}

impl Outcome {
    fn assert_passes_as(self, client: &str, path: &str) {
        let received = self.received.as_ref().unwrap_or_else(|| panic!("{path} was not received: {self:?}"));
        let seen = received.connection.client.as_ref().and_then(|client| client.common_name.as_deref());
        assert_eq!((received.uri.as_str(), seen), (path, Some(client)), "{self:?}");
    }

    /// By the rule: 403, or status 7 of gRPC (permission denied).
    fn assert_denied(self) {
        assert!(self.received.is_none(), "the upstream received it: {self:?}");
        assert!(self.status == 403 || self.grpc_status.as_deref() == Some("7"), "{self:?}");
    }
}

fn config(proto: &Path) -> String {
    let replace = |uri: &str| format!("{{name: request-transformer, config: {{replace: {{uri: {uri}}}}}}}");
    let route = |name: &str, protocol: &str, path: &str, plugin: &str| {
        format!(
            "  - {{name: {name}, protocols: [{protocol}], paths: [{path}], headers: {{x-route: [{name}]}}, \
             plugins: [{POLICY}{plugin}]}}\n"
        )
    };
    let routes = [
        route("plain", "grpc", "/hello.HelloService", ""),
        route("stripped", "http", "/hello.HelloService", ""),
        route("web", "http", "/hello.HelloService", ", {name: grpc-web}"),
        route("web-stripped", "http", "/web", ", {name: grpc-web, config: {pass_stripped_path: true}}"),
        route("set", "grpc", "/hello.HelloService", SET_URI),
        route("set-by-http", "http", "/hello.HelloService", SET_URI),
        route(
            "transcoded",
            "http",
            "/v1",
            &format!(", {{name: grpc-gateway, config: {{proto: {}}}}}", proto.display()),
        ),
        route("says", "grpc", "/hello.HelloService", &format!(", {}", replace("/hello.HelloService/Say"))),
        route(
            "says-by-http",
            "http",
            "/hello.HelloService",
            &format!(", {}", replace("/hello.HelloService/Say")),
        ),
        route(
            "administers",
            "grpc",
            "/hello.HelloService",
            &format!(", {}", replace("/hello.HelloService/Admin")),
        ),
    ];
    format!(
        r#"_format_version: "3.0"
services:
- name: calls
  url: grpcs://dogcatcher-api:5443
  plugins: [{}]
  routes:
{}"#,
        upstream_mtls(""),
        routes.concat()
    )
}

const POLICY: &str = "{name: mtls-policy, config: {key_names: [X-API-Key], hide_credentials: true, client_certificate: kong-client, \
    consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}], \
    rules: [{match: {paths: [/hello.HelloService/Admin]}, deny: {}}, \
    {match: {paths: [/hello.HelloService/Vet]}, client_certificate: kong-vet}]}}";

const SET_URI: &str =
    r#", {name: post-function, config: {access: ["ngx.req.set_uri('/hello.HelloService/Admin')"]}}"#;

const HELLO: &str = r#"syntax = "proto3";
package hello;
import "google/api/annotations.proto";
service HelloService {
  rpc Admin (Request) returns (Response) { option (google.api.http) = { get: "/v1/admin" }; }
  rpc Vet (Request) returns (Response) { option (google.api.http) = { get: "/v1/vet" }; }
  rpc Say (Request) returns (Response) { option (google.api.http) = { get: "/v1/say" }; }
}
message Request { string text = 1; }
message Response { string text = 1; }
"#;

/// As far as [`HELLO`] needs it.
const ANNOTATIONS: &str = r#"syntax = "proto3";
package google.api;
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
message HttpRule { string get = 2; }
"#;
