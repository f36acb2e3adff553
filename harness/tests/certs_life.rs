//! `harness certs renew`, `revoke`, `rotate-ca` and `watch`, as they are typed; OpenSSL judges what comes of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::dogcatcher::{ClientCertificate, Dogcatcher, Options, Sessions, Tls, Versions};
use pki::inspect::{Certificate, Inspection, KeyMatch, read};
use pki::{Authority, AuthorityFiles, Issued, Leaf, Manifest, Validity};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

#[test]
fn a_renewed_certificate_says_the_same_under_another_key() {
    let (directory, home) = generated(&["--san", "localhost,127.0.0.1,*.example.org", "--days", "90"]);
    let before = leaves(directory.path());
    let pem = std::fs::read_to_string(directory.path().join("kong-client.pem")).unwrap();
    let told = stdout(&certs(&["renew", &home, "--ca-dir", &home]));
    assert!(told.contains("CN=kong-client") && told.contains("server.crt"), "{told}");
    let after = leaves(directory.path());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, after) in &after {
        let before = &before[name];
        assert_eq!((&after.subject, &after.names), (&before.subject, &before.names));
        assert_eq!(after.extended_key_usage, before.extended_key_usage);
        assert!(after.sha256 != before.sha256 && after.serial != before.serial, "{name}");
        // As long as before; but the authority ends when it ends.
        assert!(after.not_after <= before.not_after && before.not_after - after.not_after < Duration::MINUTE);
    }
    well(directory.path());
    assert_ne!(std::fs::read_to_string(directory.path().join("kong-client.pem")).unwrap(), pem);
}

