//! A gateway that tells how long its client certificate lasts.

use std::fs;

use harness::gateway::embedded::Embedded;
use harness::gateway::{Gateway, Running, Setup};
use pki::{Authority, Ca, Leaf, Validity};
use tempfile::TempDir;
use time::Duration;

use crate::tools::get;

/// With one client certificate, `kong-client`, that lasts as long as is said.
pub struct Telling {
    // In this order: the gateway is gone before its files.
    gateway: Box<dyn Running>,
    _files: TempDir,
}

impl Telling {
    pub fn for_another(length: Duration) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name);
        let authority = Authority::root(&Ca::named("CA of the alerts")).unwrap();
        let leaf = Leaf::client("kong-client").valid(Validity::lasting(length).unwrap());
        authority.issue(&leaf).unwrap().write(files.path(), "tls").unwrap();
        fs::write(path("ca.crt"), authority.pem()).unwrap();
        // One that lets everything pass: a gateway wants a filter, and none is asked here.
        fs::create_dir(path("filters")).unwrap();
        let filter = wat::parse_str(
            "(module
              (memory (export \"memory\") 1)
              (func (export \"proxy_abi_version_0_2_1\"))
              (func (export \"proxy_on_context_create\") (param i32 i32))
              (func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.const 1024))
              (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (i32.const 0)))",
        );
        fs::write(path("filters/pass.wasm"), filter.unwrap()).unwrap();
        let config = format!(
            r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://localhost:1
  routes: [{{name: dogs, paths: [/dogs]}}]
  plugins:
  - name: upstream-mtls
    config:
      client_certificates: [{{name: kong-client, cert_file: {0}/tls.crt, key_file: {0}/tls.key}}]
      client_certificate: kong-client
      ca_file: {0}/ca.crt
"#,
            files.path().display()
        );
        fs::write(path("kong.yml"), config).unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let setup =
            Setup { config: path("kong.yml"), filters: path("filters"), proxy: any, status: Some(any) };
        Self { gateway: Embedded::default().start(&setup).unwrap(), _files: files }
    }

    /// HOST:PORT of its metrics.
    pub fn status(&self) -> String {
        self.gateway.status().unwrap().to_string()
    }

    pub fn metrics(&self) -> String {
        get(&format!("http://{}/metrics", self.status()))
    }

    /// Sends one request, whatever becomes of it.
    pub fn ask(&self) {
        get(&format!("http://{}/dogs", self.gateway.proxy()));
    }
}
