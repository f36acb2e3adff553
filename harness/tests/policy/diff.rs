//! What becomes other, and for whom.

use crate::said::Said;
use crate::{policy, with_consumers_in};

fn diff(old: &str, new: &str, more: &[&str]) -> Said {
    policy(&[&["diff", "old.yml", "new.yml"], more].concat(), &[("old.yml", old), ("new.yml", new)])
}

const POLICY: &str = "\
key_names: [X-API-Key]
consumers:
- username: ann
  groups: [vets]
  keys: [{id: a, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]
- username: ben
  keys: [{id: b, sha256: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, not_after: 2027-01-15T00:00:00Z}]
- username: eve
  keys: [{id: e, sha256: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee}]
client_certificate: kong-client
rules:
- match: {groups: [vets], methods: [POST, PUT], path_prefix: /api/dogs}
  client_certificate: kong-vet
- match: {consumers: [eve], path_prefix: /api/keys}
  deny: {status: 403, message: not for eve}
";

#[test]
fn consumers_that_move_into_a_file_are_the_same_ones() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("people.yaml");
    let (moved, people) = with_consumers_in(&file, POLICY);
    std::fs::write(&file, &people).unwrap();
    let said = diff(POLICY, &moved, &[]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);

    let others = people.replace("  groups: [vets]\n", "");
    let others = others.replace("- username: ben\n", "- username: ben\n  groups: [vets]\n");
    std::fs::write(&file, others).unwrap();
    let said = diff(POLICY, &moved, &[]);
    assert!(
        said.out.contains("ann: changes identity, was let through as kong-vet"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn a_change_is_told_by_whom_it_concerns() {
    let rows = [
        ("nothing", vec![], ""),
        (
            "other lines, the same meaning",
            vec![(
                "methods: [POST, PUT], path_prefix: /api/dogs",
                "path_prefix: /api/dogs/, methods: [PUT, POST]",
            )],
            "",
        ),
        (
            "one more in a group",
            vec![("- username: ben\n", "- username: ben\n  groups: [vets]\n")],
            "policy\n  ben: changes identity, was let through as kong-client, is let through as kong-vet\n    POST, PUT; /api/dogs…\n",
        ),
        (
            "a rule for one more method",
            vec![("[POST, PUT]", "[DELETE, POST, PUT]")],
            "policy\n  ann: changes identity, was let through as kong-client, is let through as kong-vet\n    DELETE; /api/dogs…\n",
        ),
        (
            "a rule that is gone",
            vec![(
                "- match: {consumers: [eve], path_prefix: /api/keys}\n  deny: {status: 403, message: not for eve}\n",
                "",
            )],
            "policy\n  eve: gains, was refused with 403 \"not for eve\", is let through as kong-client\n    /api/keys…\n",
        ),
        (
            "a rule for a path and no other",
            vec![("path_prefix: /api/keys", "paths: [/api/keys]")],
            "policy\n  eve: gains, was refused with 403 \"not for eve\", is let through as kong-client\n    /api/keys/…\n",
        ),
        (
            "other words for a refusal",
            vec![("not for eve", "never")],
            "policy\n  eve: is refused otherwise, was refused with 403 \"not for eve\", is refused with 403 \"never\"\n    /api/keys…\n",
        ),
        (
            "another default for everybody",
            vec![("client_certificate: kong-client", "client_certificate: kong-next")],
            "policy\n  ann: changes identity, was let through as kong-client, is let through as kong-next\n    /api/keys…, other paths\n    other methods; /api/dogs…\n  \
             ben: changes identity, was let through as kong-client, is let through as kong-next\n  \
             eve: changes identity, was let through as kong-client, is let through as kong-next\n    /api/dogs…, other paths\n",
        ),
        (
            "somebody new, and somebody gone",
            vec![("username: ben", "username: bea")],
            "policy\n  bea: gains, was refused with 401, is let through as kong-client\n  ben: loses, was let through as kong-client, is refused with 401\n\
             keys\n  ben: whoever has this key is bea from now on, by \"b\"\n",
        ),
        (
            "everybody may",
            vec![("client_certificate: kong-client", "client_certificate: kong-client\nanonymous: guest")],
            "policy\n  whoever has no valid key: gains, was refused with 401, is let through as kong-client for guest\n",
        ),
        (
            "keys",
            vec![
                ("not_after: 2027-01-15T00:00:00Z", "not_after: 2027-02-15T00:00:00Z"),
                (
                    "[{id: a, sha256: a",
                    "[{id: a2, sha256: cddd, not_before: 2027-01-01T00:00:00Z}, {id: a, sha256: a",
                ),
                ("id: e, sha256: e", "id: e, sha256: d"),
            ],
            "keys\n  ann: \"a2\" is added, valid from 2027-01-01T00:00:00Z on\n  eve: \"e\" is another key; the one before is dropped\n  \
             ben: \"b\" was valid until 2027-01-15T00:00:00Z, is valid until 2027-02-15T00:00:00Z\n",
        ),
        (
            "where a key is looked for",
            vec![("key_names: [X-API-Key]", "hide_credentials: true")],
            "policy\n  everybody: key_names was [\"X-API-Key\"], is [\"apikey\"]\n  everybody: hide_credentials was false, is true\n",
        ),
    ];
    for (what, changes, owed) in rows {
        let new = changes.iter().fold(POLICY.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{what}: {from}");
            text.replace(from, to)
        });
        let new = new.replace("cddd", &"c".repeat(64));
        let said = diff(POLICY, &new, &[]);
        assert_eq!(said.out, owed, "{what}: {}", said.err);
        assert_eq!(said.code, i32::from(!owed.is_empty()), "{what}: {}", said.err);
        for digest in ["aaaaaaaa", "bbbbbbbb", "eeeeeeee", "cccccccc"] {
            assert!(!said.out.contains(digest), "{what}: a digest is told");
        }
    }
}

#[test]
fn routes_are_compared_by_name_with_all_that_decides_on_them() {
    let config = |routes: &str, service: &str| {
        format!(
            "_format_version: '3.0'\nservices:\n- name: api\n  url: https://api\n  routes:\n{routes}{service}"
        )
    };
    let route = |name: &str, certificate: &str| {
        format!(
            "  - {{name: {name}, paths: [/{name}], plugins: [{{name: mtls-policy, config: {{consumers: [{{username: ann, keys: [{{id: a, sha256: {}}}]}}], client_certificate: {certificate}}}}}]}}\n",
            "a".repeat(64)
        )
    };
    let one = config(&(route("dogs", "x") + &route("cats", "x")), "");
    let said = diff(&one, &config(&(route("cats", "y") + &route("birds", "x")), ""), &["--json"]);
    let document = said.json();
    let access: Vec<_> = document["access"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["route"].as_str().unwrap(), one["who"][0].as_str().unwrap(), one["what"].as_str().unwrap())
        })
        .collect();
    let owed = [
        ("birds", "ann", "gains"),
        ("birds", "whoever has no valid key", "refused"),
        ("cats", "ann", "changes"),
        ("dogs", "ann", "loses"),
        ("dogs", "whoever has no valid key", "refused"),
    ];
    assert_eq!(access, owed);

    // A route without any policy lets everybody pass.
    let open = config("  - {name: dogs, paths: [/dogs]}\n", "");
    let said = diff(&config(&route("dogs", "x"), ""), &open, &[]);
    assert_eq!(
        said.out,
        "route dogs\n  ann: changes identity, was let through as x, is let through under the upstream's own setting\n  \
         whoever has no valid key: gains, was refused with 401, is let through under the upstream's own setting\n\
         keys\n  ann: \"a\" is dropped\n"
    );
}

#[test]
fn what_the_gateway_alone_knows_is_compared_by_kind() {
    let rules = |certificate: &str| {
        format!(
            "authentication: gateway\nrules:\n- match: {{groups: [vets]}}\n  client_certificate: {certificate}\n- match: {{consumers: [ann]}}\n  client_certificate: b\n"
        )
    };
    let said = diff(&rules("a"), &rules("c"), &[]);
    assert_eq!(
        said.out,
        "policy\n  anybody else in group vets and ann, in group vets: changes identity, was let through as a, is let through as c\n"
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let bad = "rules: [{match: {}}]\n";
    for (old, new) in [(bad, POLICY), (POLICY, bad), ("a: [", POLICY)] {
        let said = diff(old, new, &[]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    }
}
