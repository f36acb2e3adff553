//! Placeholders and decK's templates in policies.

use crate::policy;

#[test]
fn a_placeholder_in_the_place_of_a_digest_is_named() {
    let rows = [
        ("$KEY_DIGEST", "$NAME"),
        ("'${KEY_DIGEST:-letmein}'", "${NAME}"),
        ("'{{KEY_DIGEST}}'", "{{ … }}"),
        ("\"${{ env \"DECK_KEY_DIGEST\" }}\"", "${{ … }}"),
        ("DECK_KEY_DIGEST", "DECK_NAME"),
        ("'{vault://env/digest}'", "{vault://…}"),
        ("<SHA256>", "<NAME>"),
    ];
    for (written, name) in rows {
        let text = format!("consumers:\n- username: ann\n  keys:\n  - {{id: a, sha256: {written}}}\n");
        let said = policy(&["check", "p.yaml"], &[("p.yaml", &text)]);
        assert_eq!(said.code, 1, "{written}: {}", said.err);
        assert_eq!(said.err, "1 error, 0 warnings\n", "{written}: {}", said.out);
        let message = format!(
            "error[policy]: expected the key's SHA-256 digest as 64 hexadecimal digits, got a placeholder ({name})"
        );
        assert!(said.out.contains(&message) && said.out.contains("p.yaml:4:"), "{written}: {}", said.out);
        assert!(!said.out.contains("letmein"), "{written}: {}", said.out);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("people.yaml");
    std::fs::write(&file, "consumers: [{username: ann, keys: [{id: a, sha256: $KEY_DIGEST}]}]\n").unwrap();
    let text = format!("consumers_file: {}\n", file.display());
    let said = policy(&["check", "p.yaml"], &[("p.yaml", &text)]);
    assert!(said.code == 1 && said.out.contains("consumers[0].keys[0].sha256: "), "{}", said.out);
    assert!(!said.out.contains("KEY_DIGEST"), "{}", said.out);
    let text = "consumers: [{username: ann, keys: [{id: a, sha256: hunter2}]}]\n";
    let said = policy(&["check", "p.yaml"], &[("p.yaml", text)]);
    assert!(said.code == 1 && !said.out.contains("placeholder"), "{}", said.out);
}

#[test]
fn templates_are_read_as_references_by_every_subcommand() {
    let deck = "_format_version: \"3.0\"
services:
- name: api
  url: \"${{ env \"DECK_URL\" }}\"
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config:
        anonymous: \"${{ env \"DECK_GUEST\" }}\"
consumers:
- {username: ann, keyauth_credentials: [{key: \"${{ env \"DECK_API_KEY\" }}\"}]}
";
    let files = [("deck.yml", deck), ("other.yml", &*deck.replace("DECK_GUEST", "DECK_OTHER"))];
    let said = policy(&["check", "--allow-warnings", "deck.yml"], &files);
    assert_eq!((said.code, said.out.as_str()), (0, "1 policy: nothing to say\n"), "{}", said.err);
    assert_eq!(policy(&["diff", "deck.yml", "deck.yml"], &files).code, 0);
    let said = policy(&["diff", "deck.yml", "other.yml"], &files);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("for DECK_GUEST"), "{}", said.out);
    let explain = ["explain", "deck.yml", "--route", "dogs", "--upstream-path", "/"];
    let said = policy(&explain, &files);
    assert!(said.code == 0 && said.out.contains("DECK_GUEST"), "{}{}", said.out, said.err);
}

#[test]
fn fmt_writes_templates_as_they_were() {
    let text = "consumers:\n- username:   \"${{ env \"DECK_NAME\" }}\"\n  custom_id: ${{ env \"DECK_ID\" }}   # a comment\nrealm: 'x'\n";
    let directory = tempfile::tempdir().unwrap();
    let said = crate::policy_in(directory.path(), &["fmt", "p.yaml"], &[("p.yaml", text)], "");
    assert_eq!(said.code, 0, "{}", said.err);
    let formatted = std::fs::read_to_string(directory.path().join("p.yaml")).unwrap();
    for template in
        ["username: \"${{ env \"DECK_NAME\" }}\"\n", "custom_id: ${{ env \"DECK_ID\" }} # a comment\n"]
    {
        assert!(formatted.contains(template), "{formatted}");
    }
}
