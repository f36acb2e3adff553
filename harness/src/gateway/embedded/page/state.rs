//! All that the page shows, as one document.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::core::Core;
use super::super::status::date;
use super::{Page, identities};

pub(super) fn state(core: &Core, page: &Page) -> Value {
    let now = OffsetDateTime::now_utc();
    let generation = core.in_force();
    let routes = generation.config.routes.iter().map(|route| {
        let service = generation.config.services.get(route.service).map(|service| service.label());
        json!({ "name": route.label(), "service": service })
    });
    let upstreams = generation.config.services.iter().map(|service| service.host.as_str());
    json!({
        "at": date(now),
        "config": core.config_name(),
        "routes": routes.collect::<Vec<_>>(),
        "upstreams": upstreams.collect::<std::collections::BTreeSet<_>>(),
        // By what became of them, by the statuses of what did not reach an upstream, by what was presented.
        "requests": core.counters.read(),
        "refusals": core.metrics.statuses("kong"),
        "presented": core.metrics.presentations(),
        "identities": identities::tell(&generation, now),
        "decisions": page.decisions.read(|number, decision| decision.tell(number)),
        "events": page.events.read(|number, event| event.tell(number)),
    })
}
