//! What a certificate can be called.

use std::path::PathBuf;

use pki::inspect::{Origin, certificates};

/// The subject of a chain's leaf, where a policy can call it that.
pub(super) fn common_name(chain: &str) -> Option<String> {
    let origin = Origin::File { path: PathBuf::new() };
    let name = certificates(&origin, chain.as_bytes()).ok()?.first()?.common_name()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    ((1..=128).contains(&name.len()) && name.bytes().all(plain)).then_some(name)
}
