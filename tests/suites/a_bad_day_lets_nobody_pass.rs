//! What goes wrong around a gateway opens no door and mixes nobody up: a worker that is killed, a name that nobody knows,
//! more routes than anybody wants.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use harness::gateway::Ability;
use tests::config::{from_files, upstream_mtls, with_policy};
use tests::{Done, Setting, needs, raw, tests};

tests![
    a_worker_that_is_killed_under_load_is_replaced_and_mixes_nobody_up,
    an_upstream_whose_name_is_gone_is_nobodys_trouble_but_its_own,
    two_thousand_routes_keep_their_identities,
];

fn a_worker_that_is_killed_under_load_is_replaced_and_mixes_nobody_up() {
    needs(Ability::RestartsWorkers);
    let setting = Setting::new(
        "client_certificate: kong-client\nrules: [{match: {consumers: [vet]}, client_certificate: kong-vet}]",
    );
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let askers: Vec<_> = (0..3_usize)
            .map(|asker| {
                let (setting, done, answered) = (&setting, &done, &answered);
                scope.spawn(move || {
                    for turn in asker.. {
                        if done.load(Ordering::Relaxed) {
                            return;
                        }
                        let (who, owed) = [("model-citizen", "kong-client"), ("vet", "kong-vet")][turn % 2];
                        let key = setting.key(who);
                        let answer = raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]);
                        match answer.status {
                            200 => assert_eq!(answer.seen_client(), Some(owed), "{answer:?}"),
                            // Its worker died with it.
                            0 => continue,
                            _ => panic!("{answer:?}"),
                        }
                        let refused = raw::get(setting.proxy(), "/dogs/anything", &[]).status;
                        assert!(matches!(refused, 401 | 0), "without a key: {refused}");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let still = Done(&done);
        for _ in 0..3 {
            let before = setting.processes();
            let killed = before[0];
            assert!(Command::new("kill").args(["-KILL", &killed.to_string()]).status().unwrap().success());
            setting.wait_until("there is another worker", || {
                let now = setting.processes();
                now.len() == before.len() && !now.contains(&killed)
            });
            let sofar = answered.load(Ordering::Relaxed);
            setting.wait_until("requests flow", || answered.load(Ordering::Relaxed) > sofar + 50);
        }
        drop(still);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
    });
}

fn an_upstream_whose_name_is_gone_is_nobodys_trouble_but_its_own() {
    let lost = format!(
        "- name: lost
  url: https://nobody.invalid:5443
  connect_timeout: 1000
  retries: 0
  plugins: [{}]
  routes:
  - {{name: lost, paths: [/lost]}}
",
        upstream_mtls("client_certificate: kong-client")
    );
    let setting = Setting::of(&(with_policy("client_certificate: kong-client", "") + &lost));
    for _ in 0..3 {
        let answer = raw::get(setting.proxy(), "/lost/anything", &[]);
        assert!(matches!(answer.status, 502..=504), "{answer:?}");
        assert_eq!(setting.get("/dogs/anything").key("vet").send().common_name(), Some("kong-client"));
    }
}

fn two_thousand_routes_keep_their_identities() {
    let plugin =
        |client: &str| format!("plugins: [{}]", upstream_mtls(&format!("client_certificate: {client}")));
    assert!(plugin("kong-vet").contains(&from_files("kong-vet")));
    let clients = ["kong-client", "kong-vet"];
    let routes: String = (0..2_000)
        .map(|number| {
            let own = if number % 100 == 7 { plugin(clients[1]) } else { String::new() };
            format!("  - {{name: r{number}, paths: [/r{number}/], strip_path: true, {own}}}\n")
        })
        .collect();
    let setting = Setting::of(&format!(
        "_format_version: \"3.0\"\nservices:\n- name: dogcatcher\n  url: https://dogcatcher-api:5443\n  {}\n  routes:\n{routes}",
        plugin(clients[0])
    ));
    for number in (0..2_000).step_by(50).chain((7..2_000).step_by(100)) {
        let answer = raw::get(setting.proxy(), &format!("/r{number}/anything"), &[]);
        let owed = clients[usize::from(number % 100 == 7)];
        assert_eq!((answer.status, answer.seen_client()), (200, Some(owed)), "route {number}: {answer:?}");
    }
    assert_eq!(raw::get(setting.proxy(), "/r2000/anything", &[]).status, 404);
}
