//! The functions that Lua calls.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_uchar};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use mtls_policy::policy;

use crate::consumers;
use crate::request::Store;
use crate::{Answer, Consumers, Decision, Policy, Request, Text, Wants};

/// The library's version, `0.1.0`, ended by a NUL. The plugin takes a library of its own version only.
#[unsafe(no_mangle)]
pub extern "C" fn mtls_policy_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Compiles a policy, JSON. `consumers`: those of its consumers file; null where nothing is read of that (yet).
/// Never null: with problems it refuses every request.
///
/// # Safety
/// `document` points to `len` bytes, or `len` is 0. `consumers` is null or came from
/// [`mtls_policy_consumers_file_take`](crate::consumers_exports::mtls_policy_consumers_file_take) and is not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_compile(
    document: *const c_uchar,
    len: usize,
    consumers: *const Consumers,
) -> *mut Policy {
    // SAFETY: as the caller promises.
    let (document, consumers) = unsafe { (bytes(document, len), consumers.as_ref()) };
    owned(|| Policy::compile(document, consumers), Policy::panicked)
}

/// Says what is wrong with a policy by itself, whatever its consumers file will hold. It refuses every request, and has
/// no problems where it is valid.
///
/// # Safety
/// `document` points to `len` bytes, or `len` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_check(document: *const c_uchar, len: usize) -> *mut Policy {
    // SAFETY: as the caller promises.
    let document = unsafe { bytes(document, len) };
    owned(|| Policy::check(document), Policy::panicked)
}

/// All that is wrong with a policy, one a line; absent: nothing. Valid as long as the policy.
///
/// # Safety
/// `policy` is null or came from [`mtls_policy_compile`] or [`mtls_policy_check`] and is not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_problems(policy: *const Policy) -> Text {
    // SAFETY: as the caller promises.
    unsafe { policy.as_ref() }.map_or(Text::ABSENT, Policy::problems)
}

/// What a policy looks at in a request.
///
/// # Safety
/// As for [`mtls_policy_problems`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_wants(policy: *const Policy) -> Wants {
    // SAFETY: as the caller promises.
    unsafe { policy.as_ref() }.map_or_else(Wants::default, Policy::wants)
}

/// Decides about a request; the status is also the answer: 0 where it passes.
///
/// # Safety
/// `policy` as for [`mtls_policy_problems`]. `request` is null or a request whose pointers are null or point to what
/// they say. `decision` is null or a decision with room for `removed_capacity` texts at `removed`. Nothing of it changes
/// during the call, nor, but for the decision, while the decision is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_decide(
    policy: *const Policy,
    request: *const Request,
    decision: *mut Decision,
) -> u16 {
    // SAFETY: as the caller promises.
    let (policy, request, decision) = unsafe { (policy.as_ref(), request.as_ref(), decision.as_mut()) };
    let Some(decision) = decision else { return 503 };
    // SAFETY: as the caller promises.
    guarded(decision, |decision| unsafe { decide(policy, request, decision) })
}

/// Whatever happens on the way, there is a decision.
fn guarded(decision: &mut Decision, decide: impl FnOnce(&mut Decision)) -> u16 {
    decision.refuse_blindly();
    if catch_unwind(AssertUnwindSafe(|| decide(decision))).is_err() {
        decision.refuse_blindly();
    }
    decision.status
}

/// # Safety
/// As for [`mtls_policy_decide`].
unsafe fn decide(policy: Option<&Policy>, request: Option<&Request>, decision: &mut Decision) {
    let (Some(policy), Some(request)) = (policy, request) else {
        return decision.refuse(&policy::Refusal::NO_POLICY);
    };
    let Some(policy) = policy.valid() else { return decision.refuse(&policy.rejection()) };
    let path_len = usize::try_from(request.path.len).unwrap_or_default();
    let mut store = Store::default();
    let decide = |request: policy::Request<'_, _>| match policy.decide(request) {
        policy::Decision::Refuse(refusal) => decision.refuse(&refusal),
        // SAFETY: the caller promises that there is room at `removed`.
        policy::Decision::Allow(allow) => unsafe { decision.allow(&allow, path_len) },
    };
    // SAFETY: as the caller promises.
    let lent = unsafe { request.lend(decide, &mut store) };
    if lent.is_err() {
        decision.refuse_because(503, &MALFORMED);
    }
}

