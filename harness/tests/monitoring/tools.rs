//! Prometheus and promtool: on PATH, or where `make prometheus` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One of them; where it is missing the test says so and ends, or fails if `HARNESS_REQUIRE` wants it.
pub fn find(name: &str) -> Option<Command> {
    let installed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/prometheus/usr/bin").join(name);
    let places = [PathBuf::from(name), installed];
    let found = places.iter().find(|path| {
        let version = Command::new(path).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        let required = std::env::var("HARNESS_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|each| each == "prometheus"), "no {name}: make prometheus");
        println!("skipped: no {name} on PATH nor in target/tools: make prometheus");
    }
    found.map(Command::new)
}

/// A file of kong/monitoring.
pub fn monitoring(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kong/monitoring").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Fails with what a tool has said, unless it was content.
pub fn content(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    said.into_owned()
}

/// The body of what a server on this machine answers, whatever its status.
pub fn get(url: &str) -> String {
    // reqwest wants a provider of cryptography before it is asked for anything.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::blocking::get(url).and_then(|answer| answer.text()).unwrap_or_default()
}
