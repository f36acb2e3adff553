//! What a decision costs: a key in a header among many, hidden, with a rule on the way.
#![allow(clippy::panic)]

use std::fmt::Write;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use mtls_policy::policy::{Decision, Policy, Request, Target};
use sha2::{Digest, Sha256};

/// However many keys there are, 1,000 of them ask: what more keys cost, apart from what more callers do.
fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for keys in SIZES {
        in_turn(&mut group, keys, (0..keys).step_by(keys / SIZES[0]));
    }
    group.finish();
}

/// All of them ask: then no cache of the processor holds all that is looked at.
fn decide_all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide_all");
    for keys in SIZES {
        in_turn(&mut group, keys, 0..keys);
    }
    group.finish();
}

fn in_turn(
    group: &mut BenchmarkGroup<'_, WallTime>,
    keys: usize,
    asking: impl Iterator<Item = usize> + Clone,
) {
    let policy = Policy::compile(&document(keys)).unwrap_or_else(|problems| panic!("{problems}"));
    let mut asking = asking.cycle();
    let mut headers = headers();
    group.bench_function(BenchmarkId::from_parameter(keys), |bencher| {
        bencher.iter(|| {
            // In place: a list of keys would take its share of the caches.
            write_key(&mut headers[5].1, asking.next().unwrap_or_default());
            let request = Request {
                method: b"GET",
                authority: b"dogs.example",
                target: Target::of(b"/dogs/7"),
                headers: headers.iter().map(|(name, value)| (&name[..], &value[..])),
                body: &[],
                established: None,
                now: 1_800_000_000,
            };
            assert!(matches!(black_box(policy.decide(black_box(request))), Decision::Allow(_)));
        });
    });
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for keys in SIZES {
        let document = document(keys);
        group.bench_function(BenchmarkId::from_parameter(keys), |bencher| {
            bencher.iter(|| Policy::compile(black_box(&document)));
        });
    }
    group.finish();
}

fn headers() -> [(Vec<u8>, Vec<u8>); 6] {
    [
        (b":method".to_vec(), b"GET".to_vec()),
        (b":path".to_vec(), b"/dogs/7".to_vec()),
        (b":authority".to_vec(), b"dogs.example".to_vec()),
        (b"accept".to_vec(), b"*/*".to_vec()),
        (b"user-agent".to_vec(), b"curl/8.5.0".to_vec()),
        (b"x-api-key".to_vec(), key(0).into_bytes()),
    ]
}

fn document(keys: usize) -> Vec<u8> {
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

const SIZES: [usize; 2] = [1_000, 100_000];

criterion_group!(benches, decide, decide_all, compile);
criterion_main!(benches);
