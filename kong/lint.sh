#!/usr/bin/env bash
# Runs luacheck over the Lua plugins.
set -euo pipefail
cd "$(dirname "$0")"

command -v luacheck >/dev/null || ../harness/apt-install.sh lua-check
if ! command -v luacheck >/dev/null; then
  echo "error: no luacheck in PATH: luarocks install luacheck" >&2
  exit 2
fi

luacheck --quiet plugins native spec
