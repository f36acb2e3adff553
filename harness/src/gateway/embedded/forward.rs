//! One request, sent to its upstream.

use std::error::Error;
use std::time::Instant;

use ::log::Level;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version, request};
use http_body_util::Empty;
use hyper::body::{Body as _, Incoming};
use tokio::time::error::Elapsed;

use super::body::{TimedOut, download, upload};
use super::failure::{Failed, Failure};
use super::headers;
use super::log::Log;
use super::upstream::{Body, BoxError, Client, Destination, causes, is_verdict};
use kong_config::declarative::Service;

pub(super) struct Forward<'f> {
    pub(super) client: Client,
    pub(super) service: &'f Service,
    pub(super) destination: &'f Destination,
    pub(super) log: &'f Log,
    pub(super) request_id: &'f str,
    /// When the gateway got the request.
    pub(super) began: Instant,
}

impl Forward<'_> {
    /// Sends a request whose headers are as the upstream is to see them.
    ///
    /// # Errors
    /// The upstream did not answer, or not in time.
    pub(super) async fn send(
        self,
        mut head: request::Parts,
        uri: &PathAndQuery,
        body: Incoming,
    ) -> Result<Response<Body>, Failed> {
        let scheme = if self.destination.https { Scheme::HTTPS } else { Scheme::HTTP };
        let target = Uri::builder().scheme(scheme).authority(self.destination.authority());
        head.uri = target
            .path_and_query(uri.clone())
            .build()
            .map_err(|error| Failed::new(Failure::UpstreamBroken, error))?;
        head.version = Version::HTTP_11;
        headers::via(&mut head.headers);
        let own = milliseconds(self.began);

        let sent = Instant::now();
        let (mut head, body) = self.response(head, body).await?.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for it: `Upgrade` does not pass.
            return Err(Failed::new(Failure::UpstreamBroken, "the upstream switches protocols"));
        }
        headers::strip_hop_by_hop(&mut head.headers);
        headers::via(&mut head.headers);
        head.headers.insert(PROXY_LATENCY, own);
        head.headers.insert(UPSTREAM_LATENCY, milliseconds(sent));
        let (log, id) = (self.log.clone(), self.request_id.to_owned());
        let read_timeout = self.service.read_timeout;
        let broken = move |error: &BoxError| {
            log.line(Level::Error, format_args!("request {id}: the response breaks off: {}", told(&**error)));
        };
        Ok(Response::from_parts(head, download(body, read_timeout, broken)))
    }

    /// The response that begins, after as many attempts as the service and the request allow.
    async fn response(&self, head: request::Parts, body: Incoming) -> Result<Response<Incoming>, Failed> {
        // Bodies pass as they come, so one that was sent is gone.
        let mut left =
            if may_be_repeated(&head.method) && body.is_end_stream() { self.destination.retries } else { 0 };
        let Destination { connect_timeout, retries, .. } = self.destination;
        let Service { write_timeout, read_timeout, .. } = self.service;
        // The connector keeps its own time. This is for what may lie between a connection and its first request.
        let connect = connect_timeout.saturating_mul(retries.saturating_add(1)).saturating_add(*read_timeout);
        let mut attempt = upload(body);
        loop {
            let (body, turns) = attempt;
            let response = self.client.request(Request::from_parts(head.clone(), body));
            let failed = match turns.response(response, connect, *write_timeout, *read_timeout).await {
                Ok(Ok(response)) => return Ok(response),
                // The connector has tried as often as it may, and who has said no would say so again.
                Ok(Err(error)) if error.is_connect() || is_verdict(&error) => return Err(unanswered(&error)),
                Ok(Err(error)) => unanswered(&error),
                Err(timeout) => timed_out(timeout),
            };
            let Some(fewer) = left.checked_sub(1) else { return Err(failed) };
            left = fewer;
            self.log
                .line(Level::Info, format_args!("request {}: sent again: {}", self.request_id, failed.why));
            attempt = upload(Empty::<Bytes>::new());
        }
    }
}

/// As nginx has it (`ngx_http_upstream_next`): what has no effect that a second time would change.
fn may_be_repeated(method: &Method) -> bool {
    !matches!(method.as_str(), "POST" | "PATCH" | "LOCK")
}

pub(super) fn milliseconds(since: Instant) -> HeaderValue {
    HeaderValue::from(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
}

fn timed_out(timed_out: TimedOut) -> Failed {
    let failure = match timed_out {
        TimedOut::Client => Failure::ClientTimeout,
        TimedOut::Upstream => Failure::UpstreamTimeout,
    };
    Failed::new(failure, timed_out)
}

fn unanswered(error: &(dyn Error + 'static)) -> Failed {
    // hyper's word for a body that could not be had: it comes from the client.
    let is_clients = |cause: &(dyn Error + 'static)| cause.downcast_ref().is_some_and(hyper::Error::is_user);
    if causes(error).any(is_clients) {
        return Failed::new(Failure::BadRequest, told(error));
    }
    let timed_out = causes(error).any(|cause| cause.is::<Elapsed>());
    Failed::new(if timed_out { Failure::UpstreamTimeout } else { Failure::UpstreamBroken }, told(error))
}

fn told(error: &(dyn Error + 'static)) -> String {
    let mut why: Vec<_> = causes(error).map(ToString::to_string).collect();
    why.dedup();
    why.join(": ")
}

const PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");
const UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
