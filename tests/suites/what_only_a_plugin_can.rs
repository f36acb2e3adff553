//! mtls-policy as a plugin does what a filter cannot: it reads bodies and files, and tells Kong who is asking.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::gateway::Ability;
use tests::config::upstream_mtls;
use tests::{Setting, needs, tests};

tests![
    a_key_in_a_body_lets_in_and_is_hidden_there,
    consumers_come_from_a_file_and_a_new_one_takes_over,
    an_invalid_consumers_file_leaves_the_last_valid_one_active,
    very_many_consumers_come_from_a_file_in_yaml_and_json,
    a_worker_ends_while_it_reads_a_consumers_file,
    kongs_plugins_see_the_policys_consumer,
    a_choice_that_nobody_carries_out_reaches_no_upstream,
];

fn a_key_in_a_body_lets_in_and_is_hidden_there() {
    needs(Ability::ReadsBodies);
    let setting = Setting::new("key_in_body: true\nclient_certificate: kong-client");
    let key = setting.key("model-citizen");
    let form = "application/x-www-form-urlencoded";
    // Content type, body, status, and what is left of the body.
    let rows = [
        (form, format!("a=1&X-API-Key={key}"), 200, "a=1"),
        ("application/json", format!(r#"{{"a":1,"X-API-Key":"{key}"}}"#), 200, r#"{"a":1}"#),
        (form, "a=1&X-API-Key=nobodys".to_owned(), 401, ""),
        (form, format!("X-API-Key={key}&X-API-Key={key}"), 401, ""),
        (form, "a=1".to_owned(), 401, ""),
        ("application/json", r#"{"X-API-Key":7}"#.to_owned(), 401, ""),
        ("text/plain", format!("X-API-Key={key}"), 401, ""),
    ];
    for (kind, body, status, left) in rows {
        let request = setting.request("POST", "/dogs/api/echo/it").header("Content-Type", kind);
        let seen = request.body(body.clone().into_bytes()).send();
        assert_eq!(seen.status, status, "{body}: {}", seen.text);
        if status == 200 {
            assert_eq!(seen.text, left, "{body}");
        }
    }
}

fn consumers_come_from_a_file_and_a_new_one_takes_over() {
    needs(Ability::ReadsConsumersFiles);
    let case = FromFile::new(&["model-citizen"]);
    let status = |route: &str, who: &str| case.setting.get(route).key(who).send().status;
    assert_eq!(status("/dogs/anything", "model-citizen"), 200);
    assert_eq!(status("/dogs/anything", "vet"), 401);
    // The other route names the same file.
    assert_eq!(status("/cats/anything", "model-citizen"), 200);

    case.put(&["vet"]);
    case.setting.wait_until("the new file is in force", || status("/dogs/anything", "vet") == 200);
    case.setting.wait_until_everywhere("in every worker", || {
        ["/dogs/anything", "/cats/anything"].iter().all(|route| status(route, "model-citizen") == 401)
    });
}

fn an_invalid_consumers_file_leaves_the_last_valid_one_active() {
    needs(Ability::ReadsConsumersFiles);
    let case = FromFile::new(&["model-citizen"]);
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (level, before) in ('b'..='i').zip('a'..) {
        bomb += &format!("{level}: &{level} [{}]\n", vec![format!("*{before}"); 9].join(","));
    }
    bomb += "consumers: *i\n";
    let deep = format!("consumers: {}", "[".repeat(1000));
    // What is in the file, and what is said of it.
    let invalid = [
        ("consumers: {", "not valid YAML"),
        ("consumers: [{username: vet, keys: [{id: '1', sha256: abc}]}]", "consumers[0].keys[0].sha256"),
        ("nonsense: 1", "nonsense: unknown field"),
        ("consumers: {}", "consumers: expected a list, got a map"),
        ("consumers: [{username: vet, keys: {}}]", "consumers[0].keys: expected a list, got a map"),
        (
            r#"{"consumers":[{"username":"vet","groups":{}}]}"#,
            "consumers[0].groups: expected a list, got a map",
        ),
        ("consumers: [{username: vet, true: x}]", "consumers[0]: expected a string as the name of a field"),
        ("consumers: [{username: vet, ~: x}]", "got null"),
        (&bomb, "aliases are not supported in a consumers file"),
        ("consumers: &a [*a]", "consumers[0]: aliases are not supported in a consumers file"),
        (&deep, "recursion limit exceeded"),
        ("consumers: []\n---\nconsumers: []", "expected one document, got a second one"),
        ("consumers: []\nconsumers: []", "consumers: duplicate field"),
        ("consumers: []\0", "got a NUL"),
        ("\u{feff}consumers: []", "byte order mark"),
        ("consumers: []", "there is no consumer \"model-citizen\""),
    ];
    for (text, said) in invalid {
        replace(&case.file, text);
        case.setting.wait_until(said, || case.setting.log().contains(said));
        for _ in 0..10 {
            assert_eq!(case.setting.get("/dogs/anything").key("model-citizen").send().status, 200, "{text}");
        }
    }
    // Neither a pipe nor a missing file holds anything up.
    fs::remove_file(&case.file).unwrap();
    let said = "cannot read the file: No such file or directory";
    case.setting.wait_until(said, || case.setting.log().contains(said));
    let pipe = std::process::Command::new("mkfifo").arg(&case.file).status().unwrap();
    assert!(pipe.success());
    let said = "expected a regular file";
    case.setting.wait_until(said, || case.setting.log().contains(said));
    assert_eq!(case.setting.get("/dogs/anything").key("model-citizen").send().status, 200);
    fs::remove_file(&case.file).unwrap();

    case.put(&["model-citizen", "vet"]);
    case.setting.wait_until("a valid file is loaded", || {
        case.setting.get("/cats/anything").key("vet").send().status == 200
    });
}

fn very_many_consumers_come_from_a_file_in_yaml_and_json() {
    needs(Ability::ReadsConsumersFiles);
    needs(Ability::KongsOwn);
    let case = FromFile::new(&["model-citizen"]);
    let status = |who: &str| case.setting.get("/dogs/anything").key(who).send().status;
    for (name, other, text) in [
        (
            "vet",
            "model-citizen",
            case.many(|consumers| format!("# YAML\n{{consumers: [{consumers}]}}"), "vet"),
        ),
        (
            "model-citizen",
            "vet",
            case.many(|consumers| format!(r#"{{"consumers":[{consumers}]}}"#), "model-citizen"),
        ),
    ] {
        replace(&case.file, &text);
        let deadline = Instant::now() + Duration::from_secs(120);
        while status(name) != 200 {
            assert!(Instant::now() < deadline, "{}", case.setting.log());
            // Until then the content before is active, in each worker.
            assert_ne!(status(other), 503);
            // Asking without a pause would take the time that a reading thread needs.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(PAUSE);
        }
        case.setting.wait_until_everywhere("in every worker", || status(other) == 401);
    }
}

/// A worker that ends unloads the libraries of its Lua state, and a thread may still run code of one.
fn a_worker_ends_while_it_reads_a_consumers_file() {
    needs(Ability::ReadsConsumersFiles);
    needs(Ability::KongsOwn);
    let case = FromFile::new(&["model-citizen"]);
    let text = case.many(|consumers| format!("# YAML\n{{consumers: [{consumers}]}}"), "vet");
    for (round, text) in [text.clone(), format!("{text} # other")].iter().enumerate() {
        let before = case.setting.processes();
        replace(&case.file, text);
        // One that only looks at a file has ended by then.
        let mut since = HashMap::new();
        case.setting.wait_until("a thread reads the file", || {
            readers(&before).into_iter().any(|reader| {
                since.entry(reader).or_insert_with(Instant::now).elapsed() > Duration::from_millis(50)
            })
        });
        case.setting.restart_workers().unwrap();
        case.setting.wait_until("the workers before have ended", || {
            before.iter().all(|worker| !Path::new(&format!("/proc/{worker}")).exists())
        });
        let deadline = Instant::now() + Duration::from_secs(120);
        while case.setting.get("/dogs/anything").key("vet").send().status != 200 {
            assert!(Instant::now() < deadline, "round {round}: {}", case.setting.log());
            // Asking without a pause would take the time that a reading thread needs.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(PAUSE);
        }
    }
    for word in ["exited on signal", "panicked", "SIGSEGV"] {
        assert!(!case.setting.log().contains(word), "{word}: {}", case.setting.log());
    }
}

/// Between two requests of a test that waits: each is in the log.
const PAUSE: Duration = Duration::from_millis(20);

/// The library's threads in these workers.
fn readers(workers: &[u32]) -> Vec<std::path::PathBuf> {
    let tasks =
        workers.iter().flat_map(|worker| fs::read_dir(format!("/proc/{worker}/task")).into_iter().flatten());
    let is_reader =
        |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "mtls-policy");
    tasks.flatten().map(|task| task.path()).filter(|path| is_reader(path)).collect()
}

fn kongs_plugins_see_the_policys_consumer() {
    needs(Ability::NamesConsumers);
    needs(Ability::KongsOwn);
    let policy = r#"{
        name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, anonymous: guest, consumers: [
            {username: model-citizen, keys: [{id: "1", sha256: <model-citizen>}]},
            {username: vet, groups: [vets], keys: [{id: "1", sha256: <vet>}]}, {username: guest}]}}"#;
    let policy = policy.replace('\n', " ");
    // The first is Kong's own consumer too, with a limit of its own and in a group of Kong's.
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
consumers:
- username: model-citizen
  acls: [{{group: citizens}}]
  plugins:
  - {{name: request-termination, config: {{status_code: 418, trigger: x-stop}}}}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins: [{policy}]
  - name: limited
    paths: [/limited]
    plugins: [{policy}, {{name: rate-limiting, config: {{hour: 2, policy: local, limit_by: consumer}}}}]
  - name: citizens
    paths: [/citizens]
    plugins: [{policy}, {{name: acl, config: {{allow: [citizens]}}}}]
  - name: vets
    paths: [/vets]
    plugins: [{policy}, {{name: acl, config: {{allow: [vets], always_use_authenticated_groups: true}}}}]
"#,
        upstream_mtls("")
    ));
    let status = |route: &str, who: &str, header: &str| {
        setting.get(&format!("{route}/anything")).key(who).header(header, "yes").send().status
    };
    // A plugin that is scoped to Kong's consumer.
    assert_eq!(status("/dogs", "model-citizen", "x-stop"), 418);
    assert_eq!(status("/dogs", "vet", "x-stop"), 200);
    // Everybody has a limit of their own. Kong counts a request after it, so that the limit may come a request late.
    for who in ["model-citizen", "vet"] {
        assert_eq!([0, 1].map(|_| status("/limited", who, "x")), [200, 200], "{who}");
        setting.wait_until("the limit is reached", || status("/limited", who, "x") == 429);
    }
    // Kong's groups for Kong's consumer, the policy's for its own.
    assert_eq!(["model-citizen", "vet"].map(|who| status("/citizens", who, "x")), [200, 403]);
    assert_eq!(["model-citizen", "vet"].map(|who| status("/vets", who, "x")), [403, 200]);
}

