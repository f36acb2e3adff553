//! Whether the time that a refusal takes tells anything of the key that was refused: Welch's t-test, as dudect does it
//! (Reparaz, Balasch, Verbauwhede: Dude, is my code constant time?, 2017). Beyond 4.5 a difference is hard to explain by
//! chance; that of a key which nobody has from itself says what this machine's noise is.
//!
//! It asserts nothing: a machine's noise is no reason to fail.
#![allow(clippy::panic)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use mtls_policy::policy::{Decision, Policy, Request, Target};
use sha2::{Digest, Sha256};

fn main() {
    let policy = Policy::compile(&document()).unwrap_or_else(|problems| panic!("{problems}"));
    let kinds = [
        ("nobody's, again", "nobody's-key-nobody's-key-nobody's-key-nobo"),
        ("a key but for its first byte", "Key-of-a-consumer-whose-number-is-000000000"),
        ("a key but for its last byte", "key-of-a-consumer-whose-number-is-00000000O"),
        (
            "a key's digest, in hex, as long as a key",
            &hex("key-of-a-consumer-whose-number-is-000000000")[..43],
        ),
        ("expired", "key-of-a-consumer-whose-number-is-000000001"),
        ("not valid yet", "key-of-a-consumer-whose-number-is-000000002"),
    ];
    println!("{:42} {:>9} {:>9} {:>7}", "a key that is", "its ns", "nobody's", "t");
    for (what, key) in kinds {
        // In turn, so that what changes on the machine meanwhile changes both.
        let (mut own, mut nobodys) = (Sample::default(), Sample::default());
        for _ in 0..ROUNDS {
            own.add(time(&policy, key));
            nobodys.add(time(&policy, NOBODYS));
        }
        let t = own.t(&nobodys);
        println!("{what:42} {:9.1} {:9.1} {t:7.1}", own.mean, nobodys.mean);
    }
}

/// Nanoseconds for a decision, over a few of them.
fn time(policy: &Policy, key: &str) -> f64 {
    let headers = [(&b"accept"[..], &b"*/*"[..]), (&b"x-api-key"[..], key.as_bytes())];
    let began = Instant::now();
    for _ in 0..BATCH {
        let request = Request {
            method: b"GET",
            authority: b"dogs.example",
            target: Target::of(b"/dogs/7"),
            headers: headers.iter().copied(),
            body: &[],
            established: None,
            now: 1_800_000_000,
        };
        assert!(matches!(black_box(policy.decide(black_box(request))), Decision::Refuse(_)));
    }
    began.elapsed().as_nanos() as f64 / f64::from(BATCH)
}

/// Mean and variance as they come (Welford), without what was interrupted: times beyond [`USUAL`].
#[derive(Default)]
struct Sample {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Sample {
    fn add(&mut self, time: f64) {
        if time > USUAL {
            return;
        }
        self.count += 1.0;
        let from_mean = time - self.mean;
        self.mean += from_mean / self.count;
        self.squares += from_mean * (time - self.mean);
    }

    fn t(&self, other: &Self) -> f64 {
        let spread = |sample: &Self| sample.squares / (sample.count - 1.0) / sample.count;
        (self.mean - other.mean) / (spread(self) + spread(other)).sqrt()
    }
}

fn document() -> Vec<u8> {
    let mut consumers = String::new();
    for number in 0..1000 {
        let window = match number {
            1 => r#","not_after":"2020-01-01T00:00:00Z""#,
            2 => r#","not_before":"2999-01-01T00:00:00Z""#,
            _ => "",
        };
        let comma = if number > 0 { "," } else { "" };
        let digest = hex(&format!("key-of-a-consumer-whose-number-is-{number:09}"));
        let _ = write!(
            consumers,
            r#"{comma}{{"username":"consumer-{number}","keys":[{{"id":"1","sha256":"{digest}"{window}}}]}}"#
        );
    }
    format!(r#"{{"key_names":["X-API-Key"],"hide_credentials":true,"consumers":[{consumers}]}}"#).into_bytes()
}

fn hex(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// As long as a key.
const NOBODYS: &str = "nobody's-key-nobody's-key-nobody's-key-nobo";

const ROUNDS: u32 = 200_000;
const BATCH: u32 = 10;
const USUAL: f64 = 1_000.0;
