//! A connection that is kept alive is found again by its own identity, and by no other, however a gateway's pools are
//! made: of one size for each or for all, with names that are hashed, or compared without regard to case.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use harness::dogcatcher::ClientCertificate;
use harness::gateway::Ability;
use pki::Leaf;
use tests::config::{CA_FILE, CLIENTS, from_files};
use tests::{Setting, needs, tests};

tests![
    certificates_whose_names_differ_by_case_or_share_a_hash_stay_apart,
    identities_find_their_connections_again_where_there_is_room_for_all,
    more_identities_than_there_is_room_for_stay_apart_under_load,
    pools_are_called_by_what_case_does_not_tell_apart,
    server_names_that_share_a_hash_share_no_connection,
    what_a_client_calls_the_upstream_names_no_pool,
];

fn identities_find_their_connections_again_where_there_is_room_for_all() {
    needs(Ability::KongsOwn);
    let many = Many::new(IDENTITIES);
    assert_eq!(many.connections_of_five_rounds(), IDENTITIES);
}

fn more_identities_than_there_is_room_for_stay_apart_under_load() {
    needs(Ability::KongsOwn);
    let many = Many::new(IDENTITIES / 3);
    // Where room is each pool's, this is as good as any; where it is that of all pools, nobody finds anything again.
    let connections = many.connections_of_five_rounds();
    println!(
        "{connections} connections for 5 rounds of {IDENTITIES} identities, with room for {}",
        IDENTITIES / 3
    );
    let whose = thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|asker| {
                let many = &many;
                scope.spawn(move || (0..500).map(|turn| many.ask(turn * (asker + 1) + turn / 7)).collect())
            })
            .collect();
        askers
            .into_iter()
            .flat_map(|asker: thread::ScopedJoinHandle<'_, Vec<_>>| asker.join().unwrap())
            .collect()
    });
    assert_each_is_of_one_identity(whose);
}

fn certificates_whose_names_differ_by_case_or_share_a_hash_stay_apart() {
    // Names, and whose files are behind them.
    let named = [
        ("kong-vet", "kong-vet"),
        ("KONG-VET", "kong-intern"),
        ("Kong-Vet", "kong-client"),
        ("plumless", "kong-vet"),
        ("buckeroo", "kong-intern"),
    ];
    let secret = |client| if client == CLIENTS[0] { "kong-upstream-mtls" } else { client };
    let certificates: Vec<_> = named
        .iter()
        .map(|(name, client)| {
            let secret = format!("/etc/secrets/{}", secret(client));
            format!("{{name: {name}, cert_file: {secret}/tls.crt, key_file: {secret}/tls.key}}")
        })
        .collect();
    let routes: String = named
        .iter()
        .enumerate()
        .map(|(number, (name, _))| {
            format!(
                "  - {{name: route-{number}, paths: [/{number}], plugins: [{{name: upstream-mtls, config: \
                 {{client_certificates: [{}], client_certificate: {name}, ca_file: {CA_FILE}}}}}]}}\n",
                certificates.join(", ")
            )
        })
        .collect();
    let setting = Setting::of(&with_routes(&routes));
    for turn in 0..100 {
        let number = (turn * 7 / 3) % named.len();
        let seen = setting.get(&format!("/{number}/anything")).send();
        assert_eq!(
            (seen.status, seen.common_name()),
            (200, Some(named[number].1)),
            "turn {turn}: {}",
            seen.text
        );
    }
}

/// Two pairs: of one CRC32, by which Kong before 3.4 told pools apart, and of one nginx hash (`ngx_hash_key_lc`), by
/// which OpenResty 1.27 finds them. Equal in length, so that names with all else equal have one hash as well.
fn server_names_that_share_a_hash_share_no_connection() {
    needs(Ability::KongsOwn);
    let names = ["plumless.example", "buckeroo.example", "an.example", "c0.example"];
    let setting = up(&with_routes(&presenting("own", 0, "preserve_host: true,")), &[]);
    let leaf = Leaf::server("dogcatcher").reached_as(names.join(",").parse().unwrap());
    let shown = setting.authority().issue(&leaf).unwrap();
    setting.upstream_tls(|tls| (tls.chain, tls.key) = (shown.chain_pem(), shown.key().pem()));
    for turn in 0..60 {
        let name = names[(turn * 7 / 3) % names.len()];
        let seen = setting.get("/own/anything").header("Host", name).send();
        assert_eq!((seen.status, seen.server_name()), (200, Some(name)), "turn {turn}: {}", seen.text);
    }
}

