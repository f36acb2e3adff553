//! Where the things are that the harness comes with: a tree of sources has them at the same places as an unpacked release.
//!
//! They are looked for from the executable, so that no build holds a path of the machine that it was made on.

use std::env;
use std::path::PathBuf;

/// What is at a place such as `target/filters` in the nearest directory above this executable that has it.
pub fn place(relative: &str) -> Option<PathBuf> {
    let executable = env::current_exe().ok()?;
    executable.ancestors().skip(1).map(|above| above.join(relative)).find(|place| place.exists())
}
