//! Kubernetes manifests: several documents in a file, and what `kubectl get` writes.

use std::path::Path;

use serde_json::{Value, json};

use crate::{policy, policy_in};

/// What `harness kong configure` writes.
fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../kong/k8s/plugins.yaml")).unwrap()
}

fn plugin(kind: &str, name: &str, plugin: &str, config: Value) -> Value {
    json!({
        "apiVersion": "configuration.konghq.com/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "annotations": {"a": "b"}},
        "plugin": plugin,
        "config": config,
    })
}

/// Two valid policies, an invalid one, and what is none of ours.
fn plugins() -> Vec<Value> {
    vec![
        plugin("KongPlugin", "good", "mtls-policy", json!({"anonymous": "guest"})),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"config": "hunter2"}}),
        plugin("KongPlugin", "limit", "rate-limiting", json!({"minute": 5})),
        plugin("KongClusterPlugin", "bad", "mtls-policy", json!({"relm": "dogs"})),
        plugin("KongPlugin", "good-too", "mtls-policy", json!({"realm": "dogs"})),
    ]
}

/// The same resources in every form in which they come.
fn forms(resources: &[Value]) -> Vec<(&'static str, String)> {
    let list =
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": resources});
    let typed =
        json!({"apiVersion": "configuration.konghq.com/v1", "kind": "KongPluginList", "items": resources});
    let yaml: Vec<_> = resources.iter().map(|one| format!("{one}\n")).collect();
    let block = |value: &Value| {
        let report = kong_config::document::Report::new(None);
        policy_tools::policy::written(&kong_config::document::parse(&value.to_string(), &report).unwrap())
    };
    let blocks: Vec<_> = resources.iter().map(block).collect();
    vec![
        ("documents", blocks.join("---\n")),
        (
            "documents with empty ones, as Helm writes them",
            format!("---\n# a comment\n---\n{}---\n", blocks.join("---\n---\n")),
        ),
        ("documents in JSON", yaml.join("---\n")),
        ("kubectl get -o json", format!("{list:#}")),
        ("kubectl get -o yaml", block(&list)),
        ("a list of its own kind", typed.to_string()),
        ("a list among documents", format!("{list}\n---\n{}", blocks[0])),
    ]
}

#[test]
fn every_kong_plugin_is_checked_in_every_form() {
    for (form, text) in forms(&plugins()) {
        let said = policy(&["check", "p.yaml", "--json"], &[("p.yaml", &text)]);
        assert_eq!(said.code, 1, "{form}: {}{}", said.out, said.err);
        let report = said.json();
        let policies = if form == "a list among documents" { 4 } else { 3 };
        assert_eq!(
            (&report["policies"], &report["errors"]),
            (&json!(policies), &json!(1)),
            "{form}: {report}"
        );
        assert_eq!(report["findings"][0]["path"], "relm", "{form}: {report}");
        let valid: Vec<_> = plugins().into_iter().filter(|one| one["metadata"]["name"] != "bad").collect();
        for (_, text) in forms(&valid).into_iter().filter(|(other, _)| *other == form) {
            let said = policy(&["check", "p.yaml"], &[("p.yaml", &text)]);
            assert_eq!(said.code, 0, "{form}: {}{}", said.out, said.err);
        }
    }
}

