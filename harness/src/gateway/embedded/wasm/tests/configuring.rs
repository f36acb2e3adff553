//! Roots: how they come, what they share, and how they go.

use std::sync::{Arc, Mutex};

use super::wat::{CONTINUE, PAUSE, RETURN, RETURNED};
use super::*;

/// Answers with 200 and the number of roots that are in its memory, plus 100 for each that is being forgotten.
fn counting_roots() -> Wat {
    Wat::new()
        .add("(global $roots (mut i32) (i32.const 0))")
        .on_configure("(global.set $roots (i32.add (global.get $roots) (i32.const 1))) (i32.const 1)")
        .on_request(&format!("(call $answer (i32.add (i32.const 200) (global.get $roots))) {PAUSE}"))
}

#[test]
fn roots_of_one_filter_share_one_memory_and_nobody_else_does() {
    let wat = counting_roots();
    let filters = filters(&[("one", &wat), ("other", &wat)]);
    let (here, there) = (worker(&filters), worker(&filters));
    let one = here.configure("one", []).unwrap();
    let _same = here.configure("one", []).unwrap();
    let other = here.configure("other", []).unwrap();
    let elsewhere = there.configure("one", []).unwrap();
    assert_eq!([one, other, elsewhere].map(|root| status([&root])), [202, 201, 201]);
}

#[test]
fn a_root_gets_its_own_configuration() {
    let wat = Wat::new().on_request(&format!(
        "(call $ok (call $get_buffer_bytes (i32.const 7) (i32.const 1) (i32.const 99) {RETURN}))
         (call $ok (call $send_local_response (i32.const 200) (i32.const 0) (i32.const 0) {RETURNED}
           (i32.const 0) (i32.const 0) (i32.const -1)))
         {PAUSE}"
    ));
    let worker = worker(&filters(&[("f", &wat)]));
    let roots = ["[a", "[bc"].map(|config| worker.configure("f", config.as_bytes()).unwrap());
    let bodies = roots.map(|root| match request([&root]) {
        Ok(Outcome::Respond(response)) => response.body,
        other => panic!("{other:?}"),
    });
    assert_eq!(bodies, [b"a".to_vec(), b"bc".to_vec()]);
}

#[test]
fn a_refused_configuration_says_what_the_filter_said() {
    let mut wat = Wat::new();
    let [first, second] = ["rules[0]:\nunknown field", "keys: none"].map(|line| wat.text(line));
    let wat = wat
        .on_configure(&format!(
            "(call $ok (call $log (i32.const 4) {first})) (call $ok (call $log (i32.const 3) {second})) (i32.const 0)"
        ))
        .on_request(&format!("(call $answer (i32.const 503)) {PAUSE}"));
    let worker = worker(&filters(&[("f", &wat)]));
    let error = worker.configure("f", *b"{}").map(|_| ()).unwrap_err();
    assert_eq!(error.log, ["rules[0]: unknown field", "keys: none"]);
    assert_eq!(
        error.to_string(),
        "filter \"f\": refuses its configuration\n  rules[0]: unknown field\n  keys: none"
    );
    let started_all_the_same = error.into_root().unwrap();
    assert_eq!(status([&started_all_the_same]), 503);
}

#[test]
fn a_configuration_about_which_the_filter_logs_an_error_is_refused_whatever_it_returns() {
    for (level, owed) in [(3, true), (4, false)] {
        let mut wat = Wat::new();
        let line = wat.text("rules[0]: unknown field");
        let wat =
            wat.on_configure(&format!("(call $ok (call $log (i32.const {level}) {line})) (i32.const 1)"));
        let accepted = worker(&filters(&[("f", &wat)])).configure("f", *b"{}").is_ok();
        assert_eq!(accepted, owed, "level {level}");
    }
}

#[test]
fn a_machine_that_refuses_its_start_is_refused() {
    let wat =
        Wat::new().add("(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) (i32.const 0))");
    let error = worker(&filters(&[("f", &wat)])).configure("f", []).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "filter \"f\": refuses its configuration");
}

