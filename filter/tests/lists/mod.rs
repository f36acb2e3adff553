//! Every list field of the policy's schema, each in a document of its own.

use serde_json::{Map, Value, json};

/// A list field, and a document in which it is empty.
pub(crate) struct List {
    /// `rules[].match.methods`
    pub(crate) path: String,
    /// The field is `[]`.
    pub(crate) array: String,
    /// The field is `{}`, as Kong hands over an empty list: to Lua the two are one.
    pub(crate) object: String,
}

/// All list fields of a schema, so that a new one cannot be forgotten.
pub(crate) fn all(schema: &Value) -> Vec<List> {
    let mut found = Vec::new();
    walk(schema, "", &|value| value, &mut found);
    assert!(found.iter().any(|list| list.path == "consumers[].keys"), "the schema was not walked through");
    assert!(found.iter().any(|list| list.path == "rules[].match.headers.X"), "nor its maps");
    found
}

fn walk(schema: &Value, path: &str, document: &dyn Fn(Value) -> Value, found: &mut Vec<List>) {
    if schema["items"].is_object() {
        found.push(List {
            path: path.to_owned(),
            array: document(json!([])).to_string(),
            object: document(json!({})).to_string(),
        });
        walk(&schema["items"], &format!("{path}[]"), &|element| document(json!([element])), found);
    }
    let dot = if path.is_empty() { "" } else { "." };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let with_field = |value| {
            let mut fields = required(schema);
            fields.insert(name.clone(), value);
            document(fields.into())
        };
        walk(field, &format!("{path}{dot}{name}"), &with_field, found);
    }
    if schema["additionalProperties"].is_object() {
        let with_name = |value| document(json!({ "X": value }));
        walk(&schema["additionalProperties"], &format!("{path}{dot}X"), &with_name, found);
    }
}

/// An object's required fields, with values that will do.
fn required(schema: &Value) -> Map<String, Value> {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = |name| match schema["properties"][name]["type"].as_str() {
        Some("string") => json!("0".repeat(64)),
        _ => json!({}),
    };
    names.map(|name| (name.to_owned(), value(name))).collect()
}
