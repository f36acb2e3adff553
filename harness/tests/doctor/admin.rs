//! A running Kong, by an Admin API that answers as Kong's does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::diagnosis::Diagnoses;
use crate::scene::{Scene, closed_port};

/// What a Kong is configured with: lists by the names of their endpoints.
#[derive(Clone)]
struct Kong {
    node: Value,
    lists: BTreeMap<&'static str, Vec<Value>>,
    /// At most so many entities in a page.
    page: usize,
    /// A header that requests must have.
    header: Option<(&'static str, &'static str)>,
    /// Whether `/filter-chains` exists, as it does with wasm.
    wasm: bool,
}

/// An Admin API in a thread that ends with the process, and the paths that it was asked for.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Kong {
    /// Two routes of one service with valid policies on the routes and an upstream-mtls on the service.
    fn wasm() -> Self {
        let digest = "0".repeat(64);
        let policy = |id: &str, route: &str, certificate: &str| {
            json!({"id": id, "name": "mtls-policy", "enabled": true, "route": {"id": route}, "service": null, "consumer": null,
                   "config": {"consumers": [{"username": "ann", "groups": ["vets"], "keys": [{"id": "1", "sha256": digest}]}],
                              "rules": [{"match": {"groups": ["vets"]}, "client_certificate": certificate}]}})
        };
        let lists = [
            (
                "services",
                vec![
                    json!({"id": "s1", "name": "dogcatcher", "host": "h", "port": 443, "protocol": "https"}),
                ],
            ),
            (
                "routes",
                vec![
                    json!({"id": "r1", "name": "dogs", "paths": ["/dogs"], "service": {"id": "s1"}}),
                    json!({"id": "r2", "name": null, "paths": ["/cats"], "service": {"id": "s1"}}),
                ],
            ),
            (
                "plugins",
                vec![
                    json!({"id": "p0", "name": "rate-limiting", "enabled": true, "route": null, "service": null, "config": {"minute": 5}}),
                    policy("p1", "r1", "kong-client"),
                    policy("p2", "r2", "kong-vet"),
                    json!({"id": "p3", "name": "upstream-mtls", "enabled": true, "route": null, "service": {"id": "s1"}, "consumer": null,
                           "config": {"client_certificates": [
                               {"name": "kong-client", "certificate": {"id": "c1"}},
                               {"name": "kong-vet", "cert_file": "/vet.crt", "key_file": "/vet.key"}],
                            "ca_certificates": ["a1"]}}),
                ],
            ),
            ("filter-chains", vec![]),
            (
                "consumers",
                vec![
                    json!({"id": "u1", "username": "ann"}),
                    json!({"id": "u2", "username": null, "custom_id": "x"}),
                ],
            ),
            ("acls", vec![json!({"id": "g1", "group": "vets", "consumer": {"id": "u1"}})]),
            (
                "certificates",
                vec![json!({"id": "c0", "key": "hunter2"}), json!({"id": "c1", "key": "hunter2"})],
            ),
            ("ca_certificates", vec![json!({"id": "a1"})]),
        ];
        let node = json!({"version": "3.9.3", "tagline": "Welcome to kong",
            "plugins": {"available_on_server": {"mtls-policy": {"version": "0.1.0", "priority": 0},
                                                "upstream-mtls": {"version": "0.1.0", "priority": 900}}},
            "configuration": {"database": "postgres", "role": "traditional", "wasm": true,
                              "wasm_modules_parsed": [{"name": "mtls-policy", "path": "/f.wasm"}]}});
        Self { node, lists: lists.into(), page: 1000, header: None, wasm: true }
    }

    fn native() -> Self {
        let mut kong = Self::wasm();
        kong.node["configuration"]["wasm"] = json!(false);
        kong.node["configuration"]["wasm_modules_parsed"] = json!({});
        Self { wasm: false, ..kong }
    }

    /// The config of a plugin.
    fn config(&mut self, id: &str) -> &mut Value {
        let plugins = self.lists.get_mut("plugins").unwrap();
        &mut plugins.iter_mut().find(|plugin| plugin["id"] == id).unwrap()["config"]
    }

    fn answer(&self, target: &str, head: &str) -> (u16, Value) {
        if let Some((name, value)) = self.header
            && !head.lines().any(|line| line.eq_ignore_ascii_case(&format!("{name}: {value}")))
        {
            return (401, json!({"message": "Unauthorized"}));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/" {
            return (200, self.node.clone());
        }
        if path == "/filter-chains" && !self.wasm {
            return (400, json!({"message": "this endpoint is only available when wasm is enabled"}));
        }
        let Some(list) = self.lists.get(&path[1..]) else { return (404, json!({"message": "Not found"})) };
        let argument =
            |name: &str| query.split('&').find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
        let size = argument("size").map_or(100, |size| size.parse().unwrap()).min(self.page);
        // As Kong's: base64 with what has to be escaped in a query.
        let from =
            argument("offset").map_or(0, |offset| offset.strip_suffix("%2B%2F%3D").unwrap().parse().unwrap());
        let to = list.len().min(from + size);
        let mut body = json!({"data": list[from..to], "next": null});
        if list.is_empty() {
            body["data"] = json!({});
        }
        if to < list.len() {
            body["offset"] = json!(format!("{to}+/="));
            body["next"] = json!(format!("{path}?offset={to}%2B%2F%3D"));
        }
        (200, body)
    }

    fn start(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let paths = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (kong, paths) = (self.clone(), paths.clone());
                std::thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                        head.extend(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let Some(target) = head.split(' ').nth(1).map(str::to_owned) else { return };
                    let (status, body) = kong.answer(&target, &head);
                    paths.lock().unwrap().push(target);
                    let body = body.to_string();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(answer.as_bytes());
                });
            }
        });
        Server { url, asked }
    }
}

