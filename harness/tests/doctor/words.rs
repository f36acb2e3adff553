//! What upstreams ask for, and what they say of what they get.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use harness::dogcatcher::ClientCertificate;
use pki::{Authority, Ca, Leaf};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::diagnosis::Diagnoses;
use crate::scene::{Scene, serve};
use crate::servers::list;

pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    let upstream = scene.upstream(&scene.server());
    let port = upstream.mtls().unwrap().port();
    let tls = || scene.tls(&scene.server());

    let mut other = tls();
    other.client_authorities = Authority::root(&Ca::named("another CA")).unwrap().pem();
    upstream.set_tls(&other).unwrap();
    let owed = [("certificate_request", "asks_others"), ("acceptance", "refuses_issuer")];
    diagnoses.owed(&scene, &scene.typed(port), &owed);
    upstream.set_tls(&tls()).unwrap();
    let nothing: Vec<_> = scene
        .typed(port)
        .into_iter()
        .filter(|word| !["--cert", "tls.crt", "--key", "tls.key"].contains(&word.as_str()))
        .collect();
    diagnoses.owed(&scene, &nothing, &[("acceptance", "demands_certificate")]);

    // The client's chain is its leaf alone; the upstream's shows what is missing.
    let between = scene.root.intermediate(&Ca::named("between").path_length(1)).unwrap();
    let client = between.issue(&Leaf::client("kong-client")).unwrap();
    scene.present(&client);
    std::fs::write(scene.path("tls.crt"), pki::pem(client.der())).unwrap();
    let server = between.issue(&crate::scene::at_localhost(Leaf::server("dogs"))).unwrap();
    upstream.set_tls(&scene.tls(&server)).unwrap();
    let owed = [("certificate_request", "chain_incomplete"), ("acceptance", "refuses_issuer")];
    diagnoses.owed(&scene, &scene.typed(port), &owed);

    let revoked = scene.root.issue(&Leaf::client("kong-client")).unwrap();
    scene.present(&revoked);
    let mut with_list = tls();
    with_list.client_revocations = Some(list(&scene.root, &revoked));
    upstream.set_tls(&with_list).unwrap();
    diagnoses.owed(&scene, &scene.typed(port), &[("acceptance", "refuses_revoked")]);

    let mut asks_nobody = tls();
    asks_nobody.client_certificate = ClientCertificate::NotAsked;
    let open = serve(asks_nobody);
    let typed = scene.typed(open.mtls().unwrap().port());
    diagnoses.owed(&scene, &typed, &[("certificate_request", "asks_nobody")]);

    answers(diagnoses, &scene);
}

/// Servers that ask nobody and always give one answer.
fn answers(diagnoses: &mut Diagnoses, scene: &Scene) {
    // nginx' own page for `ssl_verify_client on` and nothing presented.
    let nginx = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\n<html><head><title>400 No required \
                 SSL certificate was sent</title></head></html>\r\n";
    let old = "HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
    for (answer, fault) in [(nginx, "no_required_certificate"), ("woof\r\n", "not_http"), (old, "clock_skew")]
    {
        let port = always(scene, answer);
        let owed = [("certificate_request", "asks_nobody"), ("answer", fault)];
        diagnoses.owed(scene, &scene.typed(port), &owed);
    }
}

/// Gives one answer to whoever comes, over TLS; it ends with this process.
fn always(scene: &Scene, answer: &'static str) -> u16 {
    let server = scene.server();
    let chain = CertificateDer::pem_slice_iter(server.chain_pem().as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(server.key().pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer.as_bytes()));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}
