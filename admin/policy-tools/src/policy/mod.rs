//! Policies as their authors handle them: checked, explained, compared and formatted, in files of their own, within a
//! Kong's declarative config, or in what a running Kong's Admin API tells.
//!
//! What a policy means is asked of the filter's own core, so that the two cannot disagree.

mod ask;
mod check;
mod diff;
mod document;
mod edit;
mod explain;
mod finding;
mod fmt;
mod locate;
mod mask;
mod members;
mod partition;
mod reference;
mod rewrite;
mod route;
pub mod schema;
mod setup;

pub use ask::{Condition, Outcome, Request, Rules, Verdict, Who};
pub use check::{Check, check};
pub use check::{complaint, selected, unknown_names, whole};
pub use diff::{Access, Diff, Fate, Gain, KeyChange, Setting, diff, text as diff_text};
pub use document::root_of;
pub use document::{Document, Unread, read};
pub use edit::Edits;
pub use explain::{Asker, Decided, Explanation, Question, decide, explain, text as explanation_text};
pub use finding::{Finding, Severity, json, text};
pub use fmt::{format, written};
pub use members::{Entity, Kind};
pub use reference::reference;
pub use rewrite::Staged;
pub use setup::{Placed, Plugin, Route, Scope, Service, Setup};
