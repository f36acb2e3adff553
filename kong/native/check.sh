#!/usr/bin/env bash
# What a built library has to be, before anybody loads it: kong/native/check.sh target/native/libmtls_policy_native.so
#
# It runs on every Linux whose glibc is FLOOR or newer (RHEL 9, Amazon Linux 2023, Debian 12, Ubuntu 22.04), it exports
# the functions that the plugin declares and no others of its name, and it does not ask for an executable stack.
set -euo pipefail

FLOOR=2.34
library=$1
here=$(dirname "$0")

needed=$(readelf --wide --version-info "$library" | grep --only-matching 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort --version-sort | tail -n 1)
if [ "$(printf '%s\n%s\n' "$needed" "$FLOOR" | sort --version-sort | tail -n 1)" != "$FLOOR" ]; then
  echo "error: $library needs glibc $needed, which is newer than $FLOOR: build it on an older system" >&2
  exit 1
fi

exported=$(readelf --wide --dyn-syms "$library" | awk '$7 != "UND" && $8 ~ /^mtls_policy_/ { print $8 }' | sort --unique)
declared=$(grep --only-matching 'mtls_policy_[a-z_]*(' "$here/../plugins/mtls-policy/cdef.lua" | tr --delete '(' | sort --unique)
if [ "$exported" != "$declared" ]; then
  echo "error: $library does not export what cdef.lua declares:" >&2
  diff <(echo "$declared") <(echo "$exported") >&2 || true
  exit 1
fi

if readelf --wide --program-headers "$library" | grep GNU_STACK | grep --quiet RWE; then
  echo "error: $library asks for an executable stack" >&2
  exit 1
fi

echo "$library: $(wc -c < "$library") bytes, glibc $needed or newer, $(echo "$exported" | wc -l) functions"
