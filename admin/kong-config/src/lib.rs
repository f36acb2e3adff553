//! Kong's declarative configuration: documents whose values know their lines ([`document`]), the typed model of the
//! entities that the gateways here support ([`declarative`]), and how Kong routes a request by it ([`router`], [`uri`]).
#![forbid(unsafe_code)]

pub mod declarative;
pub mod document;
pub mod regular;
pub mod router;
pub mod uri;
