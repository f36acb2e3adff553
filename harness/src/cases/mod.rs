//! Cases as data: a policy, a request, and what is owed for it, read from YAML and asked of anything that decides.
//!
//! ```text
//! YAML ─ read ─▶ Suite ─ ask ─▶ Outcome ─ judge(Owed) ─▶ what is wrong, or nothing
//! ```
//!
//! Nothing here knows which host answers: the policy's core gives an [`Outcome`] as a gateway does, so that one
//! expectation holds for all of them.

pub mod core;
pub mod http;
mod judge;
mod outcome;
mod read;
mod suite;
mod text;

pub use judge::judge;
pub use outcome::{Answer, Heard, Outcome};
pub use read::{Kind, load, parse};
pub use suite::{
    Case, Certificate, Difference, Established, Expected, HOSTS, Instead, Mistake, Owed, Request, Suite,
    Upstream, Values, difference_of,
};
pub use text::Text;
