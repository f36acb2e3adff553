//! What became of one request.

use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::metrics::Place;
use super::super::properties::POLICY;
use super::super::status::date;
use kong_config::declarative::{Route, Service};

/// A request and its answer, as the page tells of them: nothing that may hold a key. A client that puts one into the
/// path has told it to every log on the way.
pub(in super::super) struct Decision {
    at: OffsetDateTime,
    method: Box<str>,
    /// As the client sent it, without the query.
    path: Box<str>,
    route: Box<str>,
    /// Whom the policy took the client for; empty: nobody, or there is no policy.
    consumer: Box<str>,
    /// That is presented, or would have been; empty: none.
    certificate: Box<str>,
    /// In the words of the log.
    reason: Box<str>,
    /// In the words of the counters.
    outcome: &'static str,
    status: u16,
}

impl Decision {
    pub(in super::super) fn on(method: &Method, uri: &Uri) -> Self {
        Self {
            at: OffsetDateTime::now_utc(),
            method: shortened(method.as_str()),
            path: shortened(uri.path()),
            route: "".into(),
            consumer: "".into(),
            certificate: "".into(),
            reason: "".into(),
            outcome: "",
            status: 0,
        }
    }

    /// The filter let it pass: `headers` are as it left them.
    pub(in super::super) fn allowed(
        &mut self,
        route: &Route,
        service: &Service,
        headers: &HeaderMap,
        certificate: Option<&str>,
    ) {
        // Without a policy these headers are the client's own.
        if route.filters.iter().chain(&service.filters).any(|filter| filter.name == POLICY) {
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(shortened);
            self.consumer = text("x-consumer-username").or(text("x-consumer-id")).unwrap_or_default();
        }
        self.asks_for(certificate.unwrap_or_default());
    }

    pub(in super::super) fn asks_for(&mut self, certificate: &str) {
        self.certificate = certificate.into();
    }

    pub(in super::super) fn because(&mut self, reason: &str) {
        self.reason = shortened(reason);
    }

    pub(in super::super) fn answered(
        self,
        place: Place<'_>,
        outcome: &'static str,
        status: StatusCode,
    ) -> Self {
        Self { route: place.route.into(), outcome, status: status.as_u16(), ..self }
    }

    pub(super) fn tell(&self, number: u64) -> Value {
        json!({
            "number": number,
            "at": date(self.at),
            "method": self.method,
            "path": self.path,
            "route": self.route,
            "consumer": self.consumer,
            "certificate": self.certificate,
            "reason": self.reason,
            "outcome": self.outcome,
            "status": self.status,
        })
    }
}

/// A client may send a long path; nobody reads it to its end.
fn shortened(text: &str) -> Box<str> {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Characters.
const MOST: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_not_remembered_nor_is_a_path_without_end() {
        let told = |uri: &str| Decision::on(&Method::GET, &uri.parse().unwrap()).tell(1)["path"].clone();
        assert_eq!(told("/dogs?apikey=s3cr3t"), "/dogs");
        assert_eq!(told("http://user:s3cr3t@dogs/dogs?apikey=s3cr3t"), "/dogs");
        let told = told(&format!("/{}", "a".repeat(10_000)));
        assert_eq!(told.as_str().map(|path| path.chars().count()), Some(MOST + 1));
    }
}
