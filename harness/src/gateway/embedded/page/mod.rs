//! The page: one HTML document, and what it asks for, on the status address of a gateway that was asked for it.
//!
//! It tells what became of requests, without keys: no header, no query, no body is remembered. It takes one question,
//! [`explain`], and changes nothing. Whoever is on this machine may look; what runs in a browser on behalf of another
//! site may not ([`guard`]).

mod decision;
mod document;
mod event;
mod explain;
mod guard;
mod identities;
mod ring;
mod serve;
mod state;

pub(super) use decision::Decision;
pub(super) use event::Event;
pub(super) use identities::Named;
pub(super) use serve::answer;

use ring::Ring;

/// What one gateway remembers for its page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) decisions: Ring<Decision>,
    pub(super) events: Ring<Event>,
}
