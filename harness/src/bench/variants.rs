//! What is measured, as data.

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::document::{Report, parse};

/// One way to have a request served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Of its service and its route too; its path is `/NAME`.
    pub name: String,
    /// What it is, in a line.
    pub is: String,
    /// Whether it asks for an API key, hides it and says to the upstream whose it is.
    #[serde(default)]
    pub authenticates: bool,
    /// Gateways that can be configured so. Absent: any.
    #[serde(default)]
    gateways: Option<Vec<String>>,
    /// A filter that it needs beside `mtls-policy`.
    #[serde(default)]
    pub filter: Option<String>,
    /// Its part of Kong's declarative config, written as that of a [`Stack`](crate::stack::Stack).
    pub config: Map<String, Value>,
}

impl Variant {
    /// Whether a gateway of that name can be configured so.
    pub fn runs_on(&self, gateway: &str) -> bool {
        self.gateways.as_ref().is_none_or(|gateways| gateways.iter().any(|name| name == gateway))
    }
}

/// All that there are.
///
/// # Errors
/// `variants.yml` is not written as it should be.
pub fn all() -> anyhow::Result<Vec<Variant>> {
    let report = Report::new(Some("variants.yml"));
    let document = parse(include_str!("variants.yml"), &report);
    let node = report.conclude(document)?;
    serde_json::from_value(node.to_json()).context("variants.yml")
}
