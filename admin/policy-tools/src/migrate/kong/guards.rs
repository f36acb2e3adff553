//! Where key-auth and acl are in force, and what has to stay together.

use std::collections::BTreeSet;

use super::rewrite::Rewrite;
use crate::migrate::report::{Notes, Outcome};
use crate::policy::{Kind, Plugin, Scope, Setup};

/// Where a policy can be: a route, or a service that has none yet. Indices into the setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Route(usize),
    Service(usize),
}

/// A place where key-auth is in force.
pub(super) struct Guard<'s, 'd> {
    pub(super) place: Place,
    pub(super) key_auth: &'s Plugin<'d>,
    pub(super) acl: Option<&'s Plugin<'d>>,
}

impl Place {
    pub(super) fn service(self, setup: &Setup<'_>) -> Option<usize> {
        match self {
            Self::Route(route) => setup.routes[route].service,
            Self::Service(service) => Some(service),
        }
    }

    /// In the words of the report.
    pub(super) fn name(self, setup: &Setup<'_>) -> String {
        match self {
            Self::Route(route) => format!("route {:?}", setup.routes[route].label()),
            Self::Service(service) => service_name(setup, service),
        }
    }

    pub(super) fn is_in(self, scope: &Scope, setup: &Setup<'_>) -> bool {
        match scope {
            Scope::Alone | Scope::Elsewhere(_) | Scope::Resource(_) => false,
            Scope::Global => true,
            Scope::Service(service) => self.service(setup) == Some(*service),
            Scope::Route(route) => self == Self::Route(*route),
        }
    }

    fn all(setup: &Setup<'_>) -> impl Iterator<Item = Self> {
        let bare = |service: &usize| setup.routes.iter().all(|route| route.service != Some(*service));
        let services = (0..setup.services.len()).filter(bare).map(Self::Service);
        (0..setup.routes.len()).map(Self::Route).chain(services.collect::<Vec<_>>())
    }
}

pub(super) fn service_name(setup: &Setup<'_>, service: usize) -> String {
    let service = &setup.services[service];
    format!("service {:?}", if service.name.is_empty() { service.id } else { service.name })
}

/// All places where key-auth is in force.
pub(super) fn of<'s, 'd>(setup: &'s Setup<'d>) -> Vec<Guard<'s, 'd>> {
    let guard = |place| {
        let key_auth = in_force(setup, place, "key-auth")?;
        Some(Guard { place, key_auth, acl: in_force(setup, place, "acl") })
    };
    Place::all(setup).filter_map(guard).collect()
}

/// The one of a plugin's instances that counts in a place: Kong takes the most specific.
pub(super) fn in_force<'s, 'd>(setup: &'s Setup<'d>, place: Place, name: &str) -> Option<&'s Plugin<'d>> {
    let there = setup.plugins.iter().filter(|plugin| plugin.on && plugin.name == name);
    let there = there.filter(|plugin| place.is_in(&plugin.scope, setup));
    there.max_by_key(|plugin| match plugin.scope {
        Scope::Alone | Scope::Elsewhere(_) | Scope::Global | Scope::Resource(_) => 0,
        Scope::Service(_) => 1,
        Scope::Route(_) => 2,
    })
}

/// A plugin that has to stay in one place stays in all: it cannot be taken out of some.
pub(super) fn keep_together(
    setup: &Setup<'_>,
    guards: &[Guard<'_, '_>],
    staying: &mut BTreeSet<Place>,
    notes: &mut Notes<'_>,
) {
    loop {
        let before = staying.len();
        for plugin in ours(setup) {
            let Some(because) = needed(setup, plugin, guards, staying) else { continue };
            for guard in guards.iter().filter(|guard| guard.place.is_in(&plugin.scope, setup)) {
                if staying.insert(guard.place) {
                    notes.cure(
                        Outcome::Unmapped,
                        plugin.node,
                        format!(
                            "{} has to stay for {}, so {} keeps its key-auth",
                            plugin.name,
                            because.name(setup),
                            guard.place.name(setup)
                        ),
                        "put it onto each of the routes that need it, and migrate again",
                    );
                }
            }
        }
        if staying.len() == before {
            return;
        }
    }
}

/// Takes out what has been mapped, the keys themselves last: they go with the last key-auth.
pub(super) fn take_out<'d>(
    setup: &Setup<'d>,
    guards: &[Guard<'_, 'd>],
    staying: &BTreeSet<Place>,
    rewrite: &mut Rewrite,
    notes: &mut Notes<'d>,
) {
    let mut keys_needed = false;
    for plugin in setup.plugins.iter().filter(|plugin| ["acl", "key-auth"].contains(&plugin.name)) {
        let guarded = guards.iter().filter(|guard| guard.place.is_in(&plugin.scope, setup)).count();
        if !plugin.on {
            notes.add(Outcome::Stays, plugin.node, format!("{} is off, and stays so", plugin.name));
        } else if let Scope::Elsewhere(of) = &plugin.scope {
            keys_needed = keys_needed || plugin.name == "key-auth";
            let message = format!("{} of {of}, which is in none of the files", plugin.name);
            notes.cure(Outcome::Unmapped, plugin.node, message, "give the files that have it too");
        } else if let Some(place) = needed(setup, plugin, guards, staying) {
            keys_needed = keys_needed || plugin.name == "key-auth";
            notes.add(Outcome::Stays, plugin.node, format!("{}, for {}", plugin.name, place.name(setup)));
        } else if plugin.name == "key-auth" || guarded > 0 {
            rewrite.drop(plugin.node);
            later_routes(plugin, notes);
        }
    }
    for credential in setup.entities.iter().filter(|entity| entity.kind == Kind::Credential) {
        match keys_needed {
            true => notes.add(Outcome::Stays, credential.node, "the key itself, for the key-auth that stays"),
            false => rewrite.drop(credential.node),
        }
    }
}

/// Plugins of these places guard what is put there later; a policy on each route does not.
fn later_routes(plugin: &Plugin<'_>, notes: &mut Notes<'_>) {
    if plugin.scope == Scope::Global {
        let message =
            format!("{} was for routes to come too: these need mtls-policy of their own", plugin.name);
        notes.add(Outcome::Differs, plugin.node, message);
    }
}

/// A place for which a plugin cannot be taken out.
fn needed(
    setup: &Setup<'_>,
    plugin: &Plugin<'_>,
    guards: &[Guard<'_, '_>],
    staying: &BTreeSet<Place>,
) -> Option<Place> {
    let counts = |place: &Place| {
        in_force(setup, *place, plugin.name).is_some_and(|one| std::ptr::eq(one.node, plugin.node))
    };
    let mapped = |place: &Place| guards.iter().any(|guard| guard.place == *place) && !staying.contains(place);
    Place::all(setup).filter(counts).find(|place| !mapped(place))
}

/// Those that are to be mapped.
fn ours<'s, 'd>(setup: &'s Setup<'d>) -> impl Iterator<Item = &'s Plugin<'d>> {
    setup.plugins.iter().filter(|plugin| plugin.on && ["acl", "key-auth"].contains(&plugin.name))
}
