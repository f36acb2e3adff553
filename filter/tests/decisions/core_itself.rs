//! The core itself, as a shell of its own.

use std::fmt::Write;

use mtls_policy::policy::{Caller, Certificate, Decision, Edit, Edits, Established, Policy, Request, Target};

use super::{AUTHORITY, NOW, Row};

/// The core itself.
#[allow(dead_code, reason = "the ABI's tests have a shell of their own")]
pub(crate) fn core(policy: &str, row: &Row) -> (String, String) {
    let policy =
        Policy::compile(policy.as_bytes()).unwrap_or_else(|problems| panic!("{}: {problems}", row.name));
    let established = row.established.map(|(username, group)| Established {
        username: Some(username),
        groups: vec![group],
        ..Established::default()
    });
    let request = Request {
        method: row.method.as_bytes(),
        authority: AUTHORITY.as_bytes(),
        target: Target::of(row.target.as_bytes()),
        headers: row.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        body: &[],
        established: established.as_ref(),
        now: NOW,
    };
    match policy.decide(request) {
        Decision::Allow(allow) => {
            let who = allow.caller.username().unwrap_or("nobody");
            let who = if matches!(allow.caller, Caller::Anonymous(_)) { "anonymous" } else { who };
            let certificate = match allow.certificate {
                Certificate::Present(name) => name.as_str(),
                Certificate::Unchanged => "unchanged",
            };
            (format!("{who} {certificate}"), told(&allow.edits))
        }
        Decision::Refuse(refusal) => (format!("{} {}", refusal.status, refusal.message), String::new()),
    }
}

#[allow(dead_code, reason = "as `core`")]
fn told(edits: &Edits<'_>) -> String {
    let mut told = String::new();
    for edit in &edits.headers {
        let _ = match edit {
            Edit::Remove(name) => write!(told, "-{} ", String::from_utf8_lossy(name)),
            Edit::Set(name, value) => write!(told, "+{}={value} ", name.as_str()),
        };
    }
    if let Some(cookies) = &edits.cookies {
        let _ = write!(told, "+Cookie={} ", String::from_utf8_lossy(cookies));
    }
    let target = edits.target.as_deref().unwrap_or_default();
    told += &String::from_utf8_lossy(target);
    told.trim_end().to_owned()
}
