//! The container engine of this machine: Docker, or Podman, which speaks Docker's API too.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use anyhow::{Context, ensure};
use bollard::Docker;
use rustix::process::{getegid, geteuid};
use rustix::system::uname;
use tokio::time::timeout;

use crate::gateway::Unavailable;
use crate::gateway::wait::answer;

/// An engine that answers, and whose containers share this host's network and files.
#[derive(Clone)]
pub struct ContainerEngine {
    docker: Docker,
    user: String,
}

impl ContainerEngine {
    /// The one that `DOCKER_HOST` names, else the first that answers at the usual sockets.
    ///
    /// # Errors
    /// None does; why, of each.
    pub fn find() -> Result<Self, Unavailable> {
        Self::first(addresses())
    }

    pub(super) fn first(addresses: Vec<String>) -> Result<Self, Unavailable> {
        let mut reasons = Vec::new();
        for address in addresses {
            match answer(connect(&address)) {
                Ok(docker) => return Ok(Self { docker, user: user(&address) }),
                Err(error) => reasons.push(format!("{address}: {error:#}")),
            }
        }
        Err(Unavailable(format!(
            "no container engine can be used: start Docker or Podman here, or set DOCKER_HOST ({})",
            reasons.join("; ")
        )))
    }

    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// `UID:GID` within a container, of one who may read what the harness may read.
    ///
    /// An image's own user (`kong`, in Kong's) could read no private key of ours, for those have mode 0600.
    pub fn user(&self) -> &str {
        &self.user
    }
}

fn addresses() -> Vec<String> {
    if let Some(host) = env::var("DOCKER_HOST").ok().filter(|value| !value.is_empty()) {
        return vec![host];
    }
    let mut sockets = vec!["/var/run/docker.sock".to_owned(), "/run/podman/podman.sock".to_owned()];
    if let Ok(own) = env::var("XDG_RUNTIME_DIR") {
        // Rootless ones. Docker before Podman, and one's own before the machine's.
        sockets.insert(1, format!("{own}/podman/podman.sock"));
        sockets.insert(0, format!("{own}/docker.sock"));
    }
    sockets.into_iter().map(|socket| format!("unix://{socket}")).collect()
}

async fn connect(address: &str) -> anyhow::Result<Docker> {
    let docker = Docker::connect_with_host(address)?;
    let asked = async {
        let docker = docker.negotiate_version().await?;
        let info = docker.info().await?;
        anyhow::Ok((docker, info))
    };
    let (docker, info) = timeout(PATIENCE, asked).await.context("no answer in time")??;
    let ours = uname().release().to_string_lossy().into_owned();
    // Our Dogcatcher listens on loopback here, and certificates lie in files here.
    ensure!(
        info.kernel_version.as_ref() == Some(&ours),
        "it runs on another machine, or in a virtual one as Docker Desktop does, where containers have neither this \
         host's loopback nor its files; that is not supported"
    );
    Ok(docker)
}

/// Whoever owns an engine's socket runs the engine, and root in the containers of a rootless one is just that user.
fn user(address: &str) -> String {
    let owner = address.strip_prefix("unix://").and_then(|socket| fs::metadata(socket).ok());
    match owner {
        Some(owner) if owner.uid() == geteuid().as_raw() => "0:0".to_owned(),
        _ => format!("{}:{}", geteuid().as_raw(), getegid().as_raw()),
    }
}

/// An engine that is there answers at once; one that a socket has to start first takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);
