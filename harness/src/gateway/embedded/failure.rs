//! The gateway's own answers where it has no other, worded as Kong 3.9 does (kong/error_handlers.lua).

use std::fmt::Display;

use ::log::Level;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use mtls_policy::policy::Format;

/// Why a request ends here. The log says more; a client sees this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    BadRequest,
    ClientTimeout,
    FilterTrapped,
    MethodNotAllowed,
    NoCertificate,
    NoRoute,
    NoTrust,
    UpstreamBroken,
    UpstreamTimeout,
}

/// What a client is told, and what the log is.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) why: String,
}

impl Failed {
    pub(super) fn new(failure: Failure, why: impl Display) -> Self {
        Self { failure, why: why.to_string() }
    }
}

impl Failure {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::FilterTrapped => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoCertificate | Self::NoTrust => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::UpstreamBroken => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad request",
            Self::ClientTimeout => "Request timeout",
            Self::FilterTrapped => "An unexpected error occurred",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NoCertificate => "No client certificate in force",
            Self::NoRoute => "no Route matched with those values",
            Self::NoTrust => "No trust anchors in force",
            Self::UpstreamBroken => "An invalid response was received from the upstream server",
            Self::UpstreamTimeout => "The upstream server is timing out",
        }
    }

    /// What the counters call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::ClientTimeout => "client_timeout",
            Self::FilterTrapped => "filter_trapped",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NoCertificate => "no_certificate",
            Self::NoRoute => "no_route",
            Self::NoTrust => "no_trust",
            Self::UpstreamBroken => "upstream_broken",
            Self::UpstreamTimeout => "upstream_timeout",
        }
    }

    /// A client's own mistake is nothing that an admin has to look after.
    pub(super) fn level(self) -> Level {
        if self.status().is_client_error() { Level::Info } else { Level::Error }
    }

    /// As the client wants to be told; where it does not say, as Kong has it: plain text of what nginx tells Kong
    /// (kong/error_handlers.lua, `error_default_type`), JSON of what Kong itself has found.
    pub(super) fn response(self, format: Option<Format>, request_id: &str) -> Response<Bytes> {
        let usual = match self {
            Self::UpstreamBroken | Self::UpstreamTimeout => Format::Plain,
            _ => Format::Json,
        };
        let format = format.unwrap_or(usual);
        let mut response = Response::new(format.body(self.message(), request_id).into());
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response
    }
}

/// How the client of a request wants to be told: as Kong, and the filter, choose it. `None`: it does not say.
pub(super) fn format(request: &HeaderMap) -> Option<Format> {
    let accept = request.get_all(ACCEPT).iter();
    request.get(ACCEPT)?;
    Some(Format::preferred(accept.map(|value| (ACCEPT.as_str().as_bytes(), value.as_bytes())), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_looks_like_kongs() {
        let mut request = HeaderMap::new();
        let json = Failure::NoRoute.response(format(&request), "0f");
        let body = "{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"0f\"\n}";
        assert_eq!((json.status().as_u16(), &json.body()[..]), (404, body.as_bytes()));
        assert_eq!(json.headers()[CONTENT_TYPE], "application/json; charset=utf-8");

        request.insert(ACCEPT, HeaderValue::from_static("text/plain"));
        let plain = Failure::UpstreamBroken.response(format(&HeaderMap::new()), "0f");
        assert_eq!(plain.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        let plain = Failure::UpstreamTimeout.response(format(&request), "0f");
        assert_eq!(&plain.body()[..], b"The upstream server is timing out\nrequest_id: 0f\n");
    }
}
