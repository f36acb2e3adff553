//! Bodies pass as they come, in both directions, under Kong's timeouts: each between two steps, none
//! on the whole.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::upstream::{self, BoxError};

/// Nothing came of waiting for one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimedOut {
    Client,
    Upstream,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client sends no more of its body",
            Self::Upstream => "the upstream timed out",
        })
    }
}

impl std::error::Error for TimedOut {}

/// A body that is all there.
pub(super) fn full(body: Bytes) -> upstream::Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// A request's body on its way, and the means to see whose turn it is.
pub(super) fn upload<B>(body: B) -> (upstream::Body, Turns)
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (turn, turns) = watch::channel(Turn::Connecting);
    (Upload { body, turn }.boxed_unsync(), Turns(turns))
}

/// Who is to do the next step of a request.
#[derive(Clone, Copy)]
enum Turn {
    /// The connector, under timeouts of its own.
    Connecting,
    /// The client: send more of the body.
    Send,
    /// The upstream: take it.
    Take,
}

struct Upload<B> {
    body: B,
    turn: watch::Sender<Turn>,
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for Upload<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.turn.send_replace(Turn::Send);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.turn.send_replace(Turn::Take);
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Watches over the steps of a request until the response begins.
pub(super) struct Turns(watch::Receiver<Turn>);

impl Turns {
    /// Waits for a response while every step happens in its time: the connector's own is `connect`, all attempts
    /// together.
    ///
    /// # Errors
    /// One did not.
    pub(super) async fn response<R>(
        mut self,
        response: impl Future<Output = R>,
        connect: Duration,
        write: Duration,
        read: Duration,
    ) -> Result<R, TimedOut> {
        let mut response = std::pin::pin!(response);
        let mut sent = false;
        loop {
            let turn = *self.0.borrow_and_update();
            let (limit, waiting_for) = match turn {
                _ if sent => (read, TimedOut::Upstream),
                Turn::Connecting => (connect, TimedOut::Upstream),
                Turn::Send => (CLIENT, TimedOut::Client),
                Turn::Take => (write, TimedOut::Upstream),
            };
            tokio::select! {
                biased;
                response = &mut response => return Ok(response),
                // The body is gone where the connection has taken all of it.
                turned = self.0.changed(), if !sent => sent = turned.is_err(),
                () = sleep(limit) => return Err(waiting_for),
            }
        }
    }
}

/// A response's body on its way; it fails when the upstream lets `read` pass without sending any of it.
/// The client can only be told by an end before the end; `broken` tells the log.
pub(super) fn download(
    body: Incoming,
    read: Duration,
    broken: impl Fn(&BoxError) + Send + Unpin + 'static,
) -> upstream::Body {
    Download { body, read, waiting: None }
        .map_err(move |error| {
            broken(&error);
            error
        })
        .boxed_unsync()
}

struct Download {
    body: Incoming,
    read: Duration,
    /// Only while the client wants more and the upstream has none.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let read = this.read;
        ready!(this.waiting.get_or_insert_with(|| Box::pin(sleep(read))).as_mut().poll(cx));
        Poll::Ready(Some(Err(TimedOut::Upstream.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// nginx's `client_body_timeout`.
const CLIENT: Duration = Duration::from_secs(60);
