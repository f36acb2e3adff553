//! An authority is replaced by another, for the gateway and for its upstream, while requests flow: trust both, issue from
//! the new, drop the old. No request fails, and none goes out as anybody else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use harness::stack::REVOCATIONS;
use pki::{Authority, Ca, Leaf, Revocations};
use tests::config::{CLIENTS, upstream_mtls};
use tests::{Done, Setting, raw, tests};

tests![no_request_fails_while_an_authority_is_replaced, nor_where_revocation_is_checked];

fn no_request_fails_while_an_authority_is_replaced() {
    rotate(&Setting::of(&config("")));
}

fn nor_where_revocation_is_checked() {
    let setting = Setting::of(&config(&format!("crl_file: {REVOCATIONS}")));
    setting.put_revocations(&list(setting.authority()));
    setting.wait_until_everywhere("the list is in force", || {
        CLIENTS.iter().all(|client| fresh(&setting, client).is_some())
    });
    rotate(&setting);
}

fn rotate(setting: &Setting) {
    let new = Authority::root(&Ca::named("the next CA").path_length(1)).unwrap();
    let old = setting.authority();
    let both = old.pem() + &new.pem();
    let done = AtomicBool::new(false);
    let (answered, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for asker in 0..4 {
            let (done, answered, wrong) = (&done, &answered, &wrong);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let turn = answered.fetch_add(1, Ordering::Relaxed);
                    let client = CLIENTS[(turn + asker) % CLIENTS.len()];
                    let seen = setting.get(&format!("/{client}/anything")).send();
                    if (seen.status, seen.common_name()) != (200, Some(client)) {
                        eprintln!("request {turn} as {client}: {} {}", seen.status, seen.text);
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let _done = Done(&done);
        let flow = |what: &str| {
            let before = answered.load(Ordering::Relaxed);
            setting.wait_until(what, || answered.load(Ordering::Relaxed) > before + 300);
        };
        flow("requests flow before");

        // Trust both, here and there.
        setting.put_revocations(&(list(old) + &list(&new)));
        let mut identities: Vec<_> =
            CLIENTS.iter().map(|client| old.issue(&Leaf::client(client)).unwrap()).collect();
        for (client, issued) in CLIENTS.iter().zip(&identities) {
            setting.put_with_trust(client, issued, &both);
        }
        setting.upstream_tls(|tls| tls.client_authorities.clone_from(&both));
        in_force(setting, &identities.iter().map(|issued| issued.fingerprint()).collect::<Vec<_>>());
        flow("requests flow while both are trusted");

        // Issue from the new: the gateway's certificates, then the upstream's own.
        identities = CLIENTS.iter().map(|client| new.issue(&Leaf::client(client)).unwrap()).collect();
        for (client, issued) in CLIENTS.iter().zip(&identities) {
            setting.put_with_trust(client, issued, &both);
        }
        in_force(setting, &identities.iter().map(|issued| issued.fingerprint()).collect::<Vec<_>>());
        let server = Leaf::server("dogcatcher-api").reached_as("localhost".parse().unwrap());
        let server = new.issue(&server).unwrap();
        setting.upstream_tls(|tls| {
            tls.client_authorities.clone_from(&both);
            (tls.chain, tls.key) = (server.chain_pem(), server.key().pem());
        });
        flow("requests flow under the new");

        // Drop the old, here and there.
        setting.upstream_tls(|tls| {
            tls.client_authorities = new.pem();
            (tls.chain, tls.key) = (server.chain_pem(), server.key().pem());
        });
        identities = CLIENTS.iter().map(|client| new.issue(&Leaf::client(client)).unwrap()).collect();
        for (client, issued) in CLIENTS.iter().zip(&identities) {
            setting.put_with_trust(client, issued, &new.pem());
        }
        in_force(setting, &identities.iter().map(|issued| issued.fingerprint()).collect::<Vec<_>>());
        setting.put_revocations(&list(&new));
        flow("requests flow after");
    });
    let (answered, wrong) = (answered.into_inner(), wrong.into_inner());
    println!("{answered} requests while an authority was replaced, {wrong} of them failed or as another");
    assert_eq!(wrong, 0, "of {answered}");

    // Nobody asks any more. The old one is believed no more.
    let server = Leaf::server("dogcatcher-api").reached_as("localhost".parse().unwrap());
    let server = old.issue(&server).unwrap();
    setting.upstream_tls(|tls| {
        tls.client_authorities = new.pem();
        (tls.chain, tls.key) = (server.chain_pem(), server.key().pem());
    });
    // Under certificates that nobody has connected with yet.
    for client in CLIENTS {
        setting.put_with_trust(client, &new.issue(&Leaf::client(client)).unwrap(), &new.pem());
    }
    setting.wait_until_everywhere("the old authority is believed no more", || {
        raw::get(setting.proxy(), "/kong-client/anything", &[]).status == 502
    });
}

/// Every worker presents these.
fn in_force(setting: &Setting, fingerprints: &[String]) {
    for (client, owed) in CLIENTS.iter().zip(fingerprints) {
        setting.wait_until_everywhere("every worker presents what is new", || {
            fresh(setting, client).as_ref() == Some(owed)
        });
    }
}

/// As whom a request on a connection of its own is seen.
fn fresh(setting: &Setting, client: &str) -> Option<String> {
    raw::fingerprint(&raw::get(setting.proxy(), &format!("/{client}/anything"), &[]))
}

fn list(authority: &Authority) -> String {
    Revocations::default().sign(authority, Revocations::validity().unwrap()).unwrap()
}

/// A route for each client certificate.
fn config(more: &str) -> String {
    let route = |client: &str| {
        let plugin = upstream_mtls(&format!("client_certificate: {client}, {more}"));
        format!("  - {{name: {client}, paths: [/{client}], plugins: [{plugin}]}}\n")
    };
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: dogcatcher\n  url: https://dogcatcher-api:5443\n  routes:\n{}",
        CLIENTS.map(route).concat()
    )
}
