//! The C ABI, called as Lua calls it.
#![allow(clippy::unwrap_used, unsafe_code)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every block calls the library with what this file has made"
)]

use std::ffi::CStr;
use std::fmt::Write;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use mtls_policy_native::consumers_exports::*;
use mtls_policy_native::exports::*;
use mtls_policy_native::{Answer, Decision, Established, Field, Policy, Request, Text};
use sha2::{Digest, Sha256};

#[path = "../../../filter/tests/decisions/mod.rs"]
mod table;

#[test]
fn every_request_gets_the_decision_that_is_owed() {
    assert_eq!(table::wrong(|policy, row| Handle::compile(policy).about(row)), [""; 0]);
}

#[test]
fn the_version_is_the_crates() {
    let version = unsafe { CStr::from_ptr(mtls_policy_version()) };
    assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_policy_with_mistakes_tells_them_all_and_lets_nobody_in() {
    let policy = Handle::compile(r#"{"key_nmaes":[],"realm":7}"#);
    assert_eq!(
        policy.problems().as_deref(),
        Some(
            "realm: has to be a string, is a number\n\
             key_nmaes: there is no such field (did you mean \"key_names\"?)"
        )
    );
    assert_eq!(policy.status(&[("apikey", "ann")]), 503);
}

#[test]
fn a_policy_is_checked_without_its_consumers_file_and_then_lets_nobody_in() {
    let document = br#"{"consumers_file":"/x","anonymous":"ann"}"#;
    let checked = Handle(unsafe { mtls_policy_check(document.as_ptr(), document.len()) });
    assert_eq!((checked.problems(), checked.status(&[])), (None, 503));
    let unread = Handle::compile(r#"{"consumers_file":"/x","anonymous":"ann"}"#);
    assert_eq!(unread.problems().as_deref(), Some("consumers_file: nothing valid has been read of it"));
    assert_eq!(unread.status(&[]), 503);
}

#[test]
fn consumers_of_a_file_may_be_freed_before_the_policy_compiled_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("consumers.json");
    std::fs::write(&path, format!(r#"{{"consumers":[{}]}}"#, consumer("ann"))).unwrap();
    let document = r#"{"consumers_file":"/x"}"#;
    let policy = unsafe {
        let path = path.to_str().unwrap();
        let file = mtls_policy_consumers_file_open(path.as_ptr(), path.len());
        assert_eq!(mtls_policy_consumers_file_poll(file), 1);
        mtls_policy_consumers_file_start(file);
        mtls_policy_consumers_file_wait(file, 60_000);
        assert_eq!(mtls_policy_consumers_file_poll(file), 2);
        let consumers = mtls_policy_consumers_file_take(file);
        assert!(mtls_policy_consumers_file_take(file).is_null());
        assert_eq!(mtls_policy_consumers_keys(consumers), 1);
        let policy = Handle(mtls_policy_compile(document.as_ptr(), document.len(), consumers));
        mtls_policy_consumers_free(consumers);
        mtls_policy_consumers_file_free(file);
        policy
    };
    assert_eq!((policy.problems(), policy.status(&[("apikey", "ann")])), (None, 0));
    assert_eq!(policy.status(&[("apikey", "eve")]), 401);
}

#[test]
fn an_invalid_consumers_file_has_an_error_and_no_consumers() {
    let path = "/proc/self/mem/none";
    unsafe {
        let file = mtls_policy_consumers_file_open(path.as_ptr(), path.len());
        mtls_policy_consumers_file_start(file);
        mtls_policy_consumers_file_wait(file, 60_000);
        assert_eq!(mtls_policy_consumers_file_poll(file), 4);
        let error = read(mtls_policy_consumers_file_error(file)).unwrap();
        assert!(error.contains("cannot read the file"), "{error}");
        assert!(mtls_policy_consumers_file_take(file).is_null());
        mtls_policy_consumers_file_free(file);
    }
}

#[test]
fn what_is_absent_or_malformed_is_refused() {
    let policy = Handle::compile(&policy_of(&["ann"]));
    let fields = fields(&[("apikey", "ann")]);
    let good = request(&fields);
    let negative = Text { len: -1, data: b"x".as_ptr() };
    let not_utf8 = Established { id: text(b"\xff"), ..established() };
    let headers = [Field { name: text(b"apikey"), value: negative }];
    let gateway = Handle::compile(r#"{"authentication":"gateway"}"#);
    let rows = [
        ("no policy", ptr::null(), good, 503),
        ("good", policy.0.cast_const(), good, 0),
        ("negative path", policy.0, Request { path: negative, ..good }, 503),
        ("negative header", policy.0, Request { headers: headers.as_ptr(), ..good }, 503),
        ("headers but none", policy.0, Request { headers: ptr::null(), ..good }, 503),
        ("no headers", policy.0, Request { headers: ptr::null(), headers_len: 0, ..good }, 401),
        ("not UTF-8", gateway.0, Request { established: &raw const not_utf8, ..good }, 503),
        ("nobody", gateway.0, good, 401),
    ];
    for (what, policy, request, owed) in rows {
        assert_eq!(decide(policy, &request, 8, |decision| decision.status), owed, "{what}");
    }
    unsafe {
        let mut decision = decision(&mut []);
        assert_eq!(mtls_policy_decide(policy.0, ptr::null(), &raw mut decision), 503);
        assert_eq!(mtls_policy_decide(policy.0, &raw const good, ptr::null_mut()), 503);
        mtls_policy_free(ptr::null_mut());
        mtls_policy_consumers_free(ptr::null_mut());
        mtls_policy_consumers_file_start(ptr::null());
        mtls_policy_consumers_file_wait(ptr::null(), 1);
        assert_eq!(mtls_policy_consumers_file_poll(ptr::null_mut()), 1);
        assert!(mtls_policy_consumers_file_take(ptr::null_mut()).is_null());
        assert!(mtls_policy_consumers_file_error(ptr::null()).data.is_null());
        mtls_policy_consumers_file_free(ptr::null_mut());
        assert!(mtls_policy_problems(ptr::null()).data.is_null());
        assert!(!mtls_policy_wants(ptr::null()).path);
    }
}

#[test]
fn a_request_passes_only_if_there_is_room_for_every_header_that_has_to_go() {
    let policy = Handle::compile(&policy_of(&["ann"]));
    let sent = [("apikey", "ann"), ("X-Consumer-ID", "0"), ("X-Consumer-Role", "warden")];
    let fields = fields(&sent);
    for (room, owed) in [(0, 503), (2, 503), (3, 0), (4, 0)] {
        assert_eq!(decide(policy.0, &request(&fields), room, |decision| decision.status), owed, "{room}");
    }
}

#[test]
fn a_consumer_and_its_key_have_one_number_in_every_decision() {
    let policy = Handle::compile(&policy_of(&["ann", "bob"]));
    let holder =
        |key: &str| decide(policy.0, &request(&fields(&[("apikey", key)])), 8, |decision| decision.holder);
    assert_eq!(holder("ann"), holder("ann"));
    assert_ne!(holder("ann"), holder("bob"));
}

#[test]
fn a_hidden_query_key_leaves_the_rest_of_the_query() {
    let policy = Handle::compile(&policy_of(&["ann"]));
    for (query, owed) in [("apikey=ann", ""), ("a=%2f&apikey=ann&&b", "a=%2f&&b")] {
        let request = Request { query: text(query.as_bytes()), ..request(&[]) };
        let rest = decide(policy.0, &request, 8, |decision| read(decision.query));
        assert_eq!(rest.as_deref(), Some(owed), "{query}");
    }
}

#[test]
fn rules_are_asked_again_about_a_request_that_has_changed() {
    let document = r#"{"authentication":"gateway","client_certificate":"c","rules":[
        {"match":{"path_prefix":"/locked"},"deny":{}},{"match":{"groups":["vets"],"path_prefix":"/dogs"},"client_certificate":"vet"}]}"#;
    let policy = Handle::compile(document);
    let bob = Established { username: text(b"bob"), groups: text(b"vets\nnight"), ..established() };
    let rows = [("/dogs/7", 0, "vet"), ("/cats", 0, "c"), ("/locked", 403, ""), ("/a%2fb", 400, "")];
    for (path, owed, certificate) in rows {
        let request = Request { path: text(path.as_bytes()), established: &raw const bob, ..request(&[]) };
        let mut decision = decision(&mut []);
        let status = unsafe { mtls_policy_reselect(policy.0, &raw const request, &raw mut decision) };
        assert_eq!(
            (status, read(decision.certificate).unwrap_or_default()),
            (owed, certificate.to_owned()),
            "{path}"
        );
    }
    let mut decision = decision(&mut []);
    let of_nobody = request(&[]);
    assert_eq!(unsafe { mtls_policy_reselect(policy.0, &raw const of_nobody, &raw mut decision) }, 503);
}

#[test]
fn rules_select_for_any_consumer_under_every_policy() {
    let rules = r#""client_certificate":"c","rules":[{"match":{"consumers":["eve"]},"deny":{"status":451,"message":"not you"}},
        {"match":{"groups":["vets"]},"client_certificate":"vet"}]"#;
    let people = r#""consumers":[{"username":"eve"},{"username":"ann","groups":["vets"]}]"#;
    let policies = [
        format!(r#"{{"authentication":"gateway",{rules}}}"#),
        format!("{{{people},{rules}}}"),
        format!(r#"{{"anonymous":"guest",{people},{rules}}}"#),
    ];
    let named = |name: &'static str, groups: &'static str| Established {
        username: text(name.as_bytes()),
        groups: text(groups.as_bytes()),
        ..established()
    };
    for document in &policies {
        let policy = Handle::compile(document);
        assert_eq!(policy.problems(), None);
        let again = |who: Established| {
            let request = Request { established: &raw const who, ..request(&[]) };
            let mut decision = decision(&mut []);
            let status = unsafe { mtls_policy_reselect(policy.0, &raw const request, &raw mut decision) };
            (status, read(decision.certificate), read(decision.message).filter(|_| status != 0))
        };
        let selected = |name: &str| (0, Some(name.to_owned()), None);
        assert_eq!(again(named("eve", "")), (451, None, Some("not you".to_owned())), "{document}");
        assert_eq!(again(named("a stranger", "vets")), selected("vet"), "{document}");
        assert_eq!(again(established()), selected("c"), "{document}");
    }
}

#[test]
fn a_policy_with_anonymous_says_that_it_keeps_an_established_consumer() {
    let rows = [
        ("{}", (false, false)),
        (r#"{"anonymous":"guest"}"#, (false, true)),
        (r#"{"authentication":"gateway"}"#, (true, false)),
    ];
    for (document, expected) in rows {
        let policy = Handle::compile(document);
        let wants = unsafe { mtls_policy_wants(policy.0) };
        assert_eq!((wants.established, wants.anonymous), expected, "{document}");
    }
}

#[test]
fn an_invalid_policy_rejects_with_its_first_problem_as_the_reason() {
    let policy = Handle::compile(r#"{"key_nmaes":[],"realm":7}"#);
    let said = decide(policy.0, &request(&[]), 0, |decision| (read(decision.message), read(decision.reason)));
    let reason = "the policy is invalid: realm: has to be a string, is a number";
    assert_eq!(said, (Some("No valid policy".to_owned()), Some(reason.to_owned())));
}

#[test]
fn a_refusals_words_are_escaped_in_the_clients_format() {
    let said = r#"say "please" & <WAIT>"#;
    let answer = |headers: &[(&str, &str)], http2: bool| {
        let fields = fields(headers);
        let request = request(&fields);
        let mut answer = Answer { content_type: Text::ABSENT, body: Text::ABSENT };
        unsafe {
            mtls_policy_answer(
                &raw const request,
                said.as_ptr(),
                said.len(),
                b"7".as_ptr(),
                1,
                http2,
                &raw mut answer,
            );
        }
        (read(answer.content_type).unwrap_or_default(), read(answer.body).unwrap_or_default())
    };
    let (kind, body) = answer(&[], false);
    assert_eq!(kind, "application/json; charset=utf-8");
    assert_eq!(body, "{\n  \"message\":\"say \\\"please\\\" & <WAIT>\",\n  \"request_id\":\"7\"\n}");
    let (kind, body) = answer(&[("accept", "text/html")], false);
    assert_eq!(kind, "text/html; charset=utf-8");
    assert!(body.contains("<p>say \"please\" &amp; &lt;WAIT&gt;.</p>"), "{body}");
    assert_eq!(answer(&[("Content-Type", "application/grpc")], true), Default::default());
}

/// Each worker reloads in the midst of its requests; here more than one thread does, which only the tools notice.
#[test]
fn policies_come_and_go_while_requests_are_decided_about() {
    let compile = |number: usize| {
        let document = policy_of(&["ann", if number.is_multiple_of(2) { "even" } else { "odd" }]);
        unsafe { mtls_policy_compile(document.as_ptr(), document.len(), ptr::null()) }
    };
    // As Lua's references do it: a policy is freed when nobody can ask it any more.
    let in_force = Arc::new(AtomicPtr::new(compile(0)));
    let (done, decided) = (AtomicBool::new(false), AtomicUsize::new(0));
    let readers: [AtomicPtr<Policy>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];
    thread::scope(|scope| {
        for hazard in &readers {
            let (in_force, done, decided) = (&in_force, &done, &decided);
            scope.spawn(move || {
                let fields = fields(&[("apikey", "ann"), ("accept", "*/*")]);
                while !done.load(Ordering::SeqCst) {
                    let policy = in_force.load(Ordering::SeqCst);
                    hazard.store(policy, Ordering::SeqCst);
                    if in_force.load(Ordering::SeqCst) == policy {
                        let who = decide(policy, &request(&fields), 8, |decision| read(decision.username));
                        assert_eq!(who.as_deref(), Some("ann"));
                        decided.fetch_add(1, Ordering::SeqCst);
                    }
                    hazard.store(ptr::null_mut(), Ordering::SeqCst);
                }
            });
        }
        for number in 1..RELOADS {
            let old = in_force.swap(compile(number), Ordering::SeqCst);
            while readers.iter().any(|hazard| hazard.load(Ordering::SeqCst) == old) {
                thread::yield_now();
            }
            unsafe { mtls_policy_free(old) };
        }
        while decided.load(Ordering::SeqCst) < 10 {
            thread::yield_now();
        }
        done.store(true, Ordering::SeqCst);
    });
    unsafe { mtls_policy_free(in_force.load(Ordering::SeqCst)) };
}

const RELOADS: usize = if cfg!(miri) { 5 } else { 200 };

/// A policy that is freed at the end.
struct Handle(*mut Policy);

impl Handle {
    fn compile(document: &str) -> Self {
        Self(unsafe { mtls_policy_compile(document.as_ptr(), document.len(), ptr::null()) })
    }

    fn problems(&self) -> Option<String> {
        read(unsafe { mtls_policy_problems(self.0) })
    }

    fn status(&self, headers: &[(&str, &str)]) -> u16 {
        decide(self.0, &request(&fields(headers)), 8, |decision| decision.status)
    }

    /// In the table's words. Only what the policy wants is handed over.
    fn about(&self, row: &table::Row) -> (String, String) {
        assert_eq!(self.problems(), None);
        let wants = unsafe { mtls_policy_wants(self.0) };
        let only_if = |wanted: bool, text: Text| if wanted { text } else { Text::ABSENT };
        let (path, query) = row.target.split_once('?').map_or((row.target, None), |(p, q)| (p, Some(q)));
        let fields = fields(row.headers);
        let established = row.established.map(|(username, group)| Established {
            username: text(username.as_bytes()),
            groups: text(group.as_bytes()),
            ..established()
        });
        let request = Request {
            method: only_if(wants.method, text(row.method.as_bytes())),
            authority: only_if(wants.authority, text(table::AUTHORITY.as_bytes())),
            path: only_if(wants.path, text(path.as_bytes())),
            query: only_if(wants.query, query.map_or(Text::ABSENT, |query| text(query.as_bytes()))),
            established: established.as_ref().map_or(ptr::null(), ptr::from_ref),
            now: table::NOW,
            ..request(&fields)
        };
        decide(self.0, &request, fields.len(), |decision| told(decision, path, query))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        unsafe { mtls_policy_free(self.0) };
    }
}

fn told(decision: &Decision, path: &str, query: Option<&str>) -> (String, String) {
    if decision.status != 0 {
        let message = read(decision.message).unwrap();
        assert!(read(decision.reason).is_some(), "{message}");
        return (format!("{} {message}", decision.status), String::new());
    }
    let who = match decision.caller {
        0 => "nobody".to_owned(),
        2 => "anonymous".to_owned(),
        _ => read(decision.username).unwrap(),
    };
    let certificate = read(decision.certificate).unwrap_or("unchanged".to_owned());
    let mut edits = String::new();
    for at in 0..decision.removed_len {
        write!(edits, "-{} ", read(unsafe { *decision.removed.add(at) }).unwrap()).unwrap();
    }
    let named = [
        ("X-Consumer-ID", read(decision.id)),
        ("X-Consumer-Custom-ID", read(decision.custom_id)),
        ("X-Consumer-Username", read(decision.username)),
        ("X-Credential-Identifier", read(decision.credential)),
        ("X-Anonymous-Consumer", Some("true".to_owned())),
    ];
    for (at, (name, value)) in named.into_iter().enumerate() {
        if decision.set & (1 << at) != 0 {
            write!(edits, "+{name}={} ", value.unwrap()).unwrap();
        }
    }
    if let Some(cookies) = read(decision.cookies) {
        write!(edits, "+Cookie={cookies} ").unwrap();
    }
    if let Some(rest) = read(decision.query) {
        assert!(query.is_some());
        edits += path;
        edits += if rest.is_empty() { "" } else { "?" };
        edits += &rest;
    }
    (format!("{who} {certificate}"), edits.trim_end().to_owned())
}

/// Decides with room for some removed headers, and reads the decision while all that it points to is there.
fn decide<T>(policy: *const Policy, request: &Request, room: usize, read: impl FnOnce(&Decision) -> T) -> T {
    let mut removed = vec![Text::ABSENT; room];
    let mut decision = decision(&mut removed);
    let status = unsafe { mtls_policy_decide(policy, request, &raw mut decision) };
    assert_eq!(status, decision.status);
    read(&decision)
}

fn decision(removed: &mut [Text]) -> Decision {
    // What Lua has at first: zeros, and the room for removed headers.
    let mut decision: Decision = unsafe { std::mem::zeroed() };
    decision.removed = removed.as_mut_ptr();
    decision.removed_capacity = removed.len();
    decision
}

fn request(headers: &[Field]) -> Request {
    Request {
        method: text(b"GET"),
        authority: Text::ABSENT,
        path: text(b"/"),
        query: Text::ABSENT,
        headers: headers.as_ptr(),
        headers_len: headers.len(),
        body: ptr::null(),
        body_len: 0,
        established: ptr::null(),
        now: 0,
    }
}

fn established() -> Established {
    let absent = Text::ABSENT;
    Established { id: absent, username: absent, custom_id: absent, credential: absent, groups: absent }
}

fn fields(headers: &[(&str, &str)]) -> Vec<Field> {
    headers
        .iter()
        .map(|(name, value)| Field { name: text(name.as_bytes()), value: text(value.as_bytes()) })
        .collect()
}

fn text(bytes: &[u8]) -> Text {
    Text { len: bytes.len().try_into().unwrap(), data: bytes.as_ptr() }
}

fn read(text: Text) -> Option<String> {
    if text.data.is_null() {
        return None;
    }
    let bytes = unsafe { std::slice::from_raw_parts(text.data, text.len.try_into().unwrap()) };
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn policy_of(names: &[&str]) -> String {
    let consumers: Vec<_> = names.iter().map(|name| consumer(name)).collect();
    format!(r#"{{"hide_credentials":true,"consumers":[{}]}}"#, consumers.join(","))
}

/// Whose key is their name.
fn consumer(name: &str) -> String {
    let mut digest = String::new();
    for byte in Sha256::digest(name) {
        write!(digest, "{byte:02x}").unwrap();
    }
    format!(r#"{{"username":"{name}","keys":[{{"id":"1","sha256":"{digest}"}}]}}"#)
}
