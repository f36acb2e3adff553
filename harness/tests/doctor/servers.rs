//! What upstreams show.

use pki::inspect::Certificate;
use pki::{Authority, Ca, Issued, Leaf, Reason, Revocations, Validity};
use time::OffsetDateTime;

use crate::diagnosis::Diagnoses;
use crate::scene::{Scene, at_localhost};

const SERVER: &str = "server_certificate";

pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    let upstream = scene.upstream(&scene.server());
    let port = upstream.mtls().unwrap().port();
    let mut show = |server: &Issued, owed: &str| {
        upstream.set_tls(&scene.tls(server)).unwrap();
        diagnoses.owed(&scene, &scene.typed(port), &[(SERVER, owed)]);
    };
    let server = || at_localhost(Leaf::server("dogs"));
    let issue = |leaf: Leaf| scene.root.issue(&leaf).unwrap();
    show(&issue(server().valid(Validity::expired())), "server_expired");
    show(&issue(server().valid(Validity::not_yet())), "server_not_yet_valid");
    show(&issue(at_localhost(Leaf::client("dogs"))), "server_usage");
    show(&issue(Leaf::server("dogs").reached_as("cats.example".parse().unwrap())), "server_name");
    let another = Authority::root(&Ca::named("another CA")).unwrap();
    show(&another.issue(&server()).unwrap(), "server_unknown_authority");
    let namesake = Authority::root(&Ca::named("doctor's CA")).unwrap();
    show(&namesake.issue(&server()).unwrap(), "server_unknown_authority");
    let one = scene.root.intermediate(&Ca::named("one").path_length(2)).unwrap();
    let two = one.intermediate(&Ca::named("two").path_length(1)).unwrap();
    // One more than tls_verify_depth, 1, allows.
    show(&two.issue(&server()).unwrap(), "server_refused");

    // By the client's own chain it is known whose the missing one is.
    scene.present(&one.issue(&Leaf::client("kong-client")).unwrap());
    let whole = one.issue(&server()).unwrap();
    let mut tls = scene.tls(&whole);
    tls.chain = pki::pem(whole.der());
    upstream.set_tls(&tls).unwrap();
    diagnoses.owed(&scene, &scene.typed(port), &[(SERVER, "server_intermediate_missing")]);

    let address = scene.typed_for("127.0.0.1", port);
    upstream.set_tls(&scene.tls(&scene.server())).unwrap();
    diagnoses.owed(&scene, &address, &[(SERVER, "address_as_name")]);

    let revoked = scene.server();
    std::fs::write(scene.path("ca.crl"), list(&scene.root, &revoked)).unwrap();
    upstream.set_tls(&scene.tls(&revoked)).unwrap();
    let with_list = [&scene.typed(port)[..], &["--crl".to_owned(), "ca.crl".to_owned()]].concat();
    diagnoses.owed(&scene, &with_list, &[(SERVER, "server_revoked")]);
}

/// The authority's list, with one certificate on it.
pub fn list(authority: &Authority, revoked: &Issued) -> String {
    let mut list = Revocations::default();
    let certificate = Certificate::of(revoked.der().clone()).unwrap();
    assert!(list.revoke(&certificate, Reason::KeyCompromise, OffsetDateTime::now_utc()));
    list.sign(authority, Revocations::validity().unwrap()).unwrap()
}
