//! What a filter sees of a request, and what it can do about it.

use super::super::LocalResponse;
use super::wat::{CONTINUE, NOTHING, PAUSE, REQUEST, RESPONSE, RETURN, RETURNED};
use super::*;

#[test]
fn a_request_without_the_header_is_answered_and_one_with_it_goes_on_changed() {
    let mut wat = Wat::new();
    let [key, missing, seen, body, pairs] =
        ["X-API-Key", "none", "x-seen", "no key", "\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0"]
            .map(|text| wat.text(text));
    let wat = wat.on_request(&format!(
        "(if (call $get_header_map_value {REQUEST} {key} {RETURN}) (then
           (call $ok (call $send_local_response (i32.const 401) {missing} {body} {pairs} (i32.const -1)))
           (return {PAUSE})))
         (call $ok (call $replace_header_map_value {REQUEST} {seen} {RETURNED}))
         (call $ok (call $remove_header_map_value {REQUEST} {key}))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);

    let mut without = headers(&[(":path", "/")]);
    let outcome = Stream::start([&root]).request_headers(&mut without, &mut Known::default());
    let response = LocalResponse {
        status: 401,
        headers: headers(&[("a", "bc")]),
        body: b"no key".to_vec(),
        grpc_status: None,
    };
    assert_eq!(outcome, Ok(Outcome::Respond(response)));
    assert_eq!(without, headers(&[(":path", "/")]), "a refused request keeps its headers");

    let mut with = headers(&[(":path", "/"), ("x-api-key", "k1"), ("x-seen", "forged"), ("X-Seen", "twice")]);
    let outcome = Stream::start([&root]).request_headers(&mut with, &mut Known::default());
    assert_eq!(outcome, Ok(Outcome::Continue));
    assert_eq!(with, headers(&[(":path", "/"), ("x-seen", "k1")]));
}

#[test]
fn the_first_answer_ends_the_chain() {
    let mut wat = Wat::new();
    let header = wat.text("x-passed");
    let passes = wat.on_request(&format!(
        "(call $ok (call $add_header_map_value {REQUEST} {header} {header})) {CONTINUE}"
    ));
    let answers = Wat::new().on_request(&format!("(call $answer (i32.const 403)) {PAUSE}"));
    // Kong answers too when a filter forgets to ask for the pause.
    let forgets = Wat::new().on_request(&format!("(call $answer (i32.const 409)) {CONTINUE}"));
    let worker = worker(&filters(&[("passes", &passes), ("answers", &answers), ("forgets", &forgets)]));
    let [passes, answers, forgets] =
        ["passes", "answers", "forgets"].map(|name| worker.configure(name, []).unwrap());

    for (chain, expected_status, passed) in [
        ([&passes, &answers, &passes], 403, 1),
        ([&passes, &passes, &answers], 403, 2),
        ([&forgets, &answers, &passes], 409, 0),
    ] {
        let mut seen = Headers::new();
        let outcome = Stream::start(chain).request_headers(&mut seen, &mut Known::default());
        assert!(
            matches!(&outcome, Ok(Outcome::Respond(response)) if response.status == expected_status),
            "{outcome:?}"
        );
        assert_eq!(seen.len(), passed);
    }
}

