//! One request, and what becomes of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Response, header};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use tower_service::Service;

use super::Fault;
use super::ledger::{Connection, Seen};
use super::line::{Ending, Line};
use super::serve::Shared;

pub(super) fn seen(request: &Request<Incoming>, connection: Connection, request_on_connection: u64) -> Seen {
    Seen {
        connection,
        request_on_connection,
        method: request.method().to_string(),
        uri: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        headers: (request.headers().iter())
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
    }
}

/// # Errors
/// A fault ends the connection instead.
pub(super) async fn answer(
    request: Request<Incoming>,
    seen: Seen,
    line: &Arc<Line>,
    shared: &Shared,
) -> io::Result<Response<Body>> {
    let mut fault = shared.fault.subscribe();
    let now = *fault.borrow_and_update();
    shared.ledger.saw(seen.clone());
    match now {
        Fault::ResetKept if seen.request_on_connection == 1 => {}
        Fault::ResetRequest | Fault::ResetKept => {
            line.reset();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Fault::StallRequest => {
            let _ = fault.wait_for(|fault| *fault != Fault::StallRequest).await;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Fault::ResetResponse => return Ok(half_a_body(line, Ending::Reset)),
        Fault::StallResponse => return Ok(half_a_body(line, Ending::None)),
        _ => {}
    }
    let caller = seen.connection.client.as_ref().and_then(|client| client.common_name.clone());
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(seen);
    let Ok(mut response) = shared.router.clone().call(Request::from_parts(parts, Body::new(body))).await;
    if let Some(Ok(caller)) = caller.map(HeaderValue::try_from) {
        response.headers_mut().insert(CALLER, caller);
    }
    Ok(match now {
        Fault::CloseEach => {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Fault::HalfClose => ending_with(response, line, Ending::HalfClose),
        Fault::ResetIdle => ending_with(response, line, Ending::Reset),
        _ => response,
    })
}

fn ending_with(response: Response<Body>, line: &Arc<Line>, ending: Ending) -> Response<Body> {
    response.map(|body| Body::new(Last { body, line: line.clone(), ending }))
}

/// After it the connection ends.
struct Last {
    body: Body,
    line: Arc<Line>,
    ending: Ending,
}

impl Drop for Last {
    /// All of it has been written.
    fn drop(&mut self) {
        self.line.end(self.ending);
    }
}

impl hyper::body::Body for Last {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn half_a_body(line: &Arc<Line>, ending: Ending) -> Response<Body> {
    let mut response = Response::new(Body::new(HalfABody { line: line.clone(), ending, sent: false }));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("11"));
    response
}

/// Begins, and goes no further.
struct HalfABody {
    line: Arc<Line>,
    ending: Ending,
    sent: bool,
}

impl hyper::body::Body for HalfABody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if std::mem::replace(&mut self.sent, true) {
            // Nobody wakes it: what is written is sent meanwhile, and then the connection ends, if it does.
            self.line.end(self.ending);
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"half a ")))))
    }
}

/// In every answer: the common name in the client certificate that the request came with.
const CALLER: HeaderName = HeaderName::from_static("x-seen-client");
