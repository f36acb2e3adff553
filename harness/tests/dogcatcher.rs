//! Dogcatcher: whom it lets in, what it serves, and `harness dogcatcher` as it is typed and signalled.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Once};

use harness::dogcatcher::{ClientCertificate, Dogcatcher, Fault, Options, Sessions, Tls, Versions};
use pki::{Authority, Ca, Issued, Leaf, Reason, Revocations, Validity};
use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

#[test]
fn without_a_good_client_certificate_the_handshake_fails() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let authority = Authority::root(&Ca::named("CA")).unwrap();
        let stranger = Authority::root(&Ca::named("CA")).unwrap();
        let dogcatcher = dogcatcher(&authority, versions);
        let client = || Leaf::client("kong-client");
        let rows = [
            ("none", None),
            ("of another CA of the same name", Some(stranger.issue(&client()).unwrap())),
            ("expired", Some(authority.issue(&client().valid(Validity::expired())).unwrap())),
            ("not yet valid", Some(authority.issue(&client().valid(Validity::not_yet())).unwrap())),
            (
                "for servers only",
                Some(
                    authority
                        .issue(&Leaf::server("kong-client").reached_as("localhost".parse().unwrap()))
                        .unwrap(),
                ),
            ),
        ];
        for (number, (which, issued)) in rows.iter().enumerate() {
            let answer = http(&authority, issued.as_ref()).get(url(&dogcatcher, "/api/whoami")).send();
            assert!(answer.is_err(), "{which}, {versions:?}: {answer:?}");
            wait(|| dogcatcher.counts().refused_handshakes == u64::try_from(number).unwrap() + 1);
            assert_eq!(dogcatcher.counts().requests, 0, "{which}, {versions:?}");
        }
        let good = authority.issue(&client()).unwrap();
        let seen: Value = http(&authority, Some(&good))
            .get(url(&dogcatcher, "/api/whoami"))
            .header("X-Said", "this")
            .send()
            .unwrap()
            .json()
            .unwrap();
        assert_eq!(seen["client"]["common_name"], "kong-client", "{seen}");
        assert_eq!(seen["client"]["fingerprint"], good.fingerprint(), "{seen}");
        assert!(seen["headers"].to_string().contains("x-said"), "{seen}");
    }
}

#[test]
fn dogs_are_listed_got_created_updated_and_deleted() {
    let authority = Authority::root(&Ca::named("CA")).unwrap();
    let dogcatcher = dogcatcher(&authority, Versions::Both);
    let http = http(&authority, Some(&authority.issue(&Leaf::client("kong-client")).unwrap()));
    let dogs = url(&dogcatcher, "/api/dogs/");
    let rex = http.post(&dogs).json(&json!({"name": "Rex"})).send().unwrap();
    assert_eq!(rex.status(), 201);
    let rex: Value = rex.json().unwrap();
    let one = format!("{dogs}{}", rex["id"]);
    let all: Value = http.get(&dogs).send().unwrap().json().unwrap();
    assert_eq!(all, json!([rex]));
    let renamed: Value =
        http.put(&one).json(&json!({"name": "Bello", "breed": "mutt"})).send().unwrap().json().unwrap();
    assert_eq!(renamed, json!({"id": rex["id"], "name": "Bello", "breed": "mutt"}));
    assert_eq!(http.get(&one).send().unwrap().json::<Value>().unwrap(), renamed);
    assert_eq!(http.delete(&one).send().unwrap().status(), 200);
    assert_eq!(http.get(&one).send().unwrap().status(), 404);
}

#[test]
fn it_serves_http_and_mutual_tls_and_goes_when_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::root(&Ca::named("CA")).unwrap();
    authority.write(directory.path(), "ca").unwrap();
    server(&authority).write(directory.path(), "server").unwrap();
    let http = http(&authority, Some(&authority.issue(&Leaf::client("kong-client")).unwrap()));
    for signal in ["TERM", "INT"] {
        let mut typed = Typed::start(directory.path(), &[]);
        let plain = typed.address("http http://");
        let mtls = typed.address("mtls https://127.0.0.1");
        assert_eq!(http.get(format!("http://{plain}/health")).send().unwrap().status(), 200);
        let seen = http.get(format!("https://localhost{mtls}/api/whoami")).send().unwrap();
        assert_eq!(seen.status(), 200);
        assert_eq!(typed.end(signal), Some(0), "{signal}");
    }
}