fn a_choice_that_nobody_carries_out_reaches_no_upstream() {
    needs(Ability::NamesConsumers);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: without-upstream-mtls
  url: https://dogcatcher-api:5443
  routes:
  - {{name: chosen, paths: [/chosen], plugins: [{chosen}]}}
  - {{name: by-the-gateway, paths: [/by-the-gateway], plugins: [{{name: mtls-policy, config: {{authentication: gateway}}}}]}}
  - {{name: unchanged, paths: [/unchanged], plugins: [{unchanged}]}}
- name: without-tls
  url: http://dogcatcher-api:5443
  plugins: [{upstream_mtls}]
  routes:
  - {{name: plain, paths: [/plain], plugins: [{chosen}]}}
"#,
        chosen = anyone(", client_certificate: kong-client"),
        unchanged = anyone(""),
        upstream_mtls = upstream_mtls("")
    ));
    // Nobody has established a consumer: the decision that was deferred is made after the last plugin, and is no.
    for (route, owed) in [("/chosen", 503), ("/by-the-gateway", 401), ("/plain", 503)] {
        assert_eq!(setting.get(&format!("{route}/anything")).send().status, owed, "{route}");
    }
    assert_eq!(setting.requests_upstream(), 0);
    assert!(setting.log().contains("is not configured for this request"), "{}", setting.log());
    // Nothing was chosen, so the upstream is asked, which demands a certificate.
    assert_eq!(setting.get("/unchanged/anything").send().status, 502);
}

