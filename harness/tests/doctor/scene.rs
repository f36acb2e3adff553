use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use harness::dogcatcher::{ClientCertificate, Dogcatcher, Options, Sessions, Tls, Versions};
use pki::{Authority, Ca, Issued, Leaf, Validity};
use tempfile::TempDir;

/// A directory with `tls.crt`, `tls.key` and `ca.crt`, all in order, and the authority that they are of.
pub struct Scene {
    pub root: Authority,
    directory: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Authority::root(&Ca::named("doctor's CA").path_length(3)).unwrap();
        let scene = Self { root, directory };
        std::fs::write(scene.path("ca.crt"), scene.root.pem()).unwrap();
        scene.present(&scene.root.issue(&Leaf::client("kong-client")).unwrap());
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts another client certificate in place.
    pub fn present(&self, issued: &Issued) {
        issued.write(self.directory.path(), "tls").unwrap();
    }

    /// A server's certificate that is in order.
    pub fn server(&self) -> Issued {
        self.root.issue(&at_localhost(Leaf::server("dogs"))).unwrap()
    }

    /// TLS of an upstream that shows `server` and demands certificates of the scene's authority.
    pub fn tls(&self, server: &Issued) -> Tls {
        Tls {
            chain: server.chain_pem(),
            key: server.key().pem(),
            client_authorities: self.root.pem(),
            client_revocations: None,
            client_certificate: ClientCertificate::Demanded,
            versions: Versions::Both,
            sessions: Sessions::None,
        }
    }

    pub fn upstream(&self, server: &Issued) -> Dogcatcher {
        serve(self.tls(server))
    }

    /// What to type for an upstream at a port of this machine.
    pub fn typed(&self, port: u16) -> Vec<String> {
        self.typed_for("localhost", port)
    }

    pub fn typed_for(&self, host: &str, port: u16) -> Vec<String> {
        let port = port.to_string();
        let typed = [
            "--host",
            host,
            "--port",
            &port,
            "--cert",
            "tls.crt",
            "--key",
            "tls.key",
            "--ca",
            "ca.crt",
            "--path",
            "/api/health",
        ];
        typed.map(str::to_owned).into()
    }

    /// Runs `harness doctor` in the directory: its exit code, and what it told.
    pub fn doctor(&self, typed: &[String]) -> (i32, String) {
        self.run(Command::new(env!("CARGO_BIN_EXE_harness")), typed)
    }

    /// The same, by another command that takes the words.
    pub fn run(&self, mut command: Command, typed: &[String]) -> (i32, String) {
        let output = command.arg("doctor").args(typed).current_dir(self.directory.path()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }
}

pub fn serve(tls: Tls) -> Dogcatcher {
    let any = "127.0.0.1:0".parse().unwrap();
    Dogcatcher::start(&Options { http: Some(any), mtls: Some((any, tls)), ..Options::default() }).unwrap()
}

pub fn at_localhost(leaf: Leaf) -> Leaf {
    leaf.reached_as("localhost,127.0.0.1".parse().unwrap())
}

/// A port on which nobody listens.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn days(days: u32) -> Validity {
    Validity::days(days).unwrap()
}
