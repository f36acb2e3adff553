//! What became of a request.

/// What the client got, and what the upstream heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Absent where nobody answers: the core alone has no upstream.
    pub answer: Option<Answer>,
    /// Absent where the request went no further than the gateway.
    pub upstream: Option<Heard>,
    /// What the upstream heard besides, oldest first: to be nothing, for a client has asked once.
    pub smuggled: Vec<Heard>,
}

/// What the client got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// 0: nothing that could be read as an answer.
    pub status: u16,
    /// As they came; bytes that are not UTF-8 as replacement characters.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// By what the gateway knows the request; empty where it does not say.
    pub request_id: String,
}

/// What the upstream heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Common name in the client certificate, if there was one.
    pub certificate: Option<String>,
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// As they came; bytes that are not UTF-8 as replacement characters.
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// As whom the mock upstream was called, if it was it that answered.
    pub fn seen_client(&self) -> Option<&str> {
        self.header("x-seen-client")
    }

    /// The message of a refusal; the whole body where it is not JSON.
    pub fn message(&self) -> String {
        let body = serde_json::from_str::<serde_json::Value>(&self.body).ok();
        let message = body.as_ref().and_then(|body| body["message"].as_str());
        message.unwrap_or(&self.body).to_owned()
    }
}

/// The values of a header, in their order; names are compared without regard to case.
pub(super) fn values<'h>(headers: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    let named = headers.iter().filter(|(each, _)| each.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}
