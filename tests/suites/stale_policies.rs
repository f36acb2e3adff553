//! The last known good state of a policy ends with its plugin entity, and belongs to one route.

use std::fs;
use std::path::PathBuf;

use harness::gateway::Ability;
use serde_json::json;
use tempfile::TempDir;
use tests::config::upstream_mtls;
use tests::{Setting, needs, tests};

tests![
    deleted_entity_that_is_put_on_another_route_has_lost_its_keys,
    deleted_policy_does_not_come_back_on_another_route,
    deleted_policy_does_not_come_back_on_its_route,
    file_of_a_deleted_policy_is_forgotten,
    policy_keeps_its_last_good_file_on_its_own_route,
    policy_moved_to_another_route_loses_its_keys,
];

fn policy_keeps_its_last_good_file_on_its_own_route() {
    let case = Case::new();
    fs::remove_file(&case.file).unwrap();
    // A change of something else.
    case.configure(&case.on("dogs", &case.file, "realm: kennel, "));
    case.expect("/dogs", 200);
}

fn policy_moved_to_another_route_loses_its_keys() {
    let case = Case::new();
    case.configure(&case.on("cats", &case.missing(), ""));
    case.expect("/cats", 503);
}

fn deleted_policy_does_not_come_back_on_another_route() {
    let case = Case::new();
    case.configure(&config(""));
    case.configure(&case.on("cats", &case.missing(), ""));
    case.expect("/cats", 503);
}

/// Through the Admin API of a Kong with a database.
fn deleted_entity_that_is_put_on_another_route_has_lost_its_keys() {
    needs(Ability::SharesDatabase);
    let case = Case::new();
    let path = format!("/plugins/{PLUGIN}");
    assert_eq!(case.setting.admin("DELETE", &path, None).0, 204);
    let again = json!({
        "name": "mtls-policy",
        "route": {"name": "cats"},
        "config": {"key_names": ["X-API-Key"], "client_certificate": "kong-client", "consumers_file": case.missing()},
    });
    let (status, answer) = case.setting.admin("PUT", &path, Some(&again));
    assert_eq!(status, 200, "{answer}");
    case.setting.await_changes();
    case.expect("/cats", 503);
}

fn deleted_policy_does_not_come_back_on_its_route() {
    let case = Case::new();
    case.configure(&config(""));
    case.configure(&case.on("dogs", &case.missing(), ""));
    case.expect("/dogs", 503);
}

/// What was read of a file does not outlive the policies that name it.
fn file_of_a_deleted_policy_is_forgotten() {
    let case = Case::new();
    case.configure(&case.on("cats", &case.file, ""));
    case.setting.wait_until_everywhere("the file is read", || {
        case.setting.get("/cats/anything").key("ann").send().status == 200
    });
    fs::remove_file(&case.file).unwrap();
    case.configure(&config(""));
    case.configure(&case.on("dogs", &case.file, ""));
    case.expect("/dogs", 503);
}

/// Two routes of one service, and a policy with an id of its own whose consumers are in a file.
struct Case {
    setting: Setting,
    file: PathBuf,
    directory: TempDir,
}

impl Case {
    /// The policy is in use on the route `dogs`, and `ann`'s key is in its file.
    fn new() -> Self {
        needs(Ability::ReadsConsumersFiles);
        needs(Ability::KongsOwn);
        let directory = tempfile::Builder::new().prefix("consumers-").tempdir().unwrap();
        let file = directory.path().join("consumers.yml");
        let setting = Setting::of(&config(""));
        let sha256 = tests::digest(setting.key("ann"));
        fs::write(&file, format!("consumers: [{{username: ann, keys: [{{id: '1', sha256: {sha256}}}]}}]\n"))
            .unwrap();
        let case = Self { setting, file, directory };
        case.configure(&case.on("dogs", &case.file, ""));
        // Files are read outside of requests.
        case.setting.wait_until_everywhere("the file is read", || {
            case.setting.get("/dogs/anything").key("ann").send().status == 200
        });
        case
    }

    fn missing(&self) -> PathBuf {
        self.directory.path().join("missing.yml")
    }

    /// The config with the policy on a route.
    fn on(&self, route: &str, file: &std::path::Path, more: &str) -> String {
        config(&format!(
            "- {{name: mtls-policy, id: {PLUGIN}, route: {route}, config: {{{more}key_names: [X-API-Key], \
             client_certificate: kong-client, consumers_file: {}}}}}\n",
            file.display()
        ))
    }

    fn configure(&self, config: &str) {
        self.setting.reconfigure_to(config).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// The status of requests with `ann`'s key, of which there are enough for each worker.
    fn expect(&self, route: &str, status: u16) {
        for _ in 0..20 {
            let seen = self.setting.get(&format!("{route}/anything")).key("ann").send();
            assert_eq!(seen.status, status, "{route}: {}\n{}", seen.text, self.setting.log());
        }
    }
}

fn config(plugin: &str) -> String {
    let plugins = if plugin.is_empty() { String::new() } else { format!("plugins:\n{plugin}") };
    format!(
        r#"_format_version: "3.0"
{plugins}services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - {{name: dogs, id: {}, paths: [/dogs]}}
  - {{name: cats, id: {}, paths: [/cats]}}
"#,
        upstream_mtls(""),
        "7c1e0000-0000-4000-8000-0000000000d0",
        "7c1e0000-0000-4000-8000-0000000000ca",
    )
}

/// The id of the plugin entity.
const PLUGIN: &str = "7c1e0000-0000-4000-8000-00000000007f";
