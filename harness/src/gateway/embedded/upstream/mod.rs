//! The plugin upstream-mtls and Kong's own upstream TLS settings: which client certificate goes to a
//! service, which upstreams are believed, and which requests may share a connection.

mod certificate;
mod client;
mod compile;
mod expiring;
mod identity;
mod refresh;
mod revocation;
mod trust;
mod watched;
mod way;

use std::sync::Arc;

pub use certificate::{ClientCertificate, Leaf, Unusable};
pub use client::{Body, BoxError, Client, Destination, PoolKey, Pools, causes, is_verdict};
pub use identity::{CertificateRequest, Identity};
pub use refresh::{Change, publish, refresh};
pub use revocation::RevocationLists;
pub use trust::{Against, Anchors, Verification};
pub use watched::{Material, Watched};
pub use way::{NoWay, Plugin, Upstreams, Way};

/// Under which terms a request goes to its upstream.
pub struct Terms {
    pub certificate: Option<Arc<ClientCertificate>>,
    pub verification: Verification,
    pub request: CertificateRequest,
}

impl Terms {
    /// What a connection under these terms belongs to.
    pub fn pool_key(&self, destination: &Arc<Destination>) -> PoolKey {
        let certificate = self.certificate.as_ref().map(|certificate| &certificate.digest);
        let identity =
            Identity::of(certificate, self.verification.identity(), self.request, &destination.host);
        PoolKey { identity, destination: destination.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests;
