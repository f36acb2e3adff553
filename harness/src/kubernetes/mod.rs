//! What Kubernetes is told: Secrets, and all that a Kong on Kubernetes needs to call an upstream by mutual TLS.

mod identity;
mod kong;
mod kubectl;
mod secret;
mod template;

pub use identity::{Identity, InvalidIdentity};
pub use kong::{File, Kong, Plugins, Way};
pub use kubectl::apply;
pub use secret::Secret;
