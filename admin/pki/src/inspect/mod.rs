//! What there is to know about certificates that exist: in files, directories, Secret manifests, or shown by a server.
//!
//! Two steps, so that what judges never reads: [`read`] and [`Probe`] fetch [`Material`], and [`Inspection::of`] says
//! what is wrong with it at an instant. Nothing here prints, and of a private key only its public half is kept.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pki::inspect::{Inspection, read};
//! # use pki::{Authority, Ca, Leaf};
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! # let authority = Authority::root(&Ca::named("test CA"))?;
//! # authority.issue(&Leaf::client("kong-client"))?.write(directory, "tls")?;
//!
//! for material in read(directory)? {
//!     let inspection = Inspection::of(material?, time::OffsetDateTime::now_utc(), time::Duration::days(30));
//!     assert!(inspection.findings.is_empty());
//! }
//! # Ok(())
//! # }
//! ```

mod certificate;
mod chain;
mod directory;
mod distinguished;
mod finding;
mod inspection;
mod key;
mod live;
mod material;
mod names;
mod secret;
mod usage;

pub use certificate::{Certificate, PublicKey};
pub use chain::{Chain, End};
pub(super) use directory::key_beside;
pub use finding::{Finding, Problem, Severity};
pub use inspection::Inspection;
pub use key::{Key, KeyMatch};
pub use live::{Answered, Asked, Probe, Unreached};
pub use material::{Material, Origin, Unreadable, certificates, is_manifest, read};
pub(super) use secret::secrets;
