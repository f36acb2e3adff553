//! What pages have their readers write: policies, configs, suites of cases.

use std::collections::BTreeSet;

use harness::cases;
use kong_config::declarative;
use kong_config::document::{self, Report};
use mtls_policy::policy::Policy;
use serde_json::{Value, json};

use crate::page::{Block, pages};

#[test]
fn every_sample_is_taken() {
    let (mut wrong, mut looked_at) = (Vec::new(), 0);
    for page in pages() {
        let samples = page.blocks.iter().filter(|block| ["yaml", "json"].contains(&block.language.as_str()));
        for block in samples.filter(|block| block.note("not checked").is_none()) {
            looked_at += 1;
            wrong.extend(complaint(block).map(|why| format!("{}: {why}", page.at(block.line))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{looked_at} samples");
}

fn complaint(block: &Block) -> Option<String> {
    let report = Report::new(None);
    let Some(node) = document::parse(&block.text, &report) else {
        return Some("neither YAML nor JSON".to_owned());
    };
    let value = node.to_json();
    let has = |name: &str| value.get(name).is_some();
    if has("apiVersion") {
        Some("manifests stand in kong/k8s, where harness/tests/kubernetes checks them: link there".to_owned())
    } else if has("data") {
        // A list of an Admin API's: whatever Kong says.
        None
    } else if has("cases") {
        cases::parse(&block.text, "sample", cases::Kind::OwnConfig).err().map(|problems| problems.to_string())
    } else if has("services") || has("plugins") || has("client_certificates") || value.is_array() {
        let config = whole(&value).to_string();
        let filters = BTreeSet::from(["mtls-policy".to_owned()]);
        declarative::parse(&config, "sample", &filters).err().map(|problems| problems.to_string())
    } else {
        let problems = Policy::compile(value.to_string().as_bytes()).err()?;
        Some(problems.iter().map(|problem| format!("{}: {}\n", problem.path, problem.message)).collect())
    }
}

/// A config with what the sample leaves to its reader: the plugins of a service, one plugin, a config of upstream-mtls.
fn whole(sample: &Value) -> Value {
    let plugins = match sample {
        Value::Object(fields) if fields.contains_key("services") => {
            let mut config = sample.clone();
            config["_format_version"] = json!("3.0");
            return config;
        }
        Value::Array(plugins) => json!(plugins),
        Value::Object(fields) if fields.contains_key("plugins") => fields["plugins"].clone(),
        config => json!([{ "name": "upstream-mtls", "config": config }]),
    };
    let routes = json!([{ "name": "sample", "paths": ["/"] }]);
    let service =
        json!({ "name": "sample", "url": "https://sample.example", "routes": routes, "plugins": plugins });
    json!({ "_format_version": "3.0", "services": [service] })
}
