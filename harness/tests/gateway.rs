//! `harness gateway`, as it is typed and signalled.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

#[test]
fn it_says_where_it_serves_reloads_on_sighup_and_goes_on_sigterm() {
    let directory = fixture("dogs");
    let mut gateway = Gateway::start(directory.path());
    assert!(gateway.get("/dogs").starts_with("HTTP/1.1 502 "), "{}", gateway.get("/dogs"));
    assert!(gateway.get("/cats").starts_with("HTTP/1.1 404 "));

    write_config(directory.path(), "cats");
    gateway.signal("HUP");
    gateway.until("/cats", "HTTP/1.1 502 ");
    assert!(gateway.get("/dogs").starts_with("HTTP/1.1 404 "));

    std::fs::write(directory.path().join("kong.yml"), "no config").unwrap();
    gateway.signal("HUP");
    wait(|| fetch(&gateway.status, "/status").contains("\"refused\": 1").then_some(()));
    assert!(gateway.get("/cats").starts_with("HTTP/1.1 502 "));

    assert_eq!(gateway.end("TERM").code(), Some(0));
}

#[test]
fn it_goes_on_sigint() {
    let directory = fixture("dogs");
    let mut gateway = Gateway::start(directory.path());
    assert_eq!(gateway.end("INT").code(), Some(0));
}

#[test]
fn what_it_cannot_serve_it_refuses_and_says_why() {
    let directory = fixture("dogs");
    let run = |args: &[&str]| {
        let output = command(directory.path()).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = run(&["--config", "nowhere.yml"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("nowhere.yml: no such file"), "{told}");

    std::fs::write(directory.path().join("bad.yml"), "_format_version: \"3.0\"\nservices: 7\n").unwrap();
    let (code, told) = run(&["--config", "bad.yml"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("bad.yml"), "{told}");

    let (code, told) = run(&["--config", "kong.yml", "--filters", "nowhere"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("nowhere"), "{told}");
}

#[test]
fn a_gateway_that_is_not_here_cannot_be_asked() {
    let directory = fixture("dogs");
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(directory.path()).env("HARNESS_FILTERS", "filters");
    let output = command
        .args(["gateway", "--gateway", "kong", "--kong-bin", "nowhere", "--config", "kong.yml"])
        .output();
    let output = output.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("nowhere is no kong"), "{told}");
}

#[test]
fn a_gateway_that_was_killed_comes_back_on_its_port() {
    let directory = fixture("one");
    let mut gateway = Gateway::start(directory.path());
    gateway.until("/one", "HTTP/1.1 502");
    let _kept = TcpStream::connect(&gateway.proxy).unwrap();
    gateway.end("KILL");
    let again = Gateway::of(at(directory.path(), &gateway.proxy));
    assert_eq!(again.proxy, gateway.proxy);
    again.until("/one", "HTTP/1.1 502");
}

#[test]
fn a_gateway_without_file_descriptors_serves_again_when_it_has_some() {
    let directory = fixture("one");
    let gateway = Gateway::of(limited(directory.path(), 64));
    let connections: Vec<_> = (0..100).map(|_| TcpStream::connect(&gateway.proxy).unwrap()).collect();
    // Nobody is served beside them.
    let mut late = TcpStream::connect(&gateway.proxy).unwrap();
    late.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    late.write_all(b"GET /one HTTP/1.1\r\nHost: gateway\r\n\r\n").unwrap();
    late.read_exact(&mut [0]).unwrap_err();
    drop((connections, late));
    gateway.until("/one", "HTTP/1.1 502");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let directory = fixture("one");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let outcome = at(directory.path(), &taken).args(["--config", "kong.yml"]).output().unwrap();
    let told = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(1), "{told}");
    assert!(told.contains(&taken), "{told}");
}

/// A directory with a config and a filter that lets everything pass.
fn fixture(route: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("filters")).unwrap();
    let filter = wat::parse_str(
        "(module
          (memory (export \"memory\") 1)
          (func (export \"proxy_abi_version_0_2_1\"))
          (func (export \"proxy_on_context_create\") (param i32 i32))
          (func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.const 1024))
          (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (i32.const 0)))",
    );
    std::fs::write(directory.path().join("filters/pass.wasm"), filter.unwrap()).unwrap();
    write_config(directory.path(), route);
    directory
}

/// The upstream is a port on which nobody listens.
fn write_config(directory: &Path, route: &str) {
    let config = format!(
        "_format_version: \"3.0\"
services:
- name: nobody
  url: http://localhost:1/
  retries: 0
  routes:
  - name: {route}
    paths: [/{route}]
    plugins:
    - {{name: pass, config: \"\"}}
"
    );
    std::fs::write(directory.join("kong.yml"), config).unwrap();
}

fn command(directory: &Path) -> Command {
    at(directory, "127.0.0.1:0")
}

fn at(directory: &Path, proxy: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(directory).env("HARNESS_FILTERS", "filters");
    command.args(["gateway", "--gateway", "embedded", "--proxy", proxy]);
    command
}

/// With so many file descriptors.
fn limited(directory: &Path, descriptors: u32) -> Command {
    let whole = command(directory);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]);
    command.arg(whole.get_program()).args(whole.get_args());
    command.current_dir(directory).env("HARNESS_FILTERS", "filters");
    command
}

struct Gateway {
    process: Child,
    _stdout: BufReader<ChildStdout>,
    proxy: String,
    status: String,
}

impl Gateway {
    fn start(directory: &Path) -> Self {
        Self::of(command(directory))
    }

    fn of(mut command: Command) -> Self {
        command.args(["--config", "kong.yml", "--status", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut address = |what: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let address = line.trim_end().strip_prefix(&format!("{what} http://"));
            address.unwrap_or_else(|| panic!("{line:?}")).to_owned()
        };
        let (proxy, status) = (address("proxy"), address("status"));
        Self { process, _stdout: stdout, proxy, status }
    }

    fn get(&self, path: &str) -> String {
        fetch(&self.proxy, path)
    }

    fn until(&self, path: &str, start: &str) {
        wait(|| self.get(path).starts_with(start).then_some(()));
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    fn end(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        wait(|| self.process.try_wait().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn fetch(address: &str, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

fn wait<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "never came true");
        std::thread::yield_now();
    }
}