fn anyone(more: &str) -> String {
    format!("{{name: mtls-policy, config: {{consumers: [{{username: guest}}], anonymous: guest{more}}}}}")
}

/// Two routes whose consumers are in one file.
struct FromFile {
    setting: Setting,
    file: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl FromFile {
    fn new(who: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("consumers-").tempdir().unwrap();
        let file = directory.path().join("consumers.yml");
        // Its keys are known when it is up.
        fs::write(&file, "consumers:\n- username: model-citizen\n").unwrap();
        let rules = "[{match: {consumers: [model-citizen]}, client_certificate: kong-client}]";
        let policy = |rules: &str| {
            format!(
                "{{name: mtls-policy, config: {{key_names: [X-API-Key], client_certificate: kong-client, \
                 consumers_file: {}{rules}}}}}",
                file.display()
            )
        };
        let setting = Setting::of(&format!(
            r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - {{name: dogs, paths: [/dogs], plugins: [{}]}}
  - {{name: cats, paths: [/cats], plugins: [{}]}}
"#,
            upstream_mtls(""),
            policy(&format!(", rules: {rules}")),
            policy("")
        ));
        let case = Self { setting, file, _directory: directory };
        case.put(who);
        case.setting.wait_until_everywhere("the file is in force", || {
            case.setting.get("/cats/anything").key(who[0]).send().status == 200
        });
        case
    }

    /// A text with a hundred thousand consumers in JSON, `who` the last of those with a key.
    fn many(&self, text: impl Fn(String) -> String, who: &str) -> String {
        let consumer = |name: &str, digest: &str| {
            format!(r#"{{"username":"{name}","keys":[{{"id":"1","sha256":"{digest}"}}]}}"#)
        };
        let mut consumers: Vec<_> = (0..100_000)
            .map(|number| consumer(&format!("consumer-{number}"), &tests::digest(format!("key-{number}"))))
            .collect();
        // A rule names it.
        if who != "model-citizen" {
            consumers.push(r#"{"username":"model-citizen"}"#.to_owned());
        }
        consumers.push(consumer(who, &tests::digest(self.setting.key(who))));
        text(consumers.join(","))
    }

    fn put(&self, who: &[&str]) {
        let mut text = "consumers:\n- username: model-citizen\n".to_owned();
        for name in who {
            let key = format!("  keys: [{{id: '1', sha256: {}}}]\n", tests::digest(self.setting.key(name)));
            match *name {
                "model-citizen" => text += &key,
                name => text += &format!("- username: {name}\n{key}"),
            }
        }
        replace(&self.file, &text);
    }
}

/// In one step, so that nobody reads half of it.
fn replace(file: &Path, text: &str) {
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, file).unwrap();
}
