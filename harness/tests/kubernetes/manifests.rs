//! Files in kong/, and YAML streams.

use std::path::{Path, PathBuf};

use kong_config::document::{self, Report};
use serde_json::Value;

use crate::schemas::complaints;

/// The documents of a YAML stream.
pub fn documents(stream: &str) -> Vec<Value> {
    let texts = stream.split("\n---\n").map(|text| text.trim_start_matches("---\n"));
    texts
        .filter(|text| text.lines().any(|line| !line.is_empty() && !line.starts_with('#')))
        .map(|text| {
            let report = Report::new(None);
            let node = document::parse(text, &report);
            node.unwrap_or_else(|| panic!("no YAML: {text}")).to_json()
        })
        .collect()
}

/// The one document of that kind and name.
pub fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_it = |document: &&Value| document["kind"] == kind && document["metadata"]["name"] == name;
    let mut found = documents.iter().filter(is_it);
    let first = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(found.next().is_none(), "{kind} {name} is there twice");
    first
}

/// A file or directory of kong/.
pub fn kong(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kong").join(path)
}

#[test]
fn the_files_for_readers_are_what_kubernetes_takes() {
    let mut looked_at = 0;
    for directory in ["k8s", "k8s/annotation", "monitoring"] {
        let files = std::fs::read_dir(kong(directory)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
            for document in documents(&std::fs::read_to_string(&file).unwrap()) {
                assert_eq!(complaints(&document), "", "{}", file.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 10, "{looked_at}");
}
