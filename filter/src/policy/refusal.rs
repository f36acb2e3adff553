//! How a refusal looks to a client: as Kong 3.9's `kong.response.error` writes it, which key-auth answers with.

use std::borrow::Cow;
use std::fmt;

use super::request::Header;

/// No.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// What the client is told.
    pub message: &'a str,
    /// WWW-Authenticate.
    pub challenge: Option<&'a str>,
    /// What the admin is told.
    pub reason: Reason<'a>,
}

/// Why: for logs, so without any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    AmbiguousPath,
    /// What is to be hidden from the upstream would reach it.
    CannotClear,
    Denied {
        rule: usize,
    },
    DuplicateKey,
    ExpiredKey {
        consumer: &'a str,
        key: &'a str,
    },
    InvalidPolicy {
        problem: &'a str,
    },
    NoConsumer,
    NoKey,
    NoPolicy,
    /// The certificate is selected, but the gateway cannot present it now.
    NotInForce {
        certificate: &'a str,
        because: String,
    },
    NotYetValidKey {
        consumer: &'a str,
        key: &'a str,
    },
    UnknownKey,
}

impl Refusal<'static> {
    /// Where no valid policy is in force, nobody gets in.
    pub const NO_POLICY: Self =
        Self { status: 503, message: "No valid policy", challenge: None, reason: Reason::NoPolicy };

    /// Where the host cannot take a header away that the upstream must not get.
    pub const CANNOT_CLEAR: Self = Self {
        status: 503,
        message: "Request headers cannot be cleared",
        challenge: None,
        reason: Reason::CannotClear,
    };
}

impl<'a> Refusal<'a> {
    /// The policy is invalid, and why.
    pub fn invalid_policy(problem: &'a str) -> Self {
        Self { reason: Reason::InvalidPolicy { problem }, ..Refusal::NO_POLICY }
    }

    /// The selected certificate cannot be presented.
    pub fn not_in_force(certificate: &'a str, because: String) -> Self {
        Self {
            status: 503,
            message: "No client certificate in force",
            challenge: None,
            reason: Reason::NotInForce { certificate, because },
        }
    }

    /// The body; `request_id` is empty where the host has none.
    pub fn body(&self, format: Format, request_id: &str) -> String {
        format.body(self.message, request_id)
    }

    /// `grpc-status` for a gRPC client, as Kong maps it.
    pub fn grpc_status(&self) -> u8 {
        match self.status {
            400 => 3,
            401 => 16,
            403 => 7,
            404 => 5,
            409 => 6,
            429 => 8,
            499 => 1,
            501 => 12,
            503 => 14,
            504 => 4,
            402..=498 => 3,
            _ => 13,
        }
    }
}

/// Of what type a refusal's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Grpc,
    Html,
    Json,
    Plain,
    Xml,
}

impl Format {
    /// The one that a client prefers: by `Accept`, but empty for gRPC (over HTTP/2, as Kong has it).
    pub fn preferred<'h>(headers: impl IntoIterator<Item = Header<'h>>, http2: bool) -> Self {
        let mut best = (0, Self::Json);
        for (name, value) in headers {
            if http2 && name.eq_ignore_ascii_case(b"content-type") && value.starts_with(b"application/grpc") {
                return Self::Grpc;
            }
            if !name.eq_ignore_ascii_case(b"accept") {
                continue;
            }
            for range in String::from_utf8_lossy(value).split(',') {
                if let Some((quality, format)) = media_range(range.trim()).filter(|(q, _)| *q > best.0) {
                    best = (quality, format);
                }
            }
        }
        best.1
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }

    /// The body of an error that says `message`.
    pub fn body(self, message: &str, request_id: &str) -> String {
        match self {
            Self::Grpc => String::new(),
            Self::Html => format!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  \
                 </head>\n  <body>\n    <h1>Error</h1>\n    <p>{}.</p>\n    <p>request_id: {request_id}</p>\n  \
                 </body>\n</html>\n",
                markup(message)
            ),
            Self::Json => format!(
                "{{\n  \"message\":{},\n  \"request_id\":\"{request_id}\"\n}}",
                // Text always has a JSON.
                serde_json::to_string(message).unwrap_or_default()
            ),
            Self::Plain => format!("{message}\nrequest_id: {request_id}\n"),
            Self::Xml => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{}</message>\n  \
                 <requestid>{request_id}</requestid>\n</error>\n",
                markup(message)
            ),
        }
    }
}

