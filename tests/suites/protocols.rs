//! What is no plain HTTP rides the same identities.

use bytes::Bytes;
use harness::gateway::Ability;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tests::config::upstream_mtls;
use tests::{Setting, needs, tests};
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
        assert_eq!(called.body, MESSAGE);
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

struct Called {
    seen_client: Option<String>,
    grpc_status: Option<String>,
    body: Bytes,
}

/// One call, on an HTTP/2 connection of its own without TLS.
fn call(setting: &Setting, key: &str) -> Called {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(setting.proxy()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://{}/dogcatcher.Dogs/Echo", setting.proxy()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-api-key", key)
            .body(Full::new(Bytes::from_static(MESSAGE)))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let text = |headers: &http::HeaderMap, name| {
            headers.get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let seen_client = text(answer.headers(), "x-seen-client");
        let at_once = text(answer.headers(), "grpc-status");
        let body = answer.into_body().collect().await.unwrap();
        let grpc_status =
            at_once.or_else(|| body.trailers().and_then(|trailers| text(trailers, "grpc-status")));
        Called { seen_client, grpc_status, body: body.to_bytes() }
    })
}

/// One message: not compressed, four bytes long.
const MESSAGE: &[u8] = b"\0\0\0\0\x04woof";
