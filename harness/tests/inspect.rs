//! `harness certs inspect`, as it is typed, and what it says of certificates, held against OpenSSL.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

#[path = "inspect/corpus.rs"]
mod corpus;
#[path = "inspect/openssl.rs"]
mod openssl;
#[path = "inspect/typed.rs"]
mod typed;
