//! A policy in force, and what it says to a request.

use std::sync::Arc;

use super::caller::Caller;
use super::credential::{Places, Unfound};
use super::decision::{Allow, Certificate, Decision};
use super::identity::Edits;
use super::keyring::{Absent, Consumer, Digest, Keyring};
use super::refusal::{Reason, Refusal};
use super::request::{Established, Header, Request, View};
use super::rules::Rules;
use super::wants::Wants;

/// A policy in force: what a request is held against. It only looks up; nothing of it can be wrong any more.
pub struct Policy {
    asks: Asks,
    rules: Rules,
    wants: Wants,
}

/// Who says who is asking.
pub(super) enum Asks {
    Gateway,
    Keys(Box<Keys>),
}

/// Authentication by API key.
pub(super) struct Keys {
    pub(super) places: Places,
    pub(super) hide: bool,
    pub(super) preflight_passes: bool,
    pub(super) challenge: Box<str>,
    pub(super) anonymous: Option<Consumer>,
    /// Shared by policies with the same consumers.
    pub(super) keyring: Arc<Keyring>,
}

impl Policy {
    pub(super) fn new(asks: Asks, rules: Rules) -> Self {
        let wants = Wants::of(&asks, &rules);
        Self { asks, rules, wants }
    }

    /// What of a request has to be handed over.
    pub fn wants(&self) -> &Wants {
        &self.wants
    }

    /// Whether the gateway's own authentication is to say who is asking.
    pub fn asks_the_gateway(&self) -> bool {
        matches!(self.asks, Asks::Gateway)
    }

    /// What becomes of a request.
    pub fn decide<'a, H>(&'a self, request: Request<'a, H>) -> Decision<'a>
    where
        H: IntoIterator<Item = Header<'a>>,
    {
        match self.allow(&View::of(request, &self.wants)) {
            Ok(allow) => Decision::Allow(allow),
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    /// What the rules say of somebody who was let in before, about a request that others have changed since: a host where
    /// they may asks again, for rules are about what the upstream will receive.
    ///
    /// # Errors
    /// The rules refuse it.
    pub fn reselect<'a, H>(
        &'a self,
        who: &'a Established<'a>,
        request: Request<'a, H>,
    ) -> Result<Certificate<'a>, Refusal<'a>>
    where
        H: IntoIterator<Item = Header<'a>>,
    {
        self.rules.select(&Caller::Established(who), &View::of(request, &self.wants))
    }

    fn allow<'a>(&'a self, request: &View<'a>) -> Result<Allow<'a>, Refusal<'a>> {
        let (caller, hidden) = match &self.asks {
            Asks::Gateway => (established(request)?, None),
            Asks::Keys(keys) => (keys.caller(request)?, keys.hide.then_some(&keys.places)),
        };
        let certificate: Certificate<'a> = self.rules.select(&caller, request)?;
        Ok(Allow { caller, certificate, edits: Edits::of(&caller, request, hidden) })
    }
}

impl Keys {
    fn caller<'a>(&'a self, request: &View<'_>) -> Result<Caller<'a>, Refusal<'a>> {
        if self.preflight_passes && request.method == b"OPTIONS" {
            return Ok(Caller::Nobody);
        }
        match (self.authenticate(request), &self.anonymous) {
            (Ok(caller), _) => Ok(caller),
            (Err(_), Some(anonymous)) => Ok(Caller::Anonymous(anonymous)),
            (Err((message, reason)), None) => {
                Err(Refusal { status: 401, message, challenge: Some(&self.challenge), reason })
            }
        }
    }

    fn authenticate<'a>(&'a self, request: &View<'_>) -> Result<Caller<'a>, (&'static str, Reason<'a>)> {
        let key = self.places.find(request).map_err(|unfound| match unfound {
            Unfound::Duplicate => ("Duplicate API key found", Reason::DuplicateKey),
            Unfound::Missing => (NO_KEY, Reason::NoKey),
        })?;
        match self.keyring.find(&Digest::of(&key), request.now) {
            Ok((consumer, key)) => Ok(Caller::Consumer(consumer, key)),
            Err(absent) => {
                let reason = match absent {
                    Absent::Expired(consumer, key) => {
                        Reason::ExpiredKey { consumer: &consumer.username, key: &key.id }
                    }
                    Absent::NotYetValid(consumer, key) => {
                        Reason::NotYetValidKey { consumer: &consumer.username, key: &key.id }
                    }
                    Absent::Unknown => Reason::UnknownKey,
                };
                Err(("Unauthorized", reason))
            }
        }
    }
}

fn established<'a>(request: &View<'a>) -> Result<Caller<'a>, Refusal<'a>> {
    match request.established.filter(|consumer| consumer.id.is_some() || consumer.username.is_some()) {
        Some(consumer) => Ok(Caller::Established(consumer)),
        None => {
            Err(Refusal { status: 401, message: NO_KEY, challenge: Some("Key"), reason: Reason::NoConsumer })
        }
    }
}

const NO_KEY: &str = "No API key found in request";
