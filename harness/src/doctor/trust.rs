//! Whom the gateway believes.

use std::sync::Arc;

use super::{Fault, Finding, Hop, TrustedBy};
use crate::gateway::embedded::upstream::{Against, Anchors, Material, RevocationLists};
use pki::inspect::Certificate;

/// What an upstream is verified against.
pub(super) struct Trusted {
    pub(super) against: Against,
    pub(super) certificates: Vec<Certificate>,
}

pub(super) fn look(by: Option<&TrustedBy>, now: time::OffsetDateTime) -> (Option<Trusted>, Finding) {
    let Some(by) = by else { return (None, Finding::of(HOP, Fault::Unverified)) };
    match read(by, now) {
        Err(fault) => (None, Finding::of(HOP, fault)),
        Ok(trusted) => {
            let names: Vec<_> = trusted.certificates.iter().map(|one| one.subject.clone()).collect();
            let finding = Finding::fine(HOP, names.join("; "));
            (Some(trusted), finding)
        }
    }
}

fn read(by: &TrustedBy, now: time::OffsetDateTime) -> Result<Trusted, Fault> {
    let TrustedBy { anchors, depth, revocations, names } = by;
    let unusable = |why: String| Fault::AnchorUnusable { why };
    let pem = anchors.read()?;
    let certificates = anchors.certificates().map_err(|fault| unusable(fault.to_string()))?;
    if let Some(leaf) = certificates.iter().find(|one| !one.is_authority) {
        return Err(unusable(format!("{} is no authority", leaf.subject)));
    }
    let anchors = Anchors::parse(&pem).map_err(|why| unusable(why.to_string()))?;
    let revocations = revocations.as_ref().map(|text| {
        let lists = RevocationLists::read(&[text.read()?]);
        lists
            .and_then(|lists| lists.check(now).map(|()| Arc::new(lists)))
            .map_err(|why| Fault::RevocationsUnusable { why: why.to_string() })
    });
    let against = Against {
        anchors: Arc::new(anchors),
        depth: *depth,
        revocations: revocations.transpose()?,
        names: names.clone().into(),
    };
    Ok(Trusted { against, certificates })
}

const HOP: Hop = Hop::TrustAnchors;
