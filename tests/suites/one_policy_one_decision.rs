//! The same policy and request give the same decision on every host: `tests/conformance`, as `harness conformance`
//! asks it, with the gateway that the suites run on.

use harness::conformance::{self, Lineup, Table};
use harness::gateway::{Options, Unavailable, asked_for};
use policy_tools::Engine;
use tests::{CASES, tests};

tests![every_host_decides_as_the_core_does,];

fn every_host_decides_as_the_core_does() {
    let suites = conformance::suites(CASES.as_ref()).unwrap_or_else(|error| panic!("{error:#}"));
    let gateway = std::env::var("HARNESS_GATEWAY").unwrap_or_else(|_| "embedded".to_owned());
    let options = Options::default();
    let engine = asked_for(&options).unwrap_or_else(|error| panic!("{error:#}"));
    let is_kong = matches!(&*gateway, "kong" | "docker");
    let host = match engine {
        Some(Engine::Native) if is_kong => format!("{gateway}-native"),
        _ => gateway.clone(),
    };
    let lineup = Lineup::ask(&[&host], &options, &suites);
    let lineup = lineup.unwrap_or_else(|error| panic!("{error:#}"));
    println!("{}", Table(&lineup));
    assert_eq!(lineup.wrong(), 0, "{}", Table(&lineup));
    if let Some(absent) = lineup.absent.into_iter().next() {
        tests::absent(&gateway, Unavailable(absent.why).into());
    }
}
