//! No API key and no private key is in what a gateway tells: at the most talkative level of its log, in status and
//! metrics, in what it says of a config that it refuses, in what it answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use harness::gateway::Ability;
use tests::config::with_policy;
use tests::{Setting, lacks, raw, tests};

tests![
    an_api_key_is_told_nobody_whatever_becomes_of_it,
    a_private_key_is_told_nobody_whatever_is_wrong_with_it
];

const POLICY: &str = "key_authorization: Bearer
key_cookies: [session]
client_certificate: kong-client
rules:
- {match: {consumers: [intern]}, deny: {message: no interns}}
- {match: {methods: [PUT]}, client_certificate: nobody-has-it}";

fn an_api_key_is_told_nobody_whatever_becomes_of_it() {
    let setting = up(POLICY);
    let wrong = "wrong-key-of-nobody+/=%";
    let people = ["model-citizen", "vet", "intern", "former-citizen", "future-citizen"];
    let keys: Vec<_> = people.iter().map(|who| setting.key(who)).chain([wrong.to_owned()]).collect();
    let mut told = String::new();
    for key in &keys {
        for method in ["GET", "PUT", "OPTIONS"] {
            for headers in [
                format!("X-API-Key: {key}"),
                format!("X-API-Key: {key}\r\nX-API-Key: {key}"),
                format!("X_API_Key: {key}"),
                format!("Authorization: Bearer {key}"),
                format!("Authorization: Bearer\t{key}\r\nCookie: a=1; session={key}"),
                format!("Cookie: session={key}; session={key}"),
            ] {
                told += &ask(&setting, method, "/dogs/anything", &headers);
            }
        }
        // An odd target, and one that leads nowhere.
        told += &ask(&setting, "GET", "/nowhere", &format!("X-API-Key: {key}"));
        told += &ask(&setting, "GET", "/dogs/%zz", &format!("X-API-Key: {key}"));
        told += &ask(&setting, "get\0", "/dogs/anything", &format!("X-API-Key: {key}"));
        if lacks(Ability::KongsOwn).is_some() {
            // nginx puts the request line behind all that it logs for a request (docs/kong.md), so that a key in a
            // query is in Kong's log whatever is done.
            for target in [format!("/dogs/anything?X-API-Key={key}"), format!("/dogs/%zz?X-API-Key={key}")] {
                told += &ask(&setting, "GET", &target, "X-Other: 1");
            }
        }
    }
    // A key where its digest belongs, and not quite one: what is wrong is told, and not what was written.
    for key in &keys {
        let mistaken = format!(
            "client_certificate: kong-client\nconsumers: [{{username: ann, keys: [{{id: '1', sha256: '{key}+'}}]}}]"
        );
        told += &format!("{:#}", setting.reconfigure(&mistaken).unwrap_err());
    }
    told += &all_that_is_told(&setting);
    for key in &keys {
        for spelling in spellings(key.as_bytes()) {
            assert!(!told.contains(&spelling), "a key is told: …{}", around(&told, &spelling));
        }
    }
}

fn a_private_key_is_told_nobody_whatever_is_wrong_with_it() {
    let setting = up("client_certificate: kong-client");
    let mut secrets = Vec::new();
    let mut told = String::new();
    let (chain, _) = setting.issue("kong-vet");
    // In order: right, another's, cut off, with something behind it, twice, in the place of the chain.
    for number in 0..6 {
        let (own, key) = setting.issue("kong-vet");
        let half = key.len() / 2;
        let (chain, shown) = match number {
            0 => (own, key.clone()),
            1 => (chain.clone(), key.clone()),
            2 => (own, key[..half].to_owned()),
            3 => (own, key.replace("-----END", "!!!\n-----END")),
            4 => (own, key.clone() + &key),
            _ => (key.clone(), key.clone()),
        };
        let before = setting.log().len();
        setting.put("kong-vet", &chain, &shown);
        setting.wait_until("the pair is looked at", || {
            number == 0 || number == 4 || setting.log().len() > before
        });
        let [cert, pem] = [&chain, &shown].map(|pem| serde_json::to_string(pem).unwrap());
        let entity = format!(
            "_format_version: \"3.0\"\ncertificates: [{{id: 5c0a5d2e-0000-4000-8000-00000000000{number}, cert: {cert}, key: {pem}}}]\n"
        );
        told +=
            &setting.reconfigure_to(&entity).err().map(|refused| format!("{refused:#}")).unwrap_or_default();
        setting.reconfigure("client_certificate: kong-client").unwrap();
        told += &ask(&setting, "GET", "/dogs/anything", "X-Other: 1");
        secrets.push(key);
    }
    told += &all_that_is_told(&setting);
    for line in secrets.iter().flat_map(|key| key.lines()).filter(|line| !line.contains("PRIVATE KEY")) {
        // The beginning of a key says only of what kind it is, and is that of all of them.
        let secret = &line[line.len() / 2..];
        assert!(
            secret.len() < 8 || !told.contains(secret),
            "a private key is told: …{}",
            around(&told, secret)
        );
    }
}

fn up(policy: &str) -> Setting {
    let metrics = if lacks(Ability::KongsOwn).is_none() { "plugins: [{name: prometheus}]\n" } else { "" };
    let config = with_policy(policy, "") + metrics;
    Setting::up(&config, &[("log_level", "debug")]).unwrap_or_else(|error| panic!("{error:#}"))
}

/// What came back, without what the upstream has to say.
fn ask(setting: &Setting, method: &str, target: &str, headers: &str) -> String {
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n\r\n");
    let answer = raw::send(setting.proxy(), request.as_bytes());
    if answer.seen_client().is_some() { format!("{:?}", answer.headers) } else { format!("{answer:?}") }
}

fn all_that_is_told(setting: &Setting) -> String {
    let mut told = setting.log();
    for target in ["/", "/status", "/metrics", "/ready", "/stats/prometheus"] {
        told += &raw::get(setting.status(), target, &[]).body;
    }
    told
}

/// A secret as it may be written.
fn spellings(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = String::from_utf8_lossy(secret).into_owned();
    let escaped: String = secret
        .iter()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
                char::from(*byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let mut all = vec![
        plain,
        hex.to_uppercase(),
        hex,
        harness::stack::escaped(&String::from_utf8_lossy(secret)),
        escaped,
    ];
    // Within more than the secret alone, at each of three places.
    for skipped in 0..3 {
        let coded = STANDARD_NO_PAD.encode(&secret[skipped..]);
        let inner = coded[..coded.len() / 4 * 4 - 4].to_owned();
        all.push(inner.replace('+', "-").replace('/', "_"));
        all.push(inner);
    }
    all
}

/// Where it is told, without saying it again.
fn around(told: &str, secret: &str) -> String {
    let before = told.split(secret).next().unwrap_or_default();
    before.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect()
}
