//! What is broken never replaces what works, and touches nothing but itself.

use tests::{Setting, tests};

tests![
    a_broken_pair_leaves_the_one_before_in_force_and_the_others_alone,
    a_refused_config_leaves_the_one_before_in_force,
];

fn a_broken_pair_leaves_the_one_before_in_force_and_the_others_alone() {
    let setting = Setting::new(
        "client_certificate: kong-client
rules:
- match: {groups: [vets]}
  client_certificate: kong-vet",
    );
    let good = setting.fingerprint("kong-client");
    let (chain, key) = setting.issue("kong-client");
    let (_, other_key) = setting.issue("kong-client");
    let half = &chain[..chain.len() / 2];
    let broken = [
        ("garbage", "not a certificate", "not a key"),
        ("half written", half, &key),
        ("another's key", &chain, &other_key),
        ("no key", &chain, ""),
        ("empty", "", ""),
    ];
    for (what, chain, key) in broken {
        setting.put("kong-client", chain, key);
        setting.wait_until("the broken pair is reported", || setting.log().contains("kong-client"));
        // The other's rotation is proof that the files were looked at since.
        setting.replace("kong-vet", |leaf| leaf);
        setting.wait_until("the other certificate rotates", || {
            let seen = setting.get("/dogs/anything").key("vet").send();
            seen.fingerprint() == Some(setting.fingerprint("kong-vet"))
        });
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        assert_eq!((seen.status, seen.fingerprint()), (200, Some(good.clone())), "{what}");
    }
    setting.put("kong-client", &chain, &key);
    setting.wait_until("a good pair takes over again", || {
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        seen.status == 200 && seen.fingerprint() != Some(good.clone())
    });
}

fn a_refused_config_leaves_the_one_before_in_force() {
    let setting = Setting::new("client_certificate: kong-client");
    let problems = setting.reconfigure("client_certificate: kong-client\nkey_nmaes: [x]").unwrap_err();
    assert!(format!("{problems:#}").contains("key_nmaes"), "{problems:#}");
    assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().common_name(), Some("kong-client"));

    setting.reconfigure("client_certificate: kong-vet").unwrap();
    assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().common_name(), Some("kong-vet"));
}
