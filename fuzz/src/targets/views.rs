//! Requests as Lua hands them to the native library: what is absent, what has no end, what is no text.

use std::ffi::c_int;
use std::ptr;

use arbitrary::{Arbitrary, Unstructured};
use mtls_policy_native::exports::{
    mtls_policy_answer, mtls_policy_compile, mtls_policy_decide, mtls_policy_reselect,
};
use mtls_policy_native::{Answer, Decision, Established, Field, Policy, Request, Text};

#[derive(Debug, Arbitrary)]
struct View<'d> {
    policy: u8,
    texts: [Given<'d>; 4],
    headers: Vec<(Name<'d>, Given<'d>)>,
    body: Vec<(Given<'d>, Given<'d>)>,
    established: Option<[Given<'d>; 5]>,
    now: i64,
    room: u8,
    message: &'d [u8],
    http2: bool,
}

#[derive(Debug, Arbitrary)]
enum Given<'d> {
    Absent,
    Bytes(&'d [u8]),
    /// A length that none can have.
    Negative(c_int),
}

/// Names that mean something, more often than chance would have it.
#[derive(Debug, Arbitrary)]
enum Name<'d> {
    Given(Given<'d>),
    Known(u8),
}

/// Bytes as a request.
pub(super) fn run(data: &[u8]) {
    let Ok(view) = View::arbitrary(&mut Unstructured::new(data)) else { return };
    POLICIES.with(|policies| decide(policies[usize::from(view.policy) % policies.len()].0, &view));
}

fn decide(policy: *const Policy, view: &View<'_>) {
    let headers: Vec<_> =
        view.headers.iter().map(|(name, value)| Field { name: name.text(), value: value.text() }).collect();
    let body: Vec<_> =
        view.body.iter().map(|(name, value)| Field { name: name.text(), value: value.text() }).collect();
    let established =
        view.established.as_ref().map(|[id, username, custom_id, credential, groups]| Established {
            id: id.text(),
            username: username.text(),
            custom_id: custom_id.text(),
            credential: credential.text(),
            groups: groups.text(),
        });
    let [method, authority, path, query] = view.texts.each_ref().map(Given::text);
    let request = Request {
        method,
        authority,
        path,
        query,
        headers: headers.as_ptr(),
        headers_len: headers.len(),
        body: body.as_ptr(),
        body_len: body.len(),
        established: established.as_ref().map_or(ptr::null(), ptr::from_ref),
        now: view.now,
    };
    for call in [mtls_policy_decide, mtls_policy_reselect] {
        let mut removed = vec![Text::ABSENT; view.room.into()];
        // SAFETY: zeros are what Lua has at first.
        let mut decision: Decision = unsafe { std::mem::zeroed() };
        decision.removed = removed.as_mut_ptr();
        decision.removed_capacity = removed.len();
        // SAFETY: the policy lives as long as its thread, and all else as long as this function.
        let status = unsafe { call(policy, &raw const request, &raw mut decision) };
        assert_eq!(status, decision.status);
        assert!(status == 0 || (400..600).contains(&status), "status {status}");
        assert!(decision.removed_len <= removed.len(), "more names than there is room for");
        // Whatever is said has to be there.
        let said = [
            decision.id,
            decision.custom_id,
            decision.username,
            decision.credential,
            decision.groups,
            decision.certificate,
            decision.query,
            decision.cookies,
            decision.message,
            decision.challenge,
            decision.reason,
        ];
        let bytes: usize = said.iter().chain(&removed[..decision.removed_len]).map(|text| sum(*text)).sum();
        std::hint::black_box(bytes);
        let negative = |field: &Field| field.name.len < 0 || field.value.len < 0;
        let is_negative = headers.iter().chain(&body).any(negative);
        assert!(!is_negative || status == 503, "what has no end was let in: {status}");
    }
    let mut answer = Answer { content_type: Text::ABSENT, body: Text::ABSENT };
    // SAFETY: as above.
    unsafe {
        let (text, len) = (view.message.as_ptr(), view.message.len());
        mtls_policy_answer(&raw const request, text, len, text, len, view.http2, &raw mut answer);
    }
    std::hint::black_box(sum(answer.body) + sum(answer.content_type));
}

fn sum(text: Text) -> usize {
    if text.data.is_null() {
        return 0;
    }
    let length = usize::try_from(text.len).expect("a length that none can have");
    // SAFETY: what the library says is valid until this thread's next decision.
    unsafe { std::slice::from_raw_parts(text.data, length) }.iter().map(|byte| usize::from(*byte)).sum()
}

impl Given<'_> {
    fn text(&self) -> Text {
        match self {
            Self::Absent => Text::ABSENT,
            Self::Bytes(bytes) => Text { len: bytes.len() as c_int, data: bytes.as_ptr() },
            Self::Negative(length) => Text { len: (*length).min(-1), data: b"x".as_ptr() },
        }
    }
}

impl Name<'_> {
    fn text(&self) -> Text {
        const KNOWN: [&[u8]; 8] = [
            b"X-API-Key",
            b"x_api_key",
            b"X-Consumer-Username",
            b"x_consumer-id",
            b"Accept",
            b"Content-Type",
            b"Authorization",
            b"cookie",
        ];
        match self {
            Self::Given(given) => given.text(),
            Self::Known(which) => {
                let name = KNOWN[usize::from(*which) % KNOWN.len()];
                Text { len: name.len() as c_int, data: name.as_ptr() }
            }
        }
    }
}

struct Compiled(*mut Policy);

thread_local! {
    static POLICIES: [Compiled; 3] = [
        r#"{"key_names":["X-API-Key"],"key_in_body":true,"key_authorization":"Bearer","key_cookies":["k"],"hide_credentials":true,"anonymous":"guest","consumers":[{"username":"guest"}]}"#,
        r#"{"authentication":"gateway","client_certificate":"c","rules":[{"match":{"groups":["vets"],"methods":["POST"],"path_prefix":"/a","hosts":["h"],"headers":{"x-shift":["1"]}},"client_certificate":"d"}]}"#,
        r#"{"run_on_preflight":false,"key_in_query":false,"rules":[{"match":{"methods":["DELETE"]},"deny":{"message":"<no>"}}]}"#,
    ]
    // SAFETY: pointer and length are those of a text.
    .map(|policy| Compiled(unsafe { mtls_policy_compile(policy.as_ptr(), policy.len(), ptr::null()) }));
}
