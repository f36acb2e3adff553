//! Multiple authentication methods on one route, beside Kong's own key-auth: "logical OR" with `anonymous`, "logical AND"
//! without.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::dogcatcher::ClientCertificate;
use harness::gateway::Ability;
use sha2::{Digest, Sha256};
use tests::config::upstream_mtls;
use tests::{Seen, Setting, lacks, needs, tests};

tests![mtls_policy_authenticates_as_key_auth_does];

/// All combinations of jwt, basic-auth and a key, each with `anonymous`, without, or not on the route; and for each of
/// them a request without a credential, with a valid and with an invalid one.
fn mtls_policy_authenticates_as_key_auth_does() {
    needs(Ability::KongsOwn);
    let setting = Setting::of(&config());
    setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::Asked);
    let key = setting.key("kim");
    let mut table = String::new();
    let mut wrong = Vec::new();
    let configurations = configurations();
    let _ = writeln!(
        table,
        "{:24}{}",
        "jwt, key, basic-auth",
        configurations.iter().map(name).collect::<String>()
    );
    for request in requests() {
        let _ = write!(table, "{:24}", request.name());
        for configuration in &configurations {
            let ask = |twin: &str| {
                let target = format!("/{twin}-{}/anything", configuration.route());
                request.send(&setting, &target, &key)
            };
            let (key_auth, policy) = (ask("key-auth"), ask("mtls-policy"));
            let here = format!("{}, request {}", configuration.route(), request.name());
            let (model_key_auth, model_policy) =
                (configuration.model(&request, &KEY_AUTHS_ORDER), configuration.model(&request, order()));
            let (came_key_auth, came_policy) = (Came::of(&key_auth), Came::of(&policy));
            if came_key_auth.consumer() != model_key_auth {
                wrong.push(format!("{here}: key-auth: expected {model_key_auth:?}, got {came_key_auth:?}"));
            }
            if came_policy.consumer() != model_policy {
                wrong.push(format!("{here}: mtls-policy: expected {model_policy:?}, got {came_policy:?}"));
            }
            // Where the order makes no difference, every header is the same.
            if model_key_auth == model_policy && came_key_auth.headers != came_policy.headers {
                wrong.push(format!("{here}: key-auth sends {came_key_auth:?}, mtls-policy {came_policy:?}"));
            }
            // Certificate and rules name the consumer whom the headers name.
            let expected = model_policy.and_then(certificate_of);
            if policy.status == 200 && policy.common_name() != expected {
                wrong.push(format!(
                    "{here}: certificate: expected {expected:?}, got {:?}",
                    policy.common_name()
                ));
            }
            let _ = write!(table, "{:8}", format!("{}/{}", came_key_auth.letter(), came_policy.letter()));
        }
        table.push('\n');
    }
    println!(
        "Consumer with key-auth / with mtls-policy (j: jwt's, k: the key's, b: basic-auth's, a: anonymous, -: 401). Column: \
         jwt, key and basic-auth with anonymous (a), required (r), or absent (.). Row: credentials that are valid (v), \
         invalid (i) or missing (.)\n{table}"
    );
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// How a plugin of Kong's is configured on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Absent,
    /// Requests that it cannot authenticate pass as an anonymous consumer.
    Anonymous,
    /// It rejects requests that it cannot authenticate.
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Jwt,
    Key,
    BasicAuth,
}

/// The methods of a route.
struct Configuration {
    jwt: Mode,
    key: Mode,
    basic_auth: Mode,
}

/// A credential for a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    Missing,
    Valid,
    Invalid,
}

/// The credentials of a request. jwt and basic-auth do not share a header.
struct Request {
    jwt: Credential,
    key: Credential,
    basic_auth: Credential,
}

/// What the upstream received of the consumer; nothing if the request was rejected.
#[derive(Debug)]
struct Came {
    status: u16,
    headers: BTreeMap<&'static str, Vec<String>>,
}

impl Configuration {
    fn mode(&self, method: Method) -> Mode {
        match method {
            Method::Jwt => self.jwt,
            Method::Key => self.key,
            Method::BasicAuth => self.basic_auth,
        }
    }

    /// The name that its routes share.
    fn route(&self) -> String {
        let letter = |mode| match mode {
            Mode::Absent => 'x',
            Mode::Anonymous => 'a',
            Mode::Required => 'r',
        };
        [self.jwt, self.key, self.basic_auth].map(letter).iter().collect()
    }

