//! Filters to compare with: as little as a filter can be.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, bail};

/// A directory of filters as Kong takes it: ours, and those that variants need beside it.
///
/// # Errors
/// One of them is not there.
pub fn collect<'a>(
    ours: &Path,
    needed: impl Iterator<Item = &'a str>,
    directory: &Path,
) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    for file in ["mtls-policy.wasm", "mtls-policy.meta.json"] {
        copy(&ours.join(file), directory)?;
    }
    for name in needed {
        let file = format!("{name}.wasm");
        match name {
            "empty" => fs::write(directory.join(file), wat::parse_str(EMPTY)?)?,
            // Beside ours: no gateway but that of a measurement is to load it.
            "empty-sdk" => copy(&ours.with_file_name("bench-filters").join(file), directory)
                .context("run `make bench-filter`")?,
            "api-key-auth" => fs::write(directory.join("api-key-auth.envoy.json"), API_KEY_AUTH)?,
            "answer" => fs::write(directory.join("answer.envoy.json"), ANSWER)?,
            _ => bail!("no filter is called {name:?}"),
        }
    }
    Ok(())
}

fn copy(file: &Path, directory: &Path) -> anyhow::Result<()> {
    let name = file.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    fs::copy(file, directory.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Envoy's own; its config is the variant's.
const API_KEY_AUTH: &str =
    r#"{"@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"}"#;

/// Envoy's own too: it can be told to answer everything by itself.
const ANSWER: &str = r#"{"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"}"#;

/// What Kong 3.9 needs to find. It asks for the first four; it calls the others without having asked, so that without
/// any of them its workers crash on the first request.
const EMPTY: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))"#;
