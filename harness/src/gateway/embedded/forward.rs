//! One request, sent to its upstream.

use std::error::Error;
use std::time::Instant;

use ::log::Level;
use http::header::{HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri, Version, request};
use hyper::body::Incoming;
use tokio::time::error::Elapsed;

use super::body::{TimedOut, download, upload};
use super::failure::{Failed, Failure};
use super::headers;
use super::log::Log;
use super::upstream::{Body, BoxError, Client, Destination, causes};
use crate::gateway::declarative::Service;

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
        let (body, turns) = upload(body);
        let response = self.client.request(Request::from_parts(head, body));
        let Service { write_timeout, read_timeout, .. } = self.service;
        let answered = turns.response(response, *write_timeout, *read_timeout).await;
        let response = answered.map_err(timed_out)?.map_err(|error| unanswered(&error))?;
        let (mut head, body) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for it: `Upgrade` does not pass.
            return Err(Failed::new(Failure::UpstreamBroken, "the upstream switches protocols"));
        }
        headers::strip_hop_by_hop(&mut head.headers);
        headers::via(&mut head.headers);
        head.headers.insert(PROXY_LATENCY, own);
        head.headers.insert(UPSTREAM_LATENCY, milliseconds(sent));
        let (log, id) = (self.log.clone(), self.request_id.to_owned());
        let broken = move |error: &BoxError| {
            log.line(Level::Error, format_args!("request {id}: the response breaks off: {}", told(&**error)));
        };
        Ok(Response::from_parts(head, download(body, *read_timeout, broken)))
    }
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
