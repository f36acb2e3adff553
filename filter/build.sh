#!/usr/bin/env bash
# Runs cargo for wasm32-unknown-unknown: filter/build.sh build --profile filter …
#
# rustup's target is taken where it is or can be added. A distribution's Rust often brings no compiled
# standard library for wasm; Debian's rustc-web brings its source, and cargo builds it (-Zbuild-std).
set -euo pipefail

root=$(dirname "$0")/..
target=wasm32-unknown-unknown

# The same module wherever it is built.
RUSTFLAGS="${RUSTFLAGS:-} $("$root/release/remap.sh")"
export RUSTFLAGS

has_target() {
  [ -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/$target/lib" ]
}

if has_target || { command -v rustup >/dev/null && rustup target add "$target" >&2 && has_target; }; then
  exec cargo "$@" --target "$target"
fi

debian_rust() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

linker() {
  local each
  # The newest first: an old linker does not know what a new compiler writes.
  for each in "$(rustc --print sysroot 2>/dev/null)"/lib/rustlib/*/bin/rust-lld $(ls -v -r /usr/bin/wasm-ld-* 2>/dev/null) /usr/bin/wasm-ld; do
    [ -x "$each" ] && { echo "$each"; return; }
  done
  return 1
}

debian_rust && linker >/dev/null || "$root/harness/apt-install.sh" rustc-web cargo-web rust-web-src lld-19

if ! { debian_rust && linker >/dev/null; }; then
  echo "error: no Rust for $target. Either of these gives one:
  rustup target add $target
  apt-get install rustc-web cargo-web rust-web-src lld-19" >&2
  exit 2
fi

# Bootstrap mode allows -Z on a stable compiler; RUSTC by path, for a rustup proxy may come first in PATH.
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
RUSTFLAGS+=" --remap-path-prefix=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust=/rustc"
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(linker)
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
exec /usr/bin/cargo "$@" --target "$target" -Zbuild-std=std,panic_abort
