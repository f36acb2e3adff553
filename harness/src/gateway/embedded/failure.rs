//! The gateway's own answers where it has no other, worded and formatted as Kong 3.9 does
//! (kong/error_handlers.lua, kong/tools/http.lua).

use ::log::Level;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

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

    pub(super) fn response(self, format: Format, request_id: &str) -> Response<Bytes> {
        let mut response = Response::new(format.body(self.message(), request_id).into());
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response
    }
}

/// How an answer is written.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Grpc,
    Html,
    Json,
    Plain,
    Xml,
}

impl Format {
    /// What a request likes best. The first with the highest quality counts; what is not known counts as JSON.
    pub(super) fn of(request: &HeaderMap) -> Self {
        let accepted = request.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0.0, Self::Json);
        for range in accepted.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let format = Self::named(parts.next().unwrap_or_default());
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if quality > best.0 {
                best = (quality, format);
            }
        }
        best.1
    }

    fn named(media_type: &str) -> Self {
        match media_type.to_ascii_lowercase().as_str() {
            "application/grpc" => Self::Grpc,
            "text/html" => Self::Html,
            "text/plain" | "text/*" => Self::Plain,
            "application/xml" => Self::Xml,
            _ => Self::Json,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }

    fn body(self, message: &str, request_id: &str) -> String {
        match self {
            Self::Grpc => String::new(),
            Self::Html => format!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  \
                 </head>\n  <body>\n    <h1>Error</h1>\n    <p>{message}.</p>\n    \
                 <p>request_id: {request_id}</p>\n  </body>\n</html>\n"
            ),
            Self::Json => format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"{request_id}\"\n}}"),
            Self::Plain => format!("{message}\nrequest_id: {request_id}\n"),
            Self::Xml => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{message}</message>\n  \
                 <requestid>{request_id}</requestid>\n</error>\n"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(accept: Option<&'static str>) -> (String, String) {
        let mut request = HeaderMap::new();
        request.extend(accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept))));
        let response = Failure::NoRoute.response(Format::of(&request), "0f");
        assert_eq!(response.status(), 404);
        let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        (content_type, String::from_utf8(response.into_body().to_vec()).unwrap())
    }

    #[test]
    fn without_a_wish_the_answer_is_json() {
        let json = "{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"0f\"\n}";
        for accept in [None, Some("*/*"), Some("image/png"), Some("application/*")] {
            assert_eq!(answer(accept), ("application/json; charset=utf-8".into(), json.into()), "{accept:?}");
        }
    }

    #[test]
    fn the_best_liked_format_is_taken() {
        let plain = "no Route matched with those values\nrequest_id: 0f\n";
        for accept in ["text/plain", "text/*", "text/html;q=0.5, text/plain;q=0.9, */*;q=0.1"] {
            assert_eq!(answer(Some(accept)), ("text/plain; charset=utf-8".into(), plain.into()), "{accept}");
        }
        assert!(answer(Some("text/html, text/plain")).1.contains("<p>request_id: 0f</p>"));
        assert!(answer(Some("application/xml")).1.contains("<requestid>0f</requestid>"));
        assert_eq!(answer(Some("application/grpc")).1, "");
    }
}
