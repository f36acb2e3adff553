//! Policies as their authors handle them: checked, explained, compared and formatted, in files of their own, within a
//! Kong's declarative config, or in what a running Kong's Admin API tells.
//!
//! What a policy means is asked of the filter's own core, so that the two cannot disagree.

mod ask;
mod check;
mod document;
mod edit;
mod explain;
mod finding;
mod locate;
mod mask;
mod members;
mod partition;
mod rewrite;
mod route;
mod setup;

pub use ask::{Condition, Request, Rules, Verdict, Who};
pub use check::{Check, check};
pub use document::{Document, Unread, read};
pub use edit::Edits;
pub use explain::{
    Asker, Decided, Explanation, Outcome, Question, decide, explain, text as explanation_text,
};
pub use finding::{Finding, Severity, json, text};
pub use rewrite::Staged;
pub use setup::{Placed, Route, Scope, Service, Setup};