    /// The consumer that a request is from, if the methods run in this order; `None` if it is rejected (401). As Kong's
    /// plugins do: one with `anonymous` leaves an authenticated request alone, one without always authenticates.
    fn model(&self, request: &Request, order: &[Method]) -> Option<&'static str> {
        let (mut consumer, mut is_authenticated) = (None, false);
        for method in order {
            let mode = self.mode(*method);
            if mode == Mode::Absent || mode == Mode::Anonymous && is_authenticated {
                continue;
            }
            let (credential, owner) = match method {
                Method::Jwt => (request.jwt, "jan"),
                Method::Key => (request.key, "kim"),
                Method::BasicAuth => (request.basic_auth, "bea"),
            };
            if credential == Credential::Valid {
                (consumer, is_authenticated) = (Some(owner), true);
            } else if mode == Mode::Anonymous {
                (consumer, is_authenticated) = (Some("guest"), false);
            } else {
                return None;
            }
        }
        consumer
    }
}

impl Request {
    fn name(&self) -> String {
        let letter = |credential| match credential {
            Credential::Missing => '.',
            Credential::Valid => 'v',
            Credential::Invalid => 'i',
        };
        [self.jwt, self.key, self.basic_auth].map(letter).iter().collect()
    }

    fn send(&self, setting: &Setting, target: &str, key: &str) -> Seen {
        let mut target = target.to_owned();
        let token = |secret: &str| token("jan-issuer", secret);
        match self.jwt {
            Credential::Missing => {}
            Credential::Valid => target += &format!("?jwt={}", token(JWT_SECRET)),
            Credential::Invalid => {
                target += &format!("?jwt={}", token("another-secret-of-nobody-at-all-here"))
            }
        }
        let request = setting.get(&target);
        let request = match self.key {
            Credential::Missing => request,
            Credential::Valid => request.header("X-API-Key", key),
            Credential::Invalid => request.header("X-API-Key", "nobody's"),
        };
        let basic = |password: &str| format!("Basic {}", STANDARD.encode(format!("bea:{password}")));
        let request = match self.basic_auth {
            Credential::Missing => request,
            Credential::Valid => request.header("Authorization", &basic("woof")),
            Credential::Invalid => request.header("Authorization", &basic("miaow")),
        };
        request.send()
    }
}

impl Came {
    fn of(seen: &Seen) -> Self {
        let header = |name: &'static str| (name, seen.header(name).into_iter().map(str::to_owned).collect());
        let headers = if seen.status == 200 { HEADERS.map(header).into() } else { BTreeMap::new() };
        Self { status: seen.status, headers }
    }

    fn consumer(&self) -> Option<&'static str> {
        let names = self.headers.get("x-consumer-username")?;
        // Anything else than one of them is no consumer of the model.
        let known = CONSUMERS.iter().find(|(name, _, _)| names.len() == 1 && names[0] == *name);
        Some(known.map_or("unknown", |(name, _, _)| name))
    }

    fn letter(&self) -> String {
        match self.consumer() {
            Some("guest") => "a".to_owned(),
            Some(name) => name[..1].to_owned(),
            None if self.status == 401 => "-".to_owned(),
            None => self.status.to_string(),
        }
    }
}

fn name(configuration: &Configuration) -> String {
    format!("{:8}", configuration.route().replace('x', "."))
}

/// Those with a key, and all requests.
fn configurations() -> Vec<Configuration> {
    let mut all = Vec::new();
    for key in [Mode::Anonymous, Mode::Required] {
        for jwt in [Mode::Absent, Mode::Anonymous, Mode::Required] {
            for basic_auth in [Mode::Absent, Mode::Anonymous, Mode::Required] {
                all.push(Configuration { jwt, key, basic_auth });
            }
        }
    }
    all
}

fn requests() -> Vec<Request> {
    let credentials = [Credential::Missing, Credential::Valid, Credential::Invalid];
    let mut all = Vec::new();
    for jwt in credentials {
        for key in credentials {
            for basic_auth in credentials {
                all.push(Request { jwt, key, basic_auth });
            }
        }
    }
    all
}

/// The order in which the methods run beside mtls-policy.
fn order() -> &'static [Method] {
    if lacks(Ability::RunsFilters).is_some() {
        &KEY_AUTHS_ORDER
    } else {
        // A filter runs after all plugins.
        &[Method::Jwt, Method::BasicAuth, Method::Key]
    }
}

