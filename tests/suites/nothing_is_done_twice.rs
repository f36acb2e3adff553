//! A request that may not be repeated is sent once, however often a service lets the gateway try.

use harness::dogcatcher::Fault;
use tests::config::hasty;
use tests::{Setting, tests};

tests![
    a_post_that_the_upstream_has_heard_is_not_sent_again,
    a_post_that_met_a_kept_connections_end_is_not_sent_again,
    what_is_tried_again_is_tried_as_often_as_the_service_says,
];

fn a_post_that_the_upstream_has_heard_is_not_sent_again() {
    let setting = setting();
    for fault in [Fault::ResetRequest, Fault::ResetResponse, Fault::StallRequest, Fault::StallResponse] {
        let before = setting.requests_upstream();
        setting.upstream().set_fault(fault);
        let status = post(&setting);
        assert_eq!(setting.requests_upstream(), before + 1, "{fault:?}, answered {status:?}");
        assert!(!matches!(status, Some(200)), "{fault:?}: half an answer was taken for a whole one");
        setting.upstream().set_fault(Fault::None);
        setting.wait_until("all is well again", || post(&setting) == Some(200));
    }
}

fn a_post_that_met_a_kept_connections_end_is_not_sent_again() {
    let setting = setting();
    let mut met = 0;
    for turn in 0..20 {
        setting.upstream().set_fault(Fault::None);
        setting.wait_until("a connection is kept", || {
            setting.get("/dogs/anything").key("model-citizen").send().status == 200
        });
        setting.upstream().set_fault(Fault::ResetKept);
        let before = setting.requests_upstream();
        let status = post(&setting);
        assert_eq!(setting.requests_upstream(), before + 1, "turn {turn}, answered {status:?}");
        assert!(matches!(status, Some(200 | 502)), "turn {turn}: {status:?}");
        met += usize::from(status == Some(502));
    }
    assert!(met > 0, "no request met the end of a kept connection");
}

fn what_is_tried_again_is_tried_as_often_as_the_service_says() {
    let setting = setting();
    for fault in [Fault::ResetRequest, Fault::StallRequest] {
        let before = setting.requests_upstream();
        setting.upstream().set_fault(fault);
        let status = setting.get("/dogs/anything").key("model-citizen").send().status;
        let tried = setting.requests_upstream() - before;
        println!("{fault:?}: {tried} times, then {status}");
        assert!((1..=u64::from(RETRIES) + 1).contains(&tried), "{fault:?}: {tried} times");
        assert_eq!(status, if fault == Fault::ResetRequest { 502 } else { 504 }, "{fault:?}");
    }
}

fn setting() -> Setting {
    Setting::of(&hasty("client_certificate: kong-client", RETRIES))
}

/// The status of a whole answer. The request has no body, so that nothing but its method keeps it from being repeated.
fn post(setting: &Setting) -> Option<u16> {
    let request = setting.request("POST", "/dogs/anything").key("model-citizen");
    request.try_send().map(|seen| seen.status)
}

const RETRIES: u32 = 2;
