//! What an HTTP answer tells of the way behind it: nginx's and Kong's own words.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{Fault, Finding, Hop};

/// An HTTP answer, as far as it is of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// 0: no HTTP.
    pub status: u16,
    date: Option<OffsetDateTime>,
    body: String,
}

impl Answer {
    /// Reads one, or the beginning of it.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(head)) = response.parse(bytes) else { return Self::default() };
        let date = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("date"));
        let date = date.and_then(|date| {
            // RFC 9110, section 5.6.7: GMT is what RFC 2822 writes as +0000.
            let text = std::str::from_utf8(date.value).ok()?.replace("GMT", "+0000");
            OffsetDateTime::parse(&text, &Rfc2822).ok()
        });
        let body = String::from_utf8_lossy(&bytes[head..]).into_owned();
        Self { status: response.code.unwrap_or_default(), date, body }
    }

    /// Whether nothing more is to be waited for: the length that was announced is there.
    pub(super) fn is_whole(bytes: &[u8]) -> bool {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(head)) = response.parse(bytes) else { return false };
        let length =
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|length| std::str::from_utf8(length.value).ok()?.parse::<usize>().ok());
        length.is_some_and(|length| bytes.len() >= head + length)
    }

    pub(super) fn findings(&self, hop: Hop, now: OffsetDateTime) -> Vec<Finding> {
        let mut findings = Vec::new();
        let skew = self.date.map_or(0, |date| (date - now).whole_seconds());
        if skew.abs() > MOST_SKEW {
            findings.push(Finding::of(hop, Fault::ClockSkew { seconds: skew }));
        }
        findings.push(match self.fault() {
            Some(fault) => Finding::of(hop, fault),
            None => Finding::fine(hop, format!("HTTP {}", self.status)),
        });
        findings
    }

    fn fault(&self) -> Option<Fault> {
        let says = |words: &str| self.body.contains(words);
        let message = || {
            let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
            let message = body["message"].as_str().unwrap_or_default();
            // What another machine says stays on one line, and short.
            message.chars().filter(|c| !c.is_control()).take(200).collect::<String>()
        };
        match self.status {
            0 => Some(Fault::NotHttp),
            400 if says("No required SSL certificate was sent") => Some(Fault::NoRequiredCertificate),
            400 if says("The SSL certificate error") => {
                Some(Fault::RefusesOurs { why: "400 The SSL certificate error (nginx)".into() })
            }
            400 if says("The plain HTTP request was sent to HTTPS port") => {
                Some(Fault::HandshakeFailed { why: "plain HTTP was sent to a TLS port".into() })
            }
            401 => Some(Fault::Unauthorized { message: message() }),
            502 if says("An invalid response was received from the upstream server") => {
                Some(Fault::UpstreamFailed { status: 502 })
            }
            503 if says("No client certificate in force") || says("No trust anchors in force") => {
                Some(Fault::NoCertificateInForce)
            }
            status @ 500.. => Some(Fault::GatewayStatus { status, message: message() }),
            _ => None,
        }
    }
}

/// Seconds. Certificates of short life are not valid yet for a clock that is this far behind.
const MOST_SKEW: i64 = 120;
