use std::collections::BTreeSet;

use serde_json::Value;

use crate::scene::Scene;

/// What was recognised, and what was not.
#[derive(Default)]
pub struct Diagnoses {
    pub recognised: BTreeSet<String>,
    /// What could not be made here, which was said.
    pub skipped: BTreeSet<String>,
    pub wrong: Vec<String>,
}

impl Diagnoses {
    /// Runs doctor; it has to name the fault at the hop, and with it the others of the same cause, and no other.
    pub fn owed(&mut self, scene: &Scene, typed: &[String], owed: &[(&str, &str)]) {
        let (code, told) = scene.doctor(&[typed, &["--json".to_owned()]].concat());
        let document: Value = serde_json::from_str(&told).unwrap_or_default();
        let ways = document["ways"].as_array().cloned().unwrap_or_default();
        let hops = ways.iter().flat_map(|way| way["hops"].as_array().unwrap());
        let found: Vec<_> = hops
            .filter(|hop| hop["fault"].is_string())
            .map(|hop| (hop["hop"].as_str().unwrap(), hop["fault"].as_str().unwrap(), hop))
            .collect();
        let pairs: Vec<_> = found.iter().map(|(hop, fault, _)| (*hop, *fault)).collect();
        let is_broken = found.iter().any(|(_, _, hop)| hop["state"] == "broken");
        if pairs != owed || code != i32::from(is_broken) {
            self.wrong.push(format!("owed {owed:?}, exit code {code}, found {told}"));
            return;
        }
        for (_, fault, hop) in &found {
            assert!(!hop["why"].as_str().unwrap().is_empty() && !hop["cure"].as_str().unwrap().is_empty());
            self.recognised.insert((*fault).to_owned());
        }
    }

    /// One that cannot be made here.
    pub fn skip(&mut self, fault: &str, why: &str) {
        println!("skipped: {fault}: {why}");
        self.skipped.insert(fault.to_owned());
    }
}
