//! The last known good stays in force.

use super::*;
use kong_config::declarative::{Certificate, PemPair};
use pki::Validity;

/// Writes garbage of some kind where the good certificate `a` is.
type Spoil = fn(&Bench);

#[tokio::test]
async fn what_is_wrong_with_a_pair_never_replaces_one_that_is_right() {
    let spoils: [(&str, Spoil); 7] = [
        ("garbage", |bench| std::fs::write(bench.path("a.crt"), "not a certificate").unwrap()),
        ("empty", |bench| std::fs::write(bench.path("a.key"), "").unwrap()),
        ("gone", |bench| std::fs::remove_file(bench.path("a.crt")).unwrap()),
        ("half written", |bench| {
            let whole = std::fs::read(bench.path("b.crt")).unwrap();
            std::fs::write(bench.path("a.crt"), &whole[..whole.len() / 2]).unwrap();
        }),
        ("mismatched", |bench| {
            std::fs::copy(bench.path("b.crt"), bench.path("a.crt")).unwrap();
        }),
        ("expired", |bench| {
            let asked = Asked::client("a").valid(Validity::expired());
            bench.authority.issue(&asked).unwrap().write(bench.directory.path(), "a").unwrap();
        }),
        ("not yet valid", |bench| {
            let asked = Asked::client("a").valid(Validity::not_yet());
            bench.authority.issue(&asked).unwrap().write(bench.directory.path(), "a").unwrap();
        }),
    ];
    for (kind, spoil) in spoils {
        let bench = Bench::new(&TLS13).await;
        let upstreams = bench.upstreams(&bench.config(), None);
        let good = bench.ask(&upstreams, Some("a")).await;

        spoil(&bench);
        let changes = refresh(&upstreams, &bench.pools, now());
        assert_eq!(changes.len(), 1, "{kind}: reported once: {changes:?}");
        assert!(changes[0].outcome.is_err() && changes[0].in_force, "{kind}: {}", changes[0]);
        assert_eq!(refresh(&upstreams, &bench.pools, now()), [], "{kind}: reported again");
        assert_eq!(bench.ask(&upstreams, Some("a")).await, good, "{kind}");

        let renewed = bench.renew("a");
        bench.renew("b");
        assert_eq!(refresh(&upstreams, &bench.pools, now()).len(), 2, "{kind}");
        assert_eq!(bench.ask(&upstreams, Some("a")).await.fingerprint, renewed.fingerprint(), "{kind}");
    }
}

#[tokio::test]
async fn a_reload_of_the_config_forgets_no_good_pair() {
    let bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    let good = bench.ask(&upstreams, Some("a")).await;
    std::fs::write(bench.path("a.crt"), "garbage").unwrap();
    let upstreams = bench.upstreams(&bench.config(), Some(&upstreams));
    assert_eq!(bench.ask(&upstreams, Some("a")).await, good);
}

#[tokio::test]
async fn one_bad_certificate_leaves_the_others_in_force() {
    let bench = Bench::new(&TLS13).await;
    std::fs::write(bench.path("a.crt"), "garbage").unwrap();
    let upstreams = bench.upstreams(&bench.config(), None);
    let refused = bench.ask_to(&upstreams, Some("a"), "close").await;
    assert_eq!(refused.unwrap_err(), "client certificate \"a\": unreadable certificate: no PEM block of one");
    bench.ask(&upstreams, Some("b")).await;

    let renewed = bench.renew("b");
    refresh(&upstreams, &bench.pools, now());
    assert_eq!(bench.ask(&upstreams, Some("b")).await.fingerprint, renewed.fingerprint());
    let repaired = bench.renew("a");
    refresh(&upstreams, &bench.pools, now());
    assert_eq!(bench.ask(&upstreams, Some("a")).await.fingerprint, repaired.fingerprint());
}

