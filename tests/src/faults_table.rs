//! docs/faults.md names a test for each of its promises.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_table_of_faults_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let (_, table) = document.split_once("| test |").unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.ends_with("` |")).collect();
    assert!(rows.len() >= 15, "{} faults only", rows.len());
    let mut sources = String::new();
    for directory in ["tests/suites", "harness/tests", "harness/src"] {
        read(&root.join(directory), &mut sources);
    }
    for row in rows {
        let name = row.rsplit('`').nth(1).unwrap();
        assert!(sources.contains(&format!("fn {name}()")), "no test is called {name}");
    }
}

fn read(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
