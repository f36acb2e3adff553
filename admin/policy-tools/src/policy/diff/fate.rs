//! What becomes of a request.

use serde::Serialize;
use serde_json::Value;

use crate::policy::{Outcome, Request, Rules, Who};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Denied {
        status: u16,
        message: String,
    },
    /// There is no such route.
    NoRoute,
    Passes {
        /// `None`: as whoever asks.
        anonymous: Option<String>,
        /// `None`: the upstream's own setting.
        certificate: Option<String>,
    },
    /// Without a valid key.
    Unauthorized,
}

impl Fate {
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Passes { .. })
    }
}

/// The policies of one route, ready to be asked.
pub(super) struct Judge<'p> {
    there: bool,
    policies: Vec<(&'p Value, Rules)>,
}

impl<'p> Judge<'p> {
    pub(super) fn of(there: bool, policies: &'p [Value]) -> anyhow::Result<Self> {
        let policies = policies.iter().map(|policy| Ok((policy, Rules::of(policy)?)));
        Ok(Self { there, policies: policies.collect::<anyhow::Result<_>>()? })
    }

    /// `who`: in each of the policies, somebody who is let in; `None`: nobody there has such a key.
    pub(super) fn fate(&self, who: &[Option<Who>], request: &Request) -> Fate {
        if !self.there {
            return Fate::NoRoute;
        }
        let (mut anonymous, mut certificate) = (None, None);
        for (number, (policy, rules)) in self.policies.iter().enumerate() {
            let known = who.get(number).cloned().flatten();
            let who = match (known, policy["anonymous"].as_str()) {
                (Some(who), _) => who,
                (None, Some(name)) => {
                    anonymous = Some(name.to_owned());
                    stand_in(policy, name)
                }
                (None, None) => return Fate::Unauthorized,
            };
            match rules.outcome(&who, request) {
                Outcome::Present(name) => certificate = Some(name),
                Outcome::Refused { status, message, .. } => return Fate::Denied { status, message },
                Outcome::Unchanged => {}
            }
        }
        Fate::Passes { anonymous, certificate }
    }
}

/// The anonymous consumer: one of the policy's, or somebody with nothing but a name.
fn stand_in(policy: &Value, name: &str) -> Who {
    let consumers = policy["consumers"].as_array().into_iter().flatten();
    let own = consumers.filter(|one| one["username"] == name).flat_map(|one| one["groups"].as_array());
    let groups = own.flatten().filter_map(|group| group.as_str().map(str::to_owned)).collect();
    Who { username: Some(name.to_owned()), groups }
}
