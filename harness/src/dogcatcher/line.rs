//! A connection as its socket sees it: how it ends, and how slowly it talks.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::Fault;

/// A second handle of a connection's socket. The connection is open as long as there is one, though nobody reads it.
pub(super) struct Line {
    socket: OwnedFd,
    /// What is owed once all that is written has been sent: an [`Ending`].
    owed: AtomicU8,
}

/// What becomes of a connection after a response.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ending {
    None,
    /// close_notify and FIN; the other direction stays open.
    HalfClose,
    Reset,
}

impl Line {
    /// # Errors
    /// Out of file descriptors.
    pub(super) fn of(stream: &tokio::net::TcpStream) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        Ok(Self { socket, owed: AtomicU8::new(Ending::None as u8) })
    }

    /// Lets the connection end with RST when its handles are gone, whatever was not sent yet.
    pub(super) fn reset(&self) {
        // Of a socket that has ended already there is nothing left to reset.
        let _ = set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Lets it end so once all that is written has been sent.
    pub(super) fn end(&self, ending: Ending) {
        self.owed.store(ending as u8, Ordering::Relaxed);
    }

    fn owes(&self, ending: Ending) -> bool {
        self.owed.load(Ordering::Relaxed) == ending as u8
    }
}

/// What requests and responses are read from and written to; with TLS, inside of it.
pub(super) struct Wire<S> {
    stream: S,
    line: Arc<Line>,
    fault: watch::Receiver<Fault>,
    /// Until the next part may be sent. In a mutex for `Sync` alone.
    pause: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, line: Arc<Line>, fault: watch::Receiver<Fault>) -> Self {
        Self { stream, line, fault, pause: Mutex::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if *this.fault.borrow() != Fault::Drip {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        }
        let pause = this.pause.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(pausing) = pause {
            ready!(pausing.as_mut().poll(cx));
        }
        *pause = Some(Box::pin(sleep(DRIP)));
        let part = &bytes[..bytes.len().min(DROP)];
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, part))?;
        // What is not flushed may wait for the next part.
        let _ = Pin::new(&mut this.stream).poll_flush(cx)?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.line.owes(Ending::Reset) {
            self.line.reset();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.line.owes(Ending::HalfClose) {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.line.end(Ending::None);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How much of a response [`Fault::Drip`] lets go, and how often.
const DROP: usize = 128;
const DRIP: Duration = Duration::from_millis(100);
