#!/usr/bin/env bash
# Runs luacheck over the Lua plugins.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v luacheck >/dev/null && command -v apt-get >/dev/null; then
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
  echo "installing lua-check" >&2
  { $sudo apt-get update && $sudo apt-get install --yes --no-install-recommends lua-check; } >&2 || true
fi
if ! command -v luacheck >/dev/null; then
  echo "error: no luacheck in PATH: luarocks install luacheck" >&2
  exit 2
fi

luacheck --quiet plugins native
