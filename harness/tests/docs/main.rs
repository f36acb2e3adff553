//! Every page of this tree, as it is followed: links lead somewhere, commands do what the page says, samples are taken.
//!
//! A block of code says what it is by its language:
//!
//! - `sh` and `console` are run, the blocks of one page in one directory of its own, in their order. In `console` lines
//!   that begin with `$ ` are commands, and the others what they say, to the letter; `…` stands for anything, and alone on
//!   a line for any number of lines.
//! - `yaml` and `json` are what this project reads, or Kubernetes, and are checked as that.
//! - Everything else is shown.
//!
//! An HTML comment before a block says more:
//!
//! - `not run: REASON` and `not checked: REASON`
//! - `needs: PROGRAM`: not run where that is not there
//! - `exits with: 0 1`: of each command in turn, where one of them does not exit with 0
//! - `file: NAME`: a sample that the page's commands read, which is written before them

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod commands;
mod help;
mod links;
mod page;
mod reference;
mod samples;
mod terminal;
