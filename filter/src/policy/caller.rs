//! As whom a request passes.

use super::keyring::{Consumer, Key};
use super::request::Established;

/// As whom a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// The consumer that stands for requests without a valid key.
    Anonymous(&'a Consumer),
    Consumer(&'a Consumer, &'a Key),
    /// Whom the gateway's own authentication has established.
    Established(&'a Established<'a>),
    /// A preflight request that nobody is asked about.
    Nobody,
}

impl Caller<'_> {
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Anonymous(consumer) | Self::Consumer(consumer, _) => Some(&consumer.username),
            Self::Established(established) => established.username,
            Self::Nobody => None,
        }
    }

    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups().any(|each| each == group)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        let (own, established): (&[Box<str>], &[&str]) = match self {
            Self::Anonymous(consumer) | Self::Consumer(consumer, _) => (&consumer.groups, &[]),
            Self::Established(established) => (&[], &established.groups),
            Self::Nobody => (&[], &[]),
        };
        own.iter().map(|group| &**group).chain(established.iter().copied())
    }
}
