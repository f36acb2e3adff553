//! The same policy and request give the same decision in a gateway as in the core alone.

use mtls_policy::policy::{Certificate, Decision, Policy, Request, Target};
use serde_json::{Map, Value};
use tests::{Setting, digest, raw, tests};

tests![the_gateway_decides_as_the_core_does,];

/// One field a line, its value JSON, so that it is the gateway's YAML and the core's JSON at once.
const POLICY: &str = r#"key_names: ["X-API-Key", "token"]
hide_credentials: true
consumers: [{"username": "ann", "keys": [{"id": "1", "sha256": "<ann>"}]}, {"username": "bob", "groups": ["vets"], "keys": [{"id": "1", "sha256": "<bob>"}, {"id": "2", "sha256": "<late>", "not_after": "2020-01-01T00:00:00Z"}]}]
client_certificate: "kong-client"
rules: [{"match": {"path_prefix": "/anything/locked"}, "deny": {"status": 403, "message": "locked"}}, {"match": {"groups": ["vets"], "methods": ["GET"], "path_prefix": "/anything/a"}, "client_certificate": "kong-vet"}, {"match": {"headers": {"X-Shift": ["night"]}}, "client_certificate": "kong-intern"}, {"match": {"path_prefix": "/anything/gone"}, "client_certificate": "kong-retired"}]"#;

fn the_gateway_decides_as_the_core_does() {
    let setting = Setting::new(POLICY);
    let policy = core(&setting);
    let keys = ["ann", "bob", "late"].map(|who| setting.key(who));
    let mut credentials = vec![vec![], vec![("X-API-Key", "")], vec![("token", "nobody's")]];
    credentials.extend(keys.iter().flat_map(|key| [vec![("X-API-Key", key.as_str())], vec![("token", key)]]));
    credentials.push(vec![("X-API-Key", &keys[0]), ("X-API-Key", &keys[1])]);
    credentials.push(vec![("X-API-Key", &keys[1]), ("X-Shift", "night")]);
    // As sent, and as the upstream would receive it, which is what the core is asked about.
    let paths = [
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/ab", "/ab"),
        ("/b", "/b"),
        ("/locked", "/locked"),
        ("/x/../locked", "/locked"),
        ("/%6cocked/7", "/locked/7"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a;b", "/a;b"),
        ("/gone", "/gone"),
    ];

    let mut tried = 0;
    for credential in &credentials {
        for (sent, received) in paths {
            let target = format!("/dogs/anything{sent}");
            let answer = raw::get(setting.proxy(), &target, credential);
            let came = match answer.seen_client() {
                Some(name) => format!("{} as {name}", answer.status),
                None => format!("{} {}", answer.status, answer.message()),
            };
            assert_eq!(
                came,
                decision(&policy, received, credential),
                "{target} {} headers",
                credential.len()
            );
            tried += 1;
        }
    }
    assert_eq!(tried, credentials.len() * paths.len());
}

/// What the core says, in the words of [`raw::Answer`].
fn decision(policy: &Policy, path: &str, headers: &[(&str, &str)]) -> String {
    let target = format!("/anything{path}");
    let request = Request {
        method: b"GET",
        authority: b"localhost",
        target: Target::of(target.as_bytes()),
        headers: headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        established: None,
        now: time::OffsetDateTime::now_utc().unix_timestamp(),
    };
    match policy.decide(request) {
        Decision::Refuse(refusal) => format!("{} {}", refusal.status, refusal.message),
        Decision::Allow(allow) => match allow.certificate {
            Certificate::Present(name) if name.as_str() == "kong-retired" => {
                "503 No client certificate in force".to_owned()
            }
            Certificate::Present(name) => format!("200 as {name}"),
            Certificate::Unchanged => "200 unchanged".to_owned(),
        },
    }
}

fn core(setting: &Setting) -> Policy {
    let mut policy = POLICY.to_owned();
    for who in ["ann", "bob", "late"] {
        policy = policy.replace(&format!("<{who}>"), &digest(setting.key(who)));
    }
    let fields = policy.lines().map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), serde_json::from_str(value).unwrap())
    });
    let document = Value::Object(fields.collect::<Map<_, _>>());
    Policy::compile(document.to_string().as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}
