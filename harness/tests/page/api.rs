//! What the page asks for, as others may ask for it.

use std::process::Command;

use harness::gateway::embedded::Embedded;
use serde_json::Value;

use crate::scene::{CONFIG, Scene, ask, ask_with};

fn get(scene: &Scene, path: &str, more: &str) -> (u16, String, String) {
    ask(scene.page(), &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{more}", scene.page()))
}

fn state(scene: &Scene) -> Value {
    serde_json::from_str(&get(scene, "/page/state", "").2).unwrap()
}

#[test]
fn without_being_asked_for_there_is_no_page() {
    let scene = Scene::of(Embedded::default(), CONFIG);
    for path in ["/", "/page/state", "/page/explain"] {
        assert_eq!(get(&scene, path, "").0, 404, "{path}");
    }
    assert_eq!(get(&scene, "/status", "").0, 200);
}

#[test]
fn it_is_served_to_this_machine_by_its_own_names_alone() {
    let scene = Scene::new();
    let of =
        |host: &str, path: &str| ask(scene.page(), &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n")).0;
    for path in ["/", "/page/state"] {
        assert_eq!(of("localhost", path), 200);
        assert_eq!(of("127.0.0.1:1", path), 200);
        assert_eq!(of("rebound.example", path), 403);
    }
    // These were there before the page, and are asked by what knows other names.
    assert_eq!(of("monitored.example", "/metrics"), 200);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let setup = harness::gateway::Setup {
            config: scene.stack.config(),
            filters: harness::gateway::filters().unwrap(),
            proxy: harness::stack::ANY_PORT,
            status: Some(address.parse().unwrap()),
        };
        let refused = harness::gateway::Gateway::start(&Embedded { page: true }, &setup).err().unwrap();
        assert!(refused.to_string().contains("loopback"), "{refused}");
    }
}

#[test]
fn every_answer_keeps_other_sites_out() {
    let scene = Scene::new();
    for (path, more) in
        [("/", ""), ("/page/state", ""), ("/nothing", ""), ("/", "Origin: http://evil.example\r\n")]
    {
        let (_, head, _) = get(&scene, path, more);
        for owed in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(owed), "{path}: {owed}\n{head}");
        }
        assert!(!head.contains("access-control"), "{head}");
    }
    let (_, head, _) = get(&scene, "/", "");
    assert!(head.contains("default-src 'none'") && head.contains("frame-ancestors 'none'"), "{head}");
    assert!(!head.contains("unsafe"), "{head}");
    for site in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(get(&scene, "/page/state", site).0, 403, "{site}");
    }
}

