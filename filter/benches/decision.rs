//! What a decision costs: a key in a header among many, hidden, with a rule on the way.
#![allow(clippy::panic)]

mod asked;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use mtls_policy::policy::{Decision, Format, Policy, Refusal};

use asked::{Asking, document};

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
    let mut numbers = asking.cycle();
    let mut asking = Asking::new();
    group.bench_function(BenchmarkId::from_parameter(keys), |bencher| {
        bencher.iter(|| {
            let request = asking.request(numbers.next().unwrap_or_default());
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

/// What is left to write of a refusal when it is refused: all but the request's id is known before.
fn refuse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refusal's body");
    for format in [Format::Json, Format::Html] {
        group.bench_function(BenchmarkId::from_parameter(format.content_type()), |bencher| {
            bencher.iter(|| {
                black_box(&Refusal::NO_POLICY).body(black_box(format), "4711f00d4711f00d4711f00d4711f00d")
            });
        });
    }
    group.finish();
}

const SIZES: [usize; 2] = [1_000, 100_000];

criterion_group!(benches, decide, decide_all, compile, refuse);
criterion_main!(benches);
