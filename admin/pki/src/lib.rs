//! Certificates: an [`Authority`] signs what a [`Leaf`] asks for, and [`Issued`] is the outcome.
//!
//! Types keep apart what must not be mixed up: a [`Ca`] can only become an authority, a [`Leaf`] never one, and a leaf
//! serves one purpose, server or client. Nothing here prints a private key: [`PrivateKey`] meets no formatter.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pki::{Authority, Ca, Leaf};
//!
//! let authority = Authority::root(&Ca::named("test CA"))?;
//! let server = authority.issue(&Leaf::server("dogcatcher-api").reached_as("localhost,127.0.0.1".parse()?))?;
//! let client = authority.issue(&Leaf::client("kong-client"))?;
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! server.write(directory, "server")?; // server.crt, server.key
//! client.write(directory, "kong-client")?;
//! # Ok(())
//! # }
//! ```

mod authority;
mod error;
mod files;
pub mod inspect;
mod issued;
mod key;
mod leaf;
mod manifest;
mod name;
mod placed;
mod revocation;
pub mod rotation;
mod subject;
mod validity;

#[cfg(test)]
mod tests;

pub use authority::{Authority, Ca};
pub use error::Error;
pub use files::{Access, Batch, Existing};
pub use issued::{Issued, pem};
pub use key::{Algorithm, PrivateKey};
pub use leaf::Leaf;
pub use manifest::Manifest;
pub use name::{InvalidNames, Name, Names};
pub use placed::{AuthorityFiles, IdentityFiles};
pub use revocation::{Reason, Revocations};
pub use subject::Subject;
pub use validity::Validity;
