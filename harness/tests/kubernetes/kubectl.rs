//! `--apply`. A cluster there is none here: a script stands in for kubectl, and keeps what it is given.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::configure::generated;
use crate::manifests::documents;

#[test]
fn kubectl_gets_every_manifest_by_stdin_and_no_key_by_argument() {
    let directory = generated();
    let stand_in = "#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments\n/bin/cat > stdin\necho service/dogcatcher-api serverside-applied\n";
    let output = apply(directory.path(), Some(stand_in));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout, b"service/dogcatcher-api serverside-applied\n");
    let kept = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    // Server-side: what others have set is not overwritten, and no key is copied into an annotation.
    assert_eq!(kept("arguments"), "apply\n--server-side\n--field-manager=harness\n--filename=-\n");
    let kinds: Vec<_> = (documents(&kept("stdin")).iter())
        .map(|document| document["kind"].as_str().unwrap().to_owned())
        .collect();
    let owed = ["Secret", "KongPlugin", "KongPlugin", "Service", "Ingress", "NetworkPolicy", "NetworkPolicy"];
    assert_eq!(kinds, owed);
}

#[test]
fn what_kubectl_refuses_is_told_in_its_words() {
    let directory = generated();
    let output =
        apply(directory.path(), Some("#!/bin/sh\necho 'Error: conflict with \"helm\"' >&2\nexit 1\n"));
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("conflict with \"helm\""), "{told}");
    assert!(!told.contains("tls.key") && output.stdout.is_empty());
}

#[test]
fn without_kubectl_it_says_so() {
    let directory = generated();
    let output = apply(directory.path(), None);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("kubectl is not on PATH"));
}

/// With nothing on PATH but a script in kubectl's place.
fn apply(directory: &Path, kubectl: Option<&str>) -> Output {
    let path = directory.join("bin");
    std::fs::create_dir(&path).unwrap();
    if let Some(script) = kubectl {
        std::fs::write(path.join("kubectl"), script).unwrap();
        std::fs::set_permissions(path.join("kubectl"), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut harness = Command::new(env!("CARGO_BIN_EXE_harness"));
    harness.args(["kong", "configure", "--apply"]).current_dir(directory).env("PATH", &path).output().unwrap()
}
