use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    Certificate, Chain, End, Finding, Key, KeyMatch, Material, Origin, Problem, PublicKey, Severity,
};

/// Certificates from one place, and what is to be said of them at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    pub origin: Origin,
    /// As they lie there.
    pub certificates: Vec<Certificate>,
    /// Absent: there is no leaf, all are authorities.
    pub chain: Option<Chain>,
    pub key: KeyMatch,
    pub findings: Vec<Finding>,
}

impl Inspection {
    /// Judges what was read, as of `now`. What expires within `ahead` is a finding.
    #[must_use]
    pub fn of(material: Material, now: OffsetDateTime, ahead: Duration) -> Self {
        let Material { origin, certificates, key, key_mode, anchors } = material;
        let chain = Chain::of(&certificates, anchors.as_deref().unwrap_or_default());
        let first = certificates.first();
        let key_match = match (&key, first) {
            (Some(key), Some(first)) => key.of_certificate(first),
            _ => KeyMatch::NotGiven,
        };
        let mut findings = Findings(Vec::new());
        for (at, certificate) in certificates.iter().enumerate() {
            findings.validity(at, certificate, now, ahead);
            findings.strength(at, certificate);
        }
        if let Some(chain) = &chain {
            findings.chain(chain, &certificates, anchors.is_some());
        }
        findings.key(key.as_ref(), key_match, key_mode);
        let Findings(findings) = findings;
        Self { origin, certificates, chain, key: key_match, findings }
    }

    /// The certificate that TLS would present.
    #[must_use]
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// Whether somebody will refuse this.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.problem.severity() == Severity::Wrong)
    }

    /// Whether anything expires within the time that was asked about, or has.
    #[must_use]
    pub fn expires(&self) -> bool {
        let is_end =
            |problem: &Problem| matches!(problem, Problem::Expired { .. } | Problem::ExpiresSoon { .. });
        self.findings.iter().any(|finding| is_end(&finding.problem))
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, certificate: impl Into<Option<usize>>, problem: Problem) {
        self.0.push(Finding { certificate: certificate.into(), problem });
    }

    fn validity(&mut self, at: usize, certificate: &Certificate, now: OffsetDateTime, ahead: Duration) {
        if now < certificate.not_before {
            self.add(at, Problem::NotYetValid { from: certificate.not_before });
        }
        // RFC 5280, 4.1.2.5: both ends included.
        if now >= certificate.not_after.saturating_add(Duration::SECOND) {
            self.add(at, Problem::Expired { at: certificate.not_after });
        } else if certificate.not_after - now < ahead {
            self.add(at, Problem::ExpiresSoon { days: certificate.days_left(now) });
        }
    }

    fn strength(&mut self, at: usize, certificate: &Certificate) {
        if let PublicKey::Rsa { bits } = certificate.public_key
            && bits < 2048
        {
            self.add(at, Problem::WeakKey { bits });
        }
        let algorithm = &certificate.signature_algorithm;
        // Nobody checks what a root signed of itself.
        if !certificate.is_self_issued()
            && (algorithm.contains("SHA1") || algorithm.starts_with("sha1") || algorithm.starts_with("md5"))
        {
            self.add(at, Problem::WeakSignature { algorithm: algorithm.clone() });
        }
        for oid in &certificate.opaque {
            self.add(at, Problem::CriticalUnknown { oid: oid.clone() });
        }
        let is_for_servers = certificate.extended_key_usage.is_some() && certificate.serves("serverAuth");
        if is_for_servers && !certificate.is_authority && certificate.names.is_empty() {
            self.add(at, Problem::Nameless);
        }
    }

    fn chain(&mut self, chain: &Chain, certificates: &[Certificate], anchored: bool) {
        let Chain { path, end, unchecked: _, stray } = chain;
        if path.first() != Some(&0) {
            self.add(0, Problem::LeafNotFirst);
        } else if !path.is_sorted() {
            self.add(None, Problem::OutOfOrder);
        }
        for (below, link) in path.windows(2).enumerate() {
            let [lower, upper] = [&certificates[link[0]], &certificates[link[1]]];
            let issuer = || upper.subject.clone();
            let signs = |usages: &Vec<&str>| usages.contains(&"keyCertSign");
            if !upper.is_authority || !upper.key_usage.as_ref().is_none_or(signs) {
                self.add(link[0], Problem::CannotSign { issuer: issuer() });
            }
            if upper.path_length.is_some_and(|allowed| (allowed as usize) < below) {
                self.add(link[0], Problem::PathTooLong { issuer: issuer() });
            }
            if lower.not_after > upper.not_after {
                self.add(link[0], Problem::Outlives { issuer: issuer() });
            }
        }
        let last = path.last().copied();
        match end {
            End::Forged { issuer } => self.add(last, Problem::Forged { issuer: issuer.clone() }),
            End::Missing { issuer } if anchored => {
                self.add(last, Problem::Unanchored { issuer: issuer.clone() });
            }
            // A chain without its root is how it should be.
            End::Missing { .. } | End::Anchored { .. } | End::Root => {}
        }
        stray.iter().filter(|at| **at != 0).for_each(|at| self.add(*at, Problem::Stray));
    }

    fn key(&mut self, key: Option<&Key>, key_match: KeyMatch, mode: Option<u32>) {
        match key {
            Some(Key::Encrypted) => self.add(None, Problem::KeyEncrypted),
            Some(Key::None) => self.add(None, Problem::KeyMissing),
            Some(Key::Unsupported) => self.add(None, Problem::KeyUnsupported),
            Some(Key::Public(_)) if key_match == KeyMatch::Differs => self.add(None, Problem::KeyDiffers),
            Some(Key::Public(_)) | None => {}
        }
        if let Some(mode) = mode.filter(|mode| mode & 0o004 != 0) {
            self.add(None, Problem::KeyOpen { mode });
        }
    }
}
