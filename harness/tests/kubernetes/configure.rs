//! What is written.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kong_config::declarative::{self, CertificateSource, Trust};
use mtls_policy::policy::Policy;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::manifests::{documents, find, kong};
use crate::schemas::complaints;

/// `harness`, as it is typed, in a directory.
pub fn harness(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).args(arguments).current_dir(directory).output().unwrap()
}

/// A directory with `certs/mtls`, as `harness certs generate` makes it.
pub fn generated() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let output =
        harness(directory.path(), &["certs", "generate", "--client", "kong-client", "--client", "kong-vet"]);
    assert!(output.status.success(), "{output:?}");
    directory
}

/// What is written to stdout.
fn written(directory: &Path, more: &[&str]) -> String {
    let output = harness(directory, &[&["kong", "configure"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const ELSEWHERE: [&str; 8] = [
    "--kong-ns",
    "gateways",
    "--dogcatcher-ns",
    "shelter",
    "--dogcatcher-svc",
    "dogs",
    "--dogcatcher-port",
    "8443",
];

#[test]
fn every_manifest_is_what_kubernetes_and_kong_take() {
    let directory = generated();
    for way in ["policy", "annotation"] {
        for plugins in [&[][..], &["--cluster-plugins"]] {
            for names in [&[][..], &ELSEWHERE, &["--client", "kong-vet"]] {
                let typed = [&["--way", way], plugins, names].concat();
                let written = documents(&written(directory.path(), &typed));
                let complaints: String = written.iter().map(complaints).collect();
                assert_eq!(complaints, "", "{typed:?}");
                assert!(written.len() >= 7, "{typed:?}");
            }
        }
    }
}

/// `UPDATE_KUBERNETES=1 cargo test -p harness --test kubernetes` writes the files anew.
#[test]
fn the_files_for_readers_are_what_is_written_by_default() {
    let directory = generated();
    for (way, into) in [("policy", "k8s"), ("annotation", "k8s/annotation")] {
        let output = directory.path().join(way);
        let typed = ["--way", way, "--output-dir", output.to_str().unwrap()];
        written(directory.path(), &typed);
        for entry in std::fs::read_dir(&output).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            let name = name.to_str().unwrap();
            // Who may speak to whom does not depend on the way.
            let shipped = match name {
                "secrets.yaml" => continue,
                "helm-values.yaml" => kong(name),
                "network-policies.yaml" => kong("k8s").join(name),
                other => kong(into).join(other),
            };
            let owed = std::fs::read_to_string(&path).unwrap();
            if std::env::var_os("UPDATE_KUBERNETES").is_some() {
                std::fs::write(&shipped, &owed).unwrap();
            }
            let found = std::fs::read_to_string(&shipped).unwrap_or_default();
            assert_eq!(found, owed, "{}: write it anew with UPDATE_KUBERNETES=1", shipped.display());
        }
    }
}

#[test]
fn plugins_are_told_what_they_take() {
    let directory = generated();
    let written = documents(&written(directory.path(), &["--client", "kong-vet"]));
    let policy = &find(&written, "KongPlugin", "dogcatcher-api-mtls-policy")["config"];
    Policy::compile(policy.to_string().as_bytes())
        .map(drop)
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(policy["client_certificate"], "kong-vet");

    let upstream_mtls = &find(&written, "KongPlugin", "dogcatcher-api-upstream-mtls")["config"];
    let config = json!({
        "_format_version": "3.0",
        "plugins": [{ "name": "upstream-mtls", "config": upstream_mtls }],
    });
    let config = declarative::parse(&config.to_string(), "written", &BTreeSet::new());
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let config = config.upstream_mtls.unwrap();
    assert_eq!(config.client_certificates[0].name, "kong-vet");
    // Where the chart mounts the Secret of this name.
    let mounted = |path: &Path| assert!(path.starts_with("/etc/secrets/kong-upstream-mtls"), "{path:?}");
    match &config.client_certificates[0].source {
        CertificateSource::Files { chain, key } => [chain, key].map(|path| mounted(path)),
        other => panic!("{other:?}"),
    };
    match config.trust {
        Some(Trust::File(path)) => mounted(&path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_named_is_there_and_where_it_is_looked_for() {
    let directory = generated();
    for way in ["policy", "annotation"] {
        let written = documents(&written(directory.path(), &[&["--way", way], &ELSEWHERE[..]].concat()));
        let place = |document: &Value| {
            let metadata = &document["metadata"];
            format!("{}/{}", metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap())
        };
        let places = |kind: &str| -> Vec<_> {
            written.iter().filter(|document| document["kind"] == kind).map(place).collect()
        };
        let (service, ingress) = (find(&written, "Service", "dogs"), find(&written, "Ingress", "dogs"));
        // An Ingress and its Service, and what they name, share a namespace.
        assert_eq!((place(service), place(ingress)), ("shelter/dogs".into(), "shelter/dogs".into()));
        let annotations = |document: &Value, name: &str| -> Vec<String> {
            let text = document["metadata"]["annotations"][name].as_str().unwrap_or_default();
            text.split(',').filter(|each| !each.is_empty()).map(|each| format!("shelter/{each}")).collect()
        };
        for named in
            [service, ingress].iter().flat_map(|document| annotations(document, "konghq.com/plugins"))
        {
            assert!(places("KongPlugin").contains(&named), "{way}: {named}");
        }
        let secrets = [
            annotations(service, "konghq.com/client-cert"),
            annotations(service, "konghq.com/ca-certificates-secrets"),
        ];
        let mut secrets = secrets.concat();
        if way == "policy" {
            assert!(secrets.is_empty());
            secrets.push("gateways/kong-upstream-mtls".to_owned());
        }
        secrets.sort();
        let mut there = places("Secret");
        there.sort();
        assert_eq!(secrets, there, "{way}");
        assert!(annotations(ingress, "konghq.com/client-cert").is_empty(), "where it does nothing");

        let backend = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
        assert_eq!(*backend, json!({ "name": "dogs", "port": { "number": 8443 } }));
        let port = json!([{ "name": "https", "port": 8443, "targetPort": 8443 }]);
        assert_eq!(service["spec"]["ports"], port);
        let policy = &find(&written, "NetworkPolicy", "dogs-from-kong")["spec"];
        assert_eq!(policy["podSelector"]["matchLabels"], service["spec"]["selector"]);
        let from = &policy["ingress"][0]["from"][0];
        assert_eq!(from["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "gateways");
        assert!(from["podSelector"].is_object(), "any pod of the namespace would do");
        assert_eq!(policy["ingress"][0]["ports"][0]["port"], 8443);
    }
}

#[test]
fn each_ca_certificate_is_a_secret_of_its_own_and_the_same_each_time() {
    let directory = generated();
    let other = generated();
    let [ca, next] = [&directory, &other].map(|made| made.path().join("certs/mtls/ca.crt"));
    let both = std::fs::read_to_string(&ca).unwrap() + &std::fs::read_to_string(&next).unwrap();
    std::fs::write(&ca, both).unwrap();
    let ids = || {
        let written = documents(&written(directory.path(), &["--way", "annotation"]));
        ["dogcatcher-api-ca", "dogcatcher-api-ca-2"].map(|name| {
            let secret = find(&written, "Secret", name);
            assert_eq!(secret["metadata"]["labels"]["konghq.com/ca-cert"], "true");
            // Kong Ingress Controller refuses a Secret with two.
            let certificate = STANDARD.decode(secret["data"]["cert"].as_str().unwrap()).unwrap();
            assert_eq!(String::from_utf8(certificate).unwrap().matches("BEGIN CERTIFICATE").count(), 1);
            secret["data"]["id"].as_str().unwrap().to_owned()
        })
    };
    let first = ids();
    assert_ne!(first[0], first[1]);
    assert_eq!(first, ids(), "Kong would call the same CA by another id");
}

#[test]
fn what_cert_manager_has_written_serves_too() {
    let directory = generated();
    let from = directory.path().join("certs/mtls");
    let to = directory.path().join("mounted");
    std::fs::create_dir(&to).unwrap();
    for (file, name) in [("kong-client.crt", "tls.crt"), ("kong-client.key", "tls.key"), ("ca.crt", "ca.crt")]
    {
        std::fs::copy(from.join(file), to.join(name)).unwrap();
    }
    let by_name = written(directory.path(), &[]);
    assert_eq!(written(directory.path(), &["--cert-dir", "mounted"]), by_name);
}

#[test]
fn only_the_owner_reads_the_file_with_the_private_key() {
    let directory = generated();
    written(directory.path(), &["--output-dir", "out"]);
    let key = std::fs::read_to_string(directory.path().join("certs/mtls/kong-client.key")).unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory.path().join("out")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let has_key = text.contains(&STANDARD.encode(&key)) || text.contains("PRIVATE KEY");
        let others_read = path.metadata().unwrap().permissions().mode() & 0o077 != 0;
        assert_eq!(has_key, !others_read, "{}", path.display());
        files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    files.sort();
    let owed = [
        "helm-values.yaml",
        "ingress.yaml",
        "network-policies.yaml",
        "plugins.yaml",
        "secrets.yaml",
        "service.yaml",
    ];
    assert_eq!(files, owed);
}