#[tokio::test]
async fn a_swapped_symbolic_link_is_seen() {
    // As Kubernetes mounts a Secret: NAME -> ..data/NAME, ..data -> a directory that changes at once.
    let bench = Bench::new(&TLS13).await;
    let root = bench.directory.path();
    let publish = |version: &str, issued: &Issued| {
        std::fs::create_dir(root.join(version)).unwrap();
        issued.write(&root.join(version), "a").unwrap();
        std::os::unix::fs::symlink(version, root.join("..tmp")).unwrap();
        std::fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    };
    let issue = || bench.authority.issue(&Asked::client("a")).unwrap();
    publish("..1", &issue());
    for file in ["a.crt", "a.key"] {
        std::fs::remove_file(root.join(file)).unwrap();
        std::os::unix::fs::symlink(format!("..data/{file}"), root.join(file)).unwrap();
    }
    let upstreams = bench.upstreams(&bench.config(), None);
    bench.ask(&upstreams, Some("a")).await;

    let renewed = issue();
    publish("..2", &renewed);
    refresh(&upstreams, &bench.pools, now());
    assert_eq!(bench.ask(&upstreams, Some("a")).await.fingerprint, renewed.fingerprint());
}

#[tokio::test]
async fn what_is_not_valid_yet_comes_into_force_by_time_alone() {
    let bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    let next = Asked::client("a").valid(Validity::not_yet());
    let next = bench.authority.issue(&next).unwrap();
    next.write(bench.directory.path(), "a").unwrap();
    refresh(&upstreams, &bench.pools, now());

    let in_force = |at| upstreams.way(0).unwrap().terms(Some("a"), at).ok().unwrap().certificate.unwrap();
    assert_ne!(in_force(now()).leaf.fingerprint, next.fingerprint());
    let later = now() + time::Duration::days(2);
    refresh(&upstreams, &bench.pools, later);
    assert_eq!(in_force(later).leaf.fingerprint, next.fingerprint());
}

#[tokio::test]
async fn a_name_that_nobody_configured_is_unknown() {
    let bench = Bench::new(&TLS13).await;
    let upstreams = bench.upstreams(&bench.config(), None);
    let refused = bench.ask_to(&upstreams, Some("c"), "close").await;
    assert_eq!(refused.unwrap_err(), "client certificate \"c\": unknown");
}

#[tokio::test]
async fn the_nearest_instance_serves_a_route_with_its_own_names_only() {
    let bench = Bench::new(&TLS13).await;
    let presented = |config: &Config, selected: Option<&str>| {
        let upstreams = bench.upstreams(config, None);
        match upstreams.way(0).unwrap().terms(selected, now()) {
            Ok(terms) => {
                terms.certificate.map_or("none".into(), |certificate| certificate.leaf.subject.clone())
            }
            Err(no) => no.to_string(),
        }
    };
    let only = |name: &str| {
        let mut mtls = mtls(bench.directory.path());
        mtls.client_certificates.retain(|client| client.name == name);
        mtls.client_certificate = Some(name.into());
        mtls
    };
    let own = bench.renew("own");
    let pair = PemPair { chain: own.chain_pem(), key: own.key().pem() };

    let mut config = config(1, mtls(bench.directory.path()));
    assert_eq!(presented(&config, None), "none");
    config.certificates = vec![Certificate { id: "c1".into(), pair }];
    config.services[0].client_certificate = Some(0);
    assert_eq!(presented(&config, None), "CN=own");
    config.upstream_mtls = Some(only("a"));
    assert_eq!(presented(&config, None), "CN=a");
    config.services[0].upstream_mtls = Some(only("b"));
    assert_eq!(presented(&config, None), "CN=b");
    config.routes[0].upstream_mtls = Some(only("a"));
    assert_eq!(presented(&config, None), "CN=a");
    assert_eq!(presented(&config, Some("b")), "client certificate \"b\": unknown");
    config.routes[0].upstream_mtls = Some(mtls(bench.directory.path()));
    assert_eq!(presented(&config, Some("b")), "CN=b");

    config.services[0].protocol = Protocol::Http;
    assert_eq!(presented(&config, None), "none");
    assert!(presented(&config, Some("b")).contains("plain HTTP"));
}

#[test]
fn an_unusable_certificate_in_the_config_itself_is_refused_with_all_others() {
    let pair = |chain: &str| PemPair { chain: chain.into(), key: "key".into() };
    let mut mtls = mtls(Path::new("/nowhere"));
    mtls.trust = None;
    mtls.client_certificates = vec![Named { name: "x".into(), source: CertificateSource::Inline(pair("?")) }];
    let mut config = config(1, mtls);
    config.certificates = vec![Certificate { id: "c1".into(), pair: pair("!") }];
    let problems = Upstreams::compile(&config, None).err().unwrap();
    assert_eq!(
        problems,
        [
            "certificate c1: unreadable certificate: no PEM block of one",
            "client certificate \"x\": unreadable certificate: no PEM block of one",
        ]
    );
}