fn pools_are_called_by_what_case_does_not_tell_apart() {
    needs(Ability::KongsOwn);
    let many = Many::new(IDENTITIES);
    many.connections_of_five_rounds();
    let pools = pools(&many.setting);
    let ids: BTreeSet<_> = pools.iter().filter_map(|name| name.rsplit('|').next()).collect();
    assert_eq!(ids.len(), IDENTITIES, "{pools:?}");
    for id in ids {
        assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    }
}

/// A pool's name has the server's name in it, which a client chooses where a route preserves it. What identifies a
/// certificate is no secret, so that a client could spell out a pool's name: it must not be the pool's.
fn what_a_client_calls_the_upstream_names_no_pool() {
    needs(Ability::KongsOwn);
    needs(Ability::RestartsWorkers);
    let plain = "- name: plain
  url: https://dogcatcher-api:5443
  routes:
  - {name: plain, paths: [/plain], preserve_host: true}
";
    let setting = up(&format!("{}{plain}", with_routes(&presenting("own", 0, ""))), &[]);
    setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::Asked);
    let warm = || assert_eq!(setting.get("/own/anything").send().common_name(), Some(CLIENTS[0]));
    warm();
    // As whoever knows the certificates would compute them: what comes after address and port.
    let known: Vec<_> =
        pools(&setting).iter().map(|name| name.splitn(3, '|').last().unwrap().to_owned()).collect();
    assert!(!known.is_empty(), "no pool is in the log");
    setting.restart_workers().unwrap();
    warm();
    for name in known {
        let seen = setting.get("/plain/anything").header("Host", &name).send();
        assert_eq!(seen.common_name(), None, "{name}: {}", seen.text);
    }
}

/// A Kong with as many identities, and as many routes as identities, to one upstream.
struct Many {
    setting: Setting,
}

impl Many {
    fn new(room: usize) -> Self {
        let routes: String =
            (0..IDENTITIES).map(|number| presenting(&number.to_string(), number, "")).collect();
        Self { setting: up(&with_routes(&routes), &[("upstream_keepalive_pool_size", &room.to_string())]) }
    }

    /// Asks as one of the identities: the connection, and the number of the identity.
    fn ask(&self, turn: usize) -> (u64, usize) {
        let number = turn % IDENTITIES;
        let seen = self.setting.get(&format!("/{number}/anything")).send();
        let owed = CLIENTS[number % CLIENTS.len()];
        assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "turn {turn}: {}", seen.text);
        (seen.connection(), number)
    }

    /// One after the other: how many connections these took.
    fn connections_of_five_rounds(&self) -> usize {
        let asked: Vec<_> = (0..5 * IDENTITIES).map(|turn| self.ask(turn)).collect();
        assert_each_is_of_one_identity(asked.clone());
        asked.into_iter().map(|(connection, _)| connection).collect::<BTreeSet<_>>().len()
    }
}

fn assert_each_is_of_one_identity(asked: Vec<(u64, usize)>) {
    let mut whose = BTreeMap::new();
    for (connection, number) in asked {
        let first = *whose.entry(connection).or_insert(number);
        assert_eq!(first, number, "connection {connection} was that of another identity");
    }
}

/// A Kong with one worker, as pools are a worker's own, which logs what they are called.
fn up(config: &str, settings: &[(&str, &str)]) -> Setting {
    let settings = [&[("nginx_worker_processes", "1"), ("log_level", "debug")], settings].concat();
    Setting::up(config, &settings).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The names of pools that were used so far.
fn pools(setting: &Setting) -> BTreeSet<String> {
    let log = setting.log();
    let names =
        log.lines().filter_map(|line| line.split_once("keepalive (pool=")?.1.split_once(", pool_size"));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn with_routes(routes: &str) -> String {
    format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes:
{routes}"#
    )
}

/// A route with one of [`IDENTITIES`], certificates and depths of verification in every combination, and what else it is
/// to have.
fn presenting(path: &str, number: usize, more: &str) -> String {
    let client = CLIENTS[number % CLIENTS.len()];
    format!(
        "  - {{name: route-{path}, paths: [/{path}], {more} plugins: [{{name: upstream-mtls, config: \
         {{client_certificates: [{}], client_certificate: {client}, ca_file: {CA_FILE}, tls_verify_depth: {}}}}}]}}\n",
        from_files(client),
        number / CLIENTS.len() + 1
    )
}

const IDENTITIES: usize = 12;
