//! What a decision costs: a key in a header among many, hidden, with a rule on the way.
#![allow(clippy::panic)]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mtls_policy::policy::{Decision, Policy, Request};
use sha2::{Digest, Sha256};

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for keys in SIZES {
        let policy = Policy::compile(&document(keys)).unwrap_or_else(|problems| panic!("{problems}"));
        // Every key in its turn: with one and the same, all that is looked at would be at hand in the processor.
        let all: Vec<_> = (0..keys).map(key).collect();
        let mut next = all.iter().cycle();
        let mut headers = headers();
        group.bench_function(BenchmarkId::from_parameter(keys), |bencher| {
            bencher.iter(|| {
                let sent = &mut headers[5].1;
                sent.clear();
                sent.extend(next.next().map_or("", String::as_str).as_bytes());
                let request = Request {
                    method: b"GET",
                    authority: b"dogs.example",
                    target: b"/dogs/7",
                    headers: &headers,
                    established: None,
                    now: 1_800_000_000,
                };
                assert!(matches!(black_box(policy.decide(black_box(&request))), Decision::Allow(_)));
            });
        });
    }
    group.finish();
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
        (b"x-api-key".to_vec(), Vec::new()),
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

/// As long as one that `harness keys new` prints.
fn key(number: usize) -> String {
    format!("key-of-a-consumer-whose-number-is-{number:09}")
}

const SIZES: [usize; 2] = [1_000, 100_000];

criterion_group!(benches, decide, compile);
criterion_main!(benches);
