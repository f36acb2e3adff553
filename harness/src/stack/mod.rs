//! PKI, Dogcatcher and a gateway, up and down as one.

mod keys;
mod places;
mod secret;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::dogcatcher::{self, ClientCertificate, Dogcatcher, Sessions, Tls, Versions};
use crate::gateway::{self, Gateway, Running, Setup};
use crate::progress;
use pki::{Authority, Ca, Issued, Leaf};

pub use keys::{Keys, escaped};
pub use places::Places;
pub use secret::Secret;

/// What a stack is made of.
pub struct Plan<'a> {
    /// Kong's declarative config, written for its usual places (see [`Places`]) and with `<consumer>` for
    /// digests of keys (see [`Keys`]).
    pub config: &'a str,
    /// Names of client certificates, each in a Secret of its own, that of the first being `kong-upstream-mtls`.
    pub clients: &'a [&'a str],
    pub proxy: SocketAddr,
    pub status: Option<SocketAddr>,
}

/// All of it, running in a directory of its own. Dropping it takes it down and leaves nothing behind.
pub struct Stack {
    // In this order: the gateway is gone before its upstream, and both before their directory.
    gateway: Box<dyn Running>,
    dogcatcher: Dogcatcher,
    dogcatcher_tls: Tls,
    authority: Authority,
    keys: Keys,
    places: Places,
    directory: TempDir,
    first_client: String,
}

impl Stack {
    /// Brings all of it up; it serves when this returns.
    ///
    /// # Errors
    /// The config is refused, an address is taken, or there is no filter yet.
    pub fn up(gateway: &dyn Gateway, plan: &Plan<'_>) -> anyhow::Result<Self> {
        Self::up_with(gateway, plan, Keys::default())
    }

    /// With keys that the config's own digests are of.
    ///
    /// # Errors
    /// As [`Self::up`].
    pub fn up_with(gateway: &dyn Gateway, plan: &Plan<'_>, keys: Keys) -> anyhow::Result<Self> {
        let filters = gateway::filters()?;
        progress::at(format!("bringing up {} and an upstream", gateway.name()));
        // Workers of a gateway may run as a user of their own.
        let directory = tempfile::Builder::new()
            .prefix("harness-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let authority = Authority::root(&Ca::named("harness CA").path_length(1))?;
        let own =
            authority.issue(&Leaf::server("dogcatcher-api").reached_as("localhost,127.0.0.1".parse()?))?;
        let tls = Tls {
            chain: own.chain_pem(),
            key: own.key().pem(),
            client_authorities: authority.pem(),
            client_revocations: None,
            client_certificate: ClientCertificate::Demanded,
            versions: Versions::Both,
            sessions: Sessions::None,
        };
        let dogcatcher = Dogcatcher::start(&dogcatcher::Options {
            mtls: Some((ANY_PORT, tls.clone())),
            ..Default::default()
        })?;
        let upstream = dogcatcher.mtls().context("Dogcatcher has no address")?.port();
        let places = Places { upstream, secrets: directory.path().join("secrets") };
        let first_client = plan.clients.first().copied().unwrap_or_default();
        for client in plan.clients {
            let issued = authority.issue(&Leaf::client(client))?;
            secret(&places, first_client, client).replace(&pair(
                &issued.chain_pem(),
                &issued.key().pem(),
                &authority.pem(),
            ))?;
        }

        let config = directory.path().join("kong.yml");
        fs::write(&config, keys.put_into(&places.put_into(plan.config))?)?;
        let setup = Setup { config, filters, proxy: plan.proxy, status: plan.status };
        Ok(Self {
            gateway: gateway.start(&setup)?,
            dogcatcher,
            dogcatcher_tls: tls,
            authority,
            keys,
            places,
            directory,
            first_client: first_client.to_owned(),
        })
    }

    pub fn gateway(&self) -> &dyn Running {
        &*self.gateway
    }

    pub fn dogcatcher(&self) -> &Dogcatcher {
        &self.dogcatcher
    }

    /// TLS as Dogcatcher was brought up with, for a [`Dogcatcher::set_tls`] that changes some of it.
    pub fn dogcatcher_tls(&self) -> Tls {
        self.dogcatcher_tls.clone()
    }

    /// Signs for the upstream and for the gateway's client certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where the stack lives while it is up.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The config file that the gateway reads.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("kong.yml")
    }

    /// Gives the gateway another config, written as [`Plan::config`].
    ///
    /// # Errors
    /// It is refused; the one before stays in force.
    pub fn reconfigure(&self, config: &str) -> anyhow::Result<()> {
        fs::write(self.config(), self.keys.put_into(&self.places.put_into(config))?)?;
        self.gateway.reload()
    }

    /// SHA-256 of the client certificate that lies where the gateway finds it, lower-case hex.
    ///
    /// # Errors
    /// There is none.
    pub fn fingerprint(&self, client: &str) -> anyhow::Result<String> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let path = secret(&self.places, &self.first_client, client).dir().join("tls.crt");
        Ok(policy_tools::keys::digest(&CertificateDer::from_pem_file(path)?))
    }

    /// Replaces a client certificate where the gateway finds it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn rotate(&self, client: &str, issued: &Issued) -> anyhow::Result<()> {
        self.put(client, &issued.chain_pem(), &issued.key().pem(), &self.authority.pem())
    }

    /// Puts lists of what is revoked where a config finds them that names [`REVOCATIONS`].
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn put_revocations(&self, lists: &str) -> anyhow::Result<()> {
        Ok(Secret::at(self.places.secrets.join("revocations")).replace(&[("ca.crl", lists)])?)
    }

    /// Puts any content where the gateway finds a client certificate, broken content too.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn put(&self, client: &str, chain: &str, key: &str, authorities: &str) -> anyhow::Result<()> {
        let secret = secret(&self.places, &self.first_client, client);
        let cannot = || format!("what is mounted at {} cannot be replaced", secret.dir().display());
        secret.replace(&pair(chain, key, authorities)).with_context(cannot)
    }
}

/// Where a client certificate is mounted.
fn secret(places: &Places, first_client: &str, client: &str) -> Secret {
    Secret::at(places.secrets.join(if client == first_client { "kong-upstream-mtls" } else { client }))
}

/// The files of a Secret as cert-manager writes them.
fn pair<'a>(chain: &'a str, key: &'a str, authorities: &'a str) -> [(&'static str, &'a str); 3] {
    [("tls.crt", chain), ("tls.key", key), ("ca.crt", authorities)]
}

/// A `crl_file` of configs, in their usual place.
pub const REVOCATIONS: &str = "/etc/secrets/revocations/ca.crl";

/// The system chooses.
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
