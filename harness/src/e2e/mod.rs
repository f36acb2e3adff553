//! A user's own config and cases, in a user's own CI: the gateway with a mock upstream behind it, each case asked, and
//! a report that people and machines can read.
//!
//! No report can hold a key: [`Tried`] is made of texts from which all keys have been taken out.

mod config;
mod explain;
mod html;
mod junit;
mod report;
mod trial;

pub use config::Own;
pub use html::html;
pub use junit::junit;
pub use report::{Report, Tried, failures};
pub use trial::run;
