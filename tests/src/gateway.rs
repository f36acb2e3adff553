//! The gateway that a run asks for: `HARNESS_GATEWAY`.

use harness::gateway::{Ability, Gateway, Options, Unavailable};
use harness::stack::{Plan, Stack};

use crate::skip;

/// Ends the test as skipped on a gateway that lacks something.
pub fn needs(ability: Ability) {
    if let Some(reason) = lacks(ability) {
        skip(reason);
    }
}

/// Why the gateway does not do what others do.
pub fn lacks(ability: Ability) -> Option<&'static str> {
    gateway(Options::default()).lacks(ability)
}

/// The header of a response that has the request's id.
pub fn request_id_header() -> &'static str {
    gateway(Options::default()).request_id_header()
}

/// Whether mtls-policy runs as the Lua plugin over the native library, by `HARNESS_ENGINE`; else as a filter.
pub fn is_native() -> bool {
    lacks(Ability::RunsFilters).is_some()
}

/// Brings up what a plan says on the gateway; the test is skipped where that cannot run.
pub(crate) fn up(plan: &Plan<'_>, options: Options) -> anyhow::Result<Stack> {
    let gateway = gateway(options);
    match Stack::up(&*gateway, plan) {
        Err(error) if error.is::<Unavailable>() => absent(gateway.name(), error),
        outcome => outcome,
    }
}

fn gateway(options: Options) -> Box<dyn Gateway> {
    let name = std::env::var("HARNESS_GATEWAY").unwrap_or_else(|_| "embedded".to_owned());
    harness::gateway::by_name(&name, &options).unwrap_or_else(|error| absent(&name, error))
}

/// What becomes of a test whose gateway does not come up.
pub fn absent(name: &str, error: anyhow::Error) -> ! {
    let required = std::env::var("HARNESS_REQUIRE").unwrap_or_default();
    match error.downcast_ref::<Unavailable>() {
        Some(reason) if !required.split(',').any(|each| each == name) => skip(reason.to_string()),
        _ => panic!("{error:#}"),
    }
}
