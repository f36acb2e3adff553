//! The page, as a real browser shows it, and what it asks for, as others may ask for it too.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod api;
mod browser;
mod cost;
mod found;
mod legible;
mod picture;
mod scene;
mod shown;
