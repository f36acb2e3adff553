//! The gateway as a client and an upstream see it: HTTP in, real TLS out, small filters between.

mod http;
mod life;

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::version::TLS13;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::Embedded;
use super::upstream::tests::mock::{Mock, Seen};
use super::wasm::tests::wat::{CONTINUE, PAUSE, REQUEST, RETURN, RETURNED, Wat};
use crate::gateway::{Gateway, Running, Setup};
use pki::{Authority, Ca, Issued, Leaf};

/// An upstream that echoes, and a gateway before it with the certificates `a` and `b`.
struct Bench {
    mock: Mock,
    authority: Authority,
    directory: TempDir,
    gateway: Box<dyn Running>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(&config("dogs", "")).await
    }

    /// In the config, `{port}` and `{dir}` stand for the upstream's port and the directory.
    async fn with(config: &str) -> Self {
        let authority = Authority::root(&Ca::named("test CA")).unwrap();
        let server = Leaf::server("dogcatcher").reached_as("localhost".parse().unwrap());
        let mock = Mock::start(&authority.issue(&server).unwrap(), &authority, &TLS13).await;
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["a", "b"] {
            authority.issue(&Leaf::client(name)).unwrap().write(root, name).unwrap();
        }
        std::fs::write(root.join("ca.crt"), authority.pem()).unwrap();
        std::fs::create_dir(root.join("filters")).unwrap();
        std::fs::write(root.join("filters/select.wasm"), select().build()).unwrap();
        std::fs::write(root.join("kong.yml"), filled(config, mock.port, root)).unwrap();
        let setup = Setup {
            config: root.join("kong.yml"),
            filters: root.join("filters"),
            proxy: ([127, 0, 0, 1], 0).into(),
            status: Some(([127, 0, 0, 1], 0).into()),
        };
        let gateway = Embedded::default().start(&setup).unwrap_or_else(|error| panic!("{error:#}"));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { mock, authority, directory, gateway, client }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn renew(&self, name: &str) -> Issued {
        let issued = self.authority.issue(&Leaf::client(name)).unwrap();
        issued.write(self.directory.path(), name).unwrap();
        issued
    }

    fn reload(&self, config: &str) -> anyhow::Result<()> {
        std::fs::write(self.path("kong.yml"), filled(config, self.mock.port, self.directory.path())).unwrap();
        self.gateway.reload()
    }

    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.proxy())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(self.uri(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(self.client.request(request.body(Full::default()).unwrap()).await.unwrap()).await
    }

    /// A request for which the client certificate `name` is selected; empty: none.
    async fn get_as(&self, name: &str) -> Answer {
        let headers = [("x-cert", name)];
        self.get("/dogs", if name.is_empty() { &[] } else { &headers }).await
    }

    async fn status(&self) -> serde_json::Value {
        let uri = format!("http://{}/status", self.gateway.status().unwrap());
        let request = Request::get(uri).body(Full::default()).unwrap();
        serde_json::from_str(&Answer::of(self.client.request(request).await.unwrap()).await.body).unwrap()
    }

    /// Waits for a line in the log.
    async fn until_logged(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.gateway.log().contains(text) {
            assert!(Instant::now() < deadline, "never logged: {text}\n{}", self.gateway.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

struct Answer {
    status: u16,
    headers: ::http::HeaderMap,
    body: String,
}

impl Answer {
    async fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    #[track_caller]
    fn seen(&self) -> Seen {
        assert_eq!(self.status, 200, "{}", self.body);
        Seen::parse(&self.body)
    }

    /// A line of what the upstream saw.
    fn line(&self, start: &str) -> Option<&str> {
        self.body.lines().find_map(|line| line.strip_prefix(start))
    }
}

/// A body that is made as it goes.
struct Fed(mpsc::Receiver<Bytes>);

fn fed() -> (mpsc::Sender<Bytes>, Fed) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Fed(receiver))
}

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn filled(config: &str, port: u16, directory: &std::path::Path) -> String {
    config.replace("{port}", &port.to_string()).replace("{dir}", directory.to_str().unwrap())
}

/// One service on the upstream, one route, the filter `select` and upstream-mtls.
fn config(route: &str, more: &str) -> String {
    format!(
        "
_format_version: \"3.0\"
services:
- name: dogs
  url: https://localhost:{{port}}/base
  read_timeout: 5000
  routes:
  - name: {route}
    paths: [/{route}]
    plugins:
    - {{name: select, config: \"\"}}
plugins:
- name: upstream-mtls
  config:
    client_certificates:
    - {{name: a, cert_file: {{dir}}/a.crt, key_file: {{dir}}/a.key}}
    - {{name: b, cert_file: {{dir}}/b.crt, key_file: {{dir}}/b.key}}
    ca_file: {{dir}}/ca.crt
    tls_verify: true
    reload_interval: 1
{more}"
    )
}

/// Does what a request's headers say: `x-cert` selects, `x-uri` rewrites, `x-deny` refuses. Wants an empty config.
fn select() -> Wat {
    let mut wat = Wat::new();
    let mut text = |text: &str| wat.text(text);
    let (cert, uri, deny) = (text("x-cert"), text("x-uri"), text("x-deny"));
    let (selected, upstream) = (text("kong\0service\0client_certificate"), text("ngx\0upstream_uri"));
    let (name, value, said) = (text("x-consumer-username"), text("model-citizen"), text("decided"));
    let has = |name: &str| format!("(i32.eqz (call $get_header_map_value {REQUEST} {name} {RETURN}))");
    wat.on_request(&format!(
        "(if {deny} (then (call $answer (i32.const 403)) (return {PAUSE})))
         (if {cert} (then (call $ok (call $set_property {selected} {RETURNED}))))
         (if {uri} (then (call $ok (call $set_property {upstream} {RETURNED}))))
         (call $ok (call $replace_header_map_value {REQUEST} {name} {value}))
         (call $ok (call $log (i32.const 2) {said}))
         {CONTINUE}",
        deny = has(&deny),
        cert = has(&cert),
        uri = has(&uri),
    ))
    .on_configure("(i32.eqz (local.get $size))")
    .add("(func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (i32.const 0))")
}
