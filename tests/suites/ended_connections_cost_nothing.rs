//! An upstream may end a connection that it has announced to keep. A client whose request comes after that is none the
//! worse for it.

use harness::dogcatcher::Fault;
use harness::gateway::Ability;
use tests::config::hasty;
use tests::{Setting, needs, tests};

tests![a_connection_that_ended_while_idle_is_not_used, a_safe_request_that_meets_the_end_is_sent_again];

fn a_connection_that_ended_while_idle_is_not_used() {
    let setting = setting();
    for fault in [Fault::CloseEach, Fault::HalfClose, Fault::ResetIdle] {
        setting.upstream().set_fault(fault);
        for turn in 0..20 {
            let (who, owed) = WHO[turn % WHO.len()];
            let method = ["GET", "POST"][turn / WHO.len() % 2];
            let seen = setting.request(method, "/dogs/anything").key(who).send();
            assert_eq!(
                (seen.status, seen.common_name()),
                (200, Some(owed)),
                "{fault:?}, turn {turn}: {method}"
            );
            setting.wait_until("it has ended, here and there", || setting.upstream().counts().open == 0);
        }
    }
}

fn a_safe_request_that_meets_the_end_is_sent_again() {
    needs(Ability::RepeatsSafeRequests);
    let setting = setting();
    setting.upstream().set_fault(Fault::ResetKept);
    let before = setting.requests_upstream();
    for turn in 0..20 {
        let (who, owed) = WHO[turn % WHO.len()];
        let seen = setting.get("/dogs/anything").key(who).send();
        assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "turn {turn}: {}", seen.text);
    }
    assert!(setting.requests_upstream() > before + 20, "no request met the end of a connection");
}

fn setting() -> Setting {
    Setting::of(&hasty(
        "client_certificate: kong-client\nrules: [{match: {consumers: [vet]}, client_certificate: kong-vet}]",
        5,
    ))
}

const WHO: [(&str, &str); 2] = [("model-citizen", "kong-client"), ("vet", "kong-vet")];
