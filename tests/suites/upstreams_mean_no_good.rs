//! An upstream that means no good spoils its own answers: the next request, and everybody else's, is as it should be, and
//! it is told no other identity than the one that was decided for it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use pki::Leaf;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{DistinguishedName, ServerConfig, SupportedProtocolVersion};
use tests::config::upstream_mtls;
use tests::rogue::{Answer, Asking, Rogue};
use tests::{Setting, raw, skip, tests};

tests![
    an_answer_that_is_none_spoils_no_other,
    an_answer_in_drops_holds_up_nobody_else,
    a_chain_without_end_is_refused,
    authorities_that_an_upstream_asks_for_choose_no_other_certificate,
    an_upstream_that_wants_another_handshake_gets_no_other_identity,
];

fn an_answer_that_is_none_spoils_no_other() {
    let many = |line: &str, times: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(times));
    let rows: Vec<(&str, Vec<u8>)> = [
        ("many long headers", many(&format!("X-Bomb: {}\r\n", "x".repeat(8000)), 1000)),
        ("many short headers", many("X: y\r\n", 100_000)),
        ("a header without an end", format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(5_000_000))),
        ("a status without an end", format!("HTTP/1.1 200 {}", "x".repeat(5_000_000))),
        ("a flood of hints", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(10_000)),
        ("hints with headers of ours", "HTTP/1.1 103 Early Hints\r\nX-Consumer-Username: x\r\n\r\n".repeat(3)),
        ("another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwhatever".to_owned()),
        ("two answers at once", format!("{FIRST}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")),
        ("ten answers at once", FIRST.to_owned() + &"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged".repeat(9)),
        ("a body that is longer than it says", format!("{FIRST}and more")),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nfirst".to_owned()),
        ("a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n".to_owned()),
        ("chunks that are none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nfirst\r\n".to_owned()),
        ("a chunk larger than any", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nfirst\r\n".to_owned()),
        ("trailers without an end", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}", "X: y\r\n".repeat(100_000))),
        ("no status", "HTTP/1.1 OK\r\n\r\n".to_owned()),
        ("a status of its own", "HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        ("nothing", String::new()),
        ("a NUL in a header", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 5\r\n\r\nfirst".to_owned()),
        ("a line that goes on", "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 5\r\n\r\nfirst".to_owned()),
        ("no more than a body was promised", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nfirst".to_owned()),
    ]
    .map(|(what, bytes)| (what, bytes.into_bytes()))
    .into();
    let (told, turn) = (Arc::new(rows.clone()), Arc::new(AtomicUsize::new(usize::MAX)));
    let shown = turn.clone();
    // What the turn has, once; then what every upstream would answer.
    let answer = move |client: &mut dyn Write| match told.get(shown.swap(usize::MAX, Ordering::Relaxed)) {
        Some((_, bytes)) if bytes.ends_with(b"forged") || bytes.ends_with(b"first") => {
            client.write_all(bytes).map(|()| true)
        }
        Some((_, bytes)) => client.write_all(bytes).map(|()| false),
        None => client.write_all(RIGHT).map(|()| true),
    };
    let scene = Scene::with(|setting| Rogue::start(server(setting, None, TLS), Box::new(answer)));
    for (number, (what, _)) in rows.iter().enumerate() {
        turn.store(number, Ordering::Relaxed);
        let began = Instant::now();
        let answer = scene.ask_rogue();
        assert!(began.elapsed() < Duration::from_secs(15), "{what}: it took {:?}", began.elapsed());
        println!("{what}: {}", answer.status);
        assert!(!answer.body.contains("forged"), "{what}: {answer:?}");
        for again in 0..3 {
            let next = scene.ask_rogue();
            assert_eq!((next.status, next.body.as_str()), (200, "right"), "{what}, {again} after it");
        }
        scene.others_are_as_they_were(what);
    }
    scene.rogue_has_heard_only_its_own(true);
}

fn an_answer_in_drops_holds_up_nobody_else() {
    let done = Arc::new(AtomicBool::new(false));
    let ended = done.clone();
    let (_drop_to_stop, ticks) = mpsc::channel::<()>();
    let ticks = std::sync::Mutex::new(ticks);
    let answer = move |client: &mut dyn Write| {
        client.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
        while !ended.load(Ordering::Relaxed) {
            client.write_all(b"x")?;
            client.flush()?;
            let _ = ticks.lock().unwrap().recv_timeout(Duration::from_millis(20));
        }
        client.write_all(b"\r\nContent-Length: 5\r\n\r\nright").map(|()| false)
    };
    let scene = Scene::with(|setting| Rogue::start(server(setting, None, TLS), Box::new(answer)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| scene.ask_rogue());
        scene.setting.wait_until("the slow one is asked", || !scene.rogue.heard().is_empty());
        for _ in 0..50 {
            let began = Instant::now();
            scene.others_are_as_they_were("while another waits");
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(waiting.join().unwrap().body, "right");
    });
    scene.rogue_has_heard_only_its_own(true);
}

fn a_chain_without_end_is_refused() {
    let scene = Scene::with(|setting| {
        let tail = CertificateDer::from_pem_slice(setting.authority().pem().as_bytes()).unwrap();
        Rogue::start(server_with(setting, None, TLS, &vec![tail; 2000]), right())
    });
    for _ in 0..3 {
        let answer = scene.ask_rogue();
        assert_eq!(answer.status, 502, "{answer:?}");
        scene.others_are_as_they_were("a chain without an end");
    }
    assert!(scene.rogue.heard().is_empty(), "a chain that is too long was taken");
}

fn authorities_that_an_upstream_asks_for_choose_no_other_certificate() {
    let name = |text: &[u8]| DistinguishedName::in_sequence(text);
    // `2.5.4.3` (common name) as a UTF-8 string.
    let stranger = |number: usize| {
        let text = format!("stranger {number:04}");
        let value = [&[0x06, 3, 0x55, 4, 3, 0x0c, text.len() as u8], text.as_bytes()].concat();
        let pair = [&[0x30, value.len() as u8], &value[..]].concat();
        name(&[&[0x31, pair.len() as u8], &pair[..]].concat())
    };
    let rows = [
        ("none", vec![]),
        ("a stranger", vec![stranger(0)]),
        ("many strangers", (0..1000).map(stranger).collect()),
        ("an empty name", vec![name(b"")]),
        ("no name", vec![name(b"\xff\xff\0")]),
    ];
    for (what, authorities) in rows {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let asking = Asking { authorities: authorities.clone() };
            let scene =
                Scene::with(|setting| Rogue::start(server(setting, Some(asking), &[version]), right()));
            for _ in 0..3 {
                let answer = scene.ask_rogue();
                assert!(matches!(answer.status, 200 | 502), "{what}: {answer:?}");
                scene.others_are_as_they_were(what);
            }
            println!(
                "{what}, {version:?}: {:?}",
                scene.rogue.heard().iter().map(Option::is_some).collect::<Vec<_>>()
            );
            scene.rogue_has_heard_only_its_own(false);
        }
    }
}

/// OpenSSL's own server, which asks for another handshake on a connection when it is told to (TLS 1.2).
fn an_upstream_that_wants_another_handshake_gets_no_other_identity() {
    let scene = Scene::with(|setting| Rogue::start(server(setting, None, TLS), right()));
    let issued = scene.setting.authority().issue(&dogcatcher()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in
        [("chain", issued.chain_pem()), ("key", issued.key().pem()), ("ca", scene.setting.authority().pem())]
    {
        std::fs::write(directory.path().join(file), text).unwrap();
    }
    let mut openssl = Command::new("openssl")
        .current_dir(directory.path())
        .args("s_server -accept 127.0.0.1:0 -cert chain -cert_chain chain -key key -CAfile ca -verify 3 -tls1_2 -crlf".split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map(Openssl)
        .unwrap_or_else(|error| skip(format!("no openssl: {error}")));
    let mut said = BufReader::new(openssl.0.stdout.take().unwrap());
    let mut until = |mark: &str| loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "OpenSSL has ended before it said {mark}");
        if line.contains(mark) {
            return line;
        }
    };
    let port = until("ACCEPT").rsplit(':').next().unwrap().trim().parse().unwrap();
    scene.setting.reconfigure_to(&config(port)).unwrap();
    thread::scope(|scope| {
        let began = Instant::now();
        let waiting = scope.spawn(|| scene.ask_rogue());
        until("GET /anything");
        let stdin = openssl.0.stdin.as_mut().unwrap();
        stdin.write_all(b"R\n").unwrap();
        until("SSL_do_handshake");
        scene.others_are_as_they_were("while another handshake is asked for");
        // Whether the gateway takes part in it or not, OpenSSL goes on to this when it is told so, or has ended.
        let _ = stdin.write_all(b"HTTP/1.1 200 OK\nContent-Length: 7\n\nright\n");
        let _ = stdin.flush();
        let answer = waiting.join().unwrap();
        println!("{}: {:?}", answer.status, answer.body);
        assert!(began.elapsed() < Duration::from_secs(19), "{:?}", began.elapsed());
    });
    scene.others_are_as_they_were("after another handshake was asked for");
}

struct Openssl(Child);

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A gateway with two upstreams: `/dogs` is Dogcatcher's, `/rogue` is not.
struct Scene {
    // The gateway is gone before its upstream.
    setting: Setting,
    rogue: Rogue,
}

impl Scene {
    fn with(rogue: impl FnOnce(&Setting) -> Rogue) -> Self {
        let setting = Setting::of(&config(1));
        let rogue = rogue(&setting);
        setting.reconfigure_to(&config(rogue.port())).unwrap();
        Self { setting, rogue }
    }

    /// On a connection of its own; the gateway's own connections are kept alive.
    fn ask_rogue(&self) -> harness::cases::Answer {
        raw::get(self.setting.proxy(), "/rogue/anything", &[("X-API-Key", &self.setting.key("ann"))])
    }

    fn others_are_as_they_were(&self, when: &str) {
        for (who, owed) in [("ann", "kong-client"), ("vet", "kong-vet")] {
            let seen = self.setting.get("/dogs/anything").key(who).send();
            assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "{when}: {}", seen.text);
        }
    }

    fn rogue_has_heard_only_its_own(&self, always: bool) {
        let own = self.setting.fingerprint("kong-intern");
        for shown in self.rogue.heard() {
            assert!(
                shown.as_ref() == Some(&own) || shown.is_none() && !always,
                "another certificate was shown"
            );
        }
    }
}

