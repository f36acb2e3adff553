//! A gateway's life: certificates and configs that change, upstreams that fail, and its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};

use super::*;
use pki::Validity;

#[tokio::test]
async fn each_request_goes_out_as_the_identity_that_was_selected() {
    let bench = Bench::with(&config("dogs", "")).await;
    let (a, b) = (bench.renew("a").fingerprint(), bench.renew("b").fingerprint());
    bench.until_logged(&a).await;
    bench.until_logged(&b).await;
    let expected = HashMap::from([("a", a), ("b", b), ("", "-".to_owned())]);
    for name in ["a", "b", "", "b", "a", "", "a", "b"] {
        assert_eq!(bench.get_as(name).await.seen().fingerprint, expected[name], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_fails_no_request_and_ends_the_old_identity() {
    let bench = Bench::new().await;
    let (stop, swapped) = (AtomicBool::new(false), AtomicBool::new(false));
    let old = bench.get_as("a").await.seen().fingerprint;
    let load = async {
        let mut served = 0;
        while !stop.load(Ordering::SeqCst) {
            let begun_after = swapped.load(Ordering::SeqCst);
            let seen = bench.get_as("a").await.seen();
            assert!(!begun_after || seen.fingerprint != old, "as before, after the swap");
            served += 1;
        }
        served
    };
    let rotation = async {
        let mut last = String::new();
        for _ in 0..2 {
            last = bench.renew("a").fingerprint();
            bench.until_logged(&last).await;
            swapped.store(true, Ordering::SeqCst);
        }
        stop.store(true, Ordering::SeqCst);
        last
    };
    let (served, last) = tokio::join!(load, rotation);
    assert!(served > 10, "{served}");
    assert_eq!(bench.get_as("a").await.seen().fingerprint, last);
}

#[tokio::test]
async fn an_expired_certificate_is_a_503_though_its_connections_are_warm() {
    let mut bench = Bench::with(&config("dogs", "    client_certificate: a\n")).await;
    let short = Leaf::client("a").valid(Validity::lasting(time::Duration::seconds(3)).unwrap());
    let short = bench.authority.issue(&short).unwrap();
    short.write(bench.directory.path(), "a").unwrap();
    bench.until_logged(&short.fingerprint()).await;
    assert_eq!(bench.get_as("").await.seen().fingerprint, short.fingerprint());

    let deadline = Instant::now() + Duration::from_secs(10);
    let refused = loop {
        let answer = bench.get_as("").await;
        match answer.status {
            200 => assert!(Instant::now() < deadline, "served on"),
            _ => break answer,
        }
    };
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("\"message\":\"No client certificate in force\""), "{}", refused.body);
    bench.until_logged("client certificate \"a\": expired at ").await;
    assert_eq!(bench.status().await["requests"]["no_certificate"], 1);
    bench.mock.until_open(0).await;
    assert_eq!(bench.get_as("b").await.status, 200);
}

#[tokio::test]
async fn a_certificate_that_is_not_there_is_a_503_and_touches_no_other() {
    let bench =
        Bench::with(&config("dogs", "    client_certificate: a\n").replace("/a.crt", "/later.crt")).await;
    assert_eq!(bench.get_as("").await.status, 503);
    assert_eq!(bench.get_as("b").await.status, 200);
    std::fs::rename(bench.path("a.crt"), bench.path("later.crt")).unwrap();
    bench.until_logged("in force: CN=a").await;
    assert_eq!(bench.get_as("").await.status, 200);
}

#[tokio::test]
async fn a_reload_keeps_connections_and_a_refused_one_keeps_the_config() {
    let bench = Bench::new().await;
    let before = bench.get_as("a").await.seen();
    bench.reload(&config("cats", "")).unwrap();
    assert_eq!(bench.get_as("a").await.status, 404);
    assert_eq!(bench.get("/cats", &[("x-cert", "a")]).await.seen(), before);

    let refused = [
        "_format_version: \"3.0\"\nservices: 7\n",
        &config("dogs", "").replace("select", "nobody"),
        &config("dogs", "").replace("config: \"\"", "config: what the filter does not want"),
    ];
    for refused in refused {
        assert!(bench.reload(refused).is_err());
        assert!(bench.gateway.log().contains("config refused"), "{}", bench.gateway.log());
        assert_eq!(bench.get("/cats", &[("x-cert", "a")]).await.seen(), before);
    }
}

#[tokio::test]
async fn a_request_under_way_ends_under_the_config_that_it_began_with() {
    let bench = Bench::new().await;
    let (send, body) = fed();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(bench.uri("/dogs")).header("x-cert", "a").body(body).unwrap();
    let response = client.request(request).await.unwrap();
    bench.reload(&config("cats", "")).unwrap();
    bench.renew("a");
    send.send("the end".into()).await.unwrap();
    drop(send);
    let answer = Answer::of(response).await;
    assert!(answer.body.ends_with("the end"), "{}", answer.body);
}

#[tokio::test]
async fn a_connection_that_could_not_be_made_is_tried_again() {
    let bench = Bench::new().await;
    let relay = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, target) = (relay.local_addr().unwrap().port(), bench.mock.port);
    let relaying = tokio::spawn(async move {
        for _ in 0..2 {
            drop(relay.accept().await.unwrap());
        }
        let (mut here, _) = relay.accept().await.unwrap();
        let mut there = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    });
    let through = config("dogs", "").replace("{port}", &port.to_string());
    bench.reload(&through.replace("read_timeout: 5000", "retries: 1")).unwrap();
    let answer = bench.get_as("a").await;
    assert_eq!(answer.status, 502, "one try more is not enough");
    assert!(answer.body.contains("An invalid response was received from the upstream server"));
    assert_eq!(bench.get_as("a").await.status, 200);
    relaying.abort();
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_a_504() {
    let bench = Bench::new().await;
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://localhost:{}", silent.local_addr().unwrap().port());
    let to_silent = config("dogs", "").replace("https://localhost:{port}", &url);
    bench.reload(&to_silent.replace("read_timeout: 5000", "read_timeout: 50")).unwrap();
    let answer = bench.get_as("").await;
    assert_eq!(answer.status, 504);
    assert!(answer.body.starts_with("The upstream server is timing out\n"), "{}", answer.body);
    drop(silent);
}

#[tokio::test]
async fn a_client_that_takes_its_time_is_not_the_upstreams_fault() {
    let bench = Bench::new().await;
    let hasty = config("dogs", "").replace("read_timeout: 5000", "read_timeout: 200\n  write_timeout: 50");
    bench.reload(&hasty).unwrap();
    let (send, body) = fed();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(bench.uri("/dogs/late")).header("x-cert", "a").body(body).unwrap();
    let feed = async {
        send.send("slow".into()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await; // longer than all that the upstream is given
        send.send("ly".into()).await.unwrap();
        drop(send);
    };
    let (response, ()) = tokio::join!(client.request(request), feed);
    let answer = Answer::of(response.unwrap()).await;
    assert!(answer.status == 200 && answer.body.ends_with("slowly"), "{} {}", answer.status, answer.body);
}

#[tokio::test]
async fn no_certificate_can_be_selected_for_a_service_in_plain_http() {
    let bench = Bench::with(&config("dogs", "").replace("https://", "http://")).await;
    assert_eq!(bench.get_as("a").await.status, 500);
    assert_eq!(bench.status().await["pools"].as_array().unwrap().len(), 0, "it was tried");
}

#[tokio::test]
async fn status_tells_what_is_in_force_and_no_secret() {
    let bench = Bench::new().await;
    bench.get_as("a").await;
    std::fs::write(bench.path("b.crt"), "garbage").unwrap();
    bench.until_logged("the last good one stays in force").await;
    let status = bench.status().await;
    let certificates = &status["upstream_mtls"][0]["client_certificates"];
    assert_eq!(certificates[0]["name"], "a");
    assert_eq!(certificates[0]["subject"], "CN=a");
    assert_eq!(certificates[0]["refused"], serde_json::Value::Null);
    assert_eq!(certificates[1]["refused"], "unreadable certificate: no PEM block of one");
    assert_eq!(status["requests"]["proxied"], 1);
    assert_eq!(status["pools"].as_array().unwrap().len(), 1);
    let key = std::fs::read_to_string(bench.path("a.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!status.to_string().contains(line) && !bench.gateway.log().contains(line));
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_gateway_is_down() {
    let Bench { gateway, mock: _mock, directory: _directory, .. } = Bench::new().await;
    let (send, body) = fed();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let uri = format!("http://{}/dogs", gateway.proxy());
    let response =
        client.request(Request::post(uri).header("x-cert", "a").body(body).unwrap()).await.unwrap();
    let down = tokio::task::spawn_blocking(|| drop(gateway));
    send.send("the end".into()).await.unwrap();
    drop(send);
    let answer = Answer::of(response).await;
    assert!(answer.body.ends_with("the end"), "{}", answer.body);
    down.await.unwrap();
}

#[tokio::test]
async fn shorter_intervals_count_from_a_reload_on() {
    let slow = config("dogs", "").replace("reload_interval: 1", "reload_interval: 3600");
    let bench = Bench::with(&slow).await;
    bench.get_as("a").await; // by now the long wait has begun
    bench.reload(&config("dogs", "")).unwrap();
    let renewed = bench.renew("a").fingerprint();
    bench.until_logged(&renewed).await;
}

#[tokio::test]
async fn dropped_is_down() {
    let mut bench = Bench::new().await;
    bench.get_as("a").await;
    let address = bench.gateway.proxy();
    drop(bench.gateway);
    assert!(TcpStream::connect(address).await.is_err());
    bench.mock.until_open(0).await;
}
