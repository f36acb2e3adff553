//! What is not written.

use std::path::Path;
use std::process::Command;

use crate::configure::{generated, harness};

#[test]
fn what_cannot_be_presented_is_not_written() {
    let directory = generated();
    let certs = directory.path().join("certs/mtls");
    let read = |name: &str| std::fs::read(certs.join(name)).unwrap();
    let (key, vets, ca) = (read("kong-client.key"), read("kong-vet.key"), read("ca.crt"));

    std::fs::write(certs.join("kong-client.key"), vets).unwrap();
    refused(directory.path(), 1, &["kong-client.crt: mismatch"]);
    std::fs::write(certs.join("kong-client.key"), &key).unwrap();
    std::fs::write(certs.join("ca.crt"), "no PEM").unwrap();
    refused(directory.path(), 1, &["ca.crt: unreadable certificate"]);
    std::fs::remove_file(certs.join("ca.crt")).unwrap();
    refused(directory.path(), 2, &["ca.crt: No such file", "harness certs generate"]);
    std::fs::write(certs.join("ca.crt"), ca).unwrap();

    let expired = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=kong-client -days -1 \
                   -keyout kong-client.key -out kong-client.crt";
    let made = Command::new("openssl").args(expired.split_whitespace()).current_dir(&certs).output();
    match made {
        Ok(output) if output.status.success() => {
            refused(directory.path(), 1, &["kong-client.crt: expired at "])
        }
        _ => println!("skipped: no openssl that makes an expired certificate"),
    }
}

#[test]
fn all_that_is_wrong_with_the_names_is_told_at_once() {
    let directory = generated();
    let typed =
        ["--kong-ns", "Kong", "--dogcatcher-svc", "9lives", "--dogcatcher-port", "0", "--client", "a.b"];
    let output = harness(directory.path(), &[&["kong", "configure"], &typed[..]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    for part in
        ["--kong-ns \"Kong\"", "--dogcatcher-svc \"9lives\"", "--dogcatcher-port 0", "--client \"a.b\""]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn files_that_exist_stay_unless_forced() {
    let directory = generated();
    let typed = ["kong", "configure", "--output-dir", "out"];
    assert!(harness(directory.path(), &typed).status.success());
    let again = harness(directory.path(), &typed);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("--force"));
    assert!(harness(directory.path(), &[&typed[..], &["--force"]].concat()).status.success());
}

fn refused(directory: &Path, code: i32, owed: &[&str]) {
    let output = harness(directory, &["kong", "configure", "--output-dir", "out"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    for part in owed {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!directory.join("out").exists() && output.stdout.is_empty(), "{told}");
}
