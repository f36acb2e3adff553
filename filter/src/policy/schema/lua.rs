//! The JSON Schema once more, as Kong's own kind of schema.

use std::fmt::Write;

use serde_json::{Map, Value};

/// `config.lua`: the `config` of the plugin's schema.
pub(super) fn module(schema: &Value) -> String {
    format!(
        "--- What an admin may write, as Kong's schemas have it. Generated from the core's types: see filter/tests/schema.rs.\n\
         -- Empty strings are the core's to refuse, which says more.\n\n\n\
         -- luacheck: no max line length\n\
         return {}\n",
        table(schema, "", 0)
    )
}

/// One field's definition. `head` comes before what is made of the type.
fn table(schema: &Value, head: &str, depth: usize) -> String {
    let within = "  ".repeat(depth + 1);
    let mut lua = format!("{{\n{within}{head}type = \"{}\",\n", kind(schema));
    match kind(schema) {
        "record" => fields(schema, &mut lua, depth + 1),
        "array" => {
            let _ = writeln!(lua, "{within}elements = {},", table(&schema["items"], "", depth + 1));
        }
        "map" => {
            let _ = writeln!(lua, "{within}keys = {{ type = \"string\" }},");
            let values = table(&schema["additionalProperties"], "", depth + 1);
            let _ = writeln!(lua, "{within}values = {values},");
        }
        "string" if schema["enum"].is_array() => {
            let values = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let values: Vec<_> = values.map(|value| format!("\"{value}\"")).collect();
            let _ = writeln!(lua, "{within}one_of = {{ {} }},", values.join(", "));
        }
        "string" => {
            let _ = writeln!(lua, "{within}len_min = 0,");
        }
        "integer" => {
            let bounds = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
            if let (Some(least), Some(most)) = bounds {
                let _ = writeln!(lua, "{within}between = {{ {least}, {most} }},");
            }
        }
        _ => {}
    }
    lua + &"  ".repeat(depth) + "}"
}

fn fields(schema: &Value, lua: &mut String, depth: usize) {
    let (within, none) = ("  ".repeat(depth), Map::new());
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let _ = writeln!(lua, "{within}fields = {{");
    for (name, field) in schema["properties"].as_object().unwrap_or(&none) {
        let mut head = String::new();
        if let Some(description) = field["description"].as_str() {
            let _ = write!(head, "description = {},\n{within}    ", Value::from(description));
        }
        if required.iter().any(|each| each == name) {
            let _ = write!(head, "required = true,\n{within}    ");
        }
        let _ = writeln!(lua, "{within}  {{ {name} = {} }},", table(field, &head, depth + 1));
    }
    let _ = writeln!(lua, "{within}}},");
}

/// What Kong calls a schema's type. `null` is absence there.
fn kind(schema: &Value) -> &str {
    let one = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|each| *each != "null"),
        one => one.as_str(),
    };
    match one {
        Some("object") if schema["properties"].is_object() => "record",
        Some("object") => "map",
        Some(other) => other,
        // A reference that was inlined beside null.
        None => "record",
    }
}
