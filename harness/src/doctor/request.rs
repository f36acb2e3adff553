//! Whether the upstream asks for a client certificate, and of whom.

use super::handshake::Seen;
use super::{Fault, Finding, Hop};
use pki::inspect::Certificate;

/// `own`: the chain that is presented. `is_taken`: the upstream took it, whatever it has asked for.
pub(super) fn look(seen: &Seen, own: &[Certificate], is_taken: bool) -> Finding {
    let Some(asked) = &seen.asked else { return Finding::of(HOP, Fault::AsksNobody) };
    let wanted = &asked.authorities;
    if wanted.is_empty() {
        return Finding::fine(HOP, "it asks, and does not say for whose");
    }
    let is_wanted = own.iter().any(|one| wanted.contains(&one.issuer) || wanted.contains(&one.subject));
    match own.last() {
        Some(last) if !is_taken && !is_wanted => {
            let issuer = last.issuer.clone();
            // An authority of ours that the upstream itself sends along, and that one whom it wants has signed.
            let is_between =
                seen.shown.iter().any(|one| one.subject == issuer && wanted.contains(&one.issuer));
            let fault = match is_between {
                true => Fault::ChainIncomplete { issuer },
                false => Fault::AsksOthers { wanted: wanted.clone(), issuer },
            };
            Finding::of(HOP, fault)
        }
        _ => Finding::fine(HOP, format!("it asks for one of {}", wanted.join("; "))),
    }
}

const HOP: Hop = Hop::CertificateRequest;
