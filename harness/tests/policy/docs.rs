//! docs/policy-tools.md, as it is followed.

use std::fs;
use std::process::Command;

use crate::said;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy-tools.md");

#[test]
fn every_command_of_the_page_runs_as_it_is_written() {
    let page = fs::read_to_string(PAGE).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let policy = blocks(&page, "yaml").next().unwrap();
    fs::write(at("policy.yaml"), &policy).unwrap();
    let new = policy.replace("{groups: [vets], path", "{groups: [vets], methods: [POST, PUT], path");
    let new = new.replace("[PUT], path_prefix: /api/dogs/7}", "[PUT]}");
    assert_ne!(new, policy);
    fs::write(at("new.yaml"), new).unwrap();
    let inside: String = policy.lines().map(|line| format!("        {line}\n")).collect();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: api\n  url: https://api.example/api\n  routes:\n  - name: dogs\n    \
         paths: [/dogs]\n    strip_path: false\n    plugins:\n    - name: mtls-policy\n      config:\n{inside}"
    );
    fs::write(at("kong.yml"), config).unwrap();
    fs::write(at("key.txt"), said::harness(directory.path(), &["keys", "new"], "").out).unwrap();
    for (list, entity) in [
        ("plugins", r#"{"name": "mtls-policy", "route": {"id": "r"}, "config": {}}"#),
        ("routes", r#"{"id": "r", "name": "dogs", "service": {"id": "s"}, "paths": ["/dogs"]}"#),
        (
            "services",
            r#"{"id": "s", "name": "api", "host": "api.example", "port": 443, "protocol": "https"}"#,
        ),
    ] {
        fs::write(at(&format!("{list}.json")), format!("{{\"data\": [{entity}]}}")).unwrap();
    }

    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_harness")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    // A running Kong is asked by others.
    let lines: Vec<_> =
        blocks(&page, "sh").flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let commands: Vec<_> = lines.iter().filter(|line| !line.starts_with("curl ")).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(directory.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {told}");
        assert!(!told.contains("error: "), "{command}: {told}");
    }
    for made in ["mtls-policy.schema.json", "kong.schema.json", "new-key.txt"] {
        assert!(at(made).metadata().unwrap().len() > 50, "{made}");
    }
}

/// What the page shows is what the verbs say of its example.
#[test]
fn what_the_page_shows_is_what_is_said() {
    let page = fs::read_to_string(PAGE).unwrap();
    let policy = blocks(&page, "yaml").next().unwrap();
    let new = policy.replace("{groups: [vets], path", "{groups: [vets], methods: [POST, PUT], path");
    let new = new.replace("[PUT], path_prefix: /api/dogs/7}", "[PUT]}");
    let files = [("policy.yaml", policy.as_str()), ("new.yaml", new.as_str())];
    for arguments in [
        &["check", "policy.yaml"][..],
        &["explain", "policy.yaml", "--method", "PUT", "--path", "/api/dogs/7", "--consumer", "vet"],
        &["diff", "policy.yaml", "new.yaml"],
    ] {
        let said = crate::policy(arguments, &files);
        let shown: String = said
            .out
            .trim_end()
            .lines()
            .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
            .collect();
        assert!(page.contains(&shown), "{arguments:?}:\n{shown}");
    }
}

/// What stands between fences of a language.
fn blocks<'p>(page: &'p str, language: &str) -> impl Iterator<Item = String> + use<'p> {
    let fence = format!("```{language}\n");
    let starts = page.match_indices(&fence).map(|(at, fence)| at + fence.len()).collect::<Vec<_>>();
    starts.into_iter().map(move |start| page[start..].split("```").next().unwrap_or_default().to_owned())
}