fn typed(url: &str) -> Vec<String> {
    ["--admin", url].map(str::to_owned).into()
}

/// What is found: each fault with its text.
fn faults(kong: Kong) -> (i32, Vec<(String, String)>, String) {
    let scene = Scene::new();
    let server = kong.start();
    let (code, told) = scene.doctor(&[typed(&server.url), vec!["--json".to_owned()]].concat());
    let report: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let hops = report["ways"][0]["hops"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let faults = hops.iter().filter(|hop| hop["fault"].is_string());
    (code, faults.map(|hop| (text(&hop["fault"]), text(&hop["why"]))).collect(), told)
}

/// The faults that only a running Kong, or manifests, can have.
pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    let mut kong = Kong::native();
    kong.config("p3")["ca_certificates"] = json!(["a2"]);
    diagnoses.owed(&scene, &typed(&kong.start().url), &[("config", "unknown_entity")]);
    let mut kong = Kong::native();
    *kong.config("p1") =
        json!({"authentication": "gateway", "rules": [{"match": {"groups": ["cats"]}, "deny": {}}]});
    diagnoses.owed(&scene, &typed(&kong.start().url), &[("policy", "unknown_name")]);
    let plugin = "apiVersion: configuration.konghq.com/v1\nkind: KongPlugin\nmetadata: {name: p}\nplugin: mtls-policy\nconfigFrom: {secretKeyRef: {name: s, key: k}}\n";
    std::fs::write(scene.path("plugins.yaml"), plugin).unwrap();
    let manifests = ["--config", "plugins.yaml"].map(str::to_owned);
    diagnoses.owed(&scene, &manifests, &[("policy", "config_elsewhere")]);
}