/// By the plugins' priorities: 1450, 1250, 1100.
const KEY_AUTHS_ORDER: [Method; 3] = [Method::Jwt, Method::Key, Method::BasicAuth];

fn certificate_of(consumer: &str) -> Option<&'static str> {
    CONSUMERS.iter().find(|(name, _, _)| *name == consumer)?.2
}

fn config() -> String {
    let anonymous = |mode| if mode == Mode::Anonymous { "anonymous: guest" } else { "" };
    let mut routes = String::new();
    for each in configurations() {
        let kongs = |plugin: &str, mode: Mode, more: &str| match mode {
            Mode::Absent => String::new(),
            _ => format!("{{name: {plugin}, config: {{{more}{}}}}}, ", anonymous(mode)),
        };
        let others = kongs("jwt", each.jwt, "uri_param_names: [jwt], header_names: [x-no-jwt], ")
            + &kongs("basic-auth", each.basic_auth, "");
        let key = format!("key_names: [X-API-Key], {}", anonymous(each.key));
        for (twin, plugin) in [
            ("key-auth", format!("{{name: key-auth, config: {{{key}}}}}")),
            (
                "mtls-policy",
                format!("{{name: mtls-policy, config: {{{key}, {POLICY}}}}}").replace(", , ", ", "),
            ),
        ] {
            let name = format!("{twin}-{}", each.route());
            let _ = writeln!(routes, "  - {{name: {name}, paths: [/{name}], plugins: [{others}{plugin}]}}");
        }
    }
    let consumers: String = CONSUMERS
        .iter()
        .map(|(name, id, _)| {
            let credentials = match *name {
                "jan" => {
                    format!(", jwt_secrets: [{{key: jan-issuer, secret: {JWT_SECRET}, algorithm: HS256}}]")
                }
                "kim" => format!(", keyauth_credentials: [{{id: {KEY_ID}, key: <key of kim>}}]"),
                "bea" => ", basicauth_credentials: [{username: bea, password: woof}]".to_owned(),
                _ => String::new(),
            };
            format!("- {{username: {name}, id: {id}, custom_id: {name}-1{credentials}}}\n")
        })
        .collect();
    format!(
        r#"_format_version: "3.0"
consumers:
{consumers}services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
{routes}"#,
        upstream_mtls("")
    )
}

/// Names and ids as Kong's, and a certificate for each; none for the anonymous consumer.
const CONSUMERS: [(&str, &str, Option<&str>); 4] = [
    ("jan", "7c1e0000-0000-4000-8000-00000000000a", Some("kong-client")),
    ("kim", "7c1e0000-0000-4000-8000-00000000000b", Some("kong-intern")),
    ("bea", "7c1e0000-0000-4000-8000-00000000000c", Some("kong-vet")),
    ("guest", "7c1e0000-0000-4000-8000-00000000000d", None),
];

const POLICY: &str = "consumers: [\
    {username: jan, id: 7c1e0000-0000-4000-8000-00000000000a, custom_id: jan-1}, \
    {username: kim, id: 7c1e0000-0000-4000-8000-00000000000b, custom_id: kim-1, keys: [{id: a0000000-0000-4000-8000-00000000000b, sha256: <kim>}]}, \
    {username: bea, id: 7c1e0000-0000-4000-8000-00000000000c, custom_id: bea-1}, \
    {username: guest, id: 7c1e0000-0000-4000-8000-00000000000d, custom_id: guest-1}], \
    rules: [{match: {consumers: [jan]}, client_certificate: kong-client}, \
    {match: {consumers: [kim]}, client_certificate: kong-intern}, \
    {match: {consumers: [bea]}, client_certificate: kong-vet}]";

const KEY_ID: &str = "a0000000-0000-4000-8000-00000000000b";

const JWT_SECRET: &str = "a-secret-that-is-long-enough-for-hs256";

const HEADERS: [&str; 5] = [
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-credential-identifier",
    "x-anonymous-consumer",
];

/// A JSON Web Token (RFC 7519) of an issuer, signed with HS256.
fn token(issuer: &str, secret: &str) -> String {
    let [head, claims] = [r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(), format!(r#"{{"iss":"{issuer}"}}"#)]
        .map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{head}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(secret.as_bytes(), signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// RFC 2104, for keys of at most 64 bytes.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8, message: &[u8]| {
        let key: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        Sha256::digest([&key, message].concat()).to_vec()
    };
    padded(0x5c, &padded(0x36, message))
}
