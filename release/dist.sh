#!/usr/bin/env bash
# Packs what a release holds for this architecture: release/dist.sh EPOCH NAME, into target/dist
#
# A tree as this one, without sources: what is in it finds everything where it would be here, and luarocks and docker do.
# The same files and the same EPOCH give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

epoch=$1
name=$2
archive=$name-linux-$(uname -m).tar.gz

scratch=$(mktemp --directory)
trap 'rm -r "$scratch"' EXIT
top=$scratch/$name
mkdir "$top"

cp --recursive --parents --target-directory "$top" \
  CHANGELOG.md LICENSE README.md SECURITY.md docs harness/Dockerfile \
  kong/Dockerfile kong/compose.yaml kong/e2e.yaml kong/filters kong/helm-values.yaml kong/k8s kong/kong.yml \
  kong/monitoring kong/plugins kong/*.rockspec tests/conformance \
  target/filters target/native/libmtls_policy_native.so target/sbom
rm -r "$top"/kong/plugins/*/spec
install -D target/release/harness "$top/bin/harness"
"$top/bin/harness" man "$top/share/man/man1"
install -d "$top/share/completions"
for shell in bash fish zsh; do
  "$top/bin/harness" completions "$shell" >"$top/share/completions/harness.$shell"
done
release/rocks.sh "$epoch" "$top/rocks"
# Here there is nothing to build Dogcatcher's image from but the harness itself (kong/compose.yaml).
echo HARNESS=packed >"$top/kong/.env"

(cd "$top" && find . -type f -printf '%P\0' | LC_ALL=C sort --zero-terminated | xargs --null sha256sum >"$scratch/sums")
mv "$scratch/sums" "$top/SHA256SUMS"

mkdir -p target/dist
tar --create --directory "$scratch" --format=gnu --sort=name --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX --mtime="@$epoch" "$name" | gzip --no-name >"target/dist/$archive"
(cd target/dist && sha256sum "$archive" | tee "$archive.sha256")
