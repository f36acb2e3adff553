//! Certificates, keys, trust anchors and what is to be told of them, from files that anybody may have written.

use harness::gateway::embedded::upstream::{Anchors, ClientCertificate};
use pki::Authority;
use pki::inspect::{Key, Origin, certificates};

/// Bytes as a file; those before the first NUL are the key's where two are read.
pub(super) fn run(data: &[u8]) {
    let (key, chain) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, data),
    };
    if let Err(unusable) = ClientCertificate::parse(chain, key) {
        assert_says_no_key(&unusable.to_string(), key);
    }
    if let Err(unusable) = Anchors::parse(chain) {
        assert_says_no_key(&unusable.to_string(), key);
    }
    let origin = Origin::File { path: "x".into() };
    match certificates(&origin, chain) {
        Ok(all) => {
            for certificate in all {
                let _ = (
                    Key::of(key).of_certificate(&certificate),
                    certificate.common_name(),
                    certificate.is_self_issued(),
                );
            }
        }
        Err(unreadable) => assert_says_no_key(&unreadable.to_string(), key),
    }
    if let (Ok(chain), Ok(key)) = (std::str::from_utf8(chain), std::str::from_utf8(key)) {
        let _ = Authority::from_pem(chain, key);
    }
}

/// Whatever is wrong with a file, its lines of base64 are not repeated.
fn assert_says_no_key(told: &str, key: &[u8]) {
    let is_coded = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let long = key.split(|byte| *byte == b'\n').filter(|line| line.len() > 40 && line.iter().all(is_coded));
    for line in long.filter_map(|line| std::str::from_utf8(line).ok()) {
        assert!(!told.contains(line), "a line of a key is told");
    }
}
