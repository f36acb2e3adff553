//! API keys of a stack's consumers: new for every stack, known to nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Keys by consumer, made when they are first asked for. No `Debug`: they are keys.
#[derive(Default)]
pub struct Keys(Mutex<BTreeMap<String, String>>);

impl Keys {
    /// The key of a consumer.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn of(&self, consumer: &str) -> anyhow::Result<String> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(consumer) {
            return Ok(key.clone());
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|reason| anyhow!("no random bytes: {reason}"))?;
        let key = format!("{:x}", Bytes::copy_from_slice(&bytes));
        keys.insert(consumer.to_owned(), key.clone());
        Ok(key)
    }

    /// Puts digests into a config: for each `<consumer>` the one of that consumer's key, and for the zeros
    /// of the shipped config, which no key has, the one of `model-citizen`.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn put_into(&self, config: &str) -> anyhow::Result<String> {
        let nobody = "0".repeat(64);
        let mut filled = String::with_capacity(config.len());
        for (number, part) in config.replace(&nobody, "<model-citizen>").split('<').enumerate() {
            match part.split_once('>').filter(|(name, _)| number > 0 && is_name(name)) {
                Some((consumer, rest)) => {
                    filled += &digest(self.of(consumer)?);
                    filled += rest;
                }
                None => {
                    filled += if number > 0 { "<" } else { "" };
                    filled += part;
                }
            }
        }
        Ok(filled)
    }
}

/// SHA-256 in lower-case hex, as a policy stores a key.
pub fn digest(of: impl AsRef<[u8]>) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(of)))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_consumer_has_a_key_of_its_own_and_the_shipped_zeros_are_the_model_citizens() {
        let keys = Keys::default();
        let zeros = "0".repeat(64);
        let filled = keys.put_into(&format!("a: <vet>, b: {zeros}, c: <vet>, d: 1 < 2")).unwrap();
        let (vet, citizen) = (digest(keys.of("vet").unwrap()), digest(keys.of("model-citizen").unwrap()));
        assert_eq!(filled, format!("a: {vet}, b: {citizen}, c: {vet}, d: 1 < 2"));
        assert_ne!(vet, citizen);
    }
}
