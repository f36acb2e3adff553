//! Addresses, ports, and who answers there.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use harness::dogcatcher::Fault;

use crate::diagnosis::Diagnoses;
use crate::scene::{Scene, closed_port};

pub fn make(diagnoses: &mut Diagnoses) {
    let scene = Scene::new();
    let upstream = scene.upstream(&scene.server());
    // RFC 6761: this name has no address anywhere.
    diagnoses.owed(&scene, &scene.typed_for("dogs.invalid", 443), &[("address", "no_address")]);
    diagnoses.owed(&scene, &scene.typed(closed_port()), &[("port", "connection_refused")]);
    diagnoses.owed(&scene, &scene.typed(upstream.http().unwrap().port()), &[("tls", "not_tls")]);
    upstream.set_fault(Fault::Refuse);
    diagnoses.owed(&scene, &scene.typed(upstream.mtls().unwrap().port()), &[("tls", "handshake_failed")]);

    // Takes connections, since the system does, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    diagnoses.owed(&scene, &scene.typed(mute.local_addr().unwrap().port()), &[("tls", "no_answer")]);
    old_tls(diagnoses, &scene);
}

/// OpenSSL's own server, that speaks nothing later than TLS 1.1.
fn old_tls(diagnoses: &mut Diagnoses, scene: &Scene) {
    let server = scene.server();
    server.write(&scene.path(""), "server").unwrap();
    let port = closed_port();
    let typed = format!(
        "s_server -accept 127.0.0.1:{port} -cert server.crt -key server.key -tls1_1 -cipher ALL:@SECLEVEL=0 -www"
    );
    let started = Command::new("openssl")
        .args(typed.split(' '))
        .current_dir(scene.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut openssl) = started else { return diagnoses.skip("tls_version", "no openssl") };
    let mut said = BufReader::new(openssl.stdout.take().unwrap()).lines().map_while(Result::ok);
    if said.any(|line| line == "ACCEPT") {
        diagnoses.owed(scene, &scene.typed(port), &[("tls", "tls_version")]);
    } else {
        diagnoses.skip("tls_version", "this openssl has no TLS 1.1");
    }
    let _ = openssl.kill();
    let _ = openssl.wait();
}
