//! The client certificate: readable, whole, of its key, for clients, and within its time.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};

use super::{Fault, Finding, Hop, Text};
use pki::inspect::{Certificate, Inspection, Key, Material, Origin, Problem, Severity};

/// What can be presented. No `Debug`: it holds a private key.
pub(super) struct Presented {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) chain: Vec<Certificate>,
}

/// What there is to present, even where nobody should; and what is to be said of it.
pub(super) fn look(chain: &Text, key: &Text, now: OffsetDateTime) -> (Option<Presented>, Finding) {
    match read(chain, key) {
        Err(fault) => (None, Finding::of(HOP, fault)),
        Ok((presented, public)) => {
            let leaf = &presented.chain[0];
            let finding = match judge(&presented.chain, public, key.mode(), now) {
                Some(fault) => Finding::of(HOP, fault),
                None => Finding::fine(HOP, format!("{}, {} days left", leaf.subject, leaf.days_left(now))),
            };
            (Some(presented), finding)
        }
    }
}

fn read(chain: &Text, key: &Text) -> Result<(Presented, Key), Fault> {
    let chain = chain.certificates()?;
    let pem = key.read()?;
    let public = Key::of(&pem);
    match public {
        Key::Encrypted => return Err(Fault::KeyEncrypted),
        Key::None => return Err(Fault::KeyMissing),
        Key::Public(_) | Key::Unsupported => {}
    }
    // What the parser says of a key may quote it.
    let unfit =
        || Fault::ClientUnfit { what: "the private key is of a kind that is not supported here".into() };
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| Fault::KeyMissing)?;
    let signing = any_supported_type(&private).map_err(|_| unfit())?;
    let ders = chain.iter().map(|certificate| certificate.der.clone()).collect();
    Ok((Presented { key: Arc::new(CertifiedKey::new(ders, signing)), chain }, public))
}

/// The first thing that breaks it; else the first that should not stay so.
fn judge(chain: &[Certificate], key: Key, key_mode: Option<u32>, now: OffsetDateTime) -> Option<Fault> {
    let material = Material {
        origin: Origin::Live { address: String::new() },
        certificates: chain.to_vec(),
        key: Some(key),
        key_mode,
        anchors: None,
    };
    let inspection = Inspection::of(material, now, AHEAD);
    let leaf = chain.first()?;
    // Where it ends the upstream may go on: only it knows what it trusts.
    let of_leaf = inspection.findings.iter().filter(|finding| finding.certificate.unwrap_or(0) == 0);
    let mut faults: Vec<_> = of_leaf.filter_map(|finding| fault(&finding.problem)).collect();
    if !leaf.serves("clientAuth") {
        faults.push(Fault::ClientUsage);
    }
    faults.sort_by_key(|fault| !fault.breaks());
    faults.into_iter().next()
}

fn fault(problem: &Problem) -> Option<Fault> {
    Some(match problem {
        Problem::Expired { at } => Fault::ClientExpired { at: *at },
        Problem::ExpiresSoon { days } => Fault::ClientExpiresSoon { days: *days },
        Problem::NotYetValid { from } => Fault::ClientNotYetValid { from: *from },
        Problem::KeyDiffers => Fault::KeyMismatch,
        Problem::KeyOpen { mode } => Fault::KeyOpen { mode: *mode },
        other if other.severity() == Severity::Wrong => Fault::ClientUnfit { what: other.to_string() },
        _ => return None,
    })
}

const HOP: Hop = Hop::ClientCertificate;
/// As upstream-mtls' `expiry_warning`, where nothing else is said.
const AHEAD: Duration = Duration::days(30);