#[test]
fn writing_a_pseudo_header_is_accepted_and_has_no_effect() {
    let mut wat = Wat::new();
    let [path, method, new, pairs] =
        [":path", ":method", "/new", "\x02\0\0\0\x05\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0:path\0/\0a\0b\0"]
            .map(|text| wat.text(text));
    let wat = wat.on_request(&format!(
        "(call $ok (call $replace_header_map_value {REQUEST} {path} {new}))
         (call $ok (call $add_header_map_value {REQUEST} {path} {new}))
         (call $ok (call $remove_header_map_value {REQUEST} {method}))
         (call $ok (call $set_header_map_pairs {REQUEST} {pairs}))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    let mut seen = headers(&[(":method", "GET"), (":path", "/old?key=1"), ("x", "y")]);
    assert_eq!(
        Stream::start([&root]).request_headers(&mut seen, &mut Known::default()),
        Ok(Outcome::Continue)
    );
    assert_eq!(seen, headers(&[(":method", "GET"), (":path", "/old?key=1"), ("a", "b")]));
}

#[test]
fn a_header_that_would_split_the_request_is_refused() {
    let mut wat = Wat::new();
    let [name, value, pairs, broken] =
        ["x", "a\r\nb: c", "\x01\0\0\0\x01\0\0\0\x01\0\0\0x\0\n\0", "\x09\0\0\0"].map(|text| wat.text(text));
    let wat = wat.on_request(&format!(
        "(call $expect (call $replace_header_map_value {REQUEST} {name} {value}) (i32.const 2))
         (call $expect (call $add_header_map_value {REQUEST} {value} {name}) (i32.const 2))
         (call $expect (call $set_header_map_pairs {REQUEST} {pairs}) (i32.const 2))
         (call $expect (call $set_header_map_pairs {REQUEST} {broken}) (i32.const 3))
         (call $expect (call $send_local_response (i32.const 200) {NOTHING} {NOTHING} {pairs} (i32.const -1)) (i32.const 2))
         (call $expect (call $send_local_response (i32.const 1000) {NOTHING} {NOTHING} {NOTHING} (i32.const -1)) (i32.const 2))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    assert_eq!(request([&root]), Ok(Outcome::Continue));
}

#[test]
fn all_pairs_arrive_as_they_were_sent() {
    // Sets what it gets: whatever the host encodes has to come back through its decoder.
    let wat = Wat::new().on_request(&format!(
        "(call $ok (call $get_header_map_pairs {REQUEST} {RETURN}))
         (call $ok (call $get_header_map_size {REQUEST} (i32.const 8)))
         (call $expect (i32.load (i32.const 8)) (i32.load (i32.const 4)))
         (call $ok (call $set_header_map_pairs {REQUEST} {RETURNED}))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    let sent =
        headers(&[(":path", "/"), ("apikey", "a"), ("ApiKey", "b"), ("x-empty", ""), ("x-\u{e9}", "\u{e9}")]);
    let mut seen = sent.clone();
    seen.pop();
    let expected = seen.clone();
    assert_eq!(
        Stream::start([&root]).request_headers(&mut seen, &mut Known::default()),
        Ok(Outcome::Continue)
    );
    assert_eq!(seen, expected);
}

#[test]
fn a_propertys_path_arrives_with_dots_and_what_is_not_there_is_no_error() {
    let mut wat = Wat::new();
    let [segments, dotted, unknown, header] =
        ["kong\0service\0client_certificate", "kong.version", "kong\0nothing", "x-version"]
            .map(|text| wat.text(text));
    let wat = wat.on_request(&format!(
        "(call $expect (call $get_property {unknown} {RETURN}) (i32.const 1))
         (call $ok (call $get_property {dotted} {RETURN}))
         (call $ok (call $replace_header_map_value {REQUEST} {header} {RETURNED}))
         (call $ok (call $set_property {segments} {header}))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    let mut known = Known::of(&[("kong.version", "3.9.1"), ("kong.service.client_certificate", "")]);
    let mut seen = Headers::new();
    assert_eq!(Stream::start([&root]).request_headers(&mut seen, &mut known), Ok(Outcome::Continue));
    assert_eq!(seen, headers(&[("x-version", "3.9.1")]));
    assert_eq!(known.0["kong.service.client_certificate"], b"x-version");
}

#[test]
fn a_property_that_cannot_be_set_traps_without_its_value_in_the_reason() {
    let mut wat = Wat::new();
    let [path, value] = ["kong\0nothing", "secret"].map(|text| wat.text(text));
    let wat = wat.on_request(&format!("(drop (call $set_property {path} {value})) {CONTINUE}"));
    let (_worker, root) = single(&wat);
    let trap = request([&root]).unwrap_err();
    assert_eq!(
        trap.to_string(),
        "filter \"f\" failed in proxy_on_request_headers: could not set \"kong.nothing\""
    );
}

#[test]
fn a_pause_without_an_answer_is_a_failure_of_that_request_only() {
    let mut wat = Wat::new();
    let header = wat.text("x-pause");
    let wat = wat.add("(global $requests (mut i32) (i32.const 200))").on_request(&format!(
        "(global.set $requests (i32.add (global.get $requests) (i32.const 1)))
         (if (i32.eqz (call $get_header_map_value {REQUEST} {header} {RETURN})) (then (return {PAUSE})))
         (call $answer (global.get $requests)) {PAUSE}"
    ));
    let (_worker, root) = single(&wat);
    let mut pausing = headers(&[("x-pause", "1")]);
    let trap = Stream::start([&root]).request_headers(&mut pausing, &mut Known::default()).unwrap_err();
    assert!(trap.reason.contains("paused the request without an answer"), "{trap}");
    assert_eq!(status([&root]), 202, "the machine is still the same");
}

#[test]
fn a_second_answer_traps() {
    let wat = Wat::new()
        .on_request(&format!("(call $answer (i32.const 200)) (call $answer (i32.const 201)) {PAUSE}"));
    let (_worker, root) = single(&wat);
    assert_eq!(request([&root]).unwrap_err().reason, "a response has been sent already");
}

#[test]
fn a_grpc_answer_keeps_its_status() {
    let code = format!(
        "(call $ok (call $send_local_response (i32.const 200) {NOTHING} {NOTHING} {NOTHING} (i32.const 16))) {PAUSE}"
    );
    let (_worker, root) = single(&Wat::new().on_request(&code));
    assert!(matches!(request([&root]), Ok(Outcome::Respond(response)) if response.grpc_status == Some(16)));
}

#[test]
fn response_headers_are_changed_where_there_is_a_response() {
    let mut wat = Wat::new();
    let [name, value] = ["x-filter", "1"].map(|text| wat.text(text));
    let set = format!("(call $ok (call $replace_header_map_value {RESPONSE} {name} {value}))");
    let (_worker, root) = single(&wat.on_response(&format!("{set} {CONTINUE}")));
    let mut stream = Stream::start([&root]);
    assert_eq!(stream.request_headers(&mut Headers::new(), &mut Known::default()), Ok(Outcome::Continue));
    let mut seen = headers(&[("server", "d")]);
    stream.response_headers(&mut seen, &mut Known::default()).unwrap();
    assert_eq!(seen, headers(&[("server", "d"), ("x-filter", "1")]));
}

#[test]
fn headers_of_the_other_step_cannot_be_set() {
    let mut wat = Wat::new();
    let name = wat.text("x");
    let set = |map: &str| format!("(drop (call $replace_header_map_value {map} {name} {name})) {CONTINUE}");
    let (response, request_again) = (set(RESPONSE), set(REQUEST));
    let wat = wat.on_request(&response);
    let (_worker, root) = single(&wat);
    assert_eq!(
        request([&root]).unwrap_err().reason,
        "response headers can only be set in proxy_on_response_headers"
    );

    let mut wat = Wat::new();
    wat.text("x");
    let (_worker, root) = single(&wat.on_response(&request_again));
    let mut stream = Stream::start([&root]);
    stream.request_headers(&mut Headers::new(), &mut Known::default()).unwrap();
    let trap = stream.response_headers(&mut Headers::new(), &mut Known::default()).unwrap_err();
    assert_eq!(trap.reason, "request headers can only be set in proxy_on_request_headers");
}

#[test]
fn host_calls_are_counted_over_the_whole_chain() {
    let mut wat = Wat::new();
    let name = wat.text("x");
    let wat = wat.on_request(&format!(
        "(drop (call $get_header_map_value {REQUEST} {name} {RETURN}))
         (drop (call $get_header_map_value {REQUEST} {name} {RETURN}))
         (call $ok (call $replace_header_map_value {REQUEST} {name} {name}))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    for _ in 0..2 {
        let mut stream = Stream::start([&root, &root]);
        stream.request_headers(&mut Headers::new(), &mut Known::default()).unwrap();
        let calls: Vec<_> = stream.calls().collect();
        assert_eq!(calls, [("proxy_get_header_map_value", 4), ("proxy_replace_header_map_value", 2)]);
        stream.finish();
    }
}

#[test]
fn a_module_of_abi_0_1_0_runs() {
    let wat = Wat::new().abi("0_1_0").add(&format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32) (result i32)
           (call $answer (i32.add (i32.const 200) (local.get 1))) {PAUSE})"
    ));
    let (_worker, root) = single(&wat);
    let mut three = headers(&[("a", ""), ("b", ""), ("c", "")]);
    let outcome = Stream::start([&root]).request_headers(&mut three, &mut Known::default());
    assert!(matches!(&outcome, Ok(Outcome::Respond(response)) if response.status == 203), "{outcome:?}");
}

#[test]
fn what_this_gateway_does_not_offer_answers_unimplemented() {
    let mut wat = Wat::new();
    let name = wat.text("cluster");
    let wat = wat.on_request(&format!(
        "(call $expect (call $http_call {name} {NOTHING} {NOTHING} {NOTHING} (i32.const 5) (i32.const 0)) (i32.const 12))
         (call $expect (call $get_shared_data {name} {RETURN} (i32.const 8)) (i32.const 12))
         (call $expect (call $set_tick_period_milliseconds (i32.const 5)) (i32.const 12))
         (call $expect (call $call_foreign_function {name} {NOTHING} {RETURN}) (i32.const 12))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    assert_eq!(request([&root]), Ok(Outcome::Continue));
}

#[test]
fn the_clock_is_the_hosts() {
    let wat = Wat::new().on_request(&format!(
        "(call $ok (call $get_current_time_nanoseconds (i32.const 8)))
         (if (i64.lt_u (i64.load (i32.const 8)) (i64.const 1700000000000000000)) (then (unreachable)))
         {CONTINUE}"
    ));
    let (_worker, root) = single(&wat);
    assert_eq!(request([&root]), Ok(Outcome::Continue));
}

#[test]
fn metrics_are_summed_over_workers_and_outlive_a_trap() {
    let mut wat = Wat::new();
    let [name, trap] = ["allowed", "x-trap"].map(|text| wat.text(text));
    let wat = wat
        .on_configure(&format!(
            "(call $ok (call $define_metric (i32.const 0) {name} (i32.const 16))) (i32.const 1)"
        ))
        .on_request(&format!(
            "(call $ok (call $increment_metric (i32.load (i32.const 16)) (i64.const 1)))
             (call $expect (call $increment_metric (i32.const 99) (i64.const 1)) (i32.const 1))
             (call $expect (call $record_metric (i32.load (i32.const 16)) (i64.const 1)) (i32.const 2))
             (if (i32.eqz (call $get_header_map_value {REQUEST} {trap} {RETURN})) (then (unreachable)))
             {CONTINUE}"
        ));
    let filters = filters(&[("f", &wat)]);
    let workers = [worker(&filters), worker(&filters)];
    let roots = workers.each_ref().map(|worker| worker.configure("f", []).unwrap());
    for root in &roots {
        request([root]).unwrap();
        let trapping = &mut headers(&[("x-trap", "1")]);
        Stream::start([root]).request_headers(trapping, &mut Known::default()).unwrap_err();
        request([root]).unwrap();
    }
    let [reading] = &*filters.metrics() else { panic!("{:?}", filters.metrics()) };
    assert_eq!((&*reading.filter, &*reading.name, reading.value), ("f", "allowed", 6));
}
