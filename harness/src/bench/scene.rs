//! What is measured, brought up: an upstream, certificates, and the gateways before it.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::awake::{Awake, Thread};
use super::cores::Cores;
use super::load::Target;
use super::upstream::{NOBODY, Upstream};
use super::variants::Variant;
use super::{Arrangement, filters};
use crate::gateway::{self, Gateway, Running, Setup};
use crate::http1::ask;
use crate::stack::{ANY_PORT, Keys, Places, Secret};
use pki::{Authority, Ca, Issued, Leaf};

/// All of it, running. Dropping it takes it down.
pub struct Scene {
    // In this order: gateways are gone before their upstream's thread, and both before their directory.
    gateways: Vec<Box<dyn Running>>,
    upstream: Upstream,
    /// The upstream's, then that of the load, where that has a core for itself.
    threads: Vec<Thread>,
    client: Issued,
    key: String,
    cores: Cores,
    _directory: TempDir,
}

impl Scene {
    /// # Errors
    /// A gateway refuses its config, or something that it needs is not there.
    pub fn up(gateway: &dyn Gateway, variants: &[Variant], arrangement: Arrangement) -> anyhow::Result<Self> {
        let cores = Cores::choose();
        // Workers of a gateway may run as a user of their own.
        let directory = tempfile::Builder::new()
            .prefix("harness-bench-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let needed = variants.iter().flat_map(|variant| variant.filters.iter().map(String::as_str));
        let filters = directory.path().join("filters");
        filters::collect(&gateway::filters()?, needed, &filters)?;

        let authority = Authority::root(&Ca::named("harness CA"))?;
        let client = authority.issue(&Leaf::client(CLIENT))?;
        let threads = cores.others().map(|core| Thread::on(core, "bench")).collect::<Result<Vec<_>, _>>()?;
        let upstream = Upstream::start(&authority, &threads[0])?;
        let places = Places { upstream: upstream.mtls().port(), secrets: directory.path().join("secrets") };
        Secret::at(places.secrets.join("kong-upstream-mtls")).replace(&[
            ("tls.crt", &client.chain_pem()),
            ("tls.key", &client.key().pem()),
            ("ca.crt", &authority.pem()),
        ])?;
        let keys = Keys::default();
        let key = keys.of("model-citizen")?;

        let groups: Vec<&[Variant]> = match arrangement {
            Arrangement::Together => vec![variants],
            Arrangement::Apart => variants.chunks(1).collect(),
        };
        let mut gateways = Vec::new();
        for (number, variants) in groups.into_iter().enumerate() {
            let config = directory.path().join(format!("kong-{number}.json"));
            let text = merged(variants, &client, &authority)?.to_string().replace("(key)", &key);
            write_private(&config, &keys.put_into(&places.put_into(&text))?)?;
            let setup = Setup { config, filters: filters.clone(), proxy: ANY_PORT, status: None };
            gateways.push(on(cores, || gateway.start(&setup))?);
        }
        Ok(Self { gateways, upstream, threads, client, key, cores, _directory: directory })
    }

    pub fn cores(&self) -> Cores {
        self.cores
    }

    /// The gateway that serves one of the variants that the scene was brought up with.
    pub fn gateway(&self, index: usize) -> &dyn Running {
        &*self.gateways[index.min(self.gateways.len() - 1)]
    }

    /// Where load comes from.
    pub fn load(&self) -> &Thread {
        &self.threads[self.threads.len() - 1]
    }

    /// Nobody whom the gateway talks to sleeps as long as this is held; where they share its only core they have to.
    pub fn keep_awake(&self) -> Vec<Awake> {
        let able = if self.cores.usable > 1 { &self.threads[..] } else { &[] };
        able.iter().map(Thread::keep_awake).collect()
    }

    /// What a client asks of a variant, and what is owed.
    pub fn target(&self, index: usize, variant: &Variant) -> Target {
        Target {
            name: variant.name.clone(),
            address: self.gateway(index).proxy(),
            request: request(&variant.name, &format!("X-API-Key: {}\r\n", self.key)),
            owed: variant.answers.as_deref().unwrap_or(CLIENT).as_bytes().into(),
        }
    }

    /// The upstream itself without TLS: what load and upstream can do where there is no gateway between them.
    pub fn limit(&self) -> Target {
        Target {
            name: "no gateway".to_owned(),
            address: self.upstream.plain(),
            request: request("", ""),
            owed: NOBODY.as_bytes().into(),
        }
    }

    /// Sends one request to each variant, and looks at what the upstream saw of it.
    ///
    /// # Errors
    /// It is not what the variant is said to be.
    pub fn check(&self, variants: &[Variant]) -> anyhow::Result<()> {
        for (index, variant) in variants.iter().enumerate() {
            let target = self.target(index, variant);
            let checked = match variant.answers {
                Some(_) => check_answer(&target),
                None => self.check_upstream(&target, variant.authenticates),
            };
            let checked =
                checked.and_then(|()| if variant.authenticates { check_refusal(&target) } else { Ok(()) });
            checked.with_context(|| {
                log::info!("the gateway's log:\n{}", self.gateway(index).log());
                variant.name.clone()
            })?;
        }
        Ok(())
    }

    fn check_upstream(&self, target: &Target, authenticates: bool) -> anyhow::Result<()> {
        let seen = self.upstream.see(|| {
            let (status, body) = ask(target.address, &target.request)?;
            ensure!(status == 200, "answered with {status}: {body}");
            Ok(())
        })?;
        let owed = CertificateDer::from_pem_slice(self.client.chain_pem().as_bytes())?;
        ensure!(seen.certificate == owed.as_ref(), "the upstream saw another certificate than {CLIENT}'s");
        if authenticates {
            ensure!(!seen.head.contains(&self.key), "the upstream saw the API key");
            let named = seen.head.lines().any(|line| line.eq_ignore_ascii_case(CITIZEN));
            ensure!(named, "the upstream did not hear {CITIZEN:?}");
        }
        Ok(())
    }
}

fn check_answer(target: &Target) -> anyhow::Result<()> {
    let (status, body) = ask(target.address, &target.request)?;
    ensure!(status == 200 && body.as_bytes() == &*target.owed, "answered with {status}: {body}");
    Ok(())
}

fn check_refusal(target: &Target) -> anyhow::Result<()> {
    let (status, _) = ask(target.address, &request(&target.name, ""))?;
    ensure!(status == 401, "without a key the answer is {status}");
    Ok(())
}

/// One config of the parts of several variants, and of the entities that they refer to.
fn merged(variants: &[Variant], client: &Issued, authority: &Authority) -> anyhow::Result<Value> {
    let mut config = Map::from_iter([
        ("_format_version".to_owned(), json!("3.0")),
        (
            "certificates".to_owned(),
            json!([{"id": CERTIFICATE_ID, "cert": client.chain_pem(), "key": client.key().pem()}]),
        ),
        ("ca_certificates".to_owned(), json!([{"id": CA_ID, "cert": authority.pem()}])),
    ]);
    for variant in variants {
        for (kind, entities) in &variant.config {
            let all = config.entry(kind).or_insert_with(|| json!([]));
            let (Value::Array(all), Value::Array(entities)) = (all, entities) else {
                anyhow::bail!("{}: {kind} is no list", variant.name);
            };
            all.extend_from_slice(entities);
        }
    }
    Ok(config.into())
}

fn request(path: &str, header: &str) -> std::sync::Arc<[u8]> {
    format!(
        "GET /{path} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: harness\r\nAccept: */*\r\n{header}\r\n"
    )
    .into_bytes()
    .into()
}

/// Runs something in a thread that is bound to the gateway's core: what it starts is so as well.
fn on<T: Send>(cores: Cores, start: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let bound = scope.spawn(|| {
            cores.gateway().take();
            start()
        });
        bound.join().unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")))
    })
}

/// It holds a private key and an API key.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Name and common name of the client certificate.
const CLIENT: &str = "kong-client";
/// What an upstream hears of the one caller.
const CITIZEN: &str = "X-Consumer-Username: model-citizen";
/// As `variants.yml` refers to them.
const CERTIFICATE_ID: &str = "00000000-0000-4000-8000-00000000000c";
const CA_ID: &str = "00000000-0000-4000-8000-00000000000a";
