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

    /// Whether a consumer that the gateway's own authentication has established before is kept: the policy checks API
    /// keys and has `anonymous`. Kong calls this the logical OR of multiple authentication
    /// (kong/plugins/key-auth/handler.lua, `logical_OR_authentication`).
    pub fn keeps_established(&self) -> bool {
        matches!(&self.asks, Asks::Keys(keys) if keys.anonymous.is_some())
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

    /// Evaluates only the rules, for an established consumer. A host calls this when the request, or its consumer, has
    /// changed after [`decide`](Self::decide): rules are about what the upstream will receive, and for whom. It works for
    /// every policy and every consumer; one without any field is a request without a consumer.
    ///
    /// # Errors
    /// The rules reject the request.
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
            Asks::Gateway => (established(request).ok_or(NOT_ESTABLISHED)?, None),
            Asks::Keys(keys) => (keys.caller(request)?, keys.hide.then_some(&keys.places)),
        };
        let certificate: Certificate<'a> = self.rules.select(&caller, request)?;
        Ok(Allow { caller, certificate, edits: Edits::of(&caller, request, hidden) })
    }
}

impl Keys {
    fn caller<'a>(&'a self, request: &View<'a>) -> Result<Caller<'a>, Refusal<'a>> {
        if self.anonymous.is_some()
            && let Some(caller) = established(request)
        {
            return Ok(caller);
        }
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

/// The established consumer; a credential without a consumer is none.
fn established<'a>(request: &View<'a>) -> Option<Caller<'a>> {
    let consumer = request.established?;
    (consumer.id.is_some() || consumer.username.is_some()).then_some(Caller::Established(consumer))
}

const NOT_ESTABLISHED: Refusal<'static> =
    Refusal { status: 401, message: NO_KEY, challenge: Some("Key"), reason: Reason::NoConsumer };

const NO_KEY: &str = "No API key found in request";
