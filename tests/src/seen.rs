//! An answer, and in it what the upstream saw.

use reqwest::blocking::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What came back. Where the upstream answered, the body tells what it saw.
pub struct Seen {
    pub status: u16,
    pub text: String,
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    pub(crate) fn of(response: Response) -> Self {
        Self::try_of(response).unwrap()
    }

    /// `None`: it broke off.
    pub(crate) fn try_of(response: Response) -> Option<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().ok()?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Some(Self { status, text, headers, body })
    }

    /// The message of a refusal.
    pub fn message(&self) -> Option<&str> {
        self.body["message"].as_str()
    }

    /// As whom the upstream was called; `None` where it did not answer, or saw no certificate.
    pub fn common_name(&self) -> Option<&str> {
        self.answer_header("x-seen-client")
    }

    /// SHA-256 of the client certificate that the upstream saw.
    pub fn fingerprint(&self) -> Option<String> {
        self.body["client"]["fingerprint"].as_str().map(str::to_owned)
    }

    /// How many certificates the upstream was sent.
    pub fn chain_length(&self) -> u64 {
        self.body["client"]["chain_length"].as_u64().unwrap_or_default()
    }

    /// The number of the connection on which the upstream saw the request.
    pub fn connection(&self) -> u64 {
        self.body["number"].as_u64().unwrap_or_else(|| panic!("no connection in {}", self.text))
    }

    /// What the upstream was called in the handshake.
    pub fn server_name(&self) -> Option<&str> {
        self.body["server_name"].as_str()
    }

    /// Whether the upstream resumed a TLS session for it.
    pub fn resumed(&self) -> bool {
        self.body["resumed"] == true
    }

    /// The values of a request header that the upstream saw.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let headers = self.body["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
        headers.iter().filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect()
    }

    /// A header of the answer.
    pub fn answer_header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
