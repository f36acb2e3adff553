//! A policy with mistakes is refused as a whole, each mistake with its place.

use tests::Setting;

#[test]
fn every_mistake_is_named_with_its_place_and_nothing_is_served() {
    let Err(refused) = Setting::try_new(
        "key_nmaes: [x]
consumers:
- username: model-citizen
  keys: [{id: '1', sha256: abc}]
rules:
- match: {methods: [PSOT]}
  client_certificate: kong-vet
- match: {groups: [nobody-is-in-it]}
  client_certificate: kong-vet",
        "",
    ) else {
        panic!("a policy full of mistakes was accepted");
    };
    let message = format!("{refused:#}");
    for owed in [
        "key_nmaes",
        "consumers[0].keys[0].sha256",
        "rules[0].match.methods[0]",
        "POST",
        "rules[1].match.groups[0]",
    ] {
        assert!(message.contains(owed), "{owed} is missing in: {message}");
    }
}
