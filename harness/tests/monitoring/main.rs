//! What kong/monitoring tells: Prometheus' own tools, and a Prometheus that looks at a gateway.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![allow(clippy::panic, reason = "a panic is how a test says no")]

mod dashboard;
mod gateway;
mod live;
mod rules;
mod tools;
