//! `harness certs generate`, as it is typed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saphyr::{LoadableYamlNode, Yaml};

const FILES: [&str; 8] = [
    "ca.crt",
    "ca.key",
    "k8s-mtls-secrets.yaml",
    "kong-client.crt",
    "kong-client.key",
    "kong-client.pem",
    "server.crt",
    "server.key",
];

#[test]
fn the_files_are_there_and_only_the_owner_reads_private_keys() {
    let directory = tempfile::tempdir().unwrap();
    let output = generate(directory.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let modes: Vec<_> = FILES.map(|name| (name, mode(&directory.path().join(name)))).into();
    for (name, mode) in modes {
        let secret =
            std::fs::read_to_string(directory.path().join(name)).unwrap().contains("PRIVATE KEY-----")
                || name.ends_with(".yaml");
        assert_eq!(secret, !name.ends_with(".crt"), "{name}");
        assert_eq!(mode & 0o077 == 0, secret, "{name}: {mode:o}");
    }
    assert_eq!(listing(directory.path()).into_keys().collect::<Vec<_>>(), FILES);

    let told = String::from_utf8(output.stdout).unwrap();
    for part in
        FILES.iter().chain(&["CN=kong-client", "dogcatcher-api.default.svc", "127.0.0.1", "valid until"])
    {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    assert!(!told.contains("BEGIN") && output.stderr.is_empty());
}

#[test]
fn openssl_verifies_everything_strictly_and_for_its_purpose_only() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: no openssl (30 checks)");
        return;
    }
    for algorithm in ["ecdsa-p256", "ecdsa-p384", "ed25519"] {
        let directory = tempfile::tempdir().unwrap();
        let clients = ["--client", "kong-client", "--client", "kong-vet"];
        let output = generate(directory.path(), &[&["--key-algorithm", algorithm], &clients[..]].concat());
        assert!(output.status.success(), "{output:?}");
        let openssl = |arguments: &str| {
            let arguments = arguments.split(' ');
            Command::new("openssl").args(arguments).current_dir(directory.path()).output().unwrap()
        };
        let verify = |purpose: &str, rest: &str| {
            openssl(&format!("verify -x509_strict -purpose {purpose} -CAfile ca.crt {rest}"))
        };
        for (purpose, other, file, rest) in [
            ("sslserver", "sslclient", "server.crt", "-verify_hostname dogcatcher-api "),
            ("sslserver", "sslclient", "server.crt", "-verify_ip 127.0.0.1 "),
            ("sslclient", "sslserver", "kong-client.pem", ""),
            ("sslclient", "sslserver", "kong-vet.crt", ""),
        ] {
            let right = verify(purpose, &format!("{rest}{file}"));
            assert!(right.status.success(), "{algorithm} {file} {purpose}: {right:?}");
            let wrong = verify(other, &format!("{rest}{file}"));
            assert!(!wrong.status.success(), "{algorithm} {file} {other}: {wrong:?}");
        }
        let of_key = openssl("pkey -pubout -in kong-vet.key").stdout;
        let of_certificate = openssl("x509 -pubkey -noout -in kong-vet.pem").stdout;
        assert!(!of_key.is_empty() && of_key == of_certificate, "{algorithm}");
    }
}

#[test]
fn secrets_are_what_kubernetes_and_kong_ingress_controller_expect() {
    let directory = tempfile::tempdir().unwrap();
    assert!(
        generate(directory.path(), &["--client", "kong-client", "--client", "kong-vet"]).status.success()
    );
    let files = listing(directory.path());
    let documents = Yaml::load_from_str(&files["k8s-mtls-secrets.yaml"]).unwrap();
    let text = |node: &Yaml| node.as_str().unwrap().to_owned();

    let mut seen = Vec::new();
    for secret in &documents {
        assert_eq!((text(&secret["apiVersion"]), text(&secret["kind"])), ("v1".into(), "Secret".into()));
        let metadata = &secret["metadata"];
        let entry =
            |key: &str| STANDARD.decode(text(&secret["data"][key])).map(String::from_utf8).unwrap().unwrap();
        let name = text(&metadata["name"]);
        let kind = text(&secret["type"]);
        assert_eq!(entry("ca.crt"), files["ca.crt"]);
        if kind == "kubernetes.io/tls" {
            let file =
                if name == "dogcatcher-server-cert" { "server" } else { name.trim_end_matches("-cert") };
            assert_eq!(entry("tls.crt"), files[&format!("{file}.crt")]);
            assert_eq!(entry("tls.key"), files[&format!("{file}.key")]);
        } else {
            assert_eq!(text(&metadata["labels"]["konghq.com/ca-cert"]), "true");
            assert_eq!(text(&metadata["annotations"]["kubernetes.io/ingress.class"]), "kong");
            assert_eq!(entry("cert"), files["ca.crt"]);
            assert!(uuid::Uuid::parse_str(&entry("id")).is_ok());
            assert_eq!(secret["data"].as_mapping().unwrap().len(), 3, "and no private key");
        }
        seen.push(format!("{}/{name} {kind}", text(&metadata["namespace"])));
    }
    assert_eq!(
        seen,
        [
            "default/mtls-ca Opaque",
            "default/dogcatcher-server-cert kubernetes.io/tls",
            "kong/kong-client-cert kubernetes.io/tls",
            "kong/kong-vet-cert kubernetes.io/tls",
        ]
    );
}

