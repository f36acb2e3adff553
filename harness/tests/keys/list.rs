//! The keys that policies hold.

use std::fs;

use crate::keys;

#[test]
fn every_key_is_listed_once_with_its_owner_and_its_window() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kong.yml");
    let in_days = |days: i64| {
        let moment = time::OffsetDateTime::now_utc() + time::Duration::days(days) + time::Duration::hours(1);
        policy_tools::keys::time(moment.truncate_to_second()).unwrap()
    };
    let text = format!(
        "plugins:\n- name: mtls-policy\n  route: r\n  config: &p\n    consumers:\n    - username: ann\n      keys:\n\
         \x20     - {{id: old, sha256: '1', not_after: {}}}\n      - {{id: now, sha256: '2', not_after: {}}}\n\
         \x20     - {{id: next, sha256: '3', not_before: {}}}\n- {{name: mtls-policy, route: s, config: *p}}\n",
        in_days(-3),
        in_days(20),
        in_days(10)
    );
    fs::write(&path, text).unwrap();
    let list = |more: &[&str]| keys(&[&["list", path.to_str().unwrap()], more].concat(), "");
    let said = list(&["--json"]);
    let document = said.json();
    let rows: Vec<_> = document["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["id"].as_str().unwrap(), key["state"].as_str().unwrap(), key["days_left"].as_i64()))
        .collect();
    assert_eq!(
        rows,
        [("old", "expired", Some(-3)), ("now", "in_force", Some(20)), ("next", "not_yet_valid", None)]
    );
    let table = list(&[]);
    assert_eq!((table.code, table.out.lines().count()), (0, 4), "{}", table.out);
    assert!(table.out.lines().nth(2).unwrap().starts_with("ann       now   -"), "{}", table.out);

    for (days, code, told) in [("20", 1, "1 key ends"), ("21", 1, "2 keys end"), ("0", 1, "1 key ends")] {
        let said = list(&["--warn-days", days]);
        assert_eq!(said.code, code, "{days}: {}", said.err);
        assert!(said.err.contains(told), "{days}: {}", said.err);
    }
    assert_eq!(keys(&["list", "nowhere.yml"], "").code, 2);
}
