//! What a Dogcatcher saw, for suites that have to know.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// A client certificate as it was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Client {
    /// RFC 4514.
    pub subject: String,
    pub common_name: Option<String>,
    /// `DNS:…`, `URI:…`, `IP:…`.
    pub sans: Vec<String>,
    /// Lower-case hex.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// How many certificates were sent.
    pub chain_length: usize,
}

/// A connection, as far as its handshake told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// Counted from 1, over all listeners.
    pub number: u64,
    pub client: Option<Client>,
    /// `TLSv1_3`; absent on plain HTTP.
    pub tls_version: Option<String>,
    pub cipher: Option<String>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// Whether the TLS session began on an earlier connection.
    pub resumed: bool,
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    #[serde(flatten)]
    pub connection: Connection,
    /// Counted from 1 on its connection.
    pub request_on_connection: u64,
    pub method: String,
    /// Path and query, byte for byte.
    pub uri: String,
    /// Names in lower case; values that are not UTF-8 with replacement characters.
    pub headers: Vec<(String, String)>,
}

/// Counts, and the latest requests.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    counts: Counts,
    latest: VecDeque<Seen>,
}

/// How much came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections accepted.
    pub connections: u64,
    /// Of these, open still.
    pub open: u64,
    /// TLS handshakes that failed.
    pub refused_handshakes: u64,
    pub requests: u64,
}

impl Ledger {
    /// Counts a connection, as open too for as long as what is given back is kept, and gives it its number.
    pub(super) fn connected(&self) -> (u64, Open<'_>) {
        self.with(|entries| {
            entries.counts.connections += 1;
            entries.counts.open += 1;
            (entries.counts.connections, Open(self))
        })
    }

    pub(super) fn refused_handshake(&self) {
        self.with(|entries| entries.counts.refused_handshakes += 1);
    }

    pub(super) fn saw(&self, seen: Seen) {
        self.with(|entries| {
            entries.counts.requests += 1;
            if entries.latest.len() == KEPT {
                entries.latest.pop_front();
            }
            entries.latest.push_back(seen);
        });
    }

    pub(super) fn counts(&self) -> Counts {
        self.with(|entries| entries.counts)
    }

    pub(super) fn latest(&self) -> Vec<Seen> {
        self.with(|entries| entries.latest.iter().cloned().collect())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Entries) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection that is open.
pub(super) struct Open<'l>(&'l Ledger);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.with(|entries| entries.counts.open -= 1);
    }
}

/// Requests that are kept; older ones are counted only.
const KEPT: usize = 1_000;
