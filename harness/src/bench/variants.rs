//! What is measured, as data.

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::gateway::{Ability, Gateway};
use kong_config::document::{Report, parse};

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
    /// Whether it needs plugins of Kong's own.
    #[serde(default)]
    kongs_own: bool,
    /// Whether it needs filters of Envoy's own.
    #[serde(default)]
    envoys_own: bool,
    /// Filters that it needs beside `mtls-policy`.
    #[serde(default)]
    pub filters: Vec<String>,
    /// What the gateway answers by itself: no upstream is asked. Absent: the upstream answers whom it saw.
    #[serde(default)]
    pub answers: Option<String>,
    /// Its part of Kong's declarative config, written as that of a [`Stack`](crate::stack::Stack).
    pub config: Map<String, Value>,
}

impl Variant {
    /// Why a gateway cannot be configured so, if it cannot.
    pub fn lacked_by(&self, gateway: &dyn Gateway) -> Option<&'static str> {
        let kongs_own = self.kongs_own.then_some(Ability::KongsOwn);
        let filters = (!self.filters.is_empty()).then_some(Ability::RunsFilters);
        let envoys_own = self.envoys_own.then_some(Ability::EnvoysOwn);
        kongs_own.into_iter().chain(envoys_own).chain(filters).find_map(|needed| gateway.lacks(needed))
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
