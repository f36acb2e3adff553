//! Whatever goes wrong upstream, and under load, nobody is called as somebody else, or as nobody.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::dogcatcher::{ClientCertificate, Fault};
use tests::config::hasty;
use tests::{Done, Setting, raw, tests};

tests![identities_stay_apart_while_the_upstream_fails_in_every_way];

fn identities_stay_apart_while_the_upstream_fails_in_every_way() {
    let setting = Setting::of(&hasty(EVERYBODY_UNDER_THEIR_OWN, 1));
    // Who shows none would be served, and found out.
    setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::Asked);
    let done = AtomicBool::new(false);
    let (whole, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let askers: Vec<_> = (0..4_usize)
            .map(|asker| {
                let (setting, done, whole, failed) = (&setting, &done, &whole, &failed);
                scope.spawn(move || {
                    for turn in asker.. {
                        if done.load(Ordering::Relaxed) {
                            return;
                        }
                        let (who, owed) = WHO[turn % WHO.len()];
                        let key = setting.key(who);
                        let answer = raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]);
                        match (answer.status, answer.seen_client()) {
                            (200, Some(seen)) => {
                                assert_eq!(seen, owed, "{answer:?}");
                                whole.fetch_add(1, Ordering::Relaxed);
                            }
                            // A response of which half has come: whose it is its headers do not tell.
                            (200, None) if answer.body.starts_with("half a ") => {}
                            (502 | 504, None) => drop(failed.fetch_add(1, Ordering::Relaxed)),
                            _ => panic!("as {who}: {answer:?}"),
                        }
                    }
                })
            })
            .collect();
        let still = Done(&done);
        let flow = |what: &str| {
            let before = whole.load(Ordering::Relaxed);
            setting.wait_until(what, || {
                whole.load(Ordering::Relaxed) > before + 30 || askers.iter().any(|asker| asker.is_finished())
            });
        };
        for fault in FAULTS {
            setting.upstream().set_fault(fault);
            // Those that let nobody through at all pass by themselves.
            thread::park_timeout(Duration::from_millis(100));
            setting.upstream().set_fault(Fault::None);
            flow(&format!("requests flow after {fault:?}"));
        }
        drop(still);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
    });
    for seen in setting.upstream().latest() {
        let who = seen.headers.iter().find(|(name, _)| name == "x-consumer-username").unwrap();
        let owed = WHO.iter().find(|(name, _)| *name == who.1).unwrap().1;
        let client = seen.connection.client.as_ref().and_then(|client| client.common_name.as_deref());
        assert_eq!(client, Some(owed), "{seen:?}");
    }
    println!("{} whole answers, {} refused", whole.into_inner(), failed.load(Ordering::Relaxed));
    assert!(failed.into_inner() > 0, "nothing went wrong");
}

const FAULTS: [Fault; 13] = [
    Fault::Down,
    Fault::Refuse,
    Fault::CloseEach,
    Fault::HalfClose,
    Fault::Vanish,
    Fault::ResetHandshake,
    Fault::ResetRequest,
    Fault::ResetKept,
    Fault::ResetResponse,
    Fault::ResetIdle,
    Fault::StallHandshake,
    Fault::StallRequest,
    Fault::DropAuthorities,
];

const EVERYBODY_UNDER_THEIR_OWN: &str = "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet
- match: {consumers: [intern]}
  client_certificate: kong-intern";

const WHO: [(&str, &str); 3] =
    [("model-citizen", "kong-client"), ("vet", "kong-vet"), ("intern", "kong-intern")];
