//! The reference of a policy's fields, as Markdown, from the types that it is read into.

use std::fmt::Write;

use mtls_policy::policy::schema;
use serde_json::{Map, Value};

use super::fmt::Role;

/// A table for each kind of mapping, the policy's own first.
pub fn reference() -> String {
    let mut tables = String::new();
    table(&schema::policy(), Role::Policy, "", &mut tables);
    tables
}

/// `path`: where such a mapping stands in a policy.
fn table(schema: &Value, role: Role, path: &str, into: &mut String) {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let mut fields: Vec<_> = properties.iter().collect();
    fields.sort_by_key(|(name, _)| role.rank(name));
    let heading = if path.is_empty() { "The policy".to_owned() } else { format!("`{path}`") };
    let _ = write!(into, "### {heading}\n\n{}\n\n| field | is | |\n|---|---|---|\n", description(schema));
    for (name, field) in &fields {
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|each| each == *name));
        let must = if required { ", required" } else { "" };
        let _ = writeln!(into, "| `{name}` | {}{must} | {} |", kind(field), description(field));
    }
    into.push('\n');
    for (name, field) in fields {
        let (inner, brackets) = match &field["items"] {
            Value::Null => (field, ""),
            items => (items, "[]"),
        };
        if inner["properties"].is_object() {
            let dot = if path.is_empty() { "" } else { "." };
            table(inner, role.of_field(name), &format!("{path}{dot}{name}{brackets}"), into);
        }
    }
}

/// On one line.
fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`"));
        return values.collect::<Vec<_>>().join(" or ");
    }
    let one = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|each| *each != "null"),
        one => one.as_str(),
    };
    match one {
        Some("array") => format!("list of {}", kinds(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("mapping of names to {}", kind(&schema["additionalProperties"]))
        }
        Some("integer") => format!("{} to {}", schema["minimum"], schema["maximum"]),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => "text".to_owned(),
        // A mapping that may be left out stands beside null.
        _ => "mapping".to_owned(),
    }
}

fn kinds(schema: &Value) -> String {
    match kind(schema) {
        kind if kind == "mapping" => "mappings".to_owned(),
        kind if kind == "text" => "texts".to_owned(),
        kind => kind,
    }
}
