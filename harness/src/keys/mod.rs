//! API keys: made, hashed, succeeded and listed. Policies hold their digests only.

mod api_key;

pub use api_key::{ApiKey, Checksum, ENTROPY_BITS, NotAKey, PATTERN};