/// Evaluates only the rules of a policy, of whatever authentication, for the consumer in `established`: that, or the
/// request, has changed since the decision. The decision holds the certificate, or a rejection; nothing else of it is
/// set. `established` without any field is a request without a consumer; null is a rejection.
///
/// # Safety
/// As for [`mtls_policy_decide`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_reselect(
    policy: *const Policy,
    request: *const Request,
    decision: *mut Decision,
) -> u16 {
    // SAFETY: as the caller promises.
    let (policy, request, decision) = unsafe { (policy.as_ref(), request.as_ref(), decision.as_mut()) };
    let Some(decision) = decision else { return 503 };
    // SAFETY: as the caller promises.
    guarded(decision, |decision| unsafe { reselect(policy, request, decision) })
}

/// # Safety
/// As for [`mtls_policy_decide`].
unsafe fn reselect(policy: Option<&Policy>, request: Option<&Request>, decision: &mut Decision) {
    let (Some(policy), Some(request)) = (policy, request) else {
        return decision.refuse(&policy::Refusal::NO_POLICY);
    };
    let Some(policy) = policy.valid() else { return decision.refuse(&policy.rejection()) };
    let mut store = Store::default();
    let reselect = |request: policy::Request<'_, _>| {
        let Some(who) = request.established else { return decision.refuse(&policy::Refusal::NO_POLICY) };
        match policy.reselect(who, request) {
            Ok(certificate) => decision.select(certificate),
            Err(refusal) => decision.refuse(&refusal),
        }
    };
    // SAFETY: as the caller promises.
    let lent = unsafe { request.lend(reselect, &mut store) };
    if lent.is_err() {
        decision.refuse_because(503, &MALFORMED);
    }
}

/// The body that refuses the client of a request with a message, in the format that it prefers. Nothing where it wants
/// none, or the request cannot be read.
///
/// # Safety
/// `request` as for [`mtls_policy_decide`]; `message` and `request_id` point to as many bytes as they say, or that is 0;
/// `answer` is null or an answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_answer(
    request: *const Request,
    message: *const c_uchar,
    message_len: usize,
    request_id: *const c_uchar,
    request_id_len: usize,
    http2: bool,
    answer: *mut Answer,
) {
    // SAFETY: as the caller promises.
    let (request, answer) = unsafe { (request.as_ref(), answer.as_mut()) };
    let (Some(request), Some(answer)) = (request, answer) else { return };
    // SAFETY: as the caller promises.
    let (message, request_id) = unsafe { (bytes(message, message_len), bytes(request_id, request_id_len)) };
    let rendered = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as the caller promises.
        let headers = unsafe { request.headers() }.ok()?;
        let (message, request_id) = (str::from_utf8(message).ok()?, str::from_utf8(request_id).ok()?);
        Some(Answer::of(message, request_id, headers, http2))
    }));
    *answer = rendered.ok().flatten().unwrap_or(Answer::NOTHING);
}

/// Gives a policy up.
///
/// # Safety
/// As for [`mtls_policy_problems`]; it is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_free(policy: *mut Policy) {
    // SAFETY: as the caller promises: what `owned` gave, given back once.
    unsafe { free(policy) };
    consumers::reclaim();
}

pub(crate) fn owned<T>(make: impl FnOnce() -> T, panicked: impl FnOnce() -> T) -> *mut T {
    let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| panicked());
    Box::into_raw(Box::new(made))
}

const MALFORMED: &str = "the request cannot be read: a negative length, or text that is not UTF-8";

/// # Safety
/// `handle` is null or came from [`owned`], and is not used again.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: it came from `Box::into_raw`, and nobody else has it.
        let handle = unsafe { Box::from_raw(handle) };
        // Whatever a destructor may do: no panic leaves.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
    }
}

/// # Safety
/// `data` points to `len` bytes for as long as `'a`, or `len` is 0.
pub(crate) unsafe fn bytes<'a>(data: *const c_uchar, len: usize) -> &'a [u8] {
    if data.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: not null, and as the caller promises.
    unsafe { slice::from_raw_parts(data, len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_refusal_and_goes_no_further() {
        // SAFETY: of zeros all of it is absent, and the caller is nobody.
        let mut decision: Decision = unsafe { std::mem::zeroed() };
        let status = guarded(&mut decision, |decision| {
            decision.status = 0;
            panic!("on purpose")
        });
        assert_eq!((status, decision.status), (503, 503));
    }

    #[test]
    fn a_policy_whose_compiling_panics_refuses_and_says_so() {
        let policy = owned(|| panic!("on purpose"), Policy::panicked);
        // SAFETY: it came from `owned`, and is freed once, after its last use.
        unsafe {
            let problems = mtls_policy_problems(policy);
            assert!(problems.str().unwrap().unwrap().contains("failed"));
            assert_eq!(mtls_policy_wants(policy), Wants::default());
            mtls_policy_free(policy);
        }
    }
}
