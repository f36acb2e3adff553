//! YAML and JSON documents whose every value knows its line.
//!
//! [`parse`] makes a tree of [`Node`]s; a [`Place`] walks it and knows its path in the document; what is
//! wrong goes into one [`Report`], so that an admin sees every problem of a document at once.
//!
//! No type here that holds a value has `Debug`: a document may hold private keys.

mod node;
mod parse;
mod place;
mod problem;
mod template;

pub use node::{At, Key, Node, Value};
pub use parse::parse;
pub use parse::{SECOND_DOCUMENT, parse_all};
pub use place::{Fields, Place, nearest};
pub use problem::{Problem, Problems, Report, visible};
pub use template::{quoted, templates, with_names, without_templates};

#[cfg(test)]
mod tests;
