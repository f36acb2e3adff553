//! What a bad filter cannot do.

use super::wat::{CONTINUE, IMPORTS, PAUSE, REQUEST, RETURN};
use super::*;

/// Spoils its memory and does something bad when asked by a header, else answers 200 and the number of its roots.
fn bad_on_request(bad: &str) -> Wat {
    let mut wat = Wat::new();
    let header = wat.text("x-bad");
    wat.add("(global $roots (mut i32) (i32.const 0))")
        .on_configure("(global.set $roots (i32.add (global.get $roots) (i32.const 1))) (i32.const 1)")
        .on_request(&format!(
            "(if (i32.eqz (call $get_header_map_value {REQUEST} {header} {RETURN})) (then
               (global.set $roots (i32.const 50)) {bad}))
             (call $answer (i32.add (i32.const 200) (global.get $roots))) {PAUSE}"
        ))
}

fn bad_request(root: &Root) -> Result<Outcome, Trap> {
    let mut headers = headers(&[("x-bad", "1")]);
    let outcome = Stream::start([root]).request_headers(&mut headers, &mut Known::default());
    assert_eq!(headers.len(), 1, "the headers come back, whatever happens");
    outcome
}

#[test]
fn a_failed_machine_is_built_anew_with_all_its_roots() {
    for (bad, reason) in [
        ("(unreachable)", "wasm trap: wasm `unreachable` instruction executed"),
        ("(loop $forever (br $forever))", "it ran longer than it may"),
        ("(drop (i32.load (i32.const -4)))", "wasm trap: out of bounds memory access"),
        ("(call $deep)", "wasm trap: call stack exhausted"),
    ] {
        let wat = bad_on_request(bad).add("(func $deep (call $deep))");
        let worker = worker(&filters(&[("f", &wat), ("other", &wat)]));
        let roots = [(); 3].map(|()| worker.configure("f", []).unwrap());
        let other = worker.configure("other", []).unwrap();
        for _ in 0..2 {
            assert_eq!(bad_request(&roots[0]).unwrap_err().reason, reason);
            for root in &roots {
                assert_eq!(status([root]), 203, "after {bad}");
            }
            assert_eq!(status([&other]), 201);
        }
    }
}

#[test]
fn requests_on_their_way_survive_anothers_trap() {
    let (_worker, root) = single(&bad_on_request("(unreachable)").on_response("(unreachable)"));
    let mut stream = Stream::start([&root]);
    assert!(matches!(
        stream.request_headers(&mut Headers::new(), &mut Known::default()),
        Ok(Outcome::Respond(_))
    ));
    bad_request(&root).unwrap_err();
    assert_eq!(status([&root]), 201);
    let mut kept = headers(&[("server", "d")]);
    assert_eq!(stream.response_headers(&mut kept, &mut Known::default()), Ok(()), "its machine is gone");
    assert_eq!(kept.len(), 1);
    stream.finish();
    assert_eq!(status([&root]), 201);
}

#[test]
fn a_filter_that_cannot_be_built_anew_fails_every_request() {
    // Its first configuration succeeds, and no later one does, for the property is true once only.
    #[derive(Clone)]
    struct Once(bool);
    impl Properties for Once {
        fn get(&mut self, _: &str) -> Option<Vec<u8>> {
            std::mem::take(&mut self.0).then(Vec::new)
        }
        fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
            Err(Unsettable)
        }
    }
    let wat = Wat::new()
        .on_configure(&format!(
            "(call $ok (call $get_property (i32.const 0) (i32.const 0) {RETURN})) (i32.const 1)"
        ))
        .on_request("(unreachable)");
    let worker = Worker::new(&filters(&[("f", &wat)]), Once(true));
    let root = worker.configure("f", []).unwrap();
    let callbacks = [(); 3].map(|()| request([&root]).unwrap_err().callback);
    assert_eq!(callbacks, ["proxy_on_request_headers", "proxy_on_configure", "proxy_on_configure"]);
}

#[test]
fn an_endless_configuration_ends() {
    let wat = Wat::new().on_configure("(loop $forever (br $forever)) (i32.const 1)");
    let worker = worker(&filters(&[("f", &wat)]));
    let error = worker.configure("f", []).map(|_| ()).unwrap_err();
    assert_eq!(error.reason, "failed in proxy_on_configure: it ran longer than it may");
}

