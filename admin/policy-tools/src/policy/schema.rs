//! JSON Schemas for editors, from the types that the policy is read into.

use mtls_policy::policy::schema::policy as policy_schema;
use serde_json::{Value, json};

/// Of a policy in a file of its own.
pub fn policy() -> Value {
    let mut schema = policy_schema();
    schema["$schema"] = DRAFT.into();
    schema["title"] = "mtls-policy".into();
    schema
}

/// Of Kong's declarative config, as far as it holds policies: all else in it may be anything.
pub fn kong() -> Value {
    let entities = json!({
        "plugins": { "type": "array", "items": { "$ref": "#/definitions/plugin" } },
        "filter_chains": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": { "filters": { "type": "array", "items": { "$ref": "#/definitions/filter" } } },
            },
        },
    });
    let with = |name: &str, of: &str| {
        let mut properties = entities.clone();
        properties[name] = json!({ "type": "array", "items": { "$ref": format!("#/definitions/{of}") } });
        json!({ "type": "object", "properties": properties })
    };
    let mut root = with("services", "service");
    root["properties"]["routes"] = json!({ "type": "array", "items": { "$ref": "#/definitions/route" } });
    let ours = |config: Value| {
        json!({
            "type": "object",
            "required": ["name"],
            "properties": { "name": { "type": "string" } },
            "if": { "properties": { "name": { "const": "mtls-policy" } } },
            "then": { "properties": { "config": config } },
        })
    };
    let policy = json!({ "$ref": "#/definitions/policy" });
    root["$schema"] = DRAFT.into();
    root["title"] = "Kong's declarative config with mtls-policy".into();
    root["definitions"] = json!({
        "policy": policy_schema(),
        "plugin": ours(policy.clone()),
        // A chain may hold it as text.
        "filter": ours(json!({ "anyOf": [policy, { "type": "string" }] })),
        "route": { "type": "object", "properties": entities },
        "service": with("routes", "route"),
    });
    root
}

/// The latest that editors know of those that schemars writes without `$defs`.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";
