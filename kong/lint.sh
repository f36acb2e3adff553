#!/usr/bin/env bash
# Lints the Lua plugins, where luacheck is installed; installs it where apt-get may (CI).
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v luacheck >/dev/null && [ -n "${CI:-}" ] && command -v apt-get >/dev/null; then
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
  { $sudo apt-get update && $sudo apt-get install --yes --no-install-recommends lua-check; } >&2
fi
if ! command -v luacheck >/dev/null; then
  echo "skipped: no luacheck in PATH (apt-get install lua-check)" >&2
  exit 0
fi
luacheck --quiet plugins native
