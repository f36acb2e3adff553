//! `harness keys`: API keys.

mod end;
mod hash;
mod list;
mod new;
mod rotate;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// The digest of the key that stdin holds, as a policy wants it
    Hash(hash::Typed),
    /// The keys of policies: whose, from when, until when
    List(list::Typed),
    /// Print a new API key, once, and the policy entry that admits it
    New(new::Typed),
    /// Give a key a successor, in its policy: both are valid for a time
    Rotate(rotate::Typed),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Hash(typed) => hash::run(typed),
        Verb::List(typed) => list::run(typed),
        Verb::New(typed) => new::run(typed),
        Verb::Rotate(typed) => rotate::run(typed),
    }
}
