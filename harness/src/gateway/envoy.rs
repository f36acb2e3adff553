//! An Envoy of this machine, on a translation of Kong's declarative config.
//!
//! | Kong | Envoy |
//! |---|---|
//! | routes, in Kong's order | one virtual host's routes, in that order |
//! | strip_path, a service's path | `regex_rewrite`, and the same in the route's metadata: filters run before it |
//! | mtls-policy and other filters | the route's own `filter_chain`; one VM per worker for all filters of one name |
//! | a client certificate, under one trust | a cluster; certificate, key and trust anchors by SDS |
//! | which of them | the route's cluster by a matcher over filter state |
//! | a filter whose file is `NAME.envoy.json` | Envoy's own filter of the type that the file names, under the filter's config |
//! | ca_file, ca_certificates | a validation context that wants the service's host as a DNS name |
//!
//! **Why a cluster for each identity.** Clusters share neither connections nor TLS sessions: identities are apart by
//! construction. Envoy 1.37 and later can also choose a certificate within one cluster, by filter state that is
//! shared with the upstream connection. A filter cannot share its state so; its pools are apart only as far as a
//! 64-bit hash of that state is; one SDS file holds one secret, so that choice needs an SDS server; and after a
//! rotation connections of the certificate before go on being used.
//!
//! **Why nobody can forge the choice.** It is made by filter state, `wasm.upstream_mtls.client_certificate`, which
//! only a filter can set; no header is part of it. A name for which there is no cluster is no cluster, and Envoy
//! answers 503 itself. On a route with a policy the filter says even that it selects none: what got lost does not
//! read as the default. Envoy looks the route up again after the filters; it finds the same, for what filters change
//! may not stand in any route's conditions (`refused.rs`).
//!
//! **Rotation.** An Envoy by itself takes over new files by SDS, and keeps the last good ones; but connections that
//! are open already go on under the certificate before, and an expired one is presented as long as it is there. Under
//! this driver neither happens: it watches the files as the embedded gateway does, names each cluster by the digest
//! of what its connections are made with, and tells the filter until when a certificate is valid.

mod admin;
mod bootstrap;
mod clusters;
mod configured;
mod files;
mod filters;
mod in_force;
mod listener;
mod matching;
mod paths;
mod plan;
mod process;
mod published;
mod refused;
mod routes;
mod secrets;
mod served;
mod translation;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use served::Served;

use super::{Ability, Gateway, Options, Running, Setup, Unavailable};
use crate::shipped;

pub use translation::translate;

/// Runs an `envoy` of this machine.
#[derive(Clone, Debug)]
pub struct Envoy {
    bin: PathBuf,
}

impl Envoy {
    /// # Errors
    /// There is no `envoy` here.
    pub fn find(options: &Options) -> Result<Self, Unavailable> {
        let named = options
            .envoy_bin
            .clone()
            .or_else(|| env::var_os("ENVOY_BIN").filter(|value| !value.is_empty()).map(PathBuf::from));
        let bin = named.or_else(on_path).or_else(installed).ok_or_else(|| {
            Unavailable("no envoy on PATH: run `make envoy`, or set ENVOY_BIN or --envoy-bin".to_owned())
        })?;
        match bin.canonicalize() {
            Ok(found) if found.is_file() => Ok(Self { bin: found }),
            _ => Err(Unavailable(format!("{} is no envoy: set ENVOY_BIN or --envoy-bin", bin.display()))),
        }
    }

    /// The program.
    pub fn bin(&self) -> &Path {
        &self.bin
    }
}

impl Gateway for Envoy {
    fn name(&self) -> &'static str {
        "envoy"
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match ability {
            Ability::BoundsChains => {
                Some("Envoy 1.40.0 takes a chain of any length, whatever max_verify_depth is")
            }
            Ability::KongsOwn => Some("Envoy has none of Kong's own plugins and entities"),
            Ability::RepeatsSafeRequests => Some(
                "Envoy tries again what it has not sent yet; whether a request may be repeated it does not ask",
            ),
            Ability::RestartsWorkers => Some("Envoy's workers are threads of one process"),
            Ability::NamesConsumers | Ability::ReadsBodies | Ability::ReadsConsumersFiles => {
                Some("the filter has no files, and decides before it sees a body")
            }
            Ability::SharesDatabase => Some("Envoy has no database"),
            Ability::StreamsProtocols => {
                Some("of Kong's protocols only http and https are translated to Envoy")
            }
            Ability::TellsMetrics => Some("Envoy tells statistics of its own, under names of its own"),
            Ability::TellsSlowHandshakes => Some(
                "to Envoy a handshake is part of connecting, and a connection that takes too long is one that failed",
            ),
            Ability::SeesRequests => {
                Some("Envoy does not tell whether an upstream has asked for a certificate")
            }
            Ability::AnswersEarly
            | Ability::ChecksNames
            | Ability::DecidesLast
            | Ability::EnvoysOwn
            | Ability::ForgetsPolicies
            | Ability::KeepsLastPolicy
            | Ability::RefusesCommonNames
            | Ability::RefusesEarlyPlaintext
            | Ability::ResumesSessions
            | Ability::RunsFilters => None,
        }
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        Ok(Box::new(Served::start(&self.bin, setup)?))
    }
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join("envoy")).find(|bin| Path::is_file(bin))
}

/// Where harness/install-envoy.sh puts it.
fn installed() -> Option<PathBuf> {
    shipped::place(&format!("target/tools/envoy-{VERSION}/envoy"))
}

/// The release that this driver was tried with. harness/install-envoy.sh reads it here.
pub const VERSION: &str = "1.40.0";

/// The filter that decides who may pass.
const POLICY: &str = "mtls-policy";

/// A duration as protobuf's JSON has it.
fn seconds(duration: Duration) -> String {
    format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis())
}

#[cfg(test)]
mod tests;
