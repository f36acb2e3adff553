//! What Kubernetes is told: by `harness kong configure`, as it is typed, and by the files in kong/.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![allow(clippy::panic, reason = "a panic is how a test says no")]

mod configure;
mod helm;
mod kubectl;
mod manifests;
mod refused;
mod schemas;
