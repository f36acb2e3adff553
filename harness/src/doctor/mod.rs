//! Walks the way from a gateway to an upstream, hop by hop, and says which is broken, why, and what to do.
//!
//! It looks as the gateways do: certificates by [`pki::inspect`], the upstream's verification by the embedded
//! gateway's own. A hop whose way is broken before it is not looked at, and that is said.

mod acceptance;
mod address;
mod admin;
mod answer;
mod client;
mod entities;
mod fault;
mod finding;
mod handshake;
mod manifests;
mod material;
mod patient;
mod patients;
mod policy;
mod request;
mod server;
mod through;
mod trust;
mod walk;

pub use admin::{AdminApi, AdminApiError};
pub use answer::Answer;
pub use fault::Fault;
pub use finding::{Finding, Hop, State};
pub use patient::{Patient, Text, TrustedBy};
pub use patients::{Case, patients};
pub use through::{Through, examine as examine_gateway};
pub use walk::examine;
