//! That a soak sees what it is for, and that nothing of that is there.

use super::*;
use crate::gateway::embedded::Embedded;

#[test]
fn nobody_is_mistaken_for_another_while_all_that_can_go_wrong_does() {
    let outcome = run(&Embedded::default(), Plan { requests: 4_000, connections: 8 }, |_| ()).unwrap();
    assert_eq!(outcome.complaints(), Vec::<String>::new());
    assert_eq!(outcome.tally.answers(), 4_000);
}

#[test]
fn growth_is_complained_of_and_a_restless_gateway_is_not() {
    let samples = |memory: fn(u64) -> u64| -> Vec<_> {
        let sample = |second| Sample {
            at: Duration::from_secs(second),
            answers: 0,
            memory: memory(second),
            descriptors: 40 + second % 7,
        };
        (0..100).map(sample).collect()
    };
    assert_eq!(vitals::growth(&samples(|second| 100_000 + second % 5 * 1_000)), Vec::<String>::new());
    assert_eq!(
        vitals::growth(&samples(|second| 100_000 + second * 1_000)),
        ["137000 kB of memory have become 187000"]
    );
}
