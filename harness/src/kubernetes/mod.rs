//! What Kubernetes is told: Secrets, and all that a Kong on Kubernetes needs to call an upstream by mutual TLS.

mod secret;

pub use secret::Secret;
