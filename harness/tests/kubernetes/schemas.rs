//! The published schemas of Kubernetes, Kong, cert-manager and Prometheus Operator; see data/schemas/NOTICE.

use serde_json::{Value, json};

use crate::manifests::documents;

/// What the schemas have against a document, one a line; empty: nothing.
pub fn complaints(document: &Value) -> String {
    let kind = format!("{}/{}", document["apiVersion"].as_str().unwrap(), document["kind"].as_str().unwrap());
    let Some(schema) = schema(&kind) else { return format!("no schema for {kind}") };
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let complaints = validator.iter_errors(document);
    complaints.map(|error| format!("{kind}: {}: {error}\n", error.instance_path())).collect()
}

fn schema(kind: &str) -> Option<Value> {
    let all = [
        include_str!("../data/schemas/kubernetes.json"),
        include_str!("../data/schemas/kong.json"),
        include_str!("../data/schemas/cert-manager.json"),
        include_str!("../data/schemas/monitoring.json"),
    ];
    all.iter().find_map(|text| {
        let mut file: Value = serde_json::from_str(text).unwrap();
        let mut schema = file["kinds"].get_mut(kind)?.take();
        schema["definitions"] = file["definitions"].take();
        // Beside `$ref` draft 7 would not look at anything else.
        Some(match schema.get_mut("$ref").map(Value::take) {
            Some(of) => json!({ "allOf": [{ "$ref": of }], "definitions": schema["definitions"].take() }),
            None => schema,
        })
    })
}

#[test]
fn the_schemas_refuse_what_kubernetes_would() {
    let right = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: dogs, annotations: {konghq.com/strip-path: \"true\"}}
spec:
  ingressClassName: kong
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: dogs, port: {number: 80}}}}]}}]
";
    assert_eq!(complaints(&documents(right)[0]), "");
    for (what, from, to) in [
        ("a field that does not exist", "ingressClassName", "ingressClass"),
        ("an annotation that is no string", "\"true\"", "true"),
        ("a port that is no number", "80", "eighty"),
        ("a path without its type", "pathType: Prefix, ", ""),
        ("a kind that does not exist", "kind: Ingress", "kind: Egress"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(complaints(&documents(&wrong)[0]), "", "{what}");
    }
    let plugin = "
apiVersion: configuration.konghq.com/v1
kind: KongPlugin
metadata: {name: dogs}
plugin: key-auth
config: {anything: [at, all]}
";
    assert_eq!(complaints(&documents(plugin)[0]), "");
    for (what, from, to) in [
        ("no plugin", "plugin: key-auth", "plugins: key-auth"),
        ("a config that is no object", "{anything: [at, all]}", "anything"),
    ] {
        assert_ne!(complaints(&documents(&plugin.replace(from, to))[0]), "", "{what}");
    }
}
