//! Answers on a connection that is kept alive, read no further than load needs that checks each of them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What comes back on one connection.
pub struct Answers {
    buffer: Vec<u8>,
    filled: usize,
}

/// One answer.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// Whether the connection ends here.
    pub is_last: bool,
}

impl Answers {
    pub fn new() -> Self {
        Self { buffer: vec![0; LONGEST], filled: 0 }
    }

    /// The next answer, whole. Nothing may be under way behind it.
    ///
    /// # Errors
    /// The connection ends before, or what comes is not HTTP with a length.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> anyhow::Result<Answer<'_>> {
        self.forget();
        let (status, body, is_last) = loop {
            ensure!(self.filled < self.buffer.len(), "an answer is longer than {LONGEST} bytes");
            match stream.read(&mut self.buffer[self.filled..]).await? {
                0 => bail!("the connection ended before the answer did"),
                more => self.filled += more,
            }
            if let Some(whole) = whole(&self.buffer[..self.filled])? {
                break whole;
            }
        };
        Ok(Answer { status, body: &self.buffer[body..self.filled], is_last })
    }

    /// Forgets the last answer before the next is asked for.
    pub fn forget(&mut self) {
        self.filled = 0;
    }

    /// Whether not a byte has come of the next answer.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }
}

/// Sends one request on a connection of its own: its status, and its body.
///
/// # Errors
/// There is no answer.
pub fn ask(address: SocketAddr, request: &[u8]) -> anyhow::Result<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answers = Answers::new();
        let answer = tokio::time::timeout(PATIENCE, answers.next(&mut stream)).await??;
        Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
    })
}

/// Status, where the body starts, and whether the connection ends; nothing unless all of it is there.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize, bool)>> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut response = Response::new(&mut headers);
    let Status::Complete(body) = response.parse(bytes)? else { return Ok(None) };
    let (mut length, mut is_last) = (None, false);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = Some(std::str::from_utf8(header.value)?.parse::<usize>()?);
        } else if header.name.eq_ignore_ascii_case("connection") {
            is_last = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let length = length.context("an answer without Content-Length")?;
    let came = bytes.len() - body;
    ensure!(came <= length, "more came than one answer");
    Ok((came == length).then_some((response.code.unwrap_or_default(), body, is_last)))
}

const LONGEST: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// For the first answer of a gateway, which may still be connecting.
pub const PATIENCE: Duration = Duration::from_secs(30);
