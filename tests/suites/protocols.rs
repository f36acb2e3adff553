//! What is no plain HTTP rides the same identities.

use harness::gateway::Ability;
use tests::config::upstream_mtls;
use tests::{Setting, grpc, needs, tests};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

tests![
    a_web_socket_is_opened_as_who_it_was_decided_to_be,
    a_grpc_call_is_made_as_who_it_was_decided_to_be,
    grpc_and_http_to_one_upstream_share_no_connection,
];

const POLICY: &str = "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet";

fn a_web_socket_is_opened_as_who_it_was_decided_to_be() {
    needs(Ability::StreamsProtocols);
    let setting = Setting::new(POLICY);
    for (who, owed) in
        [("model-citizen", "kong-client"), ("vet", "kong-vet"), ("model-citizen", "kong-client")]
    {
        let (mut socket, answer) = open(&setting, &setting.key(who)).unwrap();
        assert_eq!(answer.headers()["x-seen-client"], owed);
        for text in ["woof", "wuff"] {
            socket.send(Message::text(text)).unwrap();
            assert_eq!(socket.read().unwrap(), Message::text(text));
        }
    }
    let before = setting.requests_upstream();
    match open(&setting, "nobody's") {
        Err(refused) => assert!(refused.contains("401"), "{refused}"),
        Ok(_) => panic!("a tunnel was opened for nobody"),
    }
    assert_eq!(setting.requests_upstream(), before);
}

type Opened = (tungstenite::WebSocket<std::net::TcpStream>, tungstenite::handshake::client::Response);

fn open(setting: &Setting, key: &str) -> Result<Opened, String> {
    let mut request = format!("ws://{}/dogs/api/socket", setting.proxy()).into_client_request().unwrap();
    request.headers_mut().insert("X-API-Key", key.parse().unwrap());
    let stream = std::net::TcpStream::connect(setting.proxy()).unwrap();
    tungstenite::client(request, stream).map_err(|error| error.to_string())
}

/// gRPC on one service and HTTP on another, both to the same upstream.
fn with_grpc() -> Setting {
    needs(Ability::StreamsProtocols);
    let policy = |certificate: &str| {
        format!(
            "{{name: mtls-policy, config: {{key_names: [X-API-Key], hide_credentials: true, client_certificate: {certificate}, \
             consumers: [{{username: ann, keys: [{{id: '1', sha256: <ann>}}]}}]}}}}"
        )
    };
    Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: calls
  url: grpcs://dogcatcher-api:5443
  plugins: [{0}]
  routes:
  - {{name: calls, protocols: [grpc], paths: [/dogcatcher.Dogs], plugins: [{1}]}}
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{0}]
  routes:
  - {{name: dogs, paths: [/dogs], plugins: [{1}]}}
  - {{name: vets, paths: [/vets], plugins: [{2}]}}
"#,
        upstream_mtls(""),
        policy("kong-client"),
        policy("kong-vet")
    ))
}

fn a_grpc_call_is_made_as_who_it_was_decided_to_be() {
    let setting = with_grpc();
    for _ in 0..10 {
        let called = call(&setting, &setting.key("ann"));
        assert_eq!(
            (called.seen_client.as_deref(), called.grpc_status.as_deref()),
            (Some("kong-client"), Some("0"))
        );
        assert_eq!(called.body, grpc::MESSAGE);
    }
    let before = setting.requests_upstream();
    let refused = call(&setting, "nobody's");
    // 16: unauthenticated.
    assert_eq!((refused.seen_client, refused.grpc_status.as_deref()), (None, Some("16")));
    assert_eq!(setting.requests_upstream(), before);
}

fn grpc_and_http_to_one_upstream_share_no_connection() {
    let setting = with_grpc();
    for turn in 0..20 {
        let called = call(&setting, &setting.key("ann"));
        assert_eq!(called.seen_client.as_deref(), Some("kong-client"), "turn {turn}");
        let (route, owed) = [("/dogs", "kong-client"), ("/vets", "kong-vet")][turn % 2];
        let seen = setting.get(&format!("{route}/anything")).key("ann").send();
        assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "turn {turn}");
    }
}

/// Calls the one method that the upstream has.
fn call(setting: &Setting, key: &str) -> grpc::Response {
    grpc::call(setting.proxy(), "/dogcatcher.Dogs/Echo", &[("x-api-key", key)])
}
