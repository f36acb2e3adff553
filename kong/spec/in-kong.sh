#!/usr/bin/env bash
# Runs all specs inside of Kong: kong/spec/in-kong.sh [BUSTED OPTION…], with KONG_SOURCE as in kong/spec.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

die() {
  echo "error: $*" >&2
  exit 2
}

[ -f "$KONG_SOURCE/spec/helpers.lua" ] || die "KONG_SOURCE: no spec/helpers.lua in $KONG_SOURCE"
for program in resty nginx; do
  command -v "$program" >/dev/null || die "no $program in PATH: set PATH, LUA_PATH and LUA_CPATH as this Kong needs them"
done

scratch=$(mktemp --directory)
chmod 755 "$scratch"
postgres=
finish() {
  [ -z "$postgres" ] || as_postgres "$postgres/pg_ctl" stop --silent --mode=immediate --pgdata="$scratch/postgres"
  rm -rf "$scratch"
}
trap finish EXIT

# PostgreSQL does not run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

free_port() {
  resty -e 'local s = assert(require("socket").bind("127.0.0.1", 0)); print((select(2, s:getsockname())))'
}

# A PostgreSQL of these specs' own, on a free port.
start_postgres() {
  local tools
  tools=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort --version-sort | tail -1)
  [ -n "$tools" ] || return 1

  mkdir "$scratch/postgres"
  [ "$(id -u)" != 0 ] || chown postgres "$scratch/postgres"
  as_postgres "$tools/initdb" --pgdata="$scratch/postgres" --auth=trust --username=kong >"$scratch/initdb.log"
  KONG_TEST_PG_PORT=$(free_port)
  export KONG_TEST_PG_PORT
  as_postgres "$tools/pg_ctl" start --silent --wait --pgdata="$scratch/postgres" --log="$scratch/postgres/log" \
    --options="-p $KONG_TEST_PG_PORT -k $scratch/postgres -c listen_addresses=127.0.0.1 -c fsync=off"
  postgres=$tools
  as_postgres "$tools/createdb" --host=127.0.0.1 --port="$KONG_TEST_PG_PORT" --username=kong kong_tests
}

databases=${KONG_DATABASE:-off postgres}
if [[ $databases == *postgres* && -z ${KONG_TEST_PG_PORT-} ]] && ! start_postgres; then
  [ -z "${KONG_DATABASE-}" ] || die "no PostgreSQL: install Debian's package postgresql, or set KONG_TEST_PG_PORT"
  echo "specs with a database are skipped: no PostgreSQL in /usr/lib/postgresql, and KONG_TEST_PG_PORT is not set" >&2
  databases=off
fi

# Not Kong's usual ones, which may be in use.
KONG_TEST_PREFIX=$scratch/servroot
KONG_TEST_PROXY_LISTEN="127.0.0.1:$(free_port), 127.0.0.1:$(free_port) http2 ssl"
KONG_TEST_ADMIN_LISTEN="127.0.0.1:$(free_port)"
export KONG_TEST_PREFIX KONG_TEST_PROXY_LISTEN KONG_TEST_ADMIN_LISTEN
# Kong itself is started with its own LUA_PATH: kong/spec/gateway.lua says where the plugins are.
export KONG_SPEC_LUA_PATH="${LUA_PATH-;;}"
export LUA_PATH="$root/?.lua;${LUA_PATH-;}" LUA_CPATH="$root/target/native/?.so;${LUA_CPATH-;}"

cd "$KONG_SOURCE"
# Debian's busted, for a Kong that was built without its development dependencies.
has_busted() { resty -e 'require "busted.runner"' 2>/dev/null; }
if ! has_busted; then
  export LUA_PATH="$LUA_PATH;/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
  export LUA_CPATH="$LUA_CPATH;$(echo /usr/lib/*/lua/5.1)/?.so"
  has_busted || die "this Kong has no busted, and Debian's package lua-busted is not installed"
fi

status=0
echo "unit specs in this Kong's OpenResty" >&2
bin/busted "$@" "$root"/kong/plugins/*/spec/unit || status=$?
for database in $databases; do
  echo "integration specs, database = $database" >&2
  KONG_TEST_DATABASE=$database bin/busted "$@" "$root"/kong/plugins/*/spec/integration || status=$?
done
exit $status
