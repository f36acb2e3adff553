//! What ships beside the module is what the types say.
#![cfg(feature = "schema")]

use std::fs;
use std::path::Path;

use mtls_policy::policy::{Policy, schema};
use serde_json::{Value, json};

#[path = "lists/mod.rs"]
mod lists;

/// `UPDATE_SCHEMA=1 cargo test -p mtls-policy --features schema` writes the files anew.
#[test]
fn the_shipped_schemas_are_generated_from_the_types() {
    let shipped = [
        ("../kong/filters/mtls-policy.meta.json", schema::meta()),
        ("../kong/plugins/mtls-policy/config.lua", schema::lua()),
    ];
    for (path, owed) in shipped {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &owed).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), owed, "write it anew with UPDATE_SCHEMA=1");
    }
}

#[test]
fn the_schema_holds_nothing_that_draft_4_does_not_know() {
    fn keywords(value: &Value, found: &mut Vec<String>) {
        if let Value::Object(fields) = value {
            for (name, value) in fields {
                found.push(name.clone());
                // Names of fields are no keywords.
                match name.as_str() {
                    "properties" => {
                        value.as_object().unwrap().values().for_each(|each| keywords(each, found))
                    }
                    _ => keywords(value, found),
                }
            }
        }
    }
    let mut found = Vec::new();
    keywords(&schema::policy(), &mut found);
    for young in ["$ref", "$defs", "const", "if", "then", "exclusiveMinimum", "contains", "propertyNames"] {
        assert!(!found.iter().any(|keyword| keyword == young), "{young}");
    }
}

#[test]
fn every_field_of_the_schema_is_one_that_the_compiler_knows() {
    fn walk(schema: &Value, path: &str, document: &dyn Fn(Value) -> Value) {
        let Some(properties) = schema["properties"].as_object() else { return };
        assert_eq!(schema["additionalProperties"], false, "{path}");
        for (name, schema) in properties {
            // Any value does: a field that is known is complained about by kind, not by name.
            let wrapped = document(json!({ name.as_str(): [[]] }));
            let problems = Policy::compile(wrapped.to_string().as_bytes()).err();
            let unknown =
                problems.is_some_and(|all| all.iter().any(|one| one.message.contains("no such field")));
            assert!(!unknown, "{path}{name}");
            let inner = if schema["items"].is_object() { &schema["items"] } else { schema };
            let list = schema["items"].is_object();
            walk(inner, &format!("{path}{name}."), &|value| {
                document(json!({ name.as_str(): if list { json!([value]) } else { value } }))
            });
        }
    }
    walk(&schema::policy(), "", &|value| value);
}

#[test]
fn an_empty_object_is_an_empty_list_in_every_field() {
    let problems = |document: &str| Policy::compile(document.as_bytes()).err().map(|all| all.to_string());
    for list in lists::all(&schema::policy()) {
        assert_eq!(problems(&list.object), problems(&list.array), "{}: {}", list.path, list.object);
    }
}
