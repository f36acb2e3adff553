//! Identities stay apart.

use super::*;

/// Every order of three steps, one after the other: each pair of neighbours comes up, in both directions.
const ORDERS: [Option<&str>; 18] = {
    let (a, b, none) = (Some("a"), Some("b"), None);
    [a, b, none, a, none, b, b, a, none, b, none, a, none, a, b, none, b, a]
};

#[tokio::test]
async fn no_request_rides_a_connection_of_another_identity() {
    for version in VERSIONS {
        let mut bench = Bench::new(version).await;
        let upstreams = bench.upstreams(&bench.config(), None);
        let mut connections = std::collections::HashMap::new();
        for selected in ORDERS {
            let seen = bench.ask(&upstreams, selected).await;
            let expected =
                selected.map_or("-".into(), |name| fingerprint(&bench.path(&format!("{name}.crt"))));
            assert_eq!(seen.fingerprint, expected, "{selected:?} over {version:?}");
            let first = *connections.entry(selected).or_insert(seen.connection);
            assert_eq!(seen.connection, first, "{selected:?}: kept alive over {version:?}");
        }
        bench.mock.until_open(3).await;
    }
}

#[tokio::test]
async fn no_request_resumes_a_session_of_another_identity() {
    for version in VERSIONS {
        let bench = Bench::new(version).await;
        let upstreams = bench.upstreams(&bench.config(), None);
        let mut resumed = 0;
        for selected in ORDERS {
            let seen = bench.ask_to(&upstreams, selected, "close").await.unwrap();
            let expected =
                selected.map_or("-".into(), |name| fingerprint(&bench.path(&format!("{name}.crt"))));
            assert_eq!(seen.fingerprint, expected, "{selected:?} over {version:?}");
            resumed += usize::from(seen.resumed);
        }
        // All but the first of each: else nothing was there to go wrong.
        assert_eq!(resumed, ORDERS.len() - 3, "{version:?}");
    }
}

#[tokio::test]
async fn a_new_key_under_the_same_names_is_another_identity() {
    for version in VERSIONS {
        let mut bench = Bench::new(version).await;
        let asked = Asked::client("a").serial(7);
        bench.authority.issue(&asked).unwrap().write(bench.directory.path(), "a").unwrap();
        let upstreams = bench.upstreams(&bench.config(), None);
        let before = bench.ask(&upstreams, Some("a")).await;

        let renewed = bench.authority.issue(&asked).unwrap();
        renewed.write(bench.directory.path(), "a").unwrap();
        refresh(&upstreams, &bench.pools, now());
        let after = bench.ask(&upstreams, Some("a")).await;
        assert_eq!(after.fingerprint, renewed.fingerprint());
        assert_ne!(after.connection, before.connection);
        assert!(!after.resumed);
        bench.mock.until_open(1).await;
    }
}

#[tokio::test]
async fn connections_of_a_replaced_certificate_close_and_others_stay() {
    let mut bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    bench.ask(&upstreams, Some("a")).await;
    let b = bench.ask(&upstreams, Some("b")).await;
    bench.mock.until_open(2).await;

    bench.renew("a");
    refresh(&upstreams, &bench.pools, now());
    bench.mock.until_open(1).await;
    assert_eq!(bench.ask(&upstreams, Some("b")).await, b);
}

#[tokio::test]
async fn an_expired_certificate_is_not_presented_though_its_connections_are_warm() {
    let mut bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    bench.ask(&upstreams, Some("a")).await;
    bench.mock.until_open(1).await;

    let later = now() + time::Duration::days(4000);
    let way = upstreams.way(0).unwrap();
    let Err(NoWay::Certificate { name, why: Unusable::Expired(_) }) = way.terms(Some("a"), later) else {
        panic!("presented");
    };
    assert_eq!(name, "a");
    assert!(matches!(way.offer("a", later), Some(Err(_))));
    refresh(&upstreams, &bench.pools, later);
    bench.mock.until_open(0).await;
}

#[tokio::test]
async fn a_request_that_began_under_old_terms_leaves_no_connection_behind() {
    let mut bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    let way = upstreams.way(0).unwrap();
    let old = way.terms(Some("a"), now()).unwrap();
    bench.renew("a");
    refresh(&upstreams, &bench.pools, now());

    let client = bench.pools.client(&way.destination, &old).unwrap();
    assert!(bench.pools.keys().is_empty());
    drop(client);
    bench.ask(&upstreams, Some("a")).await;
    bench.mock.until_open(1).await;
}

#[tokio::test]
async fn connections_survive_a_reload_where_all_of_their_terms_do() {
    let mut bench = Bench::new(&TLS13).await;
    let mut config = bench.config();
    let upstreams = bench.upstreams(&config, None);
    let a = bench.ask(&upstreams, Some("a")).await;
    bench.ask(&upstreams, Some("b")).await;
    bench.mock.until_open(2).await;

    let mtls = config.upstream_mtls.as_mut().unwrap();
    mtls.client_certificates.retain(|client| client.name == "a");
    let upstreams = bench.upstreams(&config, Some(&upstreams));
    bench.mock.until_open(1).await;
    assert_eq!(bench.ask(&upstreams, Some("a")).await, a);
}

#[tokio::test]
async fn the_whole_chain_goes_out() {
    let mut bench = Bench::new(&TLS13).await;
    let root = Authority::root(&Ca::named("root").path_length(1)).unwrap();
    let below = root.intermediate(&Ca::named("below")).unwrap();
    let server = Asked::server("dogcatcher").reached_as("localhost".parse().unwrap());
    bench.mock = Mock::start(&bench.authority.issue(&server).unwrap(), &root, &TLS13).await;
    below.issue(&Asked::client("a")).unwrap().write(bench.directory.path(), "a").unwrap();
    let upstreams = bench.upstreams(&bench.config(), None);
    assert_eq!(bench.ask(&upstreams, Some("a")).await.chain, 2);
}
