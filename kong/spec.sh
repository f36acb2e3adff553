#!/usr/bin/env bash
# Runs the Lua plugins' specs with busted: kong/spec.sh [BUSTED OPTION…]
#
# Unit specs run in Debian's LuaJIT, and integration specs are reported as pending. With KONG_SOURCE, the directory of a
# Kong source checkout whose `resty` and `kong` work, all specs run inside of that Kong instead, integration specs once
# for each database.
#
#   KONG_SOURCE   a checkout of Kong with spec/ and bin/
#   KONG_DATABASE off or postgres; default: both, where Debian's PostgreSQL is installed or KONG_TEST_PG_PORT is set
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

[ -z "${KONG_SOURCE-}" ] || exec kong/spec/in-kong.sh "$@"

die() {
  echo "error: $*" >&2
  exit 2
}

# What is needed outside of a Kong, as LuaJIT sees it.
missing() {
  local program module
  for program in luajit busted openssl; do
    command -v "$program" >/dev/null || echo "$program"
  done
  for module in openssl:luaossl lfs:filesystem dkjson:dkjson; do
    luajit -e "require '${module%:*}'" 2>/dev/null || echo "lua-${module#*:}"
  done
}

packages() {
  missing | sed 's/^busted$/lua-busted/'
}

if [ -n "$(missing)" ]; then
  # shellcheck disable=SC2046
  harness/apt-install.sh $(packages)
  [ -z "$(missing)" ] || die "not installed: $(packages | tr '\n' ' '); install these Debian packages"
fi

echo "specs in $(luajit -v | cut -d' ' -f1,2)" >&2
LUA_PATH="$root/?.lua;;" exec luajit "$(command -v busted)" "$@" kong/plugins
