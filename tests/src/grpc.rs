//! A gRPC client: one call, on an HTTP/2 connection of its own without TLS.

use std::net::SocketAddr;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

/// The response to a call.
#[derive(Clone, Debug)]
pub struct Response {
    pub http_status: u16,
    /// From the headers, else from the trailers.
    pub grpc_status: Option<String>,
    /// The common name of the client certificate that the mock upstream saw; `None` if it did not answer.
    pub seen_client: Option<String>,
    pub body: Bytes,
}

/// Calls a method, `/package.Service/Method`, with [`MESSAGE`].
pub fn call(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(to).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = http::Request::post(format!("http://{to}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(MESSAGE))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let http_status = response.status().as_u16();
        let seen_client = text(response.headers(), "x-seen-client");
        let in_headers = text(response.headers(), "grpc-status");
        let body = response.into_body().collect().await.unwrap();
        let grpc_status =
            in_headers.or_else(|| body.trailers().and_then(|trailers| text(trailers, "grpc-status")));
        Response { http_status, grpc_status, seen_client, body: body.to_bytes() }
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

/// One message: not compressed, four bytes long.
pub const MESSAGE: &[u8] = b"\0\0\0\0\x04woof";
