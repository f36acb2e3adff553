//! What an upstream fails to answer the client is told within the service's timeouts, in the gateway's own words; and once
//! the upstream is well again, the next request is right.

use std::time::Instant;

use harness::cases::Answer;
use harness::dogcatcher::Fault;
use harness::gateway::Ability;
use tests::config::{WAIT, hasty};
use tests::{Setting, lacks, raw, tests};

tests![
    an_upstream_that_breaks_off_is_a_502,
    an_upstream_that_is_silent_is_a_504_in_time,
    a_response_that_breaks_off_is_not_taken_for_a_whole_one,
    a_slow_upstream_is_not_cut_off_while_it_goes_on,
];

fn an_upstream_that_breaks_off_is_a_502() {
    let setting = setting();
    let faults = [
        Fault::Down,
        Fault::Refuse,
        Fault::ResetHandshake,
        Fault::ResetRequest,
        Fault::DropAuthorities,
        Fault::RefuseNewCertificates,
    ];
    for fault in faults {
        if fault == Fault::RefuseNewCertificates {
            rotated(&setting);
        }
        let (answer, _) = under(&setting, fault);
        assert_eq!((answer.status, answer.message().as_str()), (502, BROKEN), "{fault:?}: {answer:?}");
        well_again(&setting, fault);
    }
}

fn an_upstream_that_is_silent_is_a_504_in_time() {
    let setting = setting();
    for fault in [Fault::StallRequest, Fault::Vanish, Fault::StallHandshake] {
        let (answer, took) = under(&setting, fault);
        let message = answer.message();
        let told = (answer.status, message.as_str());
        // A handshake that a gateway counts as connecting: whichever of the two timeouts, which are equal here, is first.
        let as_failed = fault != Fault::StallRequest && lacks(Ability::TellsSlowHandshakes).is_some();
        assert!(told == (504, SLOW) || as_failed && told == (502, BROKEN), "{fault:?}: {answer:?}");
        assert!(took < 4 * WAIT, "{fault:?}: {took:?}");
        well_again(&setting, fault);

        // On a connection that is open already, if it comes to a worker that has one.
        setting.upstream().set_fault(fault);
        let answer = ask(&setting);
        match fault {
            Fault::StallHandshake if answer.status == 200 => assert_eq!(answer.seen_client(), Some(CLIENT)),
            _ => assert!(matches!(answer.status, 502 | 504), "{fault:?}: {answer:?}"),
        }
        well_again(&setting, fault);
    }
}

fn a_response_that_breaks_off_is_not_taken_for_a_whole_one() {
    let setting = setting();
    for fault in [Fault::ResetResponse, Fault::StallResponse] {
        let (answer, took) = under(&setting, fault);
        let whole = answer.header("content-length").and_then(|length| length.parse().ok());
        assert!(
            answer.status >= 500 || whole.is_some_and(|whole: usize| answer.body.len() < whole),
            "{fault:?}: {answer:?}"
        );
        assert!(took < 4 * WAIT, "{fault:?}: {took:?}");
        well_again(&setting, fault);
    }
}

fn a_slow_upstream_is_not_cut_off_while_it_goes_on() {
    let setting = setting();
    setting.upstream().set_fault(Fault::Drip);
    let began = Instant::now();
    // It is told what it was asked, so this makes the answer long.
    let seen = setting.get("/dogs/anything").key("model-citizen").header("X-Long", &"x".repeat(2_000)).send();
    assert_eq!((seen.status, seen.common_name()), (200, Some(CLIENT)), "{}", seen.text);
    assert_eq!(seen.header("x-long"), ["x".repeat(2_000)]);
    assert!(began.elapsed() > WAIT, "it took {:?}, no longer than a silence may", began.elapsed());
}

fn setting() -> Setting {
    Setting::of(&hasty(&format!("client_certificate: {CLIENT}"), 0))
}

/// The answer to a request that finds no connection open, and how long it took.
fn under(setting: &Setting, fault: Fault) -> (Answer, std::time::Duration) {
    setting.take_upstream_down();
    setting.upstream().set_fault(fault);
    let began = Instant::now();
    let answer = ask(setting);
    (answer, began.elapsed())
}

fn ask(setting: &Setting) -> Answer {
    let key = setting.key("model-citizen");
    raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key), ("Accept", "application/json")])
}

/// Not the first that is asked, perhaps: the gateway may still have to hear of connections that have ended.
fn well_again(setting: &Setting, after: Fault) {
    setting.upstream().set_fault(Fault::None);
    setting.wait_until(&format!("all is well after {after:?}"), || ask(setting).status == 200);
    for _ in 0..10 {
        let answer = ask(setting);
        assert_eq!((answer.status, answer.seen_client()), (200, Some(CLIENT)), "{after:?}: {answer:?}");
    }
}

/// A new certificate is in force that the upstream has not seen.
fn rotated(setting: &Setting) {
    setting.upstream().set_fault(Fault::RefuseNewCertificates);
    setting.replace(CLIENT, |leaf| leaf);
    setting.wait_until_everywhere("every worker presents the new certificate, and is refused", || {
        ask(setting).status == 502
    });
}

const CLIENT: &str = "kong-client";
const BROKEN: &str = "An invalid response was received from the upstream server";
const SLOW: &str = "The upstream server is timing out";
