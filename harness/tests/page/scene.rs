//! A stack with a page: two identities, three consumers, two routes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use harness::gateway::embedded::Embedded;
use harness::stack::{ANY_PORT, Plan, Stack};
use pki::{Leaf, Validity};
use time::Duration;

pub struct Scene {
    pub stack: Stack,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(CONFIG)
    }

    pub fn with(config: &str) -> Self {
        Self::of(Embedded { page: true }, config)
    }

    pub fn of(gateway: Embedded, config: &str) -> Self {
        let plan = Plan { config, clients: &CLIENTS, proxy: ANY_PORT, status: Some(ANY_PORT) };
        Self { stack: Stack::up(&gateway, &plan).unwrap_or_else(|error| panic!("{error:#}")) }
    }

    pub fn page(&self) -> SocketAddr {
        self.stack.gateway().status().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.page())
    }

    pub fn key(&self, of: &str) -> String {
        self.stack.keys().of(of).unwrap()
    }

    /// Sends a request through the gateway: the answer's status.
    pub fn send(&self, method: &str, target: &str, key: Option<&str>) -> u16 {
        let key = key.map(|key| format!("X-API-Key: {key}\r\n")).unwrap_or_default();
        ask(self.stack.gateway().proxy(), &format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{key}"))
            .0
    }

    /// A new certificate where the gateway finds that of a name.
    pub fn rotate(&self, name: &str, days: i64) -> String {
        let validity = Validity::lasting(Duration::days(days)).unwrap();
        let issued = self.stack.authority().issue(&Leaf::client(name).valid(validity)).unwrap();
        self.stack.rotate(name, &issued).unwrap();
        self.stack.fingerprint(name).unwrap()
    }

    /// What lies there then can be presented by nobody.
    pub fn break_pair(&self, name: &str) {
        let stranger = self.stack.authority().issue(&Leaf::client(name)).unwrap();
        let own = self.stack.authority().issue(&Leaf::client(name)).unwrap();
        let authority = self.stack.authority().pem();
        self.stack.put(name, &own.chain_pem(), &stranger.key().pem(), &authority).unwrap();
    }

    /// What the command line says of the config in force, told the same.
    pub fn explained(&self, arguments: &[&str], key: Option<&str>) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"))
            .args(["policy", "explain", "kong.yml"])
            .args(arguments)
            .args(key.map(|_| "--key"))
            .current_dir(self.stack.directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        command.stdin.take().unwrap().write_all(key.unwrap_or_default().as_bytes()).unwrap();
        String::from_utf8(command.wait_with_output().unwrap().stdout).unwrap()
    }

    /// All that must not be seen: keys, and what policies hold of them.
    pub fn secrets(&self) -> Vec<String> {
        let names = self.stack.keys().names();
        names
            .iter()
            .map(|name| self.key(name))
            .flat_map(|key| [policy_tools::keys::digest(&key), key])
            .collect()
    }
}

/// Status, head and body of what a server on this machine answers. `head` has no end yet.
pub fn ask(server: SocketAddr, head: &str) -> (u16, String, String) {
    ask_with(server, head, "")
}

pub fn ask_with(server: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "{head}{length}Connection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), head.to_lowercase(), body.to_owned())
}

const CLIENTS: [&str; 2] = ["kong-client", "kong-vet"];

/// With a consumer whose name is markup.
pub const CONFIG: &str = r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443/anything
  plugins:
  - name: upstream-mtls
    config:
      client_certificates:
      - {name: kong-client, cert_file: /etc/secrets/kong-upstream-mtls/tls.crt, key_file: /etc/secrets/kong-upstream-mtls/tls.key}
      - {name: kong-vet, cert_file: /etc/secrets/kong-vet/tls.crt, key_file: /etc/secrets/kong-vet/tls.key}
      ca_file: /etc/secrets/kong-upstream-mtls/ca.crt
      reload_interval: 0.1
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config: &policy
        key_names: [X-API-Key]
        hide_credentials: true
        consumers:
        - username: model-citizen
          keys: [{id: "1", sha256: <model-citizen>}]
        - username: vet
          groups: [vets]
          keys: [{id: "1", sha256: <vet>}]
        - username: "<img src=x onerror=document.title='owned'>"
          keys: [{id: "1", sha256: <mallory>}]
        client_certificate: kong-client
        rules:
        - match: {groups: [vets], methods: [POST, PUT]}
          client_certificate: kong-vet
        - match: {consumers: [model-citizen], path_prefix: /anything/keys}
          deny: {status: 403, message: "not for citizens"}
  - name: kennels
    paths: [/kennels]
    plugins:
    - name: mtls-policy
      config: *policy
"#;
