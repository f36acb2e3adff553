//! Certificates rotate while requests flow: none fails, and the old identity is not used again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::gateway::Ability;

use tests::{Done, Setting, needs, raw, tests};

tests![
    three_identities_stay_right_while_each_rotates_every_second,
    nothing_fails_while_configs_are_taken_over,
    nothing_fails_while_workers_are_restarted,
    a_rotation_under_load_fails_no_request_and_retires_the_old_identity,
    a_new_key_under_the_same_names_is_a_new_identity,
];

fn a_rotation_under_load_fails_no_request_and_retires_the_old_identity() {
    let setting = Setting::new("client_certificate: kong-client");
    let done = AtomicBool::new(false);
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seen = setting.get("/dogs/anything").key("model-citizen").send();
                    answered.fetch_add(1, Ordering::Relaxed);
                    if (seen.status, seen.common_name()) != (200, Some("kong-client")) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let _done = Done(&done);
        let key = setting.key("model-citizen");
        // On a connection of its own, so that each worker of the gateway has its share; and on those that are kept alive,
        // whose worker may get none of the new ones while it is busy.
        let alone = || raw::fingerprint(&raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]));
        let kept = || setting.get("/dogs/anything").key("model-citizen").send().fingerprint();
        for _ in 0..5 {
            setting.replace("kong-client", |leaf| leaf);
            let fresh = Some(setting.fingerprint("kong-client"));
            setting.wait_until_everywhere("every worker presents the new certificate", || {
                alone() == fresh && kept() == fresh
            });
            // From here on the one before is history, on every connection.
            for _ in 0..50 {
                assert_eq!(kept(), fresh);
            }
        }
    });
    assert_eq!(failed.into_inner(), 0, "of {}", answered.into_inner());
}

fn a_new_key_under_the_same_names_is_a_new_identity() {
    let setting = Setting::new("client_certificate: kong-client");
    let before = setting.get("/dogs/anything").key("model-citizen").send();
    setting.replace("kong-client", |leaf| leaf);
    setting.wait_until("the new key is used", || {
        let after = setting.get("/dogs/anything").key("model-citizen").send();
        after.fingerprint() == Some(setting.fingerprint("kong-client"))
            && after.connection() != before.connection()
    });
}

