//! A certificate, or its authority, is replaced while the upstream fails: what was replaced is not presented again, though
//! it alone would still be let in; and once the upstream is well again, every request succeeds under what is new.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::dogcatcher::Fault;
use pki::{Authority, Ca, Leaf};
use tests::config::hasty;
use tests::{Done, Setting, raw, tests};

tests![
    a_certificate_rotates_while_the_upstream_restarts,
    a_certificate_that_the_upstream_refuses_does_not_bring_back_the_one_before,
    an_authority_rotates_while_the_upstream_restarts,
    an_authority_that_the_upstream_drops_is_believed_again_when_it_is_back,
];

fn a_certificate_rotates_while_the_upstream_restarts() {
    let setting = setting();
    under_load(&setting, |load| {
        for _ in 0..3 {
            setting.take_upstream_down();
            setting.replace(CLIENT, |leaf| leaf);
            load.wait("requests fail meanwhile", |load| load.failed() > 0);
            setting.upstream().set_fault(Fault::None);
            load.replaced();
            load.all_succeed();
        }
    });
}

fn a_certificate_that_the_upstream_refuses_does_not_bring_back_the_one_before() {
    let setting = setting();
    under_load(&setting, |load| {
        for _ in 0..2 {
            setting.upstream().set_fault(Fault::RefuseNewCertificates);
            setting.replace(CLIENT, |leaf| leaf);
            setting.wait_until_everywhere("every worker presents the new one, and is refused", || {
                ask(&setting).status == 502
            });
            load.replaced();
            for _ in 0..40 {
                assert_eq!(ask(&setting).status, 502, "the one before would be let in");
            }
            setting.upstream().set_fault(Fault::None);
            load.all_succeed();
        }
    });
}

fn an_authority_rotates_while_the_upstream_restarts() {
    let setting = setting();
    let new = Authority::root(&Ca::named("the next CA").path_length(1)).unwrap();
    let both = setting.authority().pem() + &new.pem();
    let server = Leaf::server("dogcatcher-api").reached_as("localhost".parse().unwrap());
    let server = new.issue(&server).unwrap();
    under_load(&setting, |load| {
        let issued = setting.authority().issue(&Leaf::client(CLIENT)).unwrap();
        setting.put_with_trust(CLIENT, &issued, &both);
        load.presents(&issued.fingerprint());

        // It comes back with the new authority alone; the gateway has a certificate of the old one still.
        setting.take_upstream_down();
        setting.upstream_tls(|tls| {
            tls.client_authorities = new.pem();
            (tls.chain, tls.key) = (server.chain_pem(), server.key().pem());
        });
        setting.upstream().set_fault(Fault::None);
        setting.wait_until_everywhere("the old authority is not believed any more", || {
            ask(&setting).status == 502
        });

        let issued = new.issue(&Leaf::client(CLIENT)).unwrap();
        setting.put_with_trust(CLIENT, &issued, &new.pem());
        load.presents(&issued.fingerprint());
        load.replaced();
        load.all_succeed();
    });
}

fn an_authority_that_the_upstream_drops_is_believed_again_when_it_is_back() {
    let setting = setting();
    under_load(&setting, |load| {
        setting.upstream().set_fault(Fault::DropAuthorities);
        setting.replace(CLIENT, |leaf| leaf);
        setting.wait_until_everywhere("nobody is let in under the new one", || ask(&setting).status == 502);
        load.replaced();
        setting.upstream().set_fault(Fault::None);
        load.all_succeed();
    });
}

fn setting() -> Setting {
    Setting::of(&hasty(&format!("client_certificate: {CLIENT}"), 1))
}

fn ask(setting: &Setting) -> harness::cases::Answer {
    raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &setting.key("model-citizen"))])
}

/// Requests that flow while something is done. Each that was answered was answered as who it is, and under no
/// certificate that had been replaced more than [`GRACE`] before it was asked.
fn under_load(setting: &Setting, disturb: impl FnOnce(&Load<'_>)) {
    let load = Load {
        setting,
        done: AtomicBool::new(false),
        succeeded: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
        retired: Mutex::new((String::new(), None)),
    };
    thread::scope(|scope| {
        let askers: Vec<_> = (0..3).map(|_| scope.spawn(|| load.ask_until_done())).collect();
        let still = Done(&load.done);
        load.wait("requests flow before", |load| load.succeeded() > 30);
        disturb(&load);
        drop(still);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
    });
}

struct Load<'s> {
    setting: &'s Setting,
    done: AtomicBool,
    succeeded: AtomicUsize,
    failed: AtomicUsize,
    /// The only certificate that may be presented, and since when.
    retired: Mutex<(String, Option<Instant>)>,
}

impl Load<'_> {
    fn ask_until_done(&self) {
        while !self.done.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let answer = ask(self.setting);
            match (answer.status, answer.seen_client()) {
                (200, Some(CLIENT)) => {
                    let (only, since) = self.retired.lock().unwrap().clone();
                    let late = since.is_some_and(|since| asked > since + GRACE);
                    assert!(
                        !late || raw::fingerprint(&answer) == Some(only),
                        "presented after it was replaced: {answer:?}"
                    );
                    self.succeeded.fetch_add(1, Ordering::Relaxed);
                }
                (502, None) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
                _ => panic!("{answer:?}"),
            }
        }
    }

    /// What lies in the files now is all that may be presented, once they have been looked at.
    fn replaced(&self) {
        *self.retired.lock().unwrap() = (self.setting.fingerprint(CLIENT), Some(Instant::now()));
    }

    fn presents(&self, fingerprint: &str) {
        self.setting.wait_until_everywhere("every worker presents what is new", || {
            raw::fingerprint(&ask(self.setting)).as_deref() == Some(fingerprint)
        });
    }

    /// The upstream is well. Connections that it has ended the gateway may still have to hear of; from then on nothing
    /// fails.
    fn all_succeed(&self) {
        self.presents(&self.setting.fingerprint(CLIENT));
        let failed = self.failed();
        let succeeded = self.succeeded();
        self.wait("requests flow after", |load| load.succeeded() > succeeded + 100);
        assert_eq!(self.failed(), failed, "requests fail though the upstream is well");
        self.failed.store(0, Ordering::Relaxed);
    }

    fn succeeded(&self) -> usize {
        self.succeeded.load(Ordering::Relaxed)
    }

    fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    fn wait(&self, what: &str, so: impl Fn(&Self) -> bool) {
        self.setting.wait_until(what, || so(self));
    }
}

const CLIENT: &str = "kong-client";

/// Files are looked at every tenth of a second; the rest is for machines that are busy.
const GRACE: Duration = Duration::from_secs(2);
