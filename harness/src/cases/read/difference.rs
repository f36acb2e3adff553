//! Hosts that owe something else, each with its reason.

use super::owed;
use crate::cases::{Difference, HOSTS, Instead};
use kong_config::document::{Place, nearest};

/// `differs`: by host, or by several with commas between them.
pub(super) fn read(place: Option<Place<'_>>) -> Vec<Difference> {
    let mut differs: Vec<Difference> = Vec::new();
    for (key, place) in place.iter().flat_map(Place::entries) {
        let Some((instead, because)) = instead(&place) else { continue };
        for host in key.name.split(',').map(str::trim) {
            if !HOSTS.contains(&host) {
                let hint = nearest(host, HOSTS.into_iter()).unwrap_or(HOSTS[0]);
                place.problem(format_args!("no host is called {host:?}, did you mean {hint:?}?"));
            }
            if differs.iter().any(|other| other.host == host) {
                place.problem(format_args!("{host} has a difference here already"));
            }
            differs.push(Difference {
                host: host.to_owned(),
                instead: instead.clone(),
                because: because.clone(),
            });
        }
    }
    differs
}

fn instead(place: &Place<'_>) -> Option<(Instead, String)> {
    let mut fields = place.fields()?;
    let because = fields.need("because").and_then(|place| place.string().map(str::to_owned));
    let not_asked = fields.get("not_asked").and_then(|place| place.boolean()).unwrap_or(false);
    let problems = fields.get("problems");
    let instead = if not_asked {
        fields.finish();
        Instead::NotAsked
    } else if let Some(problems) = problems {
        fields.finish();
        let all = problems.items();
        Instead::Problems(all.iter().filter_map(|place| place.string().map(str::to_owned)).collect())
    } else {
        Instead::Owed(Box::new(owed::mapping(fields)?))
    };
    Some((instead, because?))
}
