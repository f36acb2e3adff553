//! One way to write a policy.

use std::fs;

use crate::{policy, policy_in};

const WRITTEN: &str = "\
# yaml-language-server: $schema=./mtls-policy.schema.json
# Who may see dogs.

# The rules come first here.
rules:
    # vets write
    -   match: { path_prefix: /api/dogs,   groups: [vets] }   # any method
        client_certificate: kong-vet

    # nobody else
    -   deny:
          message: \"no # is no comment\"
          status: 403
        # of all
        match: {}
    # - match: {groups: [interns]}


client_certificate: kong-client # where no rule matches
consumers: # people
  - keys:
      # hers
      - sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        # by date
        id: \"1\"
      - {sha256: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752, id: \"2\", not_after: 2027-01-15T00:00:00Z, not_before: 2026-01-15T00:00:00Z} # wide
    username: ann
    groups: [vets, # mostly
      shelter]
key_names: [X-API-Key]
# the end
";

const FORMATTED: &str = "\
# yaml-language-server: $schema=./mtls-policy.schema.json
# Who may see dogs.

key_names: [X-API-Key]
consumers: # people
- username: ann
  groups:
  - vets # mostly
  - shelter
  keys:
  # hers
  # by date
  - id: \"1\"
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  - id: \"2\" # wide
    sha256: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
    not_before: 2026-01-15T00:00:00Z
    not_after: 2027-01-15T00:00:00Z

client_certificate: kong-client # where no rule matches

# The rules come first here.
rules:
# vets write
- match: {groups: [vets], path_prefix: /api/dogs} # any method
  client_certificate: kong-vet

# nobody else
# of all
- match: {}
  deny:
    status: 403
    message: \"no # is no comment\"
# - match: {groups: [interns]}
# the end
";

#[test]
fn fields_stand_in_their_order_and_every_comment_where_it_belongs() {
    let directory = tempfile::tempdir().unwrap();
    let check = policy_in(directory.path(), &["fmt", "--check", "p.yaml"], &[("p.yaml", WRITTEN)], "");
    assert_eq!((check.code, check.out.as_str()), (1, "p.yaml\n"), "{}", check.err);
    let path = directory.path().join("p.yaml");
    assert_eq!(fs::read_to_string(&path).unwrap(), WRITTEN, "--check has changed it");

    let said = policy_in(directory.path(), &["fmt", "p.yaml"], &[], "");
    assert_eq!((said.code, said.out.as_str()), (0, "p.yaml\n"), "{}", said.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), FORMATTED);

    let again = policy_in(directory.path(), &["fmt", "--check", "p.yaml"], &[], "");
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    let piped = policy_in(directory.path(), &["fmt", "-"], &[], WRITTEN);
    assert_eq!((piped.code, piped.out.as_str()), (0, FORMATTED), "{}", piped.err);
}

#[test]
fn in_a_config_policies_alone_change_their_order() {
    let written = "---\n_format_version: \"3.0\"\nservices:\n  - url: https://api\n    name: api\n    routes:\n      - paths: [/a]\n        plugins:\n          - config:\n              rules: []\n              realm: r\n            name: mtls-policy\ncertificates:\n- cert: |\n    -----BEGIN\n    x\n    -----END\n  key: \"{vault://env/k}\"\n";
    let owed = "---\n_format_version: \"3.0\"\nservices:\n- url: https://api\n  name: api\n  routes:\n  - paths: [/a]\n    plugins:\n    - config:\n        realm: r\n        rules: []\n      name: mtls-policy\ncertificates:\n- cert: |\n    -----BEGIN\n    x\n    -----END\n  key: \"{vault://env/k}\"\n";
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(policy_in(directory.path(), &["fmt", "-"], &[], written).out, owed);
    assert_eq!(policy_in(directory.path(), &["fmt", "-"], &[], owed).out, owed);
}

#[test]
fn texts_of_several_lines_keep_their_meaning() {
    let written = "realm: | # here\n    a\n     b\nanonymous: >-\n  x\n  y\nclient_certificate: # there\n  c\nconsumers_file: \"/a\\n\"\n";
    let owed = "realm: | # here\n  a\n   b\nanonymous: \"x y\"\nconsumers_file: \"/a\\n\"\nclient_certificate: c # there\n";
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(policy_in(directory.path(), &["fmt", "-"], &[], written).out, owed);
}

#[test]
fn json_stays_json() {
    let directory = tempfile::tempdir().unwrap();
    let said = policy_in(
        directory.path(),
        &["fmt", "-"],
        &[],
        r#"{"rules":[],"key_names":["a","b"],"realm":"\u00e4"}"#,
    );
    assert_eq!(
        said.out,
        "{\n  \"key_names\": [\n    \"a\",\n    \"b\"\n  ],\n  \"realm\": \"\\u00e4\",\n  \"rules\": []\n}\n"
    );
}

#[test]
fn what_would_lose_something_is_refused_and_stays() {
    let rows = [
        ("an anchor", "realm: &a r\nanonymous: *a\n", "anchors, aliases and tags would be lost"),
        ("a tag", "realm: !!str r\n", "anchors, aliases and tags would be lost"),
        ("a mistake", "realm: [\n", "no document"),
        ("a dump", "{\"data\": []}", "what a gateway has told is not formatted"),
    ];
    for (what, text, why) in rows {
        let directory = tempfile::tempdir().unwrap();
        let said = policy_in(
            directory.path(),
            &["fmt", "good.yaml", "p.yaml"],
            &[("p.yaml", text), ("good.yaml", "rules: []\nrealm: r\n")],
            "",
        );
        assert_eq!(said.code, 2, "{what}: {}", said.out);
        assert!(said.err.contains(why), "{what}: {}", said.err);
        for (name, owed) in [("p.yaml", text), ("good.yaml", "rules: []\nrealm: r\n")] {
            assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), owed, "{what}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "{what}: something is left");
    }
}

/// The project's own configs keep their meaning and their comments, and are formatted once for all.
#[test]
fn shipped_configs_can_be_formatted() {
    for name in ["kong.yml", "k8s/plugins.yaml"] {
        let text = fs::read_to_string(format!("{}/../kong/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        // A manifest may hold several documents.
        let text = text.split("\n---\n").next().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let once = policy_in(directory.path(), &["fmt", "-"], &[], text);
        assert_eq!(once.code, 0, "{name}: {}", once.err);
        assert_eq!(policy_in(directory.path(), &["fmt", "-"], &[], &once.out).out, once.out, "{name}");
    }
}

#[test]
fn a_schema_takes_what_the_compiler_takes() {
    let of = |arguments: &[&str]| {
        jsonschema::validator_for(&policy(&[&["schema"], arguments].concat(), &[]).json()).unwrap()
    };
    let (alone, kong) = (of(&[]), of(&["--kong"]));
    let good =
        serde_json::json!({ "realm": "r", "rules": [{ "match": { "methods": ["PUT"] }, "deny": {} }] });
    let bad = serde_json::json!({ "relm": "r" });
    let around = |policy: &serde_json::Value, name: &str| {
        serde_json::json!({ "_format_version": "3.0", "services": [{ "url": "http://a", "routes": [
            { "paths": ["/"], "plugins": [{ "name": name, "config": policy }] }] }] })
    };
    assert!(alone.is_valid(&good) && !alone.is_valid(&bad));
    assert!(kong.is_valid(&around(&good, "mtls-policy")) && !kong.is_valid(&around(&bad, "mtls-policy")));
    assert!(kong.is_valid(&around(&bad, "another")));
}
