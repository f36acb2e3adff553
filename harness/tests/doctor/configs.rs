//! What a gateway's config says by itself.

use crate::diagnosis::Diagnoses;
use crate::scene::Scene;

pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    let upstream = scene.upstream(&scene.server());
    let right = format!(
        "_format_version: \"3.0\"
services:
- name: dogs
  url: https://localhost:{}/api/health
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config:
        consumers: [{{username: ann, keys: [{{id: \"1\", sha256: \"{}\"}}]}}]
        rules:
        - match: {{consumers: [ann]}}
          client_certificate: kong-client
  plugins:
  - name: upstream-mtls
    config:
      client_certificates: [{{name: kong-client, cert_file: {2}/tls.crt, key_file: {2}/tls.key}}]
      ca_file: {2}/ca.crt
",
        upstream.mtls().unwrap().port(),
        "0".repeat(64),
        scene.path("").display().to_string().trim_end_matches('/')
    );
    let mut given = |config: &str, owed: &[(&str, &str)]| {
        std::fs::write(scene.path("kong.yml"), config).unwrap();
        diagnoses.owed(&scene, &["--config".to_owned(), "kong.yml".to_owned()], owed);
    };
    given(&right, &[]);
    let typo = right.replace("client_certificate: kong-client\n", "client_certificate: kong-cleint\n");
    given(&typo, &[("policy", "unknown_certificate")]);
    given(&right.replace("consumers: [ann]", "consumers: [bob]"), &[("policy", "policy_refused")]);
    let (before, people) = right.split_once("        consumers: ").unwrap();
    let (people, after) = people.split_once('\n').unwrap();
    let file = scene.path("people.yaml");
    let elsewhere = format!("{before}        consumers_file: {}\n{after}", file.display());
    given(&elsewhere, &[("policy", "policy_refused")]);
    std::fs::write(&file, format!("consumers: {people}\n")).unwrap();
    given(&elsewhere, &[("policy", "plugin_only")]);
    given(&elsewhere.replace("consumers: [ann]", "consumers: [bob]"), &[("policy", "policy_refused")]);
    given(
        &right.replace("  - name: dogs\n", "  - name: dogs\n    pahts: [/dogs]\n"),
        &[("config", "config_refused")],
    );
    let (without, _) = right.split_once("  plugins:\n  - name: upstream-mtls").unwrap();
    let owed =
        [("policy", "no_plugin"), ("trust_anchors", "unverified"), ("acceptance", "demands_certificate")];
    given(without, &owed);
}
