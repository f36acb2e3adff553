#!/usr/bin/env bash
# Puts a release from PyPI into a Python environment of its own: harness/pip-install.sh DIRECTORY NAME VERSION
set -euo pipefail

directory=$1
name=$2
version=$3

can_make_environments() {
  python3 -c 'import ensurepip, venv' 2>/dev/null
}

can_make_environments || "$(dirname "$0")/apt-install.sh" python3 python3-venv
if ! can_make_environments; then
  echo "error: no python3 with venv in PATH, by which $name is installed" >&2
  exit 2
fi

echo "installing $name $version into $directory" >&2
python3 -m venv --clear "$directory"
"$directory/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$name==$version" >&2
