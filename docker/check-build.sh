#!/usr/bin/env bash
# Builds the Dockerfile where neither Docker nor the base images' registries can be reached, and
# runs every program of the image. Needs root, Debian 12, and the Rust toolchain of this machine.
#
# Stand-ins take the base images' names: a Debian 12 with a C compiler and this machine's Rust, and
# a root file system of the Debian packages that distroless/cc is made of, with its user and
# environment. Programs are built unoptimised, which changes nothing about the Dockerfile's steps.
# It takes some ten minutes and 5 GB below /var/lib/containers, which it frees at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mirror="${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
# Names of its own: nothing that is there already is replaced or removed.
build_base=localhost/company-activity-check/rust:1.95-bookworm
runtime_base=localhost/company-activity-check/cc-debian12:nonroot
image=localhost/company-activity-check/company-activity:check
toolchain="$(rustc --print sysroot)"

if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends buildah debootstrap
fi
folder="$(mktemp --directory)"
container=""
clean_up() {
  if [[ -n "$container" ]]; then buildah rm "$container" >/dev/null || true; fi
  buildah rmi --force "$image" "$build_base" "$runtime_base" >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap clean_up EXIT

# The packages of distroless/cc: no shell, no package manager.
runtime="$folder/runtime"
mkdir -p "$folder/packages" "$runtime"
(cd "$folder/packages" && apt-get download --quiet \
  base-files ca-certificates libc6 libgcc-s1 libssl3 libstdc++6 media-types netbase tzdata zlib1g)
for package in "$folder"/packages/*.deb; do dpkg --extract "$package" "$runtime"; done
install -D /etc/ssl/certs/ca-certificates.crt "$runtime/etc/ssl/certs/ca-certificates.crt"
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$runtime/etc/passwd"
echo 'nonroot:x:65532:' >"$runtime/etc/group"
install -d -o 65532 -g 65532 "$runtime/home/nonroot"
container="$(buildah from scratch)"
buildah copy "$container" "$runtime" / >/dev/null
buildah config --user 65532 --workingdir /home/nonroot --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
  --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --rm "$container" "$runtime_base" >/dev/null

debootstrap --variant=minbase --include=gcc,g++,libc6-dev,make,ca-certificates bookworm "$folder/build" "$mirror" >/dev/null
cp /etc/ssl/certs/ca-certificates.crt "$folder/build/etc/ssl/certs/"
container="$(buildah from scratch)"
buildah copy "$container" "$folder/build" / >/dev/null
buildah config --env CARGO_HOME=/usr/local/cargo \
  --env PATH=/usr/local/cargo/bin:/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --rm "$container" "$build_base" >/dev/null
container=""
rm -rf "$folder/build" "$folder/runtime" "$folder/packages"

commit="$(git rev-parse HEAD)"
buildah build --isolation chroot --network host --pull-never \
  --volume "$toolchain:/usr/local/rust:ro" \
  --env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 --env CARGO_INCREMENTAL=0 \
  --build-arg BUILD_IMAGE="$build_base" --build-arg RUNTIME_IMAGE="$runtime_base" --build-arg COMMIT="$commit" \
  --file docker/Dockerfile --tag "$image" .

container="$(buildah from --pull-never "$image")"
for service in services/*/; do
  program="$(basename "$service")"
  told="$(buildah run --isolation chroot "$container" -- "$program" --version)"
  echo "$told"
  if [[ "$told" != "$program "*" (${commit:0:12})" ]]; then
    echo "that is not $program of commit $commit" >&2
    exit 1
  fi
done
