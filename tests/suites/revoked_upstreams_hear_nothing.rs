//! The gateway speaks to no upstream whose certificate was revoked, nor to one of which it cannot be known.

use harness::stack::REVOCATIONS;
use pki::inspect::Certificate;
use pki::{Authority, Ca, Leaf, Reason, Revocations, Validity};
use tests::config::{CA_FILE, from_files};
use tests::{Setting, raw, tests};
use time::OffsetDateTime;

tests![
    what_is_revoked_hears_nothing_any_more_on_warm_connections_either,
    without_a_list_in_force_nothing_is_sent,
    a_broken_list_and_one_out_of_date_leave_the_last_good_one_in_force,
    a_chain_of_which_one_list_is_missing_hears_nothing,
];

fn what_is_revoked_hears_nothing_any_more_on_warm_connections_either() {
    let setting = checking();
    let shown = show(&setting, setting.authority(), Leaf::server("dogcatcher-api"));
    setting.put_revocations(&list(setting.authority(), &[]));
    answers(&setting, 200);
    setting.put_revocations(&list(setting.authority(), &[&shown]));
    answers(&setting, 502);
    let heard = setting.requests_upstream();
    for _ in 0..20 {
        assert_eq!(ask(&setting), 502);
    }
    assert_eq!(setting.requests_upstream(), heard);
    // Another certificate under the same names was not revoked.
    show(&setting, setting.authority(), Leaf::server("dogcatcher-api"));
    answers(&setting, 200);
}

fn without_a_list_in_force_nothing_is_sent() {
    let setting = checking();
    assert_eq!(ask(&setting), 503);
    assert_eq!(setting.requests_upstream(), 0);
}

fn a_broken_list_and_one_out_of_date_leave_the_last_good_one_in_force() {
    let setting = checking();
    let shown = show(&setting, setting.authority(), Leaf::server("dogcatcher-api"));
    let old = Revocations::default().sign(setting.authority(), Validity::expired()).unwrap();
    setting.put_revocations(&list(setting.authority(), &[&shown]));
    answers(&setting, 502);
    for broken in ["", "no list", "-----BEGIN X509 CRL-----\nMIIB", &old] {
        setting.put_revocations(broken);
        // What is revoked stays so, though the file does not say it any more; the log tells when it was looked at.
        let before = setting.log().len();
        setting.wait_until("the file was looked at", || {
            setting.log()[before..].contains("ca.crl") || setting.log().contains("ca.crl")
        });
        for _ in 0..5 {
            assert_eq!(ask(&setting), 502, "{broken:?}");
        }
    }
    setting.put_revocations(&list(setting.authority(), &[]));
    answers(&setting, 200);
}

fn a_chain_of_which_one_list_is_missing_hears_nothing() {
    let setting = checking();
    let between = setting.authority().intermediate(&Ca::named("between")).unwrap();
    show(&setting, &between, Leaf::server("dogcatcher-api"));
    let (above, below) = (list(setting.authority(), &[]), list(&between, &[]));
    setting.put_revocations(&(above.clone() + &below));
    answers(&setting, 200);
    setting.put_revocations(&above);
    answers(&setting, 502);
    // An authority that was revoked itself.
    let revoked = list(setting.authority(), &[between.certificate()]);
    setting.put_revocations(&(revoked + &below));
    answers(&setting, 502);
    setting.put_revocations(&(above + &below));
    answers(&setting, 200);
}

fn checking() -> Setting {
    let certificate = from_files("kong-client");
    Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes: [{{name: dogs, paths: [/dogs]}}]
  plugins:
  - name: upstream-mtls
    config:
      client_certificates: [{certificate}]
      client_certificate: kong-client
      ca_file: {CA_FILE}
      crl_file: {REVOCATIONS}
      reload_interval: 0.1
"#
    ))
}

/// Lets the upstream show a certificate of `authority`.
fn show(setting: &Setting, authority: &Authority, leaf: Leaf) -> Certificate {
    let issued = authority.issue(&leaf.reached_as("localhost".parse().unwrap())).unwrap();
    setting.upstream_tls(|tls| (tls.chain, tls.key) = (issued.chain_pem(), issued.key().pem()));
    Certificate::of(issued.der().clone()).unwrap()
}

fn list(authority: &Authority, revoked: &[&Certificate]) -> String {
    let mut list = Revocations::default();
    for certificate in revoked {
        assert!(list.revoke(certificate, Reason::KeyCompromise, OffsetDateTime::now_utc()));
    }
    list.sign(authority, Revocations::validity().unwrap()).unwrap()
}

/// From each of the gateway's workers, in the end.
fn answers(setting: &Setting, owed: u16) {
    setting.wait_until_everywhere(&format!("every worker answers {owed}"), || ask(setting) == owed);
}

fn ask(setting: &Setting) -> u16 {
    raw::get(setting.proxy(), "/dogs/anything", &[]).status
}
