//! The client certificate's files, and those of trust.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use pki::{Leaf, Validity};
use rustls::pki_types::CertificateDer;

use crate::diagnosis::Diagnoses;
use crate::scene::{Scene, days};

const CLIENT: &str = "client_certificate";

pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    let upstream = scene.upstream(&scene.server());
    let typed = scene.typed(upstream.mtls().unwrap().port());
    let keep = |name: &str| std::fs::read(scene.path(name)).unwrap();
    let put = |name: &str, content: &[u8]| std::fs::write(scene.path(name), content).unwrap();
    let (chain, key, ca) = (keep("tls.crt"), keep("tls.key"), keep("ca.crt"));
    let issue = |leaf: Leaf| scene.root.issue(&leaf).unwrap();
    let client = || Leaf::client("kong-client");

    std::fs::remove_file(scene.path("tls.crt")).unwrap();
    diagnoses.owed(&scene, &typed, &[(CLIENT, "file_missing")]);
    put("tls.crt", &chain[..chain.len() / 2]);
    diagnoses.owed(&scene, &typed, &[(CLIENT, "certificate_unreadable")]);
    put("tls.crt", &chain);

    put("tls.key", issue(client()).key().pem().as_bytes());
    diagnoses.owed(&scene, &typed, &[(CLIENT, "key_mismatch"), ("acceptance", "refuses_ours")]);
    put("tls.key", &chain);
    diagnoses.owed(&scene, &typed, &[(CLIENT, "key_missing")]);
    put("tls.key", &key);
    let encrypted = "pkey -in tls.key -aes256 -passout pass:secret -out encrypted.key".split(' ');
    match Command::new("openssl").args(encrypted).current_dir(scene.path("")).output() {
        Ok(output) if output.status.success() => {
            put("tls.key", &keep("encrypted.key"));
            diagnoses.owed(&scene, &typed, &[(CLIENT, "key_encrypted")]);
            put("tls.key", &key);
        }
        _ => diagnoses.skip("key_encrypted", "no openssl"),
    }

    let mode =
        |mode| std::fs::set_permissions(scene.path("tls.key"), PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    diagnoses.owed(&scene, &typed, &[(CLIENT, "key_open")]);
    mode(0o600);

    let server = scene.root.der();
    let leaf_last: String = [server.clone(), first(&chain)].iter().map(pki::pem).collect();
    put("tls.crt", leaf_last.as_bytes());
    diagnoses.owed(&scene, &typed, &[(CLIENT, "client_unfit"), ("acceptance", "refuses_ours")]);
    put("tls.crt", &chain);

    scene.present(&issue(client().valid(Validity::expired())));
    diagnoses.owed(&scene, &typed, &[(CLIENT, "client_expired"), ("acceptance", "refuses_expired")]);
    scene.present(&issue(client().valid(Validity::not_yet())));
    diagnoses.owed(&scene, &typed, &[(CLIENT, "client_not_yet_valid"), ("acceptance", "refuses_expired")]);
    scene.present(&issue(Leaf::server("kong-client")));
    diagnoses.owed(&scene, &typed, &[(CLIENT, "client_usage"), ("acceptance", "refuses_ours")]);
    scene.present(&issue(client().valid(days(5))));
    diagnoses.owed(&scene, &typed, &[(CLIENT, "client_expires_soon")]);
    put("tls.crt", &chain);
    put("tls.key", &key);
    mode(0o600);

    put("ca.crt", &chain);
    diagnoses.owed(&scene, &typed, &[("trust_anchors", "anchor_unusable")]);
    put("ca.crt", &ca);
    put("ca.crl", b"no list");
    let with_list = [&typed[..], &["--crl".to_owned(), "ca.crl".to_owned()]].concat();
    diagnoses.owed(&scene, &with_list, &[("trust_anchors", "revocations_unusable")]);
    let unverified: Vec<_> =
        typed.iter().filter(|word| !["--ca", "ca.crt"].contains(&word.as_str())).cloned().collect();
    diagnoses.owed(&scene, &unverified, &[("trust_anchors", "unverified")]);

    permissions(diagnoses, &scene, &typed);
}

/// Root reads everything: as root, doctor is run as nobody.
fn permissions(diagnoses: &mut Diagnoses, scene: &Scene, typed: &[String]) {
    let allow = |name: &str, mode| {
        std::fs::set_permissions(scene.path(name), PermissionsExt::from_mode(mode)).unwrap()
    };
    allow("", 0o755);
    allow("tls.key", 0o000);
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let as_nobody =
        Command::new(nobody[0]).args(&nobody[1..]).arg("true").status().is_ok_and(|ended| ended.success());
    // Where nobody can start it: the build may lie in a directory of its owner's alone.
    let program = scene.path("harness");
    std::fs::copy(env!("CARGO_BIN_EXE_harness"), &program).unwrap();
    let mut command = Command::new(if as_nobody { "setpriv" } else { program.to_str().unwrap() });
    if as_nobody {
        command.args(&nobody[1..]).arg(&program);
    }
    let (code, told) = scene.run(command, typed);
    let line = told.lines().find(|line| line.contains("client certificate")).unwrap_or_default();
    match code == 1 && line.contains("tls.key: may not be read") {
        true => drop(diagnoses.recognised.insert("file_permissions".to_owned())),
        false => diagnoses.wrong.push(format!("owed file_permissions, found {told}")),
    }
    allow("tls.key", 0o600);
}

fn first(pem: &[u8]) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem).unwrap()
}
