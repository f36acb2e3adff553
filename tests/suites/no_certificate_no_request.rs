//! Without the selected certificate in force there is a clear 503, and the upstream hears nothing.

use tests::{Setting, tests};

tests![
    a_certificate_that_nobody_holds_is_a_503,
    a_refused_request_is_401_even_where_no_certificate_is_in_force,
    a_certificate_that_expires_while_connections_are_warm_is_not_presented_again,
];

fn a_certificate_that_nobody_holds_is_a_503() {
    let setting = Setting::new("client_certificate: kong-retired");
    let seen = setting.get("/dogs/anything").key("model-citizen").send();
    assert_eq!((seen.status, seen.message()), (503, Some("No client certificate in force")));
    assert_eq!(setting.requests_upstream(), 0);
}

fn a_refused_request_is_401_even_where_no_certificate_is_in_force() {
    let setting = Setting::new("client_certificate: kong-retired");
    assert_eq!(setting.get("/dogs/anything").send().status, 401);
}

fn a_certificate_that_expires_while_connections_are_warm_is_not_presented_again() {
    let setting = Setting::new("client_certificate: kong-client");
    setting.replace("kong-client", |leaf| leaf.valid(tests::seconds_from_now(3)));
    setting.wait_until("the short-lived certificate is in force", || {
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        seen.status == 200 && seen.fingerprint() == Some(setting.fingerprint("kong-client"))
    });
    setting.wait_until("it has expired", || {
        setting.get("/dogs/anything").key("model-citizen").send().status == 503
    });
    let before = setting.requests_upstream();
    let seen = setting.get("/dogs/anything").key("model-citizen").send();
    assert_eq!((seen.status, seen.message()), (503, Some("No client certificate in force")));
    assert_eq!(setting.requests_upstream(), before);
}
