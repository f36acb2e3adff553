//! Keys and their successors, at a gateway that runs the real filter.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::gateway::Options;
use harness::stack::{ANY_PORT, Plan, Stack};

use crate::keys;

#[test]
fn a_key_and_its_successor_are_let_in_within_their_windows_and_at_no_other_time() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = keys(&["new", "--id", "first", "--json"], "").json();
    let first = made["key"].as_str().unwrap();
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../kong/kong.yml")).unwrap();
    let config = shipped.replace(&"0".repeat(64), made["entry"]["sha256"].as_str().unwrap());
    assert_ne!(config, shipped);

    let plan = Plan { config: &config, clients: &["kong-client"], proxy: ANY_PORT, status: None };
    let embedded = harness::gateway::by_name("embedded", &Options::default()).unwrap();
    let stack = Stack::up(&*embedded, &plan).unwrap();
    let status = |key: &str| {
        let mut stream = TcpStream::connect(stack.gateway().proxy()).unwrap();
        let request = format!(
            "GET /dogcatcher-mtls/api/whoami HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!((status(first), status("another")), ("200".to_owned(), "401".to_owned()));

    let path = stack.config();
    let rotate = |more: &[&str]| {
        let arguments = [&["rotate", path.to_str().unwrap(), "--consumer", "model-citizen", "--json"], more];
        let said = keys(&arguments.concat(), "");
        assert_eq!(said.code, 0, "{}", said.err);
        stack.gateway().reload().unwrap();
        said.json()
    };
    let done = rotate(&["--id", "second"]);
    let second = done["key"].as_str().unwrap();
    assert_eq!((status(first), status(second)), ("200".to_owned(), "200".to_owned()), "the overlap");

    // What the windows say is what counts: the old key's end, and the new one's beginning.
    let rotated = fs::read_to_string(&path).unwrap();
    let with = |from: &str, to: &str| {
        let changed = rotated.replace(from, to);
        assert_ne!(changed, rotated);
        fs::write(&path, changed).unwrap();
        stack.gateway().reload().unwrap();
    };
    with(done["old_not_after"].as_str().unwrap(), "2026-01-01T00:00:00Z");
    assert_eq!((status(first), status(second)), ("401".to_owned(), "200".to_owned()), "after the overlap");
    with(done["entry"]["not_before"].as_str().unwrap(), "2999-01-01T00:00:00Z");
    assert_eq!((status(first), status(second)), ("200".to_owned(), "401".to_owned()), "before the successor");

    // Without an overlap the old key ends with this second.
    fs::write(&path, &rotated).unwrap();
    let done = rotate(&["--key", "second", "--overlap", "0", "--id", "third"]);
    let third = done["key"].as_str().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while status(second) != "401" {
        assert!(Instant::now() < end, "the old key outlives its end");
    }
    assert_eq!(status(third), "200");
}
