//! The runtime of mtls-policy that a driver uses, and where the native library is.

use std::path::{Path, PathBuf};

use anyhow::Context;
use policy_tools::Engine;

use super::Options;
use crate::shipped;

/// What a driver is told, or `HARNESS_ENGINE` says, if either says anything.
///
/// # Errors
/// `HARNESS_ENGINE` is no engine's name.
pub fn asked_for(options: &Options) -> anyhow::Result<Option<Engine>> {
    if options.engine.is_some() {
        return Ok(options.engine);
    }
    let named = std::env::var("HARNESS_ENGINE").ok().filter(|name| !name.is_empty());
    named.map(|name| name.parse()).transpose()
}

/// The directory of the library: `HARNESS_NATIVE`, else the nearest `target/native` above this executable that has it,
/// where `make native` puts it and a release has it.
///
/// # Errors
/// There is none.
pub fn native_library() -> anyhow::Result<PathBuf> {
    if let Some(directory) = std::env::var_os("HARNESS_NATIVE") {
        return Ok(directory.into());
    }
    shipped::place(LIBRARY).and_then(|library| library.parent().map(Path::to_path_buf)).with_context(|| {
        format!("no {LIBRARY} above this executable: run `make native`, or say by HARNESS_NATIVE which directory has it")
    })
}

const LIBRARY: &str = "target/native/libmtls_policy_native.so";
