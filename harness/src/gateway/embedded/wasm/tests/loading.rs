//! Which directories give filters, and what the others are told.

use std::fs;
use std::path::Path;

use super::super::LoadError;
use super::*;

fn load(files: &[(&str, &[u8])]) -> Result<Filters, LoadError> {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    Filters::load_with(directory.path(), LIMITS)
}

/// What is wrong with the only broken file.
fn broken(files: &[(&str, &[u8])]) -> String {
    match load(files).map(|_| ()) {
        Err(LoadError::Broken(broken)) if broken.len() == 1 => broken[0].1.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn filters_are_known_by_their_files_names() {
    let wasm = Wat::new().build();
    let filters =
        load(&[("b.wasm", &wasm), ("a.wasm", &wasm), ("a.meta.json", b"{\"x\":1}"), ("README", b"")])
            .unwrap();
    assert_eq!(filters.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(filters.meta("a"), Some(&serde_json::json!({"x": 1})));
    assert_eq!(filters.meta("b"), None);
}

#[test]
fn a_directory_without_filters_names_the_cure() {
    let missing = Filters::load(Path::new("/nowhere/filters")).map(|_| ()).unwrap_err();
    assert!(matches!(missing, LoadError::Unreadable(..)), "{missing:?}");
    let empty = load(&[("a.meta.json", b"{}")]).map(|_| ()).unwrap_err();
    assert!(matches!(empty, LoadError::Empty(_)), "{empty:?}");
    for error in [missing, empty] {
        assert!(error.to_string().contains("`make filter`"), "{error}");
    }
}

#[test]
fn every_broken_file_is_named() {
    let error = load(&[("a.wasm", b"no"), ("b.wasm", &Wat::new().build()), ("c.wasm", b"\0asm")])
        .map(|_| ())
        .unwrap_err();
    let LoadError::Broken(files) = &error else { panic!("{error:?}") };
    let names: Vec<_> = files.iter().map(|(file, _)| file.file_name().unwrap()).collect();
    assert_eq!(names, ["a.wasm", "c.wasm"]);
    assert_eq!(error.to_string().lines().filter(|line| line.contains(".wasm: ")).count(), 2, "{error}");
}

#[test]
fn a_broken_description_is_named() {
    let reason = broken(&[("a.wasm", &Wat::new().build()), ("a.meta.json", b"{")]);
    assert!(reason.contains("line 1"), "{reason}");
}

#[test]
fn every_unknown_import_is_named() {
    let wasm = ::wat::parse_str(
        "(module (import \"env\" \"proxy_log\" (func (param i32 i32 i32) (result i32)))
                 (import \"env\" \"proxy_teleport\" (func)) (import \"gdi\" \"beep\" (func)))",
    );
    let reason = broken(&[("a.wasm", &wasm.unwrap())]);
    assert_eq!(reason, "imports what this gateway does not know: env.proxy_teleport, gdi.beep");
}

#[test]
fn a_module_that_is_no_filter_is_told_what_it_lacks() {
    for (module, reason) in [
        (
            "(module)",
            "is no proxy-wasm module: it does not export proxy_abi_version_0_2_1 (or _0_2_0, _0_1_0)",
        ),
        (
            "(module (func (export \"proxy_abi_version_0_2_1\")))",
            "is no proxy-wasm module: it does not export its memory",
        ),
        (
            "(module (func (export \"proxy_abi_version_0_2_1\")) (memory (export \"memory\") 1))",
            "is no proxy-wasm module: it does not export proxy_on_memory_allocate or malloc",
        ),
    ] {
        assert_eq!(broken(&[("a.wasm", &::wat::parse_str(module).unwrap())]), reason);
    }
}

#[test]
fn a_callback_of_a_wrong_type_is_told() {
    let wasm = Wat::new().add("(func (export \"proxy_on_request_headers\") (param i64))").build();
    let reason = broken(&[("a.wasm", &wasm)]);
    assert!(reason.starts_with("exports proxy_on_request_headers of a wrong type"), "{reason}");
}

#[test]
fn a_module_that_traps_at_its_start_is_told() {
    let wasm = Wat::new().add("(func (export \"_initialize\") (unreachable))").build();
    assert_eq!(broken(&[("a.wasm", &wasm)]), "wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn a_module_for_wasip1_loads_and_logs() {
    let wasm = ::wat::parse_str(
        "(module
           (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
           (import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $sizes (param i32 i32) (result i32)))
           (import \"wasi_snapshot_preview1\" \"environ_get\" (func (param i32 i32) (result i32)))
           (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
           (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32)))
           (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
           (memory (export \"memory\") 1)
           (data (i32.const 0) \"\\10\\00\\00\\00\\03\\00\\00\\00\\13\\00\\00\\00\\04\\00\\00\\00one two\\n\")
           (func (export \"proxy_abi_version_0_2_0\"))
           (func (export \"malloc\") (param i32) (result i32) (i32.const 1024))
           (func (export \"proxy_on_context_create\") (param i32 i32))
           (func $check (param i32) (if (local.get 0) (then (unreachable))))
           (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
             (call $check (call $sizes (i32.const 64) (i32.const 68)))
             (call $check (i32.load (i32.const 64)))
             (call $check (call $random (i32.const 72) (i32.const 16)))
             (call $check (i32.eqz (i32.or (i32.load (i32.const 72)) (i32.load (i32.const 76)))))
             (call $check (call $clock (i32.const 0) (i64.const 0) (i32.const 80)))
             (call $check (i32.sub (call $random (i32.const -1) (i32.const 2)) (i32.const 21)))
             (call $check (i32.sub (call $write (i32.const 2) (i32.const -8) (i32.const 2) (i32.const 64)) (i32.const 21)))
             (call $check (i32.sub (call $write (i32.const 3) (i32.const 0) (i32.const 2) (i32.const 64)) (i32.const 8)))
             (call $check (call $write (i32.const 2) (i32.const 0) (i32.const 2) (i32.const 64)))
             (call $check (i32.sub (i32.load (i32.const 64)) (i32.const 7)))
             (i32.const 0))
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (call $exit (i32.const 3)) (i32.const 0)))",
    );
    let worker = worker(&load(&[("f.wasm", &wasm.unwrap())]).unwrap());
    let error = worker.configure("f", []).map(|_| ()).unwrap_err();
    assert_eq!((&*error.reason, &*error.log), ("refuses its configuration", &["one two".to_owned()][..]));
    let root = error.into_root().unwrap();
    assert_eq!(request([&root]).unwrap_err().reason, "the filter called proc_exit(3)");
}
