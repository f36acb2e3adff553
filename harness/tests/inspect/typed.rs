//! The command line: places, findings, exit codes.

use std::process::{Command, Output};

use harness::dogcatcher::{ClientCertificate, Dogcatcher, Fault, Options, Sessions, Tls, Versions};
use pki::inspect::{Probe, Unreached};
use pki::{Access, Authority, Batch, Ca, Existing, Leaf, Validity};
use serde_json::Value;

#[test]
fn what_generate_makes_is_found_whole_and_well() {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["certs", "generate", "--output-dir"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let output = inspect(&[directory.path().to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = json(&output);
    let places: Vec<_> = (report["places"].as_array().unwrap().iter())
        .map(|place| {
            (place["key"].as_str().unwrap(), place["chain"]["end"]["kind"].as_str().unwrap_or("none"))
        })
        .collect();
    // ca.crt, the Secrets' ca.crt and cert, tls.crt and ca.crt of two; kong-client.crt, .pem; server.crt.
    assert_eq!(places.iter().filter(|place| **place == ("matches", "anchored")).count(), 5, "{places:?}");
    assert_eq!(places.iter().filter(|place| **place == ("not_given", "none")).count(), 4, "{places:?}");
    assert_eq!(places.iter().filter(|place| **place == ("matches", "none")).count(), 1, "{places:?}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("PRIVATE"));
}

#[test]
fn days_left_decide_the_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root(&Ca::named("root")).unwrap();
    let issue = |name: &str, validity| {
        root.issue(&Leaf::client(name).valid(validity)).unwrap().write(directory.path(), name).unwrap();
        directory.path().join(format!("{name}.crt")).display().to_string()
    };
    let (month, dead) = (issue("month", Validity::days(29).unwrap()), issue("dead", Validity::expired()));
    let unborn = issue("unborn", Validity::not_yet());
    let code = |arguments: &[&str]| inspect(arguments).status.code();
    assert_eq!(code(&[&month]), Some(1), "30 days ahead unless said otherwise");
    assert_eq!(code(&[&month, "--warn-days", "28"]), Some(0));
    assert_eq!(code(&[&dead, "--warn-days", "0"]), Some(1));
    assert_eq!(code(&[&unborn, "--warn-days", "0"]), Some(1));
    assert_eq!(code(&[&month, "/nowhere/at.all", "--warn-days", "0"]), Some(2));
    let told = String::from_utf8(inspect(&[&month, &dead, &unborn]).stdout).unwrap();
    for part in
        ["expires in 28 days", "✗ expired at", "✗ not valid before", "SUBJECT", "CN=month", "clientAuth"]
    {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[test]
fn what_does_not_fit_together_is_named() {
    let root = Authority::root(&Ca::named("root").path_length(1)).unwrap();
    let lower = root.intermediate(&Ca::named("lower")).unwrap();
    let other = Authority::root(&Ca::named("root").path_length(1)).unwrap();
    let leaf = lower.issue(&Leaf::server("dogs").reached_as("localhost".parse().unwrap())).unwrap();
    let another = lower.issue(&Leaf::client("another")).unwrap();
    let nameless = root.issue(&Leaf::server("nameless")).unwrap();
    let alone = leaf.chain_pem().split_inclusive("END CERTIFICATE-----\n").next().unwrap().to_owned();
    let (good, key) = (leaf.chain_pem(), leaf.key().pem());

    for (what, chain, key, anchors, owed) in [
        ("as it should be", good.clone(), key.clone(), root.pem(), &[][..]),
        ("another key", good.clone(), another.key().pem(), root.pem(), &["key_differs"]),
        ("no key", good.clone(), String::new(), root.pem(), &["key_missing"]),
        ("without its intermediate", alone.clone(), key.clone(), root.pem(), &["unanchored"]),
        ("another root of that name beside it", good.clone(), key.clone(), other.pem(), &["unanchored"]),
        (
            "another root of that name in it",
            good.clone() + &other.pem(),
            key.clone(),
            other.pem(),
            &["forged", "stray"],
        ),
        ("upside down", lower.pem() + &alone, key.clone(), root.pem(), &["leaf_not_first", "key_differs"]),
        (
            "a stranger in it",
            good.clone() + &another.chain_pem(),
            key.clone(),
            root.pem(),
            &["stray", "stray"],
        ),
        ("a server without names", nameless.chain_pem(), nameless.key().pem(), root.pem(), &["nameless"]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut batch = Batch::new(directory.path());
        batch.add("tls.crt", Access::Public, chain);
        batch.add("tls.key", Access::Owner, key);
        batch.add("ca.crt", Access::Public, anchors);
        batch.write(Existing::Keep).unwrap();
        let report = json(&inspect(&["--json", directory.path().join("tls.crt").to_str().unwrap()]));
        let found: Vec<_> = (report["places"][0]["findings"].as_array().unwrap().iter())
            .map(|finding| finding["problem"]["kind"].as_str().unwrap())
            .collect();
        assert_eq!(found, owed, "{what}: {report:#}");
    }
}

#[test]
fn a_file_that_is_unreadable_hides_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root(&Ca::named("root")).unwrap();
    root.issue(&Leaf::client("good")).unwrap().write(directory.path(), "good").unwrap();
    std::fs::write(directory.path().join("bad.crt"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    std::fs::write(directory.path().join("values.yaml"), "a: 1\n").unwrap();
    let output = inspect(&[directory.path().to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let report = json(&output);
    assert_eq!(report["places"].as_array().unwrap().len(), 1, "{report:#}");
    let unreadable = report["unreadable"].as_array().unwrap();
    assert!(unreadable.len() == 1 && unreadable[0].as_str().unwrap().contains("bad.crt"), "{report:#}");
}

#[test]
fn spiffe_helpers_files_belong_together() {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root(&Ca::named("root")).unwrap();
    let uri = pki::Name::uri("spiffe://example.org/kong").unwrap();
    let svid = root.issue(&Leaf::client("kong").known_as(uri)).unwrap();
    let mut batch = Batch::new(directory.path());
    batch.add("svid.pem", Access::Public, svid.chain_pem());
    batch.add("svid_key.pem", Access::Owner, svid.key().pem());
    batch.add("svid_bundle.pem", Access::Public, root.pem());
    batch.write(Existing::Keep).unwrap();
    let report = json(&inspect(&[directory.path().to_str().unwrap(), "--json"]));
    let [svid, bundle] = report["places"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!(svid["key"], "matches");
    assert_eq!(svid["chain"]["end"]["kind"], "anchored");
    assert_eq!(svid["certificates"][0]["names"][0], "URI:spiffe://example.org/kong");
    assert_eq!(bundle["chain"], Value::Null);
}

#[test]
fn a_server_is_asked_what_it_shows_and_what_it_wants() {
    let root = Authority::root(&Ca::named("root").path_length(1)).unwrap();
    let lower = root.intermediate(&Ca::named("lower")).unwrap();
    let server = lower.issue(&Leaf::server("dogs").reached_as("localhost".parse().unwrap())).unwrap();
    let tls = |client_certificate, versions| Tls {
        chain: server.chain_pem(),
        key: server.key().pem(),
        client_authorities: root.pem(),
        client_revocations: None,
        client_certificate,
        versions,
        sessions: Sessions::None,
    };
    let mtls = Some(("127.0.0.1:0".parse().unwrap(), tls(ClientCertificate::Asked, Versions::Both)));
    let dogcatcher = Dogcatcher::start(&Options { mtls, ..Options::default() }).unwrap();
    let port = dogcatcher.mtls().unwrap().port();

    let report = json(&inspect(&[&format!("127.0.0.1:{port}"), "--server-name", "localhost", "--json"]));
    assert_eq!(report["places"][0]["certificates"][0]["sha256"], server.fingerprint());
    assert_eq!(report["places"][0]["chain"]["path"], serde_json::json!([0, 1]));

    for versions in [Versions::Tls12, Versions::Tls13] {
        for (client_certificate, owed) in [
            (ClientCertificate::Demanded, Some(vec!["CN=root".to_owned()])),
            (ClientCertificate::NotAsked, None),
        ] {
            dogcatcher.set_tls(&tls(client_certificate, versions)).unwrap();
            let asked = match Probe::new("127.0.0.1", port).server_name("localhost").ask() {
                Ok(answered) => answered.asked.map(|asked| asked.authorities),
                // In TLS 1.2 the server's no comes within the handshake.
                Err(Unreached::Refused { asked, .. }) => asked.map(|asked| asked.authorities),
                Err(other) => panic!("{versions:?} {client_certificate:?}: {other}"),
            };
            assert_eq!(asked, owed, "{versions:?} {client_certificate:?}");
        }
    }
    dogcatcher.set_fault(Fault::SpeakHttpFirst);
    assert!(matches!(Probe::new("127.0.0.1", port).ask(), Err(Unreached::NotTls)));
}

fn inspect(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).args(["certs", "inspect"]).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}
