//! Values for Kong's chart.
//!
//! The chart itself is rendered where there are helm and a copy of the chart: `KONG_CHART` names its directory
//! (`helm pull kong/kong --untar`).

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::manifests::{documents, find, kong};

/// What the values.yaml of chart `kong` 3.4.1 has at these places.
const KNOWN: [(&str, &[&str]); 3] = [
    ("", &["env", "image", "plugins", "secretVolumes"]),
    ("/image", &["repository", "tag", "effectiveSemver", "pullPolicy", "pullSecrets"]),
    ("/plugins", &["configMaps", "secrets", "preInstalled"]),
];

#[test]
fn the_values_are_ones_that_the_chart_knows() {
    let values = values();
    for (place, known) in KNOWN {
        for name in values.pointer(place).unwrap().as_object().unwrap().keys() {
            assert!(known.contains(&name.as_str()), "{place}/{name}");
        }
    }
    // Without quotes YAML has `off` as false, which the chart refuses.
    assert!(values["env"].as_object().unwrap().values().all(Value::is_string), "{values}");
}

#[test]
fn the_chart_renders_to_pods_that_have_the_secret_and_the_plugins() {
    let Some(chart) = std::env::var_os("KONG_CHART").map(PathBuf::from) else {
        println!(
            "skipped: KONG_CHART names no copy of Kong's chart: the values were held against its known keys only"
        );
        return;
    };
    let helm = Command::new("helm")
        .args(["template", "kong", ".", "--namespace", "kong", "--values"])
        .arg(kong("helm-values.yaml").canonicalize().unwrap())
        .current_dir(&chart)
        .output();
    let Ok(output) = helm else {
        println!("skipped: no helm");
        return;
    };
    let rendered = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let deployments: Vec<_> = rendered
        .split("\n---\n")
        .filter(|text| text.lines().any(|line| line == "kind: Deployment"))
        .flat_map(documents)
        .collect();
    let pod = &find(&deployments, "Deployment", "kong-kong")["spec"]["template"];
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let proxy = containers.iter().find(|container| container["name"] == "proxy").unwrap();
    assert_eq!(proxy["image"], "kong-upstream-mtls:3.9.3");
    let environment = |name: &str| {
        let variables = proxy["env"].as_array().unwrap();
        variables.iter().find(|variable| variable["name"] == name).map(|variable| &variable["value"]).unwrap()
    };
    assert_eq!(environment("KONG_PLUGINS"), "bundled,upstream-mtls,mtls-policy");
    assert_eq!(environment("KONG_PROXY_ACCESS_LOG"), "off");
    let mounts = proxy["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/etc/secrets/kong-upstream-mtls"), "{mounts:?}");
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    assert!(
        volumes.iter().any(|volume| volume["secret"]["secretName"] == "kong-upstream-mtls"),
        "{volumes:?}"
    );

    // The NetworkPolicy for Kong's pods is about these pods, and closes none of their ports but the Admin API's.
    let policies = documents(&std::fs::read_to_string(kong("k8s/network-policies.yaml")).unwrap());
    let policy = &find(&policies, "NetworkPolicy", "kong-pods")["spec"];
    for (name, value) in policy["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&pod["metadata"]["labels"][name], value, "{name}");
    }
    let open: Vec<_> =
        policy["ingress"][0]["ports"].as_array().unwrap().iter().map(|port| port["port"].clone()).collect();
    let ports = containers.iter().filter_map(|container| container["ports"].as_array()).flatten();
    for port in ports.map(|port| &port["containerPort"]) {
        // 10254: the controller's health, which the kubelet asks for; that no policy can close.
        assert!(*port == 10254 || open.contains(port), "{port} is closed");
    }
}

fn values() -> Value {
    documents(&std::fs::read_to_string(kong("helm-values.yaml")).unwrap()).remove(0)
}
