//! API keys of a stack's consumers: new for every stack, known to nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use bytes::Bytes;
use policy_tools::keys::digest;

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

    /// Lets a key be known by one more name, if that is not another's yet.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn also(&self, consumer: &str, name: &str) -> anyhow::Result<()> {
        let key = self.of(consumer)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert(key);
        Ok(())
    }

    /// Whether somebody of that name has a key here.
    pub fn knows(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// All names, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// A text without any key or digest in it: in their places stand `<consumer>` and `<digest of consumer>`, and
    /// `<escaped consumer>` for a key that is percent-encoded.
    pub fn redact(&self, text: &str) -> String {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().fold(text.to_owned(), |text, (consumer, key)| {
            text.replace(key, &format!("<{consumer}>"))
                .replace(&digest(key), &format!("<digest of {consumer}>"))
                .replace(&escaped(key), &format!("<escaped {consumer}>"))
        })
    }

    /// Puts digests into a config: for each `<consumer>` the one of that consumer's key, and for the zeros
    /// of the shipped config, which no key has, the one of `model-citizen`. `<key of consumer>` is the key itself,
    /// for a gateway's own authentication.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn put_into(&self, config: &str) -> anyhow::Result<String> {
        let nobody = "0".repeat(64);
        let mut filled = String::with_capacity(config.len());
        for (number, part) in config.replace(&nobody, "<model-citizen>").split('<').enumerate() {
            let inside = part.split_once('>').filter(|_| number > 0);
            let key_of =
                |(inside, rest): (&'_ str, _)| Some((inside.strip_prefix("key of ")?.to_owned(), rest));
            match (inside.filter(|(name, _)| is_name(name)), inside.and_then(key_of)) {
                (Some((consumer, rest)), _) => {
                    filled += &digest(self.of(consumer)?);
                    filled += rest;
                }
                (None, Some((consumer, rest))) if is_name(&consumer) => {
                    filled += &self.of(&consumer)?;
                    filled += rest;
                }
                _ => {
                    filled += if number > 0 { "<" } else { "" };
                    filled += part;
                }
            }
        }
        Ok(filled)
    }
}

/// A key with each byte percent-encoded, as a query may hold it.
pub fn escaped(key: &str) -> String {
    key.bytes().map(|byte| format!("%{byte:02X}")).collect()
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

    #[test]
    fn what_was_filled_in_can_be_taken_out_again() {
        let keys = Keys::default();
        let written = "key <key of vet>, digest <vet>";
        let filled = keys.put_into(written).unwrap();
        assert_eq!(
            filled,
            format!("key {}, digest {}", keys.of("vet").unwrap(), digest(keys.of("vet").unwrap()))
        );
        assert_eq!(keys.redact(&filled), "key <vet>, digest <digest of vet>");
        assert_eq!(keys.redact(&escaped(&keys.of("vet").unwrap())), "<escaped vet>");
    }
}