#[test]
fn the_environment_says_what_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let http = Client::builder().no_proxy().build().unwrap();
    let environment =
        [("MTLS_ENABLED", "false"), ("API_KEY_REQUIRED", "true"), ("API_KEYS", "open-sesame,other")];
    let mut typed = Typed::start(directory.path(), &environment);
    let url = format!("http://{}/api/dogs/", typed.address("http http://"));
    assert_eq!(http.get(&url).send().unwrap().status(), 401);
    assert_eq!(http.get(&url).header("X-API-Key", "sesame").send().unwrap().status(), 401);
    assert_eq!(http.get(&url).header("X-API-Key", "other").send().unwrap().status(), 200);
    assert_eq!(typed.end("TERM"), Some(0));

    let missing = command(directory.path()).output().unwrap();
    let told = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(1), "{told}");
    assert!(told.contains("server.crt") && told.contains("harness certs generate"), "{told}");
}

#[test]
fn a_revoked_client_is_refused_once_the_list_is_taken_over_and_a_broken_list_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::root(&Ca::named("CA")).unwrap();
    authority.write(directory.path(), "ca").unwrap();
    server(&authority).write(directory.path(), "server").unwrap();
    let [kept, revoked] = ["kept", "revoked"].map(|name| authority.issue(&Leaf::client(name)).unwrap());
    let list = directory.path().join("ca.crl");
    let put = |text: &str| {
        let new = directory.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &list).unwrap();
    };
    let mut revocations = Revocations::default();
    put(&revocations.sign(&authority, Revocations::validity().unwrap()).unwrap());

    let mut command = command(directory.path());
    command.arg("--crl").arg(&list).args(["--reload-interval", "1"]);
    let mut typed = Typed::spawn(command);
    let _plain = typed.address("http http://");
    let url = format!("https://localhost{}/api/whoami", typed.address("mtls https://127.0.0.1"));
    // A new client connects anew.
    let is_let_in = |who: &Issued| http(&authority, Some(who)).get(&url).send().is_ok();
    assert!(is_let_in(&kept) && is_let_in(&revoked));

    let found = pki::inspect::Certificate::of(revoked.der().clone()).unwrap();
    revocations.revoke(&found, Reason::KeyCompromise, time::OffsetDateTime::now_utc());
    put(&revocations.sign(&authority, Revocations::validity().unwrap()).unwrap());
    wait(|| !is_let_in(&revoked));
    assert!(is_let_in(&kept));

    put("no list at all");
    let mut told = String::new();
    while !told.contains("refused, all stays as it was") {
        told.clear();
        assert!(typed.stderr.read_line(&mut told).unwrap() > 0, "it ended");
    }
    assert!(is_let_in(&kept) && !is_let_in(&revoked));

    // Out of date, it says nothing; so nobody is let in.
    put(&revocations.sign(&authority, Validity::expired()).unwrap());
    wait(|| !is_let_in(&kept));
    assert_eq!(typed.end("TERM"), Some(0));
}

/// What each fault is to whoever meets it on the wire.
#[test]
fn each_fault_is_what_it_says() {
    let authority = Authority::root(&Ca::named("CA")).unwrap();
    let dogcatcher = dogcatcher(&authority, Versions::Both);
    let issued = authority.issue(&Leaf::client("kong-client")).unwrap();
    let address = dogcatcher.mtls().unwrap();
    let ask = |mut wire: Wire| {
        wire.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        read(&mut wire).map(|came| (came, wire))
    };
    let connect = || tls(&authority, &issued, address);
    let fails = |fault| {
        dogcatcher.set_fault(fault);
        connect().and_then(ask).map(|(came, _)| came).unwrap_err().kind()
    };
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, UnexpectedEof, WouldBlock};

    dogcatcher.set_fault(Fault::Down);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ConnectionRefused);
    dogcatcher.set_fault(Fault::None);
    assert!(connect().and_then(ask).is_ok());
    assert!(matches!(fails(Fault::Refuse), UnexpectedEof | ConnectionReset));
    for fault in [Fault::ResetHandshake, Fault::ResetRequest] {
        assert_eq!(fails(fault), ConnectionReset, "{fault:?}");
    }
    for fault in [Fault::StallHandshake, Fault::StallRequest, Fault::Vanish] {
        assert_eq!(fails(fault), WouldBlock, "{fault:?}");
    }
    assert_eq!(fails(Fault::SpeakHttpFirst), std::io::ErrorKind::InvalidData);
    assert_eq!(fails(Fault::DropAuthorities), std::io::ErrorKind::InvalidData);

    // The response, and then the connection's end.
    for (fault, response, end) in [
        (Fault::ResetResponse, "half a ", Err(ConnectionReset)),
        (Fault::StallResponse, "half a ", Err(WouldBlock)),
        (Fault::ResetIdle, OK, Err(ConnectionReset)),
        (Fault::HalfClose, OK, Ok(0)),
        (Fault::CloseEach, OK, Ok(0)),
        (Fault::Drip, "HTTP/1.1 200 OK", Err(WouldBlock)),
        (Fault::None, OK, Err(WouldBlock)),
    ] {
        dogcatcher.set_fault(fault);
        let (came, mut wire) = connect().and_then(ask).unwrap();
        assert!(came.contains(response), "{fault:?}: {came}");
        assert_eq!(came.contains("connection: close"), fault == Fault::CloseEach, "{fault:?}: {came}");
        if fault == Fault::Drip {
            continue;
        }
        assert_eq!(wire.read(&mut [0]).map_err(|error| error.kind()), end, "{fault:?}");
        if fault == Fault::HalfClose {
            wire.write_all(b"nobody minds").unwrap();
            wire.flush().unwrap();
        }
    }

    dogcatcher.set_fault(Fault::ResetKept);
    let (came, wire) = connect().and_then(ask).unwrap();
    assert!(came.contains(OK));
    assert_eq!(ask(wire).map(drop).unwrap_err().kind(), ConnectionReset);

    dogcatcher.set_fault(Fault::RefuseNewCertificates);
    assert!(connect().and_then(ask).is_ok(), "it was let in before");
    let next = authority.issue(&Leaf::client("kong-client")).unwrap();
    assert!(tls(&authority, &next, address).and_then(ask).is_err());
    let other = authority.issue(&Leaf::client("kong-vet")).unwrap();
    assert!(tls(&authority, &other, address).and_then(ask).is_ok(), "nobody of this name was before");
    dogcatcher.set_fault(Fault::None);
    assert!(tls(&authority, &next, address).and_then(ask).is_ok());
}

