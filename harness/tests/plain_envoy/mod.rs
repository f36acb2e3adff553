//! An Envoy on a config as it is written, with nothing of the harness's around it.

use std::fs;
use std::io::{Write, stderr};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use harness::gateway::envoy::Envoy;
use harness::gateway::{Options, Running, Unavailable};
use harness::stack::ANY_PORT;
use tempfile::TempDir;

/// The Envoy of this machine. Nothing, and said so, where there is none, unless it has to be there.
pub fn envoy() -> Option<Envoy> {
    let required = std::env::var("HARNESS_REQUIRE").unwrap_or_default();
    match Envoy::find(&Options::default()) {
        Ok(envoy) => Some(envoy),
        Err(Unavailable(reason)) if required.split(',').any(|each| each == "envoy") => panic!("{reason}"),
        Err(Unavailable(reason)) => {
            // Not `eprintln!`, which is seen of failed tests only.
            stderr().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
            None
        }
    }
}

/// Starts an Envoy on the config for a port, which may have files beside it in the directory.
pub fn serve(
    envoy: &Envoy,
    config: impl Fn(SocketAddr, &Path) -> anyhow::Result<String>,
) -> anyhow::Result<Box<dyn Running>> {
    let mut said = String::new();
    // Somebody may be faster between our choice of a port and Envoy's use of it.
    for _ in 0..5 {
        let proxy = TcpListener::bind(ANY_PORT)?.local_addr()?;
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("envoy.yaml");
        fs::write(&file, config(proxy, directory.path())?)?;
        let child = Command::new(envoy.bin())
            .args(["--concurrency", "2", "--disable-hot-restart", "--config-path"])
            .arg(file)
            .stderr(fs::File::create(directory.path().join(LOG))?)
            .spawn()?;
        let mut plain = Plain { child, proxy, directory };
        if plain.serves() {
            return Ok(Box::new(plain));
        }
        said = plain.log();
    }
    anyhow::bail!("Envoy does not serve: {said}")
}

struct Plain {
    child: Child,
    proxy: SocketAddr,
    directory: TempDir,
}

impl Plain {
    /// Once it does, or has ended.
    fn serves(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        while matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect(self.proxy).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "Envoy neither serves nor ends: {}", self.log());
            std::thread::yield_now();
        }
        false
    }
}

impl Running for Plain {
    fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    fn status(&self) -> Option<SocketAddr> {
        None
    }

    fn reload(&self) -> anyhow::Result<()> {
        anyhow::bail!("its config is fixed")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join(LOG)).unwrap()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const LOG: &str = "log";
