//! Which upstreams are believed.

use super::*;
use pki::{Name, Validity};

async fn against(bench: &mut Bench, server: &Issued) -> Result<Seen, String> {
    bench.mock = Mock::start(server, &bench.authority, &TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    bench.ask_to(&upstreams, Some("a"), "close").await
}

#[tokio::test]
async fn an_upstream_that_cannot_prove_its_name_gets_no_request() {
    let mut bench = Bench::new(&TLS13).await;
    let stranger = Authority::root(&Ca::named("stranger")).unwrap();
    let localhost = || Asked::server("localhost").reached_as("localhost".parse().unwrap());
    let issue = |asked: &Asked| bench.authority.issue(asked).unwrap();
    let cases = [
        ("another authority's", stranger.issue(&localhost()).unwrap()),
        ("another name's", issue(&Asked::server("localhost").reached_as("elsewhere".parse().unwrap()))),
        ("no name's", issue(&Asked::server("localhost"))),
        ("an address's", issue(&Asked::server("localhost").reached_as("127.0.0.1".parse().unwrap()))),
        (
            "a workload's",
            issue(&Asked::server("x").known_as(Name::uri("spiffe://localhost/localhost").unwrap())),
        ),
        ("a client's", issue(&Asked::client("localhost").reached_as("localhost".parse().unwrap()))),
        ("an expired", issue(&localhost().valid(Validity::expired()))),
        ("a future", issue(&localhost().valid(Validity::not_yet()))),
    ];
    let good = issue(&localhost());
    assert!(against(&mut bench, &good).await.is_ok());
    for (whose, server) in cases {
        let error = against(&mut bench, &server).await.expect_err(whose);
        assert!(error.contains("certificate"), "{whose}: {error}");
    }
}

#[tokio::test]
async fn depth_counts_what_stands_between_leaf_and_anchor() {
    let mut bench = Bench::new(&TLS13).await;
    let below =
        |above: &Authority, name, length| above.intermediate(&Ca::named(name).path_length(length)).unwrap();
    let root = Authority::root(&Ca::named("root").path_length(2)).unwrap();
    let one = below(&root, "one", 1);
    let two = below(&one, "two", 0);
    std::fs::write(bench.path("ca.crt"), root.pem()).unwrap();
    let localhost = Asked::server("dogcatcher").reached_as("localhost".parse().unwrap());
    assert!(against(&mut bench, &one.issue(&localhost).unwrap()).await.is_ok());
    let error = against(&mut bench, &two.issue(&localhost).unwrap()).await.unwrap_err();
    assert!(error.contains("MaximumPathDepthExceeded"), "{error}");
}

#[tokio::test]
async fn without_verification_any_upstream_will_do_but_it_must_own_its_key() {
    let mut bench = Bench::new(&TLS13).await;
    let stranger = Authority::root(&Ca::named("stranger")).unwrap();
    let server = stranger.issue(&Asked::server("x")).unwrap();
    bench.mock = Mock::start(&server, &bench.authority, &TLS13).await;
    let mut config = bench.config();
    config.upstream_mtls.as_mut().unwrap().trust = None;
    let upstreams = bench.upstreams(&config, None);
    assert!(bench.ask_to(&upstreams, Some("a"), "close").await.is_ok());
}

#[tokio::test]
async fn other_trust_is_another_identity() {
    for version in VERSIONS {
        let mut bench = Bench::new(version).await;
        let mut config = bench.config();
        let upstreams = bench.upstreams(&config, None);
        let verified = bench.ask_to(&upstreams, Some("a"), "keep-alive").await.unwrap();

        // Unverified first: what was connected so must not serve those who verify.
        config.upstream_mtls.as_mut().unwrap().trust = None;
        let upstreams = bench.upstreams(&config, Some(&upstreams));
        let unverified = bench.ask(&upstreams, Some("a")).await;
        assert_ne!(unverified.connection, verified.connection);
        assert!(!unverified.resumed);

        let upstreams = bench.upstreams(&bench.config(), Some(&upstreams));
        let again = bench.ask(&upstreams, Some("a")).await;
        assert!(again.connection > unverified.connection && !again.resumed);
        bench.mock.until_open(1).await;
    }
}

#[tokio::test]
async fn an_upstream_that_is_trusted_no_more_gets_no_request() {
    for version in VERSIONS {
        let bench = Bench::new(version).await;
        let upstreams = bench.upstreams(&bench.config(), None);
        bench.ask(&upstreams, Some("a")).await;
        let stranger = Authority::root(&Ca::named("stranger")).unwrap();
        std::fs::write(bench.path("ca.crt"), stranger.pem()).unwrap();
        refresh(&upstreams, &bench.pools, now());
        let error = bench.ask_to(&upstreams, Some("a"), "close").await.unwrap_err();
        assert!(error.contains("UnknownIssuer"), "{error}");
    }
}

#[tokio::test]
async fn a_bad_file_of_trust_anchors_changes_nothing_and_a_missing_one_trusts_nobody() {
    let bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    let seen = bench.ask(&upstreams, Some("a")).await;
    std::fs::write(bench.path("ca.crt"), "garbage").unwrap();
    assert_eq!(refresh(&upstreams, &bench.pools, now()).len(), 1);
    assert_eq!(bench.ask(&upstreams, Some("a")).await, seen);

    let upstreams = bench.upstreams(&bench.config(), None);
    let error = bench.ask_to(&upstreams, Some("a"), "close").await.unwrap_err();
    assert_eq!(error, "trust anchors: unreadable certificate: no PEM block of one");
}

#[tokio::test]
async fn an_upstream_that_speaks_before_the_handshake_is_not_heard() {
    use tokio::io::AsyncWriteExt;
    let bench = Bench::new(&TLS13).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let speaks = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi!").await.unwrap();
        tcp.shutdown().await.unwrap();
    });
    let upstreams = bench.upstreams(&config(port, mtls(bench.directory.path())), None);
    let way = upstreams.way(0).unwrap();
    let client = bench.pools.client(&way.destination, &way.terms(Some("a"), now()).ok().unwrap()).unwrap();
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    let request = Request::get(format!("https://localhost:{port}/")).body(body).unwrap();
    let error = told(&client.request(request).await.unwrap_err());
    assert!(error.contains("corrupt message"), "{error}");
    speaks.await.unwrap();
}