#[test]
fn a_question_has_one_form() {
    let scene = Scene::new();
    let own = format!("Origin: http://{}\r\nContent-Type: application/json\r\n", scene.page());
    let post = |more: &str, body: &str| {
        let head = format!("POST /page/explain HTTP/1.1\r\nHost: {}\r\n{more}", scene.page());
        ask_with(scene.page(), &head, body)
    };
    let good = r#"{"method": "GET", "path": "/dogs", "consumer": "vet"}"#;
    assert_eq!(post(&own, good).0, 200);
    let json = "Content-Type: application/json\r\n";
    assert_eq!(post(json, good).0, 403);
    assert_eq!(post(&format!("Origin: http://localhost:1\r\n{json}"), good).0, 403);
    assert_eq!(
        post(&format!("Origin: http://{}\r\nContent-Type: text/plain\r\n", scene.page()), good).0,
        415
    );
    assert_eq!(post(&own, &format!("{good}{}", " ".repeat(65_600))).0, 413);
    for bad in [r#"{"method": "GET"}"#, "[]", r#"{"method": "GET", "path": "/", "s3cr3t": 1}"#, "s3cr3t"] {
        let (status, _, body) = post(&own, bad);
        assert_eq!(status, 400, "{bad}");
        assert!(!body.contains("s3cr3t"), "{body}");
    }
    let both = r#"{"method": "GET", "path": "/dogs", "consumer": "vet", "key": "s3cr3t"}"#;
    let (status, _, body) = post(&own, both);
    assert_eq!((status, body.contains("not both"), body.contains("s3cr3t")), (400, true, false));
    for (method, path, owed) in [
        ("GET", "/page/explain", "allow: post"),
        ("POST", "/page/state", "allow: get, head"),
        ("DELETE", "/", "allow: get, head"),
        ("OPTIONS", "/page/explain", "allow: post"),
    ] {
        let (status, head, _) =
            ask(scene.page(), &format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n"));
        assert_eq!(status, 405, "{method} {path}");
        assert!(head.contains(owed), "{head}");
    }
}

#[test]
fn a_question_is_about_what_is_in_force() {
    let scene = Scene::new();
    let ask_as_vet = || {
        let head = format!(
            "POST /page/explain HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nContent-Type: application/json\r\n",
            scene.page()
        );
        ask_with(scene.page(), &head, r#"{"method": "POST", "path": "/dogs", "consumer": "vet"}"#).2
    };
    assert!(ask_as_vet().contains("kong-vet"));
    scene.stack.reconfigure(&CONFIG.replace("methods: [POST, PUT]", "methods: [PSOT]")).unwrap_err();
    assert!(ask_as_vet().contains("kong-vet"));
    let kept = state(&scene)["events"][0].clone();
    assert_eq!((&kept["kind"], &kept["what"]), (&"kept".into(), &"config".into()));
    scene.stack.reconfigure(&CONFIG.replace("methods: [POST, PUT]", "methods: [PUT]")).unwrap();
    assert!(!ask_as_vet().contains("as \\\"kong-vet"));
    assert_eq!(state(&scene)["events"][0]["kind"], "taken");
}

#[test]
fn only_the_last_decisions_are_remembered() {
    let scene = Scene::new();
    for n in 0..130 {
        scene.send("GET", &format!("/dogs/{n}"), None);
    }
    let decisions = state(&scene)["decisions"].as_array().unwrap().clone();
    assert_eq!(decisions.len(), 100);
    assert_eq!((&decisions[0]["number"], &decisions[0]["path"]), (&130.into(), &"/dogs/129".into()));
    assert_eq!(decisions[99]["path"], "/dogs/30");
}

#[test]
fn who_a_client_says_that_it_is_is_not_believed() {
    let config = CONFIG.replace("  - name: kennels\n    paths: [/kennels]\n    plugins:\n    - name: mtls-policy\n      config: *policy\n", "  - {name: open, paths: [/open]}\n");
    let scene = Scene::with(&config);
    let spoofed = "GET /open HTTP/1.1\r\nHost: localhost\r\nX-Consumer-Username: vet\r\n";
    ask(scene.stack.gateway().proxy(), spoofed);
    assert_eq!(state(&scene)["decisions"][0]["consumer"], "");
    scene.send("GET", "/dogs", Some(&scene.key("vet")));
    assert_eq!(state(&scene)["decisions"][0]["consumer"], "vet");
}

#[test]
fn what_cannot_have_a_page_says_so() {
    let harness = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_harness")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for gateway in ["envoy", "kong", "docker"] {
        let (code, said) = harness(&["up", "--ui", "--gateway", gateway]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("the page is the embedded gateway's"), "{said}");
    }
    let (code, said) = harness(&["up", "--ui=0.0.0.0:1"]);
    assert_eq!((code, said.contains("for this machine alone")), (Some(2), true), "{said}");
    let (code, said) = harness(&["gateway", "--config", "kong.yml", "--ui"]);
    assert_eq!((code, said.contains("--status")), (Some(2), true), "{said}");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../kong/kong.yml");
    let (code, said) = harness(&["gateway", "--config", config, "--ui", "--status", "0.0.0.0:1"]);
    assert_eq!((code, said.contains("for this machine alone")), (Some(2), true), "{said}");
}
