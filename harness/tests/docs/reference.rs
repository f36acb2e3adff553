//! References say what the code says.

use std::collections::BTreeSet;
use std::fs;

use policy_tools::policy;
use regex::Regex;

use crate::page::root;

/// `UPDATE_DOCS=1 cargo test --package harness --test docs` writes the tables anew.
#[test]
fn the_reference_of_policies_is_generated_from_the_types() {
    let path = root().join("docs/policy.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let owed = format!("{before}{BEGIN}\n{}{END}{after}", policy::reference());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &owed).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), owed, "write it anew with UPDATE_DOCS=1");
}

/// The plugin's schema is Lua's, so its fields alone are compared.
#[test]
fn every_option_of_upstream_mtls_is_in_its_reference() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let schema = read("kong/plugins/upstream-mtls/schema.lua");
    // Fields stand at the beginning of a line, and so do checks, which are called otherwise.
    let named = Regex::new(r"(?m)^ +\{ ([a-z_]+) = (?:\{|path|refused)").unwrap();
    let fields = named.captures_iter(&schema).map(|each| each.get(1).unwrap().as_str());
    let in_code: BTreeSet<_> = fields.filter(|name| *name != "config" && !CHECKS.contains(name)).collect();
    let page = read("docs/upstream-mtls.md");
    let row = Regex::new(r"(?m)^\| `([a-z_]+)`").unwrap();
    let in_page: BTreeSet<_> = row.captures_iter(&page).map(|each| each.get(1).unwrap().as_str()).collect();
    assert_eq!(in_page, in_code);
    assert!(in_code.len() > 12, "{in_code:?}");
}

/// A fault that the doctor learns is one that a reader of symptoms may meet.
#[test]
fn every_fault_of_the_doctors_is_among_the_symptoms() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (faults, symptoms) = (read("docs/doctor.md"), read("docs/troubleshooting.md"));
    let row = Regex::new(r"(?m)^\| `([a-z_]+)` \|").unwrap();
    let missing: Vec<_> = row
        .captures_iter(&faults)
        .map(|row| row.get(1).unwrap().as_str())
        .filter(|fault| !symptoms.contains(&format!("`{fault}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(row.captures_iter(&faults).count() > 30);
}

/// Of Kong's schemas.
const CHECKS: [&str; 4] = ["custom_entity_check", "mutually_exclusive", "mutually_required", "only_one_of"];

const BEGIN: &str = "<!-- generated: `harness policy schema --markdown` -->";
const END: &str = "<!-- end of what is generated -->";