#[test]
fn a_fault_is_asked_for_and_switched() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path());
    command.env("MTLS_ENABLED", "false").args(["--fault", "reset-request"]);
    let mut typed = Typed::spawn(command);
    let url = format!("http://{}/health", typed.address("http http://"));
    let authority = Authority::root(&Ca::named("CA")).unwrap();
    let is_well = || http(&authority, None).get(&url).send().is_ok();
    assert!(!is_well());
    for (told, well) in [("fault: none", true), ("fault: reset-request", false)] {
        typed.signal("USR1");
        let mut line = String::new();
        typed.stderr.read_line(&mut line).unwrap();
        assert_eq!((line.trim_end(), is_well()), (told, well));
    }
    assert_eq!(typed.end("TERM"), Some(0));
}

type Wire = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A connection; silence on it is an error after a short while.
fn tls(authority: &Authority, issued: &Issued, address: SocketAddr) -> std::io::Result<Wire> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![issued.der().clone()],
            PrivateKeyDer::from_pem_slice(issued.key().pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(std::time::Duration::from_millis(500)))?;
    Ok(rustls::StreamOwned::new(client, stream))
}

/// What comes in one go.
fn read(wire: &mut Wire) -> std::io::Result<String> {
    let mut came = vec![0; 4096];
    let count = wire.read(&mut came)?;
    if count == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&came[..count]).into_owned())
}

const OK: &str = "{\"status\":\"ok\"}";

fn server(authority: &Authority) -> Issued {
    authority.issue(&Leaf::server("dogcatcher-api").reached_as("localhost".parse().unwrap())).unwrap()
}

fn dogcatcher(authority: &Authority, versions: Versions) -> Dogcatcher {
    let own = server(authority);
    let tls = Tls {
        chain: own.chain_pem(),
        key: own.key().pem(),
        client_authorities: authority.pem(),
        client_revocations: None,
        client_certificate: ClientCertificate::Demanded,
        versions,
        sessions: Sessions::None,
    };
    let mtls = Some(("127.0.0.1:0".parse().unwrap(), tls));
    Dogcatcher::start(&Options { mtls, ..Options::default() }).unwrap()
}

fn url(dogcatcher: &Dogcatcher, path: &str) -> String {
    format!("https://localhost:{}{path}", dogcatcher.mtls().unwrap().port())
}

fn http(authority: &Authority, identity: Option<&Issued>) -> Client {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    let trusted = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([trusted]);
    match identity {
        Some(issued) => {
            let pem = issued.key().pem() + &issued.chain_pem();
            client.identity(Identity::from_pem(pem.as_bytes()).unwrap())
        }
        None => client,
    }
    .build()
    .unwrap()
}

fn command(certificates: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["dogcatcher", "--http", "127.0.0.1:0", "--mtls", "127.0.0.1:0", "--cert-dir"]);
    command.arg(certificates);
    command
}

/// `harness dogcatcher` as a process.
struct Typed {
    process: Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Typed {
    fn start(certificates: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = command(certificates);
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let stderr = BufReader::new(process.stderr.take().unwrap());
        Self { process, stdout, stderr }
    }

    /// The next line that it prints, after this.
    fn address(&mut self, before: &str) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().strip_prefix(before).unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    fn end(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the other end counts, it may count a moment later.
fn wait(mut so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !so() {
        assert!(std::time::Instant::now() < deadline, "never came true");
        std::thread::yield_now();
    }
}
