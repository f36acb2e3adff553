//! docs/migrate.md, as it is followed.

use std::fs;
use std::process::Command;

use crate::{migrate, of};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/migrate.md");

#[test]
fn every_command_of_the_page_runs_as_it_is_written() {
    let page = fs::read_to_string(PAGE).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut configs = blocks(&page, "yaml");
    for name in ["kong.yml", "envoy.yaml", "apisix.yaml"] {
        if let Some(config) = configs.next() {
            fs::write(at(name), config).unwrap();
        }
    }
    for (list, entity) in [
        ("services", r#"{"id": "s", "name": "api", "host": "api.example", "port": 80, "protocol": "http"}"#),
        ("routes", r#"{"id": "r", "name": "dogs", "service": {"id": "s"}, "paths": ["/dogs"]}"#),
        ("plugins", r#"{"name": "key-auth", "route": {"id": "r"}, "config": {}}"#),
        ("consumers", r#"{"id": "c", "username": "ann", "custom_id": null}"#),
        ("key-auths", r#"{"id": "k", "key": "k", "consumer": {"id": "c"}}"#),
        ("acls", r#"{"id": "a", "group": "vets", "consumer": {"id": "c"}}"#),
    ] {
        fs::write(at(&format!("{list}.json")), format!("{{\"data\": [{entity}]}}")).unwrap();
    }
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_harness")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let lines: Vec<_> =
        blocks(&page, "sh").flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    // A running Kong is asked by others.
    let commands: Vec<_> = lines.iter().filter(|line| !line.starts_with("curl ")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(directory.path())
            .env("PATH", &path)
            .output();
        let output = output.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 1)) && !told.contains("error: "),
            "{command}: {told}"
        );
    }
    for made in ["new.yml", "native.yml", "dumped.yml", "report.json"] {
        assert!(at(made).metadata().unwrap().len() > 50, "{made}");
    }
}

/// What the page shows is what is said of its example.
#[test]
fn what_the_page_shows_is_what_is_said() {
    let page = fs::read_to_string(PAGE).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let said =
        migrate(directory.path(), &[("kong.yml", &blocks(&page, "yaml").next().unwrap())], &["kong.yml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let shown: String =
        said.err.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect();
    assert!(page.contains(&shown), "{shown}");
    // What comes out has nothing left to be migrated.
    assert_eq!(of(&said.out, &[]).code, 2);
}

/// What stands between fences of a language.
fn blocks<'p>(page: &'p str, language: &str) -> impl Iterator<Item = String> + use<'p> {
    let fence = format!("```{language}\n");
    let starts = page.match_indices(&fence).map(|(at, fence)| at + fence.len()).collect::<Vec<_>>();
    starts.into_iter().map(move |start| page[start..].split("```").next().unwrap_or_default().to_owned())
}
