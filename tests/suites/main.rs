//! End to end: a client, a gateway with the real filter, a Dogcatcher that demands mutual TLS.
//!
//! One file per promise. `HARNESS_GATEWAY` names the gateway that all of them run on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod a_bad_policy_lets_nobody_in;
mod bodies_stream_both_ways;
mod credentials_stay_in;
mod identities_stay_apart;
mod identity_headers_are_ours;
mod last_known_good;
mod no_certificate_no_request;
mod one_policy_one_decision;
mod refusals_are_key_auths;
mod rotation_loses_nothing;
mod the_upstream_is_verified;
mod the_whole_path;