#[test]
fn memory_does_not_grow_beyond_the_limit() {
    // 64 KiB a page; the module has two of the sixteen that the limit allows.
    let wat = Wat::new().on_request(&format!(
        "(call $expect (memory.grow (i32.const 14)) (i32.const 2))
         (call $expect (memory.grow (i32.const 1)) (i32.const -1))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    assert_eq!(request([&root]), Ok(Outcome::Continue));
}

#[test]
fn a_panic_in_a_property_leaves_no_half_run_machine() {
    struct Panics;
    impl Properties for Panics {
        fn get(&mut self, _: &str) -> Option<Vec<u8>> {
            panic!("on purpose")
        }
        fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
            Err(Unsettable)
        }
    }
    let ask = format!("(drop (call $get_property (i32.const 0) (i32.const 0) {RETURN}))");
    let (_worker, root) = single(&bad_on_request(&ask));
    let mut stream = Stream::start([&root]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stream.request_headers(&mut headers(&[("x-bad", "1")]), &mut Panics)
    }));
    assert!(panicked.is_err());
    drop(stream);
    assert_eq!(status([&root]), 201);
}

/// Calls a host function with these arguments and answers 200 and the status that it got.
fn calling(name: &str, arguments: &[i64]) -> Wat {
    let (_, types) = IMPORTS.iter().find(|(known, _)| *known == name).unwrap();
    let arguments = types.chars().zip(arguments).map(|(kind, argument)| match kind {
        'I' => format!("(i64.const {argument})"),
        _ => format!("(i32.const {})", *argument as i32),
    });
    let arguments: String = arguments.collect();
    Wat::new()
        .on_request(&format!("(call $answer (i32.add (i32.const 200) (call ${name} {arguments}))) {PAUSE}"))
}

#[test]
fn a_pointer_out_of_memory_is_refused_by_every_call() {
    const FAR: i64 = u32::MAX as i64;
    const END: i64 = 2 * 65_536;
    // `FAR, FAR` would overflow 32 bits; `END - 1, 2` ends one byte too late.
    for (name, arguments) in [
        ("log", &[2, FAR, FAR][..]),
        ("log", &[2, END - 1, 2]),
        ("get_log_level", &[END - 3]),
        ("get_current_time_nanoseconds", &[END - 7]),
        ("get_buffer_bytes", &[7, 0, 1, FAR, 0]),
        ("get_buffer_bytes", &[7, 0, 1, 0, END - 3]),
        ("get_configuration", &[FAR, 0]),
        ("get_header_map_pairs", &[0, FAR, FAR]),
        ("set_header_map_pairs", &[0, FAR, 1]),
        ("get_header_map_value", &[0, FAR, 1, 0, 4]),
        ("add_header_map_value", &[0, FAR, 1, 0, 0]),
        ("replace_header_map_value", &[0, 0, 0, END, FAR]),
        ("remove_header_map_value", &[0, END, 1]),
        ("get_header_map_size", &[0, END]),
        ("get_property", &[FAR, FAR, 0, 4]),
        ("set_property", &[0, 0, FAR, FAR]),
        ("send_local_response", &[200, 0, 0, FAR, 1, 0, 0, -1]),
        ("send_local_response", &[200, 0, 0, 0, 0, FAR, 1, -1]),
        ("define_metric", &[0, FAR, 1, 0]),
        ("define_metric", &[0, 0, 0, FAR]),
    ] {
        let (_worker, root) = single(&calling(name, arguments));
        assert_eq!(status([&root]), 206, "{name}{arguments:?}");
    }
}

/// Accepts everything, knows everything.
struct Anything;

impl Properties for Anything {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        Some(path.as_bytes().to_vec())
    }

    fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
        Ok(())
    }
}

#[test]
fn no_arguments_whatever_break_the_host() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for (name, types) in IMPORTS {
        // The arguments are the bytes of a header, eight each.
        let mut wat = Wat::new();
        let header = wat.text("x-arguments");
        let load = |(at, kind): (usize, char)| match kind {
            'I' => format!("(i64.load offset={} (local.get $at))", at * 8),
            _ => format!("(i32.load offset={} (local.get $at))", at * 8),
        };
        let arguments: String = types.chars().enumerate().map(load).collect();
        let wat = wat.on_request(&format!(
            "(local $at i32)
             (call $ok (call $get_header_map_value {REQUEST} {header} {RETURN}))
             (local.set $at (i32.load (i32.const 0)))
             (drop (call ${name} {arguments})) {CONTINUE}"
        ));
        let (_worker, root) = single(&wat);
        for _ in 0..300 {
            let arguments = types.chars().flat_map(|_| random.argument().to_le_bytes()).collect();
            let mut headers = vec![(b"x-arguments".to_vec(), arguments), (b":path".to_vec(), b"/".to_vec())];
            let mut stream = Stream::start([&root]);
            match stream.request_headers(&mut headers, &mut Anything) {
                Ok(_) => stream.finish(),
                Err(trap) => assert!(!trap.reason.contains("interrupt"), "{name}: {trap}"),
            }
        }
    }
}

struct Random(u64);

impl Random {
    /// Of any size, for small ones reach further than large ones.
    fn argument(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let size = self.0 % 40;
        (self.0 >> 24) & ((1 << size) - 1)
    }
}