#[test]
fn a_kong_in_order_has_no_faults() {
    for (kong, runtime) in [(Kong::wasm(), "wasm runtime"), (Kong::native(), "native runtime")] {
        let (code, faults, told) = faults(kong);
        assert_eq!((code, faults), (0, Vec::new()), "{told}");
        assert!(
            told.contains(&format!("Kong 3.9.3, database postgres, {runtime}; 1 service, 2 routes")),
            "{told}"
        );
        assert!(told.contains("2 policies are valid") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn an_invalid_policy_is_named_with_its_plugin_and_route() {
    let mut kong = Kong::wasm();
    kong.config("p1")["rules"] = json!([{"match": {"groups": ["nix"]}, "deny": {}}]);
    let (code, faults, told) = faults(kong.clone());
    let expected = "plugin mtls-policy (id p1) on route \"dogs\": rules[0].match.groups[0]: ";
    assert!(code == 1 && faults.len() == 1 && faults[0].0 == "policy_refused", "{told}");
    assert!(faults[0].1.starts_with(expected) && told.contains("answers 503"), "{told}");
    // On the service, and on a route without a name.
    let mut on_service = kong.clone();
    on_service.lists.get_mut("plugins").unwrap()[1]["route"] = Value::Null;
    on_service.lists.get_mut("plugins").unwrap()[1]["service"] = json!({"id": "s1"});
    let (_, faults, told) = self::faults(on_service);
    assert!(
        faults[0]
            .1
            .starts_with("plugin mtls-policy (id p1) on service \"dogcatcher\" (routes \"dogs\", \"r2\"): "),
        "{told}"
    );
    // Disabled, it decides nothing.
    kong.lists.get_mut("plugins").unwrap()[1]["enabled"] = json!(false);
    let (code, faults, told) = self::faults(kong);
    assert_eq!((code, faults), (0, Vec::new()), "{told}");
}

#[test]
fn a_policy_is_checked_for_the_runtime_that_is_loaded() {
    let with_body = |mut kong: Kong| {
        kong.config("p1")["key_in_body"] = json!(true);
        faults(kong)
    };
    assert_eq!(with_body(Kong::native()).0, 0);
    let (code, faults, told) = with_body(Kong::wasm());
    assert!(code == 1 && faults.len() == 1 && faults[0].0 == "policy_refused", "{told}");
    assert!(faults[0].1.contains("(id p1) on route \"dogs\": key_in_body"), "{told}");
}

#[test]
fn a_filter_chain_is_checked_as_a_filter() {
    let mut kong = Kong::wasm();
    let config = json!({"realm": "dogs", "anonymous": 1}).to_string();
    kong.lists
        .get_mut("filter-chains")
        .unwrap()
        .push(json!({"id": "f1", "name": null, "enabled": true, "route": null,
        "service": {"id": "s1"}, "filters": [{"name": "mtls-policy", "enabled": true, "config": config}]}));
    let (code, faults, told) = faults(kong);
    assert!(code == 1 && faults.len() == 1, "{told}");
    assert!(
        faults[0].1.starts_with(
            "filter mtls-policy on service \"dogcatcher\" (routes \"dogs\", \"r2\"): anonymous: "
        ),
        "{told}"
    );
}

#[test]
fn certificates_that_do_not_exist_are_named() {
    let mut kong = Kong::wasm();
    kong.config("p2")["rules"][0]["client_certificate"] = json!("kong-cleint");
    kong.config("p3")["client_certificates"][0]["certificate"]["id"] = json!("c2");
    kong.config("p3")["ca_certificates"] = json!(["a1", "a2"]);
    let (code, faults, told) = faults(kong);
    let expected = [
        (
            "unknown_entity",
            "plugin upstream-mtls (id p3) on service \"dogcatcher\" (routes \"dogs\", \"r2\"): client_certificates[0].certificate: unknown certificate \"c2\"",
        ),
        (
            "unknown_entity",
            "plugin upstream-mtls (id p3) on service \"dogcatcher\" (routes \"dogs\", \"r2\"): ca_certificates[1]: unknown CA certificate \"a2\"",
        ),
        (
            "unknown_certificate",
            "plugin mtls-policy (id p2) on route \"r2\": rules[0].client_certificate: no client certificate is called \"kong-cleint\" (did you mean \"kong-client\"?)",
        ),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(fault, why)| ((*fault).to_owned(), (*why).to_owned())).collect();
    assert_eq!((code, faults), (1, expected), "{told}");
    let mut kong = Kong::wasm();
    kong.lists.get_mut("plugins").unwrap().retain(|plugin| plugin["name"] != "upstream-mtls");
    let (code, faults, told) = self::faults(kong);
    assert!(code == 1 && faults.iter().all(|(fault, _)| fault == "no_plugin") && faults.len() == 2, "{told}");
}

#[test]
fn every_page_is_read() {
    let mut kong = Kong::wasm();
    kong.page = 1;
    kong.config("p2")["realm"] = json!(7);
    let server = kong.start();
    let scene = Scene::new();
    let (code, told) = scene.doctor(&typed(&server.url));
    assert!(code == 1 && told.contains("(id p2) on route \"r2\": realm: "), "{told}");
    assert!(told.contains("1 service, 2 routes, 3 plugins"), "{told}");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|path| path.starts_with("/plugins?size=1000")).count(), 4, "{asked:?}");
}

#[test]
fn headers_reach_the_admin_api_and_are_never_told() {
    let scene = Scene::new();
    let mut kong = Kong::wasm();
    kong.header = Some(("Kong-Admin-Token", "hunter2"));
    let server = kong.start();
    let (code, told, errors) = run(&scene, &typed(&server.url));
    assert!(code == 2 && told.is_empty() && errors.contains("--admin-header-file"), "{told}{errors}");
    std::fs::write(scene.path("headers"), "Kong-Admin-Token: hunter2\n").unwrap();
    let with_headers =
        [typed(&server.url), ["--admin-header-file", "headers"].map(str::to_owned).into()].concat();
    assert_eq!(run(&scene, &with_headers).0, 0);
    std::fs::write(scene.path("headers"), "\nhunter2\n").unwrap();
    let (code, told, errors) = run(&scene, &with_headers);
    assert!(code == 2 && errors.contains("line 2: expected NAME: VALUE"), "{told}{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn an_admin_api_that_cannot_be_asked_exits_with_2_in_plain_words() {
    let scene = Scene::new();
    let mut other = Kong::wasm();
    other.node = json!({"hello": "world"});
    // As a proxy port answers.
    let proxy = Kong { lists: BTreeMap::new(), node: Value::Null, ..Kong::wasm() };
    let mut endless = Kong::wasm();
    endless.lists.remove("certificates");
    let rows = [
        (format!("http://127.0.0.1:{}", closed_port()), "connection refused: nothing listens there"),
        (other.start().url, "is not the Admin API of a Kong"),
        (proxy.start().url, "not that of proxy_listen"),
        (endless.start().url, "/certificates?size=1000 answers with status 404: Not found"),
        (
            "http://no-such-host.invalid:8001".to_owned(),
            "cannot reach the Admin API at http://no-such-host.invalid:8001",
        ),
        (silent(), "the server closed the connection"),
        ("127.0.0.1:8001".to_owned(), "expected http://HOST:PORT or https://HOST:PORT"),
        ("ftp://127.0.0.1".to_owned(), "expected http://HOST:PORT or https://HOST:PORT"),
        ("http://user:hunter2@127.0.0.1:8001".to_owned(), "unexpected credentials"),
    ];
    for (url, expected) in rows {
        let (code, told, errors) = run(&scene, &typed(&url));
        assert_eq!((code, told.as_str()), (2, ""), "{url}: {errors}");
        assert!(errors.contains(expected), "{url}: {errors}");
        // A message for people: no dump of a value.
        assert!(!errors.contains("Error {") && !errors.contains("Kind("), "{url}: {errors}");
    }
}

/// Closes each connection without an answer.
fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    url
}

/// Exit code, stdout and stderr.
fn run(scene: &Scene, typed: &[String]) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("doctor")
        .args(typed)
        .current_dir(scene.path(""))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn manifests_are_checked_by_the_doctor() {
    let scene = Scene::new();
    let plugins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../kong/k8s/plugins.yaml");
    let text = std::fs::read_to_string(plugins).unwrap();
    let rows = [
        (text.clone(), 0, "Kubernetes manifests with 2 KongPlugins"),
        (
            text.replace("  realm: dogcatcher\n", "  relm: dogcatcher\n"),
            1,
            "KongPlugin default/dogcatcher-api-mtls-policy (mtls-policy): relm: ",
        ),
        (
            text.replace("  client_certificate: kong-client\n", "  client_certificate: kong-cleint\n"),
            1,
            "client_certificate: no client certificate is called \"kong-cleint\" (did you mean \"kong-client\"?)",
        ),
    ];
    for (text, code, expected) in rows {
        std::fs::write(scene.path("plugins.yaml"), &text).unwrap();
        let (came, told, errors) = run(&scene, &["--config", "plugins.yaml"].map(str::to_owned));
        assert_eq!(came, code, "{told}{errors}");
        assert!(told.contains(expected), "{told}");
    }
}