#[test]
fn existing_files_stay_unless_forced() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("server.crt"), "mine").unwrap();
    std::fs::write(directory.path().join("ca.key"), "mine too").unwrap();
    let before = listing(directory.path());

    let refused = generate(directory.path(), &[]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(told.contains("ca.key, ") && told.contains("server.crt") && told.contains("--force"), "{told}");
    assert_eq!(listing(directory.path()), before);

    assert!(generate(directory.path(), &["--force"]).status.success());
    assert_eq!(mode(&directory.path().join("ca.key")), 0o600);
    let forced = listing(directory.path());
    assert!(forced.len() == FILES.len() && !forced.values().any(|content| content.starts_with("mine")));
}

#[test]
fn a_write_that_fails_leaves_the_old_files() {
    let directory = tempfile::tempdir().unwrap();
    assert!(generate(directory.path(), &[]).status.success());
    // The last of the batch cannot take its name.
    std::fs::remove_file(directory.path().join("k8s-mtls-secrets.yaml")).unwrap();
    std::fs::create_dir(directory.path().join("k8s-mtls-secrets.yaml")).unwrap();
    let before = listing(directory.path());

    let failed = generate(directory.path(), &["--force"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8(failed.stderr).unwrap().contains("k8s-mtls-secrets.yaml"));
    assert_eq!(listing(directory.path()), before);
}

#[test]
fn a_full_disk_leaves_the_certificates_that_are_there() {
    let directory = tempfile::tempdir().unwrap();
    assert!(generate(directory.path(), &[]).status.success());
    let before = listing(directory.path());
    let renew = |shell: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{shell} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_harness")]);
        command.args(["certs", "renew", "--ca-dir", ".", "kong-client.crt"]).current_dir(directory.path());
        command.output().unwrap()
    };
    // No file may hold anything: the first write fails, as on a full disk.
    let outcome = renew("ulimit -f 0; trap '' XFSZ;");
    assert!(!outcome.status.success(), "{outcome:?}");
    assert_eq!(listing(directory.path()), before, "{outcome:?}");

    let outcome = renew("");
    assert!(outcome.status.success(), "{outcome:?}");
    assert_ne!(listing(directory.path()), before);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nothing_is_written() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("certs");
    let long = "x".repeat(65);
    let wrong = [
        ("--days", "0", "--days 0"),
        ("--cn", &long, "--cn"),
        ("--san", "localhost,no name,1.2.3.4.5", "\"1.2.3.4.5\""),
        ("--client", "a/b", "\"a/b\""),
        ("--client", "../c", "\"../c\""),
        ("--client", "Kong", "\"Kong\""),
        ("--client", "server", "\"server\""),
        ("--client", "twice", ""),
        ("--client", "twice", "\"twice\": given twice"),
    ];
    let output = generate(&directory, &wrong.map(|(flag, value, _)| [flag, value]).concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    for (flag, value, part) in wrong {
        assert!(told.contains(part), "{flag} {value}: {part} is not in:\n{told}");
    }
    assert!(told.contains("\"no name\"") && told.lines().count() == 8, "{told}");
    assert!(!directory.exists());

    assert_eq!(generate(&directory, &["--days", "3651"]).status.code(), Some(2));
    std::fs::write(&directory, "a file").unwrap();
    assert_eq!(generate(&directory, &[]).status.code(), Some(2));
}

#[test]
fn json_is_one_document() {
    let directory = tempfile::tempdir().unwrap();
    let output = generate(directory.path(), &["--json", "--san", "10.0.0.1,api.example.org"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["certificates"][1]["names"], serde_json::json!(["10.0.0.1", "api.example.org"]));
    assert_eq!(report["certificates"][2]["common_name"], "kong-client");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(directory.path(), &[]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn generate(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["certs", "generate", "--output-dir"]).arg(directory).args(arguments);
    command
}

/// Names and contents; a directory has none.
fn listing(directory: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap_or_default())
        })
        .collect()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}
