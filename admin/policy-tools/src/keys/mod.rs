//! API keys: made, hashed, succeeded and listed. Policies hold their digests only.

mod api_key;
mod entry;
mod list;
mod placeholder;
mod succession;

pub use api_key::{ApiKey, Checksum, ENTROPY_BITS, NotAKey, PATTERN};
pub use entry::{Entry, time};
pub use list::{Held, State, list};
pub use placeholder::Placeholder;
pub use succession::{Plan, Succession, succeed};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hex, as a policy stores a key.
pub fn digest(of: impl AsRef<[u8]>) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(of)))
}
