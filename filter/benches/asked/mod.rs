//! A policy of many keys, and requests with them.

use std::fmt::Write;

use mtls_policy::policy::{Header, Request, Target};
use sha2::{Digest, Sha256};

/// A policy of so many consumers, each with a key, and a rule on the way.
pub fn document(keys: usize) -> Vec<u8> {
    let mut consumers = String::new();
    for number in 0..keys {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(consumers, r#"{comma}{{"username":"consumer-{number}","keys":[{{"id":"1","sha256":""#);
        for byte in Sha256::digest(key(number)) {
            let _ = write!(consumers, "{byte:02x}");
        }
        consumers += r#""}]}"#;
    }
    format!(
        r#"{{"key_names":["X-API-Key"],"hide_credentials":true,"client_certificate":"kong-client",
            "rules":[{{"match":{{"methods":["DELETE"]}},"deny":{{}}}}],"consumers":[{consumers}]}}"#
    )
    .into_bytes()
}

/// Whoever asks: in place, for a list of keys would take its share of the caches.
pub struct Asking([(Vec<u8>, Vec<u8>); 6]);

impl Asking {
    pub fn new() -> Self {
        Self([
            (b":method".to_vec(), b"GET".to_vec()),
            (b":path".to_vec(), b"/dogs/7".to_vec()),
            (b":authority".to_vec(), b"dogs.example".to_vec()),
            (b"accept".to_vec(), b"*/*".to_vec()),
            (b"user-agent".to_vec(), b"curl/8.5.0".to_vec()),
            (b"x-api-key".to_vec(), key(0).into_bytes()),
        ])
    }

    /// A request with the key of that number.
    pub fn request(&mut self, number: usize) -> Request<'_, impl Iterator<Item = Header<'_>> + Clone> {
        write_key(&mut self.0[5].1, number);
        Request {
            method: b"GET",
            authority: b"dogs.example",
            target: Target::of(b"/dogs/7"),
            headers: self.0.iter().map(|(name, value)| (&name[..], &value[..])),
            body: &[],
            established: None,
            now: 1_800_000_000,
        }
    }
}

/// As long as 256 bits in base64: SHA-256 takes one block for it, as for any of up to 55 bytes.
fn key(number: usize) -> String {
    format!("key-of-a-consumer-whose-number-is-{number:09}")
}

/// Makes the key of one number that of another.
fn write_key(key: &mut [u8], mut number: usize) {
    for digit in key.iter_mut().rev().take(9) {
        *digit = b"0123456789"[number % 10];
        number /= 10;
    }
}
