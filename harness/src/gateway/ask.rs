//! One HTTP request to a gateway's own interface.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode, request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::wait::answer;

/// Whom to ask.
pub(super) enum Peer {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Peer {
    /// Asks on a connection of its own.
    ///
    /// # Errors
    /// There is no answer, or none in time.
    pub(super) fn ask(
        &self,
        request: request::Builder,
        body: Bytes,
        patience: Duration,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let host = match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(_) => "localhost".to_owned(),
        };
        let request = request.header(HOST, host).body(Full::new(body))?;
        let exchange = async {
            match self {
                Self::Tcp(address) => exchange(TcpStream::connect(address).await?, request).await,
                Self::Unix(path) => exchange(UnixStream::connect(path).await?, request).await,
            }
        };
        answer(async { timeout(patience, exchange).await.context("no answer in time")? })
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let code = answer.status();
        anyhow::Ok((code, answer.into_body().collect().await?.to_bytes()))
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => { ended?; answer.await }
    }
}
