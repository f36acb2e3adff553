//! A policy with mistakes is refused as a whole, each mistake with its place.

use tests::{Setting, tests};

tests![
    every_mistake_is_named_with_its_place_and_nothing_is_served,
    a_field_that_does_not_exist_is_named_and_nothing_is_served,
];

fn every_mistake_is_named_with_its_place_and_nothing_is_served() {
    let message = refused(
        "consumers:
- username: model-citizen
  keys: [{id: '1', sha256: abc}]
rules:
- match: {methods: [PSOT]}
  client_certificate: kong-vet
- match: {groups: [nobody-is-in-it]}
  client_certificate: kong-vet",
    );
    for owed in
        ["consumers[0].keys[0].sha256", "rules[0].match.methods[0]", "POST", "rules[1].match.groups[0]"]
    {
        assert!(message.contains(owed), "{owed} is missing in: {message}");
    }
}

/// By itself: Kong holds a config against the filter's schema first, and goes no further.
fn a_field_that_does_not_exist_is_named_and_nothing_is_served() {
    let message = refused("key_nmaes: [x]\nclient_certificate: kong-client");
    assert!(message.contains("key_nmaes"), "{message}");
}

fn refused(policy: &str) -> String {
    match Setting::try_new(policy, "") {
        Err(refused) => format!("{refused:#}"),
        Ok(_) => panic!("a policy with mistakes was accepted:\n{policy}"),
    }
}
