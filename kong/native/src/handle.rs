//! What Lua holds: policies, compiled.

use mtls_policy::policy;

use crate::{Consumers, Text};

/// A policy, or what is wrong with one: that refuses every request. Opaque outside.
pub struct Policy(Result<policy::Policy, String>);

/// What has to be handed over of a request; the headers always.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub method: bool,
    pub authority: bool,
    pub path: bool,
    pub query: bool,
    /// The body's fields under the names of the keys.
    pub body: bool,
    /// The consumer that the gateway's own authentication has established; there is no other.
    pub established: bool,
    /// The consumer that was established with a credential before this plugin runs, if there is one: it is kept. The
    /// policy has `authentication: api_key` and `anonymous`.
    pub anonymous: bool,
}

impl Policy {
    /// For `compile`: `consumers` are those of the policy's consumers file, where it names one.
    pub(crate) fn compile(document: &[u8], consumers: Option<&Consumers>) -> Self {
        let consumers_file = match consumers {
            None => policy::ConsumersFile::Missing,
            Some(consumers) => policy::ConsumersFile::Read(consumers.inner()),
        };
        Self::compile_for(document, consumers_file)
    }

    /// For `check`: only what the policy itself says is looked at, and nobody can pass.
    pub(crate) fn check(document: &[u8]) -> Self {
        match Self::compile_for(document, policy::ConsumersFile::Unread) {
            Self(Ok(_)) => Self(Err(String::new())),
            problems => problems,
        }
    }

    fn compile_for(document: &[u8], consumers_file: policy::ConsumersFile<'_>) -> Self {
        let host = policy::Host { reads_bodies: true, consumers_file };
        Self(policy::Policy::compile_for(&host, document).map_err(|problems| problems.to_string()))
    }

    pub(crate) fn panicked() -> Self {
        Self(Err(PANICKED.to_owned()))
    }

    pub(crate) fn valid(&self) -> Option<&policy::Policy> {
        self.0.as_ref().ok()
    }

    pub(crate) fn problems(&self) -> Text {
        problems(&self.0)
    }

    /// How each request is rejected under a policy that is not valid.
    pub(crate) fn rejection(&self) -> policy::Refusal<'_> {
        match self.0.as_ref().err().and_then(|problems| problems.lines().next()) {
            Some(problem) => policy::Refusal::invalid_policy(problem),
            None => policy::Refusal::NO_POLICY,
        }
    }

    pub(crate) fn wants(&self) -> Wants {
        let Some(policy) = self.valid() else { return Wants::default() };
        let wants = policy.wants();
        Wants {
            method: wants.method,
            authority: wants.authority,
            path: wants.path,
            query: wants.query,
            body: wants.body,
            established: policy.asks_the_gateway(),
            anonymous: policy.keeps_established(),
        }
    }
}

/// One a line; absent where there are none.
fn problems<T>(compiled: &Result<T, String>) -> Text {
    match compiled {
        Err(problems) if !problems.is_empty() => Text::of(problems.as_bytes()),
        Ok(_) | Err(_) => Text::ABSENT,
    }
}

const PANICKED: &str = "the library failed while it compiled this; its message is in the error log";