fn config(rogue: u16) -> String {
    let policy = |certificate: &str| {
        format!(
            "{{name: mtls-policy, config: {{key_names: [X-API-Key], hide_credentials: true, client_certificate: {certificate}, \
             consumers: [{{username: ann, keys: [{{id: '1', sha256: <ann>}}]}}, {{username: vet, keys: [{{id: '1', sha256: <vet>}}]}}], \
             rules: [{{match: {{consumers: [vet]}}, client_certificate: kong-vet}}]}}}}"
        )
    };
    format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{0}]
  routes: [{{name: dogs, paths: [/dogs], plugins: [{1}]}}]
- name: rogue
  url: https://localhost:{rogue}
  retries: 0
  read_timeout: 10000
  plugins: [{0}]
  routes: [{{name: rogue, paths: [/rogue], plugins: [{2}]}}]
"#,
        upstream_mtls(""),
        policy("kong-client"),
        policy("kong-intern"),
    )
}

fn dogcatcher() -> Leaf {
    Leaf::server("rogue").reached_as("localhost".parse().unwrap())
}

fn right() -> Box<Answer> {
    Box::new(|client| client.write_all(RIGHT).map(|()| true))
}

fn server(
    setting: &Setting,
    asking: Option<Asking>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    server_with(setting, asking, versions, &[])
}

/// With a certificate that the gateway believes, and what else is sent with it.
fn server_with(
    setting: &Setting,
    asking: Option<Asking>,
    versions: &[&'static SupportedProtocolVersion],
    more: &[CertificateDer<'static>],
) -> Arc<ServerConfig> {
    let issued = setting.authority().issue(&dogcatcher()).unwrap();
    let own = issued.chain_pem();
    let chain = CertificateDer::pem_slice_iter(own.as_bytes()).map(Result::unwrap);
    let chain: Vec<_> = chain.chain(more.iter().cloned()).collect();
    let key = PrivateKeyDer::from_pem_slice(issued.key().pem().as_bytes()).unwrap();
    let asking = asking.unwrap_or(Asking { authorities: Vec::new() });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(config.with_client_cert_verifier(Arc::new(asking)).with_single_cert(chain, key).unwrap())
}

const TLS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

const FIRST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst";

const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";
