//! From Kong's key-auth, acl and `service.client_certificate`.
//!
//! As a real Kong 3.9.1 was seen to have it: of a plugin's instances the most specific one counts for a route, key-auth
//! decides before nearly all other plugins, and acl after it, by groups.

mod acl;
mod certificates;
mod guards;
mod key_auth;
mod neighbours;
mod people;
mod placing;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet};

use super::policy::Policy;
use super::report::{Notes, Outcome};
use super::{Migration, Refused, Source};
use crate::Engine;
use crate::policy::{Document, Setup};

use acl::Access;
use guards::Guard;
use people::People;
use rewrite::Rewrite;

/// What a guard becomes, before it is known which certificate it selects.
struct Plan<'d> {
    policy: Policy,
    access: Option<Access<'d>>,
}

pub(super) fn migrate(
    documents: &[Document],
    source: Source,
    engine: Option<Engine>,
) -> Result<Migration, Refused> {
    rewrite::check_one_setup(documents)?;
    let setup = Setup::of(documents);
    if !setup.plugins.iter().any(|plugin| plugin.on && plugin.name == "key-auth") {
        return Err(Refused::Unusable(
            "no key-auth is in there, or none that is on: nothing to do".to_owned(),
        ));
    }
    let mut notes = Notes::on(documents);
    let people = People::read(&setup, source, &mut notes);
    let guards = guards::of(&setup);
    let (mut plans, mut staying) = (BTreeMap::new(), BTreeSet::new());
    for guard in &guards {
        match plan(guard, &setup, &people, engine, &mut notes) {
            Some(plan) => drop(plans.insert(guard.place, plan)),
            None => drop(staying.insert(guard.place)),
        }
    }
    guards::keep_together(&setup, &guards, &mut staying, &mut notes);
    plans.retain(|place, _| !staying.contains(place));

    let mut rewrite = Rewrite::default();
    let mapped = plans.keys().copied().collect();
    let certificates = certificates::move_out(&setup, &mapped, &mut rewrite, &mut notes);
    let mut policies = BTreeMap::new();
    for (place, Plan { mut policy, access }) in plans {
        let service = place.service(&setup);
        policy.client_certificate = service.and_then(|service| certificates.get(&service)).cloned();
        if let Some(access) = access {
            access.decide(&mut policy, &people, &mut notes);
        }
        policies.insert(place, policy);
    }
    placing::put(&setup, &guards, &policies, &people, &mut rewrite, &mut notes);
    rewrite::say_what_is_lost(documents, &setup, &mut notes);
    say_of_all(documents, engine, &mut notes);
    guards::take_out(&setup, &guards, &staying, &mut rewrite, &mut notes);
    Migration::of(&rewrite.document(documents, &setup), notes.report(source))
}

/// What is other wherever a policy decides.
fn say_of_all<'d>(documents: &'d [Document], engine: Option<Engine>, notes: &mut Notes<'d>) {
    let Some(document) = documents.first() else { return };
    let message =
        "what a client says of X-Consumer-…, X-Credential-Identifier and X-Anonymous-Consumer never passes";
    notes.add(Outcome::Differs, &document.root, message);
    if engine != Some(Engine::Native) {
        let message = "with the filter, a refusal ends with a line feed and has a header Via";
        notes.add(Outcome::Differs, &document.root, message);
    }
}

/// `None`: it stays, and it has been said why.
fn plan<'d>(
    guard: &Guard<'_, 'd>,
    setup: &Setup<'d>,
    people: &People<'d>,
    engine: Option<Engine>,
    notes: &mut Notes<'d>,
) -> Option<Plan<'d>> {
    // All that is in the way is said at once.
    let policy = key_auth::policy(guard.key_auth, people, engine, notes);
    let access = guard.acl.map(|acl| Access::read(acl, setup, people, notes));
    let alone = neighbours::judge(guard, setup, engine, notes);
    let access = match access {
        Some(access) => Some(access?),
        None => None,
    };
    let policy = policy?;
    alone.then_some(Plan { policy, access })
}
