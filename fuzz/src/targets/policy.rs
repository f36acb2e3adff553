//! What an admin writes as a policy, and what is said of it.

use mtls_policy::policy::{Decision, Format, Policy, Request, Target};

/// Bytes as a policy's document.
pub(super) fn run(data: &[u8]) {
    match Policy::compile(data) {
        Err(problems) => {
            assert!(problems.iter().next().is_some(), "refused without a reason");
            for problem in problems.iter() {
                let told = problem.to_string();
                assert!(
                    !told.chars().any(|c| c.is_control() && c != '\n'),
                    "a control character in {told:?}"
                );
            }
        }
        Ok(policy) => {
            for key in ["", "ann", "let-me-in"] {
                let headers = [(&b"apikey"[..], key.as_bytes()), (b"x-consumer-id", b"0")];
                let decision = policy.decide(Request {
                    method: b"GET",
                    authority: b"dogs.example",
                    target: Target::of(b"/dogs/7?apikey=ann"),
                    headers: headers.into_iter(),
                    body: &[],
                    established: None,
                    now: 1_800_000_000,
                });
                if let Decision::Refuse(refusal) = decision {
                    assert!((400..600).contains(&refusal.status));
                    let body = refusal.body(Format::Json, "4711");
                    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "no JSON: {body}");
                }
            }
        }
    }
}
