//! All verbs that do something, by clap's tree.

use clap::Command;

/// What is typed for one, such as `policy check`, and what clap knows of it.
pub fn leaves() -> Vec<(String, Command)> {
    let mut root = harness::cli::command();
    root.build();
    let mut found = Vec::new();
    walk(&root, "", &mut found);
    assert!(found.len() > 20, "only {} verbs", found.len());
    found
}

fn walk(command: &Command, typed: &str, found: &mut Vec<(String, Command)>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let typed = format!("{typed} {}", below.get_name()).trim().to_owned();
        if below.has_subcommands() {
            walk(below, &typed, found);
        } else {
            found.push((typed, below.clone()));
        }
    }
}