#[test]
fn only_its_own_authority_renews_a_certificate() {
    let (directory, home) = generated(&[]);
    let (_others, elsewhere) = generated(&[]);
    let leaf = directory.path().join("server.crt");
    let refused = certs(&["renew", leaf.to_str().unwrap(), "--ca-dir", &elsewhere]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let refused = certs(&["revoke", leaf.to_str().unwrap(), "--ca-dir", &elsewhere]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(certs(&["renew", leaf.to_str().unwrap(), "--ca-dir", &home]).status.success());
}

#[test]
fn what_openssl_has_issued_is_renewed_word_by_word_or_not_at_all() {
    if !openssl_is_there() {
        return;
    }
    let (directory, home) = generated(&[]);
    let issue = |name: &str, subject: &str, extensions: &str| {
        std::fs::write(directory.path().join("x.cnf"), extensions).unwrap();
        let new = format!("req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj");
        assert!(openssl(directory.path(), &new, &[subject]).status.success());
        let sign = format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -days 20 -extfile x.cnf -out {name}.crt"
        );
        assert!(openssl(directory.path(), &sign, &[]).status.success());
        directory.path().join(format!("{name}.crt")).display().to_string()
    };
    let names = "subjectAltName=DNS:a.example,IP:::1,URI:spiffe://a/b,email:a@b.c\nextendedKeyUsage=serverAuth,clientAuth";
    let good = issue("good", "/C=NL/O=Dogs, Inc./OU=Gate/CN=good", names);
    let before = leaves(directory.path())["good.crt"].clone();
    assert!(certs(&["renew", &good, "--ca-dir", &home]).status.success());
    let after = leaves(directory.path())["good.crt"].clone();
    assert_eq!((after.subject, after.names), (before.subject, before.names));
    assert_eq!(after.extended_key_usage, before.extended_key_usage);
    well(directory.path());

    for (name, subject, extensions, told) in [
        ("units", "/OU=a/OU=b/CN=units", "extendedKeyUsage=clientAuth", "its subject"),
        ("kinds", "/CN=kinds", "subjectAltName=RID:1.2.3", "name RID:1.2.3"),
        ("purposes", "/CN=purposes", "extendedKeyUsage=codeSigning", "purpose codeSigning"),
        (
            "unknown",
            "/CN=unknown",
            "1.3.6.1.4.1.99999.6=critical,ASN1:UTF8String:x",
            "extension 1.3.6.1.4.1.99999.6",
        ),
    ] {
        let path = issue(name, subject, extensions);
        let content = std::fs::read(&path).unwrap();
        let refused = certs(&["renew", &path, "--ca-dir", &home]);
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(1) && why.contains(told), "{name}: {why}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[test]
fn openssl_refuses_what_is_revoked_and_takes_the_rest() {
    let (directory, home) = generated(&["--client", "kong-client", "--client", "kong-vet"]);
    let vet = directory.path().join("kong-vet.crt");
    // A first, empty list; then one entry; then the same one again, and another.
    for (arguments, revoked) in [
        (vec!["revoke", "--ca-dir", &home], ": 0 revoked"),
        (
            vec!["revoke", vet.to_str().unwrap(), "--reason", "key-compromise", "--ca-dir", &home],
            ": 1 revoked",
        ),
        (vec!["revoke", vet.to_str().unwrap(), "--ca-dir", &home], "was revoked already"),
    ] {
        let told = stdout(&certs(&arguments));
        assert!(told.contains(revoked), "{told}");
    }
    if !openssl_is_there() {
        return;
    }
    let verify = |name: &str| {
        let line = format!("verify -x509_strict -crl_check_all -CAfile ca.crt -CRLfile ca.crl {name}.crt");
        let output = openssl(directory.path(), &line, &[]);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(verify("kong-client").0 && verify("server").0, "{:?}", verify("kong-client"));
    let (taken, why) = verify("kong-vet");
    assert!(!taken && why.contains("certificate revoked"), "{why}");
    let text = stdout(&openssl(directory.path(), "crl -in ca.crl -noout -text", &[]));
    for part in
        ["X509v3 CRL Number: \n                3", "Key Compromise", "X509v3 Authority Key Identifier"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_rotation_breaks_no_hop_and_no_step_is_skipped() {
    let (directory, home) = generated(&["--client", "kong-client"]);
    let elsewhere = tempfile::tempdir().unwrap();
    for (from, to) in [("kong-client.crt", "tls.crt"), ("kong-client.key", "tls.key"), ("ca.crt", "ca.crt")] {
        std::fs::copy(directory.path().join(from), elsewhere.path().join(to)).unwrap();
    }
    assert!(certs(&["revoke", "--ca-dir", &home]).status.success());
    std::fs::copy(directory.path().join("ca.crl"), elsewhere.path().join("ca.crl")).unwrap();
    let other = elsewhere.path().to_str().unwrap().to_owned();
    let rotate = |arguments: &[&str]| certs(&[&["rotate-ca", &other, "--ca-dir", &home], arguments].concat());
    let refused = |step: &str, part: &str| {
        let output = rotate(&["--step", step]);
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && why.contains(part), "{step}: {why}");
    };
    let first = AuthorityFiles::at(directory.path()).authority().unwrap().fingerprint();
    let all_hops = || {
        for from in [directory.path(), elsewhere.path()] {
            well(from);
            for to in [directory.path(), elsewhere.path()] {
                hop(from, to);
            }
        }
    };

    assert!(stdout(&rotate(&[])).contains("--step trust"));
    refused("issue", "trust it first");
    refused("drop", "nothing is issued");
    assert!(rotate(&["--step", "trust"]).status.success());
    all_hops();
    refused("drop", "nothing is issued");
    // A bundle that somebody has put back keeps the step from being taken.
    let both = std::fs::read(elsewhere.path().join("ca.crt")).unwrap();
    let old = AuthorityFiles::at(directory.path()).authority().unwrap().pem();
    std::fs::write(elsewhere.path().join("ca.crt"), &old).unwrap();
    refused("issue", "does not trust");
    assert!(rotate(&["--step", "trust"]).status.success(), "and may be taken up again");
    assert_eq!(std::fs::read(elsewhere.path().join("ca.crt")).unwrap(), both);
    assert!(rotate(&["--step", "issue"]).status.success());
    all_hops();
    let second = AuthorityFiles::at(directory.path()).authority().unwrap();
    assert_ne!(second.fingerprint(), first);
    refused("trust", "not finished");
    // An identity that somebody has put back, likewise.
    let former = read_pair(directory.path(), "old-ca");
    let kept = identity(elsewhere.path());
    former.issue(&Leaf::client("kong-client")).unwrap().write(elsewhere.path(), "tls").unwrap();
    refused("drop", "still the old authority's");
    restore(elsewhere.path(), kept);
    assert!(rotate(&["--step", "drop"]).status.success());
    all_hops();
    for path in [directory.path(), elsewhere.path()] {
        assert_eq!(std::fs::read_to_string(path.join("ca.crt")).unwrap(), second.pem());
        let list = std::fs::read_to_string(path.join("ca.crl")).unwrap();
        assert_eq!(list.matches("BEGIN X509 CRL").count(), 1);
    }
    // The Secrets went along.
    let secrets = read(&directory.path().join("k8s-mtls-secrets.yaml")).unwrap();
    for material in secrets {
        let found = Inspection::of(material.unwrap(), OffsetDateTime::now_utc(), Duration::ZERO);
        assert!(!found.is_wrong() && found.findings.is_empty(), "{found:#?}");
    }
    assert!(stdout(&rotate(&[])).contains("--step trust"));
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(
        |name| name.to_string_lossy().starts_with("next-") || name.to_string_lossy().starts_with("old-")
    ));
}

#[test]
fn a_server_that_has_not_taken_a_step_over_keeps_the_next_from_being_taken() {
    let (directory, home) = generated(&[]);
    let tls = || {
        let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        Tls {
            chain: text("server.crt"),
            key: text("server.key"),
            client_authorities: text("ca.crt"),
            client_revocations: None,
            client_certificate: ClientCertificate::Demanded,
            versions: Versions::Both,
            sessions: Sessions::None,
        }
    };
    let mtls = Some(("127.0.0.1:0".parse().unwrap(), tls()));
    let dogcatcher = Dogcatcher::start(&Options { mtls, ..Options::default() }).unwrap();
    let hop = format!("localhost:{}", dogcatcher.mtls().unwrap().port());
    let rotate = |step: &str| certs(&["rotate-ca", "--ca-dir", &home, "--hop", &hop, "--step", step]);

    assert!(rotate("trust").status.success());
    let refused = String::from_utf8(rotate("issue").stderr).unwrap();
    assert!(refused.contains("does not take client certificates of CN=mTLS CA 2"), "{refused}");
    dogcatcher.set_tls(&tls()).unwrap();
    assert!(rotate("issue").status.success());
    let refused = String::from_utf8(rotate("drop").stderr).unwrap();
    assert!(refused.contains("still shows a certificate"), "{refused}");
    dogcatcher.set_tls(&tls()).unwrap();
    assert!(rotate("drop").status.success());
}

#[test]
fn watch_renews_what_is_due_and_nothing_else() {
    let (_directory, home) = generated(&[]);
    let authority = AuthorityFiles::at(Path::new(&home)).authority().unwrap();
    let due = |name: &str| {
        let validity = Validity::between(
            OffsetDateTime::now_utc() - Duration::days(80),
            OffsetDateTime::now_utc() + Duration::days(10),
        );
        authority.issue(&Leaf::client(name).valid(validity.unwrap())).unwrap()
    };
    // Of days, as SPIFFE has them: not due before two thirds are over.
    let short = authority.issue(&Leaf::client("short").valid(Validity::days(3).unwrap())).unwrap();

    let plain = tempfile::tempdir().unwrap();
    due("due").write(plain.path(), "tls").unwrap();
    short.write(plain.path(), "short").unwrap();
    // As the kubelet mounts a Secret.
    let mounted = tempfile::tempdir().unwrap();
    let data = mounted.path().join("..2026_11_25");
    due("mounted").write(&data, "tls").unwrap();
    std::fs::write(data.join("ca.crt"), authority.pem()).unwrap();
    symlink("..2026_11_25", mounted.path().join("..data")).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        symlink(Path::new("..data").join(name), mounted.path().join(name)).unwrap();
    }
    let manifest = plain.path().join("secret.yaml");
    std::fs::write(&manifest, secret(&due("in-a-secret"), &authority)).unwrap();

    let places = [plain.path(), mounted.path(), manifest.as_path()].map(|path| path.to_str().unwrap());
    let watch = |more: &[&str]| certs(&[&["watch", "--ca-dir", &home, "--once"], &places[..], more].concat());
    let untouched = watch(&["--renew-before", "9"]);
    assert!(stdout(&untouched).is_empty(), "{untouched:?}");
    let told = stdout(&watch(&[]));
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(!told.contains("short"), "{told}");
    assert!(stdout(&watch(&[])).is_empty(), "renewed once is enough");

    well(plain.path());
    well(mounted.path());
    assert!(!data.exists() && mounted.path().join("tls.crt").is_symlink());
    assert_eq!(std::fs::read_to_string(mounted.path().join("ca.crt")).unwrap(), authority.pem());
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.starts_with("# by hand\n") && text.contains("other: aGVsbG8="), "{text}");
    let left = Manifest::read(&manifest).unwrap().identities()[0].days_left(OffsetDateTime::now_utc());
    assert!(left > 60, "{left}");
}

#[test]
fn watch_goes_on_until_it_is_stopped() {
    let (_directory, home) = generated(&[]);
    let authority = AuthorityFiles::at(Path::new(&home)).authority().unwrap();
    let place = tempfile::tempdir().unwrap();
    let expired = || authority.issue(&Leaf::client("again").valid(Validity::expired())).unwrap();
    expired().write(place.path(), "tls").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["certs", "watch", "--interval", "1", "--ca-dir", &home])
        .arg(place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("CN=again"));
    expired().write(place.path(), "tls").unwrap();
    assert!(lines.next().unwrap().unwrap().contains("CN=again"));
    well(place.path());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

/// `harness certs generate` in a directory of its own, and that directory as typed.
fn generated(arguments: &[&str]) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().to_str().unwrap().to_owned();
    assert!(certs(&[&["generate", "--output-dir", &home], arguments].concat()).status.success());
    (directory, home)
}

fn certs(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).arg("certs").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Leaves by the names of their files.
fn leaves(directory: &Path) -> BTreeMap<String, Certificate> {
    let read = read(directory).unwrap().into_iter().map(Result::unwrap);
    read.filter_map(|material| {
        let (path, leaf) = material.identity()?;
        Some((path.file_name().unwrap().to_str().unwrap().to_owned(), leaf.clone()))
    })
    .collect()
}

/// Nothing in a directory is wrong, and all keys are their certificates'.
fn well(directory: &Path) {
    for material in read(directory).unwrap() {
        let material = material.unwrap();
        let found = Inspection::of(material, OffsetDateTime::now_utc(), Duration::ZERO);
        assert!(!found.is_wrong() && found.key != KeyMatch::Unchecked, "{found:#?}");
    }
}

/// Every identity of one directory is trusted by the ca.crt of another.
fn hop(from: &Path, to: &Path) {
    let trusted = read(&to.join("ca.crt")).unwrap().remove(0).unwrap().certificates;
    let leaves = leaves(from);
    assert!(!leaves.is_empty());
    for (name, leaf) in leaves {
        assert!(
            trusted.iter().any(|authority| leaf.is_issued_by(authority)),
            "{name}: {} at {to:?}",
            leaf.issuer
        );
    }
}

fn read_pair(directory: &Path, name: &str) -> Authority {
    let text =
        |extension: &str| std::fs::read_to_string(directory.join(format!("{name}.{extension}"))).unwrap();
    Authority::from_pem(&text("crt"), &text("key")).unwrap()
}

fn identity(directory: &Path) -> [Vec<u8>; 2] {
    ["tls.crt", "tls.key"].map(|name| std::fs::read(directory.join(name)).unwrap())
}

fn restore(directory: &Path, files: [Vec<u8>; 2]) {
    for (name, content) in ["tls.crt", "tls.key"].iter().zip(files) {
        std::fs::write(directory.join(name), content).unwrap();
    }
}

fn secret(issued: &Issued, authority: &Authority) -> String {
    use base64::Engine;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    format!(
        "# by hand\napiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata:\n  other: aGVsbG8=\n  tls.crt: {}\n  tls.key: {}\n  ca.crt: {}\n",
        encode(issued.chain_pem()),
        encode(issued.key().pem()),
        encode(authority.pem())
    )
}

fn openssl_is_there() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    if !there {
        println!("skipped: no openssl");
    }
    there
}

fn openssl(directory: &Path, line: &str, more: &[&str]) -> Output {
    Command::new("openssl").args(line.split(' ')).args(more).current_dir(directory).output().unwrap()
}
