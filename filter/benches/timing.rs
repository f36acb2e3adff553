//! Whether the time that a refusal takes tells anything of the key that was refused: Welch's t-test, as dudect does it
//! (Reparaz, Balasch, Verbauwhede: Dude, is my code constant time?, 2017). Beyond 4.5 a difference is hard to explain by
//! chance; that of keys which nobody has from others which nobody has either says what this machine's noise is.
//!
//! Each time with other keys: where a digest lies in the table costs it some nanoseconds more or less, and of a few keys
//! one would measure that.
//!
//! It asserts nothing: a machine's noise is no reason to fail.
#![allow(clippy::panic)]

use std::fmt::Write;
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

use mtls_policy::policy::{Decision, Policy, Request, Target};
use sha2::{Digest, Sha256};

fn main() {
    let policy = Policy::compile(&document()).unwrap_or_else(|problems| panic!("{problems}"));
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    println!("{:42} {:>9} {:>9} {:>9} {:>7}", "a key that is", "median ns", "nobody's", "mean ± ns", "t");
    for (what, distinct, key) in KINDS {
        let mut times = Vec::with_capacity(ROUNDS);
        for section in 0..ROUNDS / SECTION {
            // Which of the two is next is left to chance, so that what changes on the machine, or what the one leaves
            // behind for the other, counts for both; and all are made before the first is asked with.
            let asked: Vec<(bool, [Vec<u8>; BATCH])> = (section * SECTION..(section + 1) * SECTION)
                .map(|round| {
                    let is_own = chance.next() % 2 == 0;
                    let key = if is_own { key } else { nobodys };
                    (is_own, std::array::from_fn(|number| key((round * BATCH + number) % distinct)))
                })
                .collect();
            times.extend(asked.iter().map(|(is_own, keys)| (time(&policy, keys), *is_own)));
        }
        // What was interrupted is cut off, at one time for both.
        times.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        times.truncate(ROUNDS / 100 * 95);
        let of = |which: bool| -> Vec<f64> {
            times.iter().filter(|(_, is_own)| *is_own == which).map(|(time, _)| *time).collect()
        };
        let (own, nobodys) = (of(true), of(false));
        let (mean, error) = summary(&own);
        let (other_mean, other_error) = summary(&nobodys);
        let difference = mean - other_mean;
        println!(
            "{what:42} {:9.1} {:9.1} {difference:+9.2} {:7.1}",
            own[own.len() / 2],
            nobodys[nobodys.len() / 2],
            difference / (error + other_error).sqrt()
        );
    }
}

/// Nanoseconds for a decision, over a few of them.
fn time(policy: &Policy, keys: &[Vec<u8>]) -> f64 {
    let began = Instant::now();
    for key in keys {
        let headers = [(&b"accept"[..], &b"*/*"[..]), (&b"x-api-key"[..], &**key)];
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
    began.elapsed().as_nanos() as f64 / BATCH as f64
}

/// The mean, and the square of its error.
fn summary(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

/// Always the same (xorshift64), so that two runs measure the same.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize
    }
}

/// What they are, how many, and each by its number.
type Kind = (&'static str, usize, fn(usize) -> Vec<u8>);

/// Each as long as a key. Of those that are somebody's there is one a consumer: as few of nobody's stand beside them, for
/// what is asked again is found in the processor's caches.
const KINDS: [Kind; 7] = [
    ("nobody's too", MANY, |number| hex(&format!("another nobody {number}"))),
    ("right but for its first byte", MANY, |number| with(number, 0..1)),
    ("right in its first half", MANY, |number| with(number, LENGTH / 2..LENGTH)),
    ("right but for its last byte", MANY, |number| with(number, LENGTH - 1..LENGTH)),
    ("the digest of a key, in hex", CONSUMERS, |number| hex(&String::from_utf8_lossy(&key(VALID, number)))),
    ("expired", CONSUMERS, |number| key(EXPIRED, number)),
    ("not valid yet", CONSUMERS, |number| key(EARLY, number)),
];

/// A key with other bytes at some places than any key has.
fn with(number: usize, places: Range<usize>) -> Vec<u8> {
    let mut key = key(VALID, number);
    key[places].fill(0x80 | (number / CONSUMERS) as u8);
    key
}

fn key(of: &str, number: usize) -> Vec<u8> {
    hex(&format!("{of} {}", number % CONSUMERS))
}

fn nobodys(number: usize) -> Vec<u8> {
    hex(&format!("nobody {number}"))
}

fn document() -> Vec<u8> {
    let mut consumers = String::new();
    for number in 0..CONSUMERS {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(consumers, r#"{comma}{{"username":"consumer-{number}","keys":["#);
        let windows = [
            ("", VALID, ""),
            (",", EXPIRED, r#","not_after":"2020-01-01T00:00:00Z""#),
            (",", EARLY, r#","not_before":"2999-01-01T00:00:00Z""#),
        ];
        for (comma, of, window) in windows {
            let digest = sha256(&key(of, number));
            let _ = write!(consumers, r#"{comma}{{"id":"{of}","sha256":"{digest}"{window}}}"#);
        }
        consumers += "]}";
    }
    format!(r#"{{"key_names":["X-API-Key"],"hide_credentials":true,"consumers":[{consumers}]}}"#).into_bytes()
}

/// As long as a key.
fn hex(text: &str) -> Vec<u8> {
    sha256(text.as_bytes()).into_bytes()[..LENGTH].to_vec()
}

fn sha256(text: &[u8]) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

const VALID: &str = "valid";
const EXPIRED: &str = "expired";
const EARLY: &str = "early";

/// Of keys, in bytes.
const LENGTH: usize = 43;

const CONSUMERS: usize = 1_000;
/// With each of the bytes from 0x80 on in a consumer's key.
const MANY: usize = CONSUMERS * 128;
const ROUNDS: usize = 400_000;
const SECTION: usize = 1_000;
const BATCH: usize = 10;
