//! What Lua declares is what Rust exports.

use std::fs;
use std::path::Path;

/// `UPDATE_CDEF=1 cargo test -p mtls-policy-native` writes the file anew.
#[test]
fn the_declarations_in_lua_are_generated_from_the_exports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../plugins/mtls-policy/cdef.lua");
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    config.header = None;
    let mut declarations = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(root.join("src/text.rs"))
        .with_src(root.join("src/handle.rs"))
        .with_src(root.join("src/request.rs"))
        .with_src(root.join("src/answer.rs"))
        .with_src(root.join("src/decision.rs"))
        .with_src(root.join("src/exports.rs"))
        .with_src(root.join("src/body_exports.rs"))
        .with_src(root.join("src/consumers.rs"))
        .with_src(root.join("src/consumers_file.rs"))
        .with_src(root.join("src/consumers_exports.rs"))
        .generate()
        .unwrap()
        .write(&mut declarations);
    let declarations = String::from_utf8(declarations).unwrap();
    let owed = format!(
        "--- The native library's C side, for LuaJIT's FFI. Generated from kong/native: see its tests/cdef.rs.\n\n\n\
         return [[\n{}\n]]\n",
        declarations.trim()
    );
    if std::env::var_os("UPDATE_CDEF").is_some() {
        fs::write(&path, &owed).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), owed, "write it anew with UPDATE_CDEF=1");
}
