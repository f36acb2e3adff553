//! The policy changes while requests flow: none fails, none is decided by anything but one of the policies.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use harness::gateway::Ability;
use tests::config::with_policy;
use tests::{Done, Seen, Setting, needs, skip, tests};

tests![
    a_policy_that_changes_five_times_a_second_fails_no_request_and_decides_none_wrongly,
    a_large_policy_gives_its_memory_back_when_the_next_one_takes_over,
];

/// `HARNESS_STORM` asks for more than the usual number of seconds.
fn a_policy_that_changes_five_times_a_second_fails_no_request_and_decides_none_wrongly() {
    let seconds = std::env::var("HARNESS_STORM").map_or(5, |seconds| seconds.parse().unwrap());
    let setting = Setting::new(POLICIES[0]);
    let (answered, wrong, changes) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for (who, owed) in EVERYBODY {
            let (setting, answered, wrong, done) = (&setting, &answered, &wrong, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let seen = setting.get("/dogs/anything").key(who).send();
                    answered.fetch_add(1, Ordering::Relaxed);
                    if !owed.contains(&told(&seen).as_str()) {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // Also when the change fails: those who ask are waited for.
        let _done = Done(&done);
        // Nobody ever sends: waiting for it is the pace.
        let (_pace, tick) = mpsc::channel::<()>();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            let next = Instant::now() + Duration::from_millis(200);
            let number = changes.fetch_add(1, Ordering::Relaxed) + 1;
            setting.reconfigure(POLICIES[number % POLICIES.len()]).unwrap();
            // Every worker has taken it over: the one before is history.
            let seen = setting.get("/dogs/anything").key("model-citizen").send();
            assert_eq!(told(&seen), EVERYBODY[0].1[number % POLICIES.len()]);
            let _ = tick.recv_timeout(next.saturating_duration_since(Instant::now()));
        }
    });
    let (answered, changes) = (answered.into_inner(), changes.into_inner());
    println!("{answered} requests, {changes} changes in {seconds} s");
    assert_eq!(wrong.into_inner(), 0, "of {answered} requests in {changes} changes");
    assert!(answered > 10 && changes > 1, "{answered} requests, {changes} changes");
}

/// `HARNESS_RELOADS` asks for more than the usual number of reloads.
fn a_large_policy_gives_its_memory_back_when_the_next_one_takes_over() {
    needs(Ability::ForgetsPolicies);
    let reloads: usize = std::env::var("HARNESS_RELOADS").map_or(32, |reloads| reloads.parse().unwrap());
    // One worker, so that it is the same one that reads the whole config each time, for which it needs the most: of two
    // the other's turn may come late, and looks like growth.
    let setting = Setting::up(&with_policy(&large(0), ""), &[("nginx_worker_processes", "1")]);
    let setting = setting.unwrap_or_else(|error| panic!("{error:#}"));
    if setting.memory().is_empty() {
        skip("this gateway has no process of its own here whose memory could be measured");
    }
    let mut seen = Vec::new();
    for reload in 1..=reloads {
        setting.reconfigure(&large(reload)).unwrap();
        for _ in 0..20 {
            let owed = if reload % 2 == 0 { "kong-client" } else { "kong-vet" };
            assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().common_name(), Some(owed));
        }
        seen.push(setting.memory());
    }
    println!("kilobytes of each process, after each reload: {seen:?}");
    // In the first half every pool and cache becomes as large as it gets. In the second, memory at its least: what is
    // in use, without what Lua has not collected yet.
    let least =
        |of: &[Vec<u64>], process: usize| of.iter().map(|processes| processes[process]).min().unwrap();
    let (before, after) = seen[reloads / 2..].split_at(reloads / 4);
    for process in 0..seen[0].len() {
        let (before, after) = (least(before, process), least(after, process));
        assert!(after < before + before / 20, "{before} kB have become {after} kB: {seen:?}");
    }
}

/// 10,000 keys, other ones each time.
fn large(number: usize) -> String {
    let certificate = if number.is_multiple_of(2) { "kong-client" } else { "kong-vet" };
    let mut policy = format!("client_certificate: {certificate}\nconsumers:\n");
    policy += "- {username: model-citizen, keys: [{id: '1', sha256: <model-citizen>}]}\n";
    for consumer in 1..10_000 {
        let digest = tests::digest(format!("{number} {consumer}"));
        policy += &format!("- {{username: consumer-{consumer}, keys: [{{id: '1', sha256: '{digest}'}}]}}\n");
    }
    policy
}

/// Who asks, and what becomes of it under each of the policies.
const EVERYBODY: [(&str, [&str; 2]); 4] = [
    ("model-citizen", ["200 kong-client", "200 kong-vet"]),
    ("vet", ["200 kong-vet", "403"]),
    ("intern", ["403", "200 kong-intern"]),
    ("former-citizen", ["401", "401"]),
];

const POLICIES: [&str; 2] = [
    "client_certificate: kong-client
rules:
- match: {consumers: [intern]}
  deny: {}
- match: {groups: [vets]}
  client_certificate: kong-vet",
    "client_certificate: kong-vet
rules:
- match: {groups: [vets]}
  deny: {}
- match: {consumers: [intern]}
  client_certificate: kong-intern",
];

fn told(seen: &Seen) -> String {
    match seen.common_name() {
        Some(name) => format!("{} {name}", seen.status),
        None => seen.status.to_string(),
    }
}