/// Quality in thousandths, and the format; a type that Kong does not know is JSON to it.
fn media_range(range: &str) -> Option<(u32, Format)> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?;
    let (main, sub) = kind.split_once('/')?;
    if main.is_empty() || sub.is_empty() {
        return None;
    }
    let quality =
        parts.filter_map(|part| quality(part.strip_prefix("q=").or(part.strip_prefix("Q="))?)).next_back();
    let format = match kind {
        "text/html" => Format::Html,
        "application/xml" => Format::Xml,
        "text/plain" | "text/*" => Format::Plain,
        _ => Format::Json,
    };
    Some((quality.unwrap_or(1000), format))
}

/// RFC 9110, section 12.4.2: at most three digits after the point.
fn quality(text: &str) -> Option<u32> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: u32 = match digits.len() {
        0 => 0,
        1..=3 => format!("{digits:0<3}").parse().ok()?,
        _ => return None,
    };
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

fn markup(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>']) {
        return text.into();
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").into()
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmbiguousPath => f.write_str("upstreams may read this path in more than one way"),
            Self::Denied { rule } => write!(f, "rules[{rule}] denies it"),
            Self::DuplicateKey => f.write_str("more than one API key under one name"),
            Self::ExpiredKey { consumer, key } => write!(f, "key {key:?} of {consumer:?} has expired"),
            Self::InvalidPolicy { problem } => write!(f, "the policy is invalid: {problem}"),
            Self::NoConsumer => f.write_str("the gateway's authentication has established no consumer"),
            Self::NoKey => f.write_str("no API key"),
            Self::CannotClear => f.write_str(
                "headers are to be taken away, and on Kong only the plugin upstream-mtls can: name it in kong.conf's \
                 `plugins`",
            ),
            Self::NoPolicy => f.write_str("no valid policy is in force"),
            Self::NotInForce { certificate, because } => {
                write!(f, "client certificate {certificate:?} is not in force: {because}")
            }
            Self::NotYetValidKey { consumer, key } => {
                write!(f, "key {key:?} of {consumer:?} is not valid yet")
            }
            Self::UnknownKey => f.write_str("nobody has this API key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_kong_would_have_written() {
        let refusal = Refusal {
            status: 403,
            message: "say \"please\" & <wait>",
            challenge: None,
            reason: Reason::Denied { rule: 0 },
        };
        let body = |format| refusal.body(format, "4711");
        assert_eq!(
            body(Format::Json),
            "{\n  \"message\":\"say \\\"please\\\" & <wait>\",\n  \"request_id\":\"4711\"\n}"
        );
        assert_eq!(body(Format::Plain), "say \"please\" & <wait>\nrequest_id: 4711\n");
        assert_eq!(
            body(Format::Xml),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>say \"please\" &amp; &lt;wait&gt;</message>\n  \
             <requestid>4711</requestid>\n</error>\n"
        );
        assert_eq!(
            body(Format::Html),
            "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  \
             <body>\n    <h1>Error</h1>\n    <p>say \"please\" &amp; &lt;wait&gt;.</p>\n    \
             <p>request_id: 4711</p>\n  </body>\n</html>\n"
        );
        assert_eq!(body(Format::Grpc), "");
    }

    #[test]
    fn the_format_is_the_one_that_kong_would_choose() {
        let rows = [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/html", Format::Html),
            ("text/*", Format::Plain),
            ("application/*", Format::Json),
            ("text/plain;q=0.5, application/xml;q=0.7", Format::Xml),
            ("text/plain; q=0.7 , application/xml;q=0.65", Format::Plain),
            ("text/html;level=1;q=0.3,text/plain;q=0.2", Format::Html),
            ("image/png, text/html;q=0.9", Format::Json),
            ("text/html;q=0", Format::Json),
            ("nonsense, text/html", Format::Html),
            ("text/html, text/plain", Format::Html),
            ("text/, text/html;q=0.5", Format::Html),
            ("/html, text/html;q=0.5", Format::Html),
            ("text/html;q=0.1;q=1, text/plain;q=0.5", Format::Html),
            ("text/html;q=0.1234, text/plain;q=0.5", Format::Html),
            ("text/html;Q=0.3, text/plain;q=0.5", Format::Plain),
        ];
        for (accept, owed) in rows {
            let headers = [(&b"Accept"[..], accept.as_bytes())];
            assert_eq!(Format::preferred(headers, false), owed, "{accept}");
        }
        let grpc = [(&b"content-type"[..], &b"application/grpc+proto"[..])];
        assert_eq!(Format::preferred(grpc, true), Format::Grpc);
        assert_eq!(Format::preferred(grpc, false), Format::Json);
        let accepts_grpc = [(&b"accept"[..], &b"application/grpc"[..])];
        assert_eq!(Format::preferred(accepts_grpc, true), Format::Json);
        let sends_json = [(&b"content-type"[..], &b"application/json"[..])];
        assert_eq!(Format::preferred(sends_json, true), Format::Json);
    }

    #[test]
    fn a_body_says_of_what_type_it_is() {
        let rows = [
            (Format::Grpc, "application/grpc"),
            (Format::Html, "text/html; charset=utf-8"),
            (Format::Json, "application/json; charset=utf-8"),
            (Format::Plain, "text/plain; charset=utf-8"),
            (Format::Xml, "application/xml; charset=utf-8"),
        ];
        for (format, owed) in rows {
            assert_eq!(format.content_type(), owed);
        }
    }

    #[test]
    fn a_grpc_client_gets_the_status_that_kong_maps_to() {
        let rows = [
            (400, 3),
            (401, 16),
            (402, 3),
            (403, 7),
            (404, 5),
            (405, 3),
            (409, 6),
            (429, 8),
            (498, 3),
            (499, 1),
            (500, 13),
            (501, 12),
            (502, 13),
            (503, 14),
            (504, 4),
            (599, 13),
        ];
        for (status, owed) in rows {
            assert_eq!(Refusal { status, ..Refusal::NO_POLICY }.grpc_status(), owed, "{status}");
        }
    }

    #[test]
    fn a_log_says_why_in_words_that_tell_no_key() {
        let (consumer, key) = ("ann", "1");
        let not_in_force = Refusal::not_in_force("vet", "expired".to_owned()).reason;
        let rows = [
            (Reason::AmbiguousPath, "upstreams may read this path in more than one way"),
            (Reason::Denied { rule: 7 }, "rules[7] denies it"),
            (Reason::DuplicateKey, "more than one API key under one name"),
            (Reason::ExpiredKey { consumer, key }, "key \"1\" of \"ann\" has expired"),
            (Reason::NoConsumer, "the gateway's authentication has established no consumer"),
            (Reason::NoKey, "no API key"),
            (Refusal::NO_POLICY.reason, "no valid policy is in force"),
            (Refusal::invalid_policy("rules: no").reason, "the policy is invalid: rules: no"),
            (not_in_force, "client certificate \"vet\" is not in force: expired"),
            (Reason::NotYetValidKey { consumer, key }, "key \"1\" of \"ann\" is not valid yet"),
            (Reason::UnknownKey, "nobody has this API key"),
            (
                Refusal::CANNOT_CLEAR.reason,
                "headers are to be taken away, and on Kong only the plugin upstream-mtls can: name it in kong.conf's \
                 `plugins`",
            ),
        ];
        for (reason, owed) in rows {
            assert_eq!(reason.to_string(), owed);
        }
    }
}