#[test]
fn a_trap_while_configuring_touches_no_other_root() {
    let wat = Wat::new()
        .add("(global $good (mut i32) (i32.const 0))")
        .on_configure(
            "(if (i32.eqz (local.get $size)) (then (unreachable)))
             (global.set $good (i32.add (global.get $good) (i32.const 1))) (i32.const 1)",
        )
        .on_request(&format!("(call $answer (i32.add (i32.const 200) (global.get $good))) {PAUSE}"));
    let worker = worker(&filters(&[("f", &wat)]));
    let good = worker.configure("f", *b"good").unwrap();
    let error = worker.configure("f", []).map(|_| ()).unwrap_err();
    assert!(
        error.to_string().contains("failed in proxy_on_configure: wasm trap: wasm `unreachable`"),
        "{error}"
    );
    assert!(error.into_root().is_none());
    assert_eq!(status([&good]), 201);
}

#[test]
fn a_filter_that_is_not_there_is_named() {
    let worker = worker(&filters(&[("f", &Wat::new())]));
    let error = worker.configure("g", []).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "filter \"g\": there is no filter of that name");
}

/// Records what was asked.
#[derive(Clone)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Properties for Asked {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().push(path.to_owned());
        None
    }

    fn set(&mut self, path: &str, _: &[u8]) -> Result<(), Unsettable> {
        self.0.lock().unwrap().push(path.to_owned());
        Ok(())
    }
}

/// Tells of each of its callbacks by setting a property of that name.
fn telling() -> Wat {
    let mut wat = Wat::new();
    let told = |wat: &mut Wat, name: &str| {
        let name = wat.text(name);
        format!("(call $ok (call $set_property {name} {name}))")
    };
    let [configure, done, log, delete] =
        ["configure", "done", "log", "delete"].map(|name| told(&mut wat, name));
    wat.on_configure(&format!("{configure} (i32.const 1)"))
        .add(&format!("(func (export \"proxy_on_done\") (param i32) (result i32) {done} (i32.const 1))"))
        .add(&format!("(func (export \"proxy_on_log\") (param i32) {log})"))
        .add(&format!("(func (export \"proxy_on_delete\") (param i32) {delete})"))
        .on_request(CONTINUE)
}

#[test]
fn a_request_and_a_root_end_as_the_abi_has_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let worker = Worker::new(&filters(&[("f", &telling())]), Asked(Arc::clone(&told)));
    let root = worker.configure("f", []).unwrap();
    let take = || std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(take(), ["configure"]);

    request([&root]).unwrap();
    assert_eq!(take(), ["done", "log", "delete"]);

    root.release();
    assert_eq!(take(), ["done", "delete"]);
}

#[test]
fn a_root_outlives_its_release_until_its_last_request_ends() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let worker = Worker::new(&filters(&[("f", &telling())]), Asked(Arc::clone(&told)));
    let root = worker.configure("f", []).unwrap();
    let mut stream = Stream::start([&root]);
    root.release();
    assert_eq!(*told.lock().unwrap(), ["configure"]);
    assert_eq!(stream.request_headers(&mut Headers::new(), &mut Known::default()), Ok(Outcome::Continue));
    stream.finish();
    let _next = worker.configure("f", []).unwrap();
    assert_eq!(*told.lock().unwrap(), ["configure", "done", "log", "delete", "done", "delete", "configure"]);
}

#[test]
fn a_request_that_was_given_up_is_ended_before_the_next() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let worker = Worker::new(&filters(&[("f", &telling())]), Asked(Arc::clone(&told)));
    let root = worker.configure("f", []).unwrap();
    let mut stream = Stream::start([&root]);
    stream.request_headers(&mut Headers::new(), &mut Known::default()).unwrap();
    drop(stream);
    assert_eq!(*told.lock().unwrap(), ["configure"]);
    request([&root]).unwrap();
    assert_eq!(*told.lock().unwrap(), ["configure", "done", "log", "delete", "done", "log", "delete"]);
}

#[test]
fn numbers_of_contexts_are_used_again() {
    let wat = Wat::new()
        .on_request(&format!("(call $answer (i32.add (i32.const 200) (local.get $context))) {PAUSE}"));
    let (_worker, root) = single(&wat);
    assert_eq!([(); 3].map(|()| status([&root])), [202, 202, 202]);
}