/// `HARNESS_REQUESTS` asks for more than the usual number of requests.
fn three_identities_stay_right_while_each_rotates_every_second() {
    let total: usize = std::env::var("HARNESS_REQUESTS").map_or(6_000, |count| count.parse().unwrap());
    let setting = Setting::new(EVERYBODY_UNDER_THEIR_OWN);
    let history = History::of(&setting);
    let (begun, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let askers: Vec<_> = (0..4_usize)
            .map(|asker| {
                let (setting, history, begun) = (&setting, &history, &begun);
                scope.spawn(move || {
                    loop {
                        let turn = begun.fetch_add(1, Ordering::Relaxed);
                        if turn >= total {
                            return;
                        }
                        let (who, owed) = WHO[(turn * (asker + 1) + turn / 7) % WHO.len()];
                        let asked = Instant::now();
                        let seen = setting.get("/dogs/anything").key(who).send();
                        assert_eq!(
                            (seen.status, seen.common_name()),
                            (200, Some(owed)),
                            "request {turn}: {}",
                            seen.text
                        );
                        history.check(owed, &seen.fingerprint().unwrap(), asked);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut next = Instant::now();
            while !done.load(Ordering::Relaxed) {
                if Instant::now() >= next {
                    WHO.iter().for_each(|(_, certificate)| history.rotate(&setting, certificate));
                    next += Duration::from_secs(1);
                }
                thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        });
        let outcomes: Vec<_> = askers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        outcomes.into_iter().for_each(|outcome| outcome.unwrap());
    });
    assert!(history.rotations() >= WHO.len(), "nothing rotated");
}

fn nothing_fails_while_configs_are_taken_over() {
    let setting = Setting::new(EVERYBODY_UNDER_THEIR_OWN);
    let mut round = 0;
    under_load(&setting, || {
        round += 1;
        setting.reconfigure(&format!("realm: r{round}\n{EVERYBODY_UNDER_THEIR_OWN}")).unwrap();
    });
    assert!(round >= 5, "the config changed {round} times only");
}

fn nothing_fails_while_workers_are_restarted() {
    needs(Ability::RestartsWorkers);
    let setting = Setting::new(EVERYBODY_UNDER_THEIR_OWN);
    let mut round = 0;
    under_load(&setting, || {
        round += 1;
        setting.restart_workers().unwrap();
    });
    assert!(round >= 5, "the workers were restarted {round} times only");
}

/// Does a thing five times while requests flow; each of them has to be answered, as who it is. Each is on a connection
/// of its own: whoever ends a connection that is idle cannot know that a request is on its way on it.
fn under_load(setting: &Setting, mut disturb: impl FnMut()) {
    let (answered, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let askers: Vec<_> = (0..4_usize)
            .map(|asker| {
                let (answered, done) = (&answered, &done);
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        let turn = answered.fetch_add(1, Ordering::Relaxed);
                        let (who, owed) = WHO[(turn + asker) % WHO.len()];
                        let key = setting.key(who);
                        let answer = raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]);
                        assert_eq!(
                            (answer.status, answer.seen_client()),
                            (200, Some(owed)),
                            "request {turn}: {answer:?}"
                        );
                    }
                })
            })
            .collect();
        let still = Done(&done);
        for _ in 0..5 {
            let before = answered.load(Ordering::Relaxed);
            disturb();
            setting.wait_until("requests flow", || answered.load(Ordering::Relaxed) > before + 100);
        }
        drop(still);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
    });
}

/// Everybody under a certificate of their own.
const EVERYBODY_UNDER_THEIR_OWN: &str = "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet
- match: {consumers: [intern]}
  client_certificate: kong-intern";

const WHO: [(&str, &str); 3] =
    [("model-citizen", "kong-client"), ("vet", "kong-vet"), ("intern", "kong-intern")];

/// Which certificates there have been of each name, and when each ceased to be the newest.
struct History(Mutex<BTreeMap<String, Vec<(String, Ceased)>>>);

type Ceased = Option<Instant>;

impl History {
    fn of(setting: &Setting) -> Self {
        let first = |name: &str| (name.to_owned(), vec![(setting.fingerprint(name), None)]);
        Self(Mutex::new(WHO.iter().map(|(_, name)| first(name)).collect()))
    }

    fn rotate(&self, setting: &Setting, name: &str) {
        // Known before it is in place: it may be presented at once.
        setting.replace_known(name, |fresh| {
            self.0.lock().unwrap().get_mut(name).unwrap().push((fresh, None));
        });
        let mut all = self.0.lock().unwrap();
        let of_name = all.get_mut(name).unwrap();
        let last = of_name.len() - 1;
        of_name[..last].iter_mut().for_each(|(_, until)| *until = until.or(Some(Instant::now())));
    }

    /// A certificate that was replaced may be presented until the files were looked at again, and no longer.
    fn check(&self, name: &str, fingerprint: &str, asked: Instant) {
        let all = self.0.lock().unwrap();
        let known = all[name].iter().find(|(each, _)| each == fingerprint);
        let (_, until) = known.unwrap_or_else(|| panic!("{name} never was {fingerprint}"));
        if let Some(until) = until {
            let late = asked.saturating_duration_since(*until);
            assert!(late < GRACE, "{name} was presented {late:?} after it had been replaced");
        }
    }

    fn rotations(&self) -> usize {
        self.0.lock().unwrap().values().map(|of_name| of_name.len() - 1).sum()
    }
}

/// Files are looked at every tenth of a second; the rest is for machines that are busy.
const GRACE: Duration = Duration::from_secs(5);
