//! The identity of an upstream connection: what decides which requests may share it.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// 32 characters of lower-case hex. Two requests with equal identities may ride one connection and
/// resume each other's TLS sessions; any others never.
///
/// Lower case and at most 32 characters, for some balancers compare such names without regard to
/// case, or cut them off there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity([u8; 16]);

impl Identity {
    /// The identity of connections to `server_name` that present `certificate` and accept upstreams
    /// that `trust` vouches for. `certificate` and `trust` are digests over what is in force, never
    /// names or ids: these outlive what they stand for.
    pub(super) fn of(
        certificate: Option<&Digest>,
        trust: Trusted<'_>,
        request: CertificateRequest,
        server_name: &str,
    ) -> Self {
        let absent = || &[][..];
        let (verify, anchors, depth, revocations, names) = match &trust {
            Trusted::Anyone => (0, absent(), 0, absent(), absent()),
            Trusted::Below { anchors, depth, revocations, names } => {
                let revocations = revocations.map_or(absent(), |digest| &digest.0[..]);
                (1, &anchors.0[..], *depth, revocations, &names.0[..])
            }
        };
        let certificate = certificate.map_or(absent(), |digest| &digest.0[..]);
        let required = u8::from(request == CertificateRequest::Required);
        let host = server_name.to_ascii_lowercase();
        let Digest(whole) = Digest::of([
            certificate,
            anchors,
            &[verify, depth, required],
            revocations,
            names,
            host.as_bytes(),
        ]);
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Self(half)
    }
}

/// Which upstreams a connection was verified under.
#[derive(Clone, Copy)]
pub(super) enum Trusted<'a> {
    /// Verification is off.
    Anyone,
    /// Upstreams whose certificate chains to one of these, over at most `depth` others, none of which these lists
    /// revoke, and has one of these names.
    Below { anchors: &'a Digest, depth: u8, revocations: Option<&'a Digest>, names: Digest },
}

/// Whether an upstream has to ask for a client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateRequest {
    #[default]
    Optional,
    Required,
}

/// SHA-256 over byte strings, each after its length, so that no two sequences of strings agree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(fields: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        let mut hash = Sha256::new();
        for field in fields {
            let field = field.as_ref();
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        Self(hash.finalize().into())
    }

    /// The digest of a client certificate: the whole chain, the key's public half, and a hash that
    /// stands for its private half.
    pub(super) fn of_certificate(chain: &[impl AsRef<[u8]>], public_key: &[u8], private_key: &[u8]) -> Self {
        let (Self(chain), Self(private_key)) = (Self::of(chain), Self::of([private_key]));
        Self::of([&chain[..], public_key, &private_key])
    }

    /// The digest of trust anchors, whatever their order.
    pub(super) fn of_anchors(anchors: &[impl AsRef<[u8]>]) -> Self {
        let mut anchors: Vec<_> = anchors.iter().map(AsRef::as_ref).collect();
        anchors.sort_unstable();
        anchors.dedup();
        Self::of(anchors)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_term_of_a_connection_sets_it_apart() {
        let a = Digest::of_certificate(&[&b"leaf"[..], b"ca"], b"public", b"private");
        let others = [
            Digest::of_certificate(&[&b"other"[..], b"ca"], b"public", b"private"),
            Digest::of_certificate(&[&b"leaf"[..]], b"public", b"private"),
            Digest::of_certificate(&[&b"leafca"[..]], b"public", b"private"),
            Digest::of_certificate(&[&b"leaf"[..], b"ca"], b"elsewhere", b"private"),
            Digest::of_certificate(&[&b"leaf"[..], b"ca"], b"public", b"re-keyed"),
        ];
        let root = Digest::of_anchors(&[&b"root"[..]]);
        let roots = Digest::of_anchors(&[&b"root"[..], b"another"]);
        let (list, uri) = (Digest::of(["list"]), Digest::of(["spiffe://dogs"]));
        let below =
            |anchors, depth| Trusted::Below { anchors, depth, revocations: None, names: Digest::of([""; 0]) };
        let checked = |revocations, names| Trusted::Below { anchors: &root, depth: 1, revocations, names };
        let of =
            |certificate, trust, host| Identity::of(certificate, trust, CertificateRequest::Optional, host);

        let mut seen = HashSet::from([of(Some(&a), below(&root, 1), "dogs")]);
        for other in &others {
            assert!(seen.insert(of(Some(other), below(&root, 1), "dogs")));
        }
        assert!(seen.insert(of(None, below(&root, 1), "dogs")));
        assert!(seen.insert(of(Some(&a), below(&roots, 1), "dogs")));
        assert!(seen.insert(of(Some(&a), below(&root, 2), "dogs")));
        assert!(seen.insert(of(Some(&a), Trusted::Anyone, "dogs")));
        assert!(seen.insert(of(Some(&a), below(&root, 1), "cats")));
        assert!(seen.insert(of(Some(&a), checked(Some(&list), Digest::of([""; 0])), "dogs")));
        assert!(seen.insert(of(Some(&a), checked(Some(&uri), Digest::of([""; 0])), "dogs")));
        assert!(seen.insert(of(Some(&a), checked(None, uri), "dogs")));
        assert!(seen.insert(of(Some(&a), checked(Some(&uri), list), "dogs")));
        let required = CertificateRequest::Required;
        assert!(seen.insert(Identity::of(Some(&a), below(&root, 1), required, "dogs")));
    }

    #[test]
    fn the_order_of_anchors_and_the_case_of_a_host_make_no_difference() {
        let anchors = Digest::of_anchors(&[&b"one"[..], b"two"]);
        assert!(anchors == Digest::of_anchors(&[&b"two"[..], b"one", b"two"]));
        let of = |name| {
            let names = Digest::of([""; 0]);
            let trust = Trusted::Below { anchors: &anchors, depth: 1, revocations: None, names };
            Identity::of(None, trust, CertificateRequest::Optional, name)
        };
        assert_eq!(of("Dogs.Example"), of("dogs.example"));
    }

    #[test]
    fn an_identity_is_32_characters_of_lower_case_hex() {
        let text = Identity::of(None, Trusted::Anyone, CertificateRequest::Optional, "dogs").to_string();
        assert_eq!(text.len(), 32);
        assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text}");
    }
}
