//! Real TLS over loopback.

mod apart;
mod files;
pub(crate) mod mock;
mod trust;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use time::OffsetDateTime;

use self::mock::{Mock, Seen};
use super::*;
use kong_config::declarative::{
    CertificateSource, ClientCertificate as Named, Config, Protocol, Route, Service, Trust, UpstreamMtls,
};
use pki::{Authority, Ca, Issued, Leaf as Asked};

static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// An upstream, and a directory with the certificates `a` and `b` for it.
struct Bench {
    mock: Mock,
    authority: Authority,
    directory: TempDir,
    pools: Pools,
}

impl Bench {
    async fn new(version: &'static SupportedProtocolVersion) -> Self {
        let authority = Authority::root(&Ca::named("test CA")).unwrap();
        let server = Asked::server("dogcatcher").reached_as("localhost".parse().unwrap());
        let mock = Mock::start(&authority.issue(&server).unwrap(), &authority, version).await;
        let bench =
            Self { mock, authority, directory: tempfile::tempdir().unwrap(), pools: Pools::default() };
        bench.renew("a");
        bench.renew("b");
        std::fs::write(bench.directory.path().join("ca.crt"), bench.authority.pem()).unwrap();
        bench
    }

    /// Writes a new certificate with a new key under the old names.
    fn renew(&self, name: &str) -> Issued {
        let issued = self.authority.issue(&Asked::client(name)).unwrap();
        issued.write(self.directory.path(), name).unwrap();
        issued
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> Config {
        config(self.mock.port, mtls(self.directory.path()))
    }

    /// Compiles a config and puts it in force.
    fn upstreams(&self, config: &Config, before: Option<&Upstreams>) -> Upstreams {
        let upstreams = Upstreams::compile(config, before).unwrap();
        refresh(&upstreams, &self.pools, now());
        upstreams
    }

    async fn ask(&self, upstreams: &Upstreams, selected: Option<&str>) -> Seen {
        self.ask_to(upstreams, selected, "keep-alive").await.unwrap()
    }

    async fn ask_to(
        &self,
        upstreams: &Upstreams,
        selected: Option<&str>,
        connection: &str,
    ) -> Result<Seen, String> {
        let way = upstreams.way(0).unwrap();
        let terms = way.terms(selected, now()).map_err(|no| no.to_string())?;
        let client = self.pools.client(&way.destination, &terms).unwrap();
        let uri = format!("https://localhost:{}/", self.mock.port);
        let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(uri).header("host", "dogs").header("connection", connection);
        let response = client.request(request.body(body).unwrap()).await.map_err(|error| told(&error))?;
        let body = response.into_body().collect().await.map_err(|error| told(&error))?.to_bytes();
        Ok(Seen::parse(std::str::from_utf8(&body).unwrap()))
    }
}

fn told(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn fingerprint(path: &Path) -> String {
    let pem = std::fs::read(path).unwrap();
    Leaf::of(&certificate::certificates(&pem).unwrap()[0]).unwrap().fingerprint
}

/// `a` and `b` from files; verified against `ca.crt`.
fn mtls(directory: &Path) -> UpstreamMtls {
    let named = |name: &str| {
        let (chain, key) = (directory.join(format!("{name}.crt")), directory.join(format!("{name}.key")));
        Named { name: name.to_owned(), source: CertificateSource::Files { chain, key } }
    };
    UpstreamMtls {
        client_certificates: vec![named("a"), named("b")],
        client_certificate: None,
        trust: Some(Trust::File(directory.join("ca.crt"))),
        tls_verify_depth: 1,
        revocations: None,
        upstream_names: Vec::new(),
        requires_request: false,
        expiry_warning: Duration::ZERO,
        reload_interval: Duration::from_secs(1),
    }
}

fn config(port: u16, mtls: UpstreamMtls) -> Config {
    let service = Service {
        name: "dogs".into(),
        id: "s".into(),
        protocol: Protocol::Https,
        host: "localhost".into(),
        port,
        path: None,
        connect_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        retries: 0,
        client_certificate: None,
        tls_verify: None,
        tls_verify_depth: None,
        ca_certificates: Vec::new(),
        filters: Vec::new(),
        upstream_mtls: None,
    };
    let route = Route {
        name: "dogs".into(),
        id: "r".into(),
        service: 0,
        methods: Vec::new(),
        hosts: Vec::new(),
        headers: Vec::new(),
        paths: Vec::new(),
        regex_priority: 0,
        strip_path: true,
        preserve_host: false,
        filters: Vec::new(),
        upstream_mtls: None,
        place: String::new(),
    };
    Config { services: vec![service], routes: vec![route], upstream_mtls: Some(mtls), ..Config::default() }
}
