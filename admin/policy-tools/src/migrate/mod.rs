//! From what checks API keys elsewhere, and presents client certificates, to mtls-policy and upstream-mtls.
//!
//! What cannot be mapped stays as it was, or is refused: no config that comes out of here lets in somebody whom the old
//! one refused. Keys come out as their digests only, and nothing here prints.

mod apisix;
mod certificate;
mod declarative;
mod envoy;
mod key;
mod kong;
mod policy;
mod report;
mod result;
mod source;

pub use report::{Entry, Outcome, Report, json, text};
pub use result::{File, Migration, Refused};
pub use source::Source;

use std::path::Path;

use crate::Engine;
use crate::policy::Document;

/// Maps what documents hold together. `engine`: the shell that is going to be loaded, if it is known. `certificates`: where
/// certificates are going to be that stand in a document and have to be in files.
///
/// # Errors
/// There is nothing in them to be mapped, or what would come out is no valid config.
pub fn migrate(
    documents: &[Document],
    source: Source,
    engine: Option<Engine>,
    certificates: Option<&Path>,
) -> Result<Migration, Refused> {
    match source {
        Source::Apisix => apisix::migrate(documents, certificates),
        Source::Envoy => envoy::migrate(documents),
        Source::Deck | Source::Kong => kong::migrate(documents, source, engine),
    }
}
