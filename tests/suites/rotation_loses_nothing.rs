//! Certificates rotate while requests flow: none fails, and the old identity is not used again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tests::{Setting, tests};

tests![
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
        for _ in 0..5 {
            setting.replace("kong-client", |leaf| leaf);
            let fresh = setting.fingerprint("kong-client");
            setting.wait_until("the new certificate is presented", || {
                setting.get("/dogs/anything").key("model-citizen").send().fingerprint() == Some(fresh.clone())
            });
            // From here on the one before is history, on every connection.
            for _ in 0..50 {
                let seen = setting.get("/dogs/anything").key("model-citizen").send();
                assert_eq!(seen.fingerprint(), Some(fresh.clone()));
            }
        }
        done.store(true, Ordering::Relaxed);
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