#[test]
fn what_kong_configure_writes_is_checked() {
    let text = shipped();
    assert!(text.contains("\n---\n"));
    let said = policy(&["check", "plugins.yaml"], &[("plugins.yaml", &text)]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 policy: nothing to say\n"), "{}", said.err);
    let typo = text.replace("  client_certificate: kong-client\n", "  client_certificate: kong-cleint\n");
    let said = policy(&["check", "plugins.yaml"], &[("plugins.yaml", &typo)]);
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(
        said.out.contains("unknown_certificate") && said.out.contains("did you mean \"kong-client\"?"),
        "{}",
        said.out
    );
}

#[test]
fn a_second_document_of_another_kind_is_rejected() {
    let manifest = plugins()[0].to_string();
    let rows = [
        ("realm: a\n---\nrealm: b\n".to_owned(), 2),
        ("_format_version: '3.0'\n---\n_format_version: '3.0'\n".to_owned(), 2),
        (format!("{manifest}\n---\nrealm: b\n"), 2),
        (format!("realm: b\n---\n{manifest}\n"), 2),
        (format!("{manifest}\n---\n{manifest}\n---\nrealm: b\n"), 4),
    ];
    for (text, line) in rows {
        let said = policy(&["check", "p.yaml"], &[("p.yaml", &text)]);
        assert_eq!(said.code, 1, "{text}: {}", said.out);
        assert!(said.out.contains("a second document starts here"), "{text}: {}", said.out);
        assert!(said.out.contains(&format!("p.yaml:{line}:")), "{text}: {}", said.out);
    }
    for text in ["", "---\n---\n", "# nothing\n"] {
        let said = policy(&["check", "p.yaml"], &[("p.yaml", text)]);
        assert!(said.code == 1 && said.out.contains("the document is empty"), "{text:?}: {}", said.out);
    }
}

#[test]
fn a_policy_in_a_secret_is_a_warning() {
    let mut elsewhere = plugin("KongPlugin", "p", "mtls-policy", Value::Null);
    elsewhere.as_object_mut().unwrap().remove("config");
    elsewhere["configFrom"] = json!({"secretKeyRef": {"name": "s", "key": "config"}});
    let mut patched = plugin("KongPlugin", "p", "mtls-policy", json!({"realm": "dogs"}));
    patched["configPatches"] =
        json!([{"path": "/anonymous", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    for resource in [elsewhere, patched] {
        let said = policy(&["check", "p.yaml", "--json"], &[("p.yaml", &resource.to_string())]);
        assert_eq!(said.code, 1, "{}{}", said.out, said.err);
        assert_eq!(said.json()["findings"][0]["code"], "config_in_secret", "{}", said.out);
        let said = policy(&["check", "p.yaml", "--allow-warnings"], &[("p.yaml", &resource.to_string())]);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
    let mut off = plugin("KongPlugin", "p", "mtls-policy", json!({"relm": "dogs"}));
    off["disabled"] = json!(true);
    let said = policy(&["check", "p.yaml"], &[("p.yaml", &off.to_string())]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
}

#[test]
fn explain_asks_one_kong_plugin_by_its_name() {
    let (_, text) = forms(&plugins()).swap_remove(0);
    let files = [("p.yaml", text.as_str())];
    let said = policy(&["explain", "p.yaml"], &files);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("select one with --route") && said.err.contains("KongPlugin default/good,"),
        "{}",
        said.err
    );
    for name in ["good", "default/good", "KongPlugin default/good"] {
        let said = policy(&["explain", "p.yaml", "--route", name], &files);
        assert_eq!(said.code, 0, "{name}: {}{}", said.out, said.err);
        assert!(said.out.contains("guest"), "{name}: {}", said.out);
    }
    let said = policy(&["explain", "p.yaml", "--route", "good-too"], &files);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let said = policy(&["explain", "p.yaml", "--route", "nowhere"], &files);
    assert!(said.code == 2 && said.err.contains("unknown KongPlugin \"nowhere\""), "{}", said.err);
}

#[test]
fn diff_compares_kong_plugins_of_one_name() {
    let valid: Vec<_> = plugins().into_iter().filter(|one| one["metadata"]["name"] != "bad").collect();
    let mut changed = valid.clone();
    changed.last_mut().unwrap()["config"]["anonymous"] = json!("guest");
    let (old, new) = (forms(&valid).swap_remove(0).1, forms(&changed).swap_remove(3).1);
    let files = [("old.yaml", old.as_str()), ("new.json", new.as_str())];
    assert_eq!(policy(&["diff", "old.yaml", "old.yaml"], &files).code, 0);
    let said = policy(&["diff", "old.yaml", "new.json"], &files);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.starts_with("KongPlugin default/good-too\n"), "{}", said.out);
    assert!(!said.out.contains("default/good\n") && said.err == "1 change\n", "{}{}", said.out, said.err);
}

#[test]
fn secrets_of_manifests_are_never_shown() {
    let mut bad = plugin("KongPlugin", "p", "mtls-policy", json!({"relm": "dogs"}));
    bad["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
        json!("{\"a\": \"hunter2\"}");
    let other = plugin("KongPlugin", "o", "http-log", json!({"headers": {"a": "hunter2"}}));
    let secret = plugins().swap_remove(1);
    for resources in [vec![bad.clone(), other.clone(), secret.clone()], vec![secret, other, bad]] {
        for (form, text) in forms(&resources) {
            let said = policy(&["check", "p.yaml"], &[("p.yaml", &text)]);
            assert_eq!(said.code, 1, "{form}: {}", said.err);
            assert!(!said.out.contains("hunter2"), "{form}: {}", said.out);
        }
    }
}

#[test]
fn fmt_leaves_several_documents_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let text = shipped();
    let said = policy_in(directory.path(), &["fmt", "p.yaml"], &[("p.yaml", &text)], "");
    assert_eq!(said.code, 2, "{}", said.out);
    assert!(said.err.contains("holds several documents"), "{}", said.err);
    assert_eq!(std::fs::read_to_string(directory.path().join("p.yaml")).unwrap(), text);
}
