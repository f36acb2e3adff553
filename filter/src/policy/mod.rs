//! What an admin writes, compiled, and what becomes of a request under it.
//!
//! ```text
//! JSON ─ Policy::compile ─▶ Policy ─ decide(Request) ─▶ Decision: Allow │ Refuse
//! ```
//!
//! Nothing here knows a host, a clock or a socket: a [`Request`] holds all that a decision depends on, and [`Wants`] says
//! beforehand how much of a request that is.
//! A [`Policy`] that exists is valid; one that is not is a list of all its [`Problems`], each with its path.

mod caller;
mod compile;
mod config;
mod cookie;
mod credential;
mod decide;
mod decision;
mod identity;
mod keyring;
mod path;
mod problem;
mod query;
mod read;
mod refusal;
mod request;
mod rules;
#[cfg(feature = "schema")]
pub mod schema;
mod wants;

pub use caller::Caller;
pub use compile::{Consumers, ConsumersFile, Host, MOST_PROBLEMS};
pub use config::{
    Authentication, Config, Consumer as ConsumerConfig, Deny, Key as KeyConfig, Match, Rule as RuleConfig,
};
pub use decide::Policy;
pub use decision::{Allow, Certificate, CertificateName, Decision};
pub use identity::{Edit, Edits, IdentityHeader};
pub use keyring::{Consumer, Digest, Key};
pub use problem::{Problem, Problems};
pub use refusal::{Format, Reason, Refusal};
pub use request::{Established, Header, Request, Target};
pub use wants::Wants;
