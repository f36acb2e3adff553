//! Schemas of the policy, from the types that it is read into: JSON Schema for editors and filters, and Kong's own kind
//! for the Lua plugin.

mod lua;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::config::Config;

/// The schema, inlined and without keywords younger than draft 4, the latest that Kong 3.9 knows.
pub fn policy() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// What Kong wants beside the module: `mtls-policy.meta.json`.
pub fn meta() -> String {
    let document = json!({ "config_schema": policy() });
    format!("{document:#}\n")
}

/// The `config` of the Lua plugin's schema: `config.lua`.
pub fn lua() -> String {
    lua::module(&policy())
}
