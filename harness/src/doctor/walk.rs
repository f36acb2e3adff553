//! From hop to hop.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Finding, Hop, Patient, State, acceptance, address, client, handshake, request, server, trust};

/// Looks at every hop from the gateway to the upstream, as of `now`. Connects; sends one GET at most.
#[must_use]
pub fn examine(patient: &Patient, now: OffsetDateTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    walk(patient, now, &mut findings);
    let seen: Vec<_> = findings.iter().map(|finding| finding.hop).collect();
    let hops = if patient.is_https { HOPS } else { PLAIN };
    let untried = hops.iter().filter(|hop| !seen.contains(hop));
    findings.extend(untried.map(|hop| Finding { hop: *hop, state: State::Untried }));
    findings
}

fn walk(patient: &Patient, now: OffsetDateTime, findings: &mut Vec<Finding>) {
    if !patient.is_https {
        // Nothing to present, and nobody to verify.
        address::look(&patient.host, patient.port, findings);
        return;
    }
    let mut presented = None;
    if let Some((chain, key)) = &patient.client {
        let (found, finding) = client::look(chain, key, now);
        presented = found;
        findings.push(finding);
    }
    let (trusted, finding) = trust::look(patient.trust.as_ref(), now);
    findings.push(finding);
    if !address::look(&patient.host, patient.port, findings) {
        return;
    }
    let (seen, finding) = handshake::look(patient);
    findings.push(finding);
    let Some(seen) = seen else { return };
    let own = presented.as_ref().map(|presented| &*presented.chain).unwrap_or_default();
    findings.push(server::look(&seen.shown, trusted.as_ref(), own, &patient.server_name, now));

    // A gateway would not get as far when the upstream is not to be believed; what the upstream says of what is presented
    // is of use all the same. What cannot be read cannot be presented.
    let mut then = Vec::new();
    if patient.client.is_none() || presented.is_some() {
        acceptance::look(patient, presented.as_ref(), seen.asked.is_some(), now, &mut then);
    }
    let is_taken = then.first().is_some_and(|finding| !finding.is_broken());
    findings.push(request::look(&seen, own, is_taken));
    findings.extend(then);
}

const HOPS: &[Hop] = &[
    Hop::ClientCertificate,
    Hop::TrustAnchors,
    Hop::Address,
    Hop::Port,
    Hop::Tls,
    Hop::ServerCertificate,
    Hop::CertificateRequest,
    Hop::Acceptance,
    Hop::Answer,
];
const PLAIN: &[Hop] = &[Hop::Address, Hop::Port];

/// For each step that waits for somebody.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
