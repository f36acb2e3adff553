//! What clients of a gateway get.

use std::io::{Read, Write};
use std::net::TcpListener;

use harness::gateway::embedded::Embedded;
use harness::gateway::{Gateway, Setup};

use crate::diagnosis::Diagnoses;
use crate::scene::{Scene, closed_port};

pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    // Two services of one gateway: what the first presents cannot be read, and nobody is behind the second.
    let directory = scene.path("").display().to_string();
    let plugin = |key: &str| {
        format!(
            "[{{name: upstream-mtls, config: {{client_certificates: [{{name: c, cert_file: {directory}/tls.crt, key_file: \
             {directory}/{key}}}], client_certificate: c, ca_file: {directory}/ca.crt}}}}]"
        )
    };
    let config = format!(
        "_format_version: \"3.0\"
services:
- {{name: a, url: \"https://localhost:{0}/\", retries: 0, routes: [{{name: a, paths: [/a]}}], plugins: {1}}}
- {{name: b, url: \"https://localhost:{0}/\", retries: 0, routes: [{{name: b, paths: [/b]}}], plugins: {2}}}
",
        closed_port(),
        plugin("absent.key"),
        plugin("tls.key")
    );
    std::fs::write(scene.path("kong.yml"), config).unwrap();
    std::fs::create_dir(scene.path("filters")).unwrap();
    let filter = wat::parse_str(
        "(module
          (memory (export \"memory\") 1)
          (func (export \"proxy_abi_version_0_2_1\"))
          (func (export \"proxy_on_context_create\") (param i32 i32))
          (func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.const 1024))
          (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (i32.const 0)))",
    );
    std::fs::write(scene.path("filters/pass.wasm"), filter.unwrap()).unwrap();
    let proxy = "127.0.0.1:0".parse().unwrap();
    let setup = Setup { config: scene.path("kong.yml"), filters: scene.path("filters"), proxy, status: None };
    let gateway = Embedded::default().start(&setup).unwrap();
    let through = |address: String| ["--through".to_owned(), format!("http://{address}")];
    for (path, fault) in [("a", "no_certificate_in_force"), ("b", "upstream_failed")] {
        diagnoses.owed(&scene, &through(format!("{}/{path}", gateway.proxy())), &[("gateway", fault)]);
    }
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 47\r\n\r\n{\"message\":\"No API key found in request\"}      ";
    let other = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 35\r\n\r\n{\"message\":\"failure to get a peer\"}  ";
    for (answer, fault) in [(unauthorized, "unauthorized"), (other, "gateway_status")] {
        diagnoses.owed(&scene, &through(format!("{}/", always(answer))), &[("gateway", fault)]);
    }
}

/// Gives one answer to whoever comes, in plain HTTP; it ends with this process.
fn always(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    address
}
