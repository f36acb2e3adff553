//! A certificate file that could be waited for without end, a pipe into which nobody writes, keeps nobody waiting: what
//! was good stays in force, and the other files are looked at.

use std::time::{Duration, Instant};

use tests::{Setting, tests};

tests![a_pipe_in_the_place_of_a_certificate_is_not_waited_for];

fn a_pipe_in_the_place_of_a_certificate_is_not_waited_for() {
    let policy =
        "client_certificate: kong-client\nrules: [{match: {consumers: [vet]}, client_certificate: kong-vet}]";
    let setting = Setting::new(policy);
    let ask = |who: &str| setting.get("/dogs/anything").key(who).send();
    let before = ask("vet").fingerprint();
    setting.put_pipe("kong-vet");
    let looked_at = || setting.log().contains("not a regular file");
    setting.wait_until("the pipe is reported", || ask("model-citizen").status == 200 && looked_at());
    setting.replace("kong-client", |leaf| leaf);
    let began = Instant::now();
    setting.wait_until_everywhere("the other certificate rotates", || {
        ask("model-citizen").fingerprint() == Some(setting.fingerprint("kong-client"))
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for _ in 0..20 {
        let seen = ask("vet");
        assert_eq!((seen.status, seen.fingerprint()), (200, before.clone()), "the last good one is in force");
    }
    // Nor is a config that is taken over meanwhile.
    setting.reconfigure(&format!("realm: again\n{policy}")).unwrap();
    assert_eq!(ask("model-citizen").status, 200);
}
