#!/usr/bin/env bash
# Builds the Dockerfile without access to Docker or the base images' registries,
# and runs what the chart renders on the image's programs. Needs root, Debian
# 12, this machine's Rust toolchain, and what `make test-chart` needs.
#
# Stand-ins replace the base images: a Debian 12 with a C compiler and this
# machine's Rust, and a root file system of the Debian packages that
# distroless/cc is made of, with its user and environment. Programs are built
# unoptimised, which changes nothing about the Dockerfile's steps.
#
# It builds the checked-out commit, which takes some fifteen minutes on two
# cores and 4 GB in a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ "${1:-}" != inside ]]; then
  if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends buildah debootstrap
  fi
  folder="$(mktemp --directory)"
  trap 'rm -rf --one-file-system "$folder"' EXIT
  # The mounts disappear with the namespace, however this ends, so the folder can be removed.
  unshare --mount docker/check-build.sh inside "$folder"
  exit
fi

folder="$2"
mirror="${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
toolchain="$(rustc --print sysroot)"
commit="$(git rev-parse HEAD)"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
build_base=localhost/rust:1.95-bookworm
runtime_base=localhost/cc-debian12:nonroot
image=localhost/company-activity:check
work="$folder/pods"
source="$folder/source"
mkdir "$folder/tmp" "$source" "$work"
# buildah's cache between builds is in this folder.
export TMPDIR="$folder/tmp"

# A separate image store: existing images are not seen, replaced or removed.
buildah() { command buildah --root "$folder/store" --runroot "$folder/run" "$@"; }

fail() {
  echo "check-build: $*" >&2
  exit 1
}

# image_of FOLDER IMAGE SETTING... makes an image from a root file system, and removes the folder.
image_of() {
  local container
  container="$(buildah from scratch)"
  buildah copy --quiet "$container" "$1" /
  buildah config "${@:3}" "$container"
  buildah commit --quiet --rm "$container" "$2"
  rm -rf "$1"
}

# The packages of distroless/cc, which has no program apart from their scripts.
stand_in_for_distroless() {
  local root="$folder/runtime" package
  mkdir "$root" "$folder/packages"
  (cd "$folder/packages" && apt-get download --quiet \
    base-files libc6 libgcc-s1 libssl3 libstdc++6 media-types netbase tzdata zlib1g)
  for package in "$folder"/packages/*.deb; do dpkg --extract "$package" "$root"; done
  install -D /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
  echo 'nonroot:x:65532:' >"$root/etc/group"
  install -d -o 65532 -g 65532 "$root/home/nonroot"
  image_of "$root" "$runtime_base" --user 65532 --workingdir /home/nonroot \
    --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

stand_in_for_rust() {
  local root="$folder/build"
  debootstrap --variant=minbase --include=gcc,g++,libc6-dev,make,ca-certificates bookworm "$root" "$mirror" >/dev/null
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  image_of "$root" "$build_base" --env CARGO_HOME=/usr/local/cargo \
    --env PATH=/usr/local/cargo/bin:/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

# build OPTION... builds the Dockerfile, or a stage of it.
build() {
  buildah build --layers --isolation chroot --network host --pull-never \
    --volume "$toolchain:/usr/local/rust:ro" \
    --env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 --env CARGO_INCREMENTAL=0 \
    --build-arg BUILD_IMAGE="$build_base" --build-arg RUNTIME_IMAGE="$runtime_base" \
    --build-arg VERSION="$version" --build-arg COMMIT="$commit" \
    --file "$source/docker/Dockerfile" "$@" "$source"
}

# expect WHAT FORMAT VALUE compares the image's metadata.
expect() {
  local found
  found="$(buildah inspect --type image --format "$2" "$image")"
  [[ "$found" == "$3" ]] || fail "the image's $1 is \"$found\" instead of \"$3\""
  echo "$1: $found"
}

check_labels_and_user() {
  expect user '{{.OCIv1.Config.User}}' 65532:65532
  expect version '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}' "$version"
  expect commit '{{index .OCIv1.Config.Labels "org.opencontainers.image.revision"}}' "$commit"
  expect licences '{{index .OCIv1.Config.Labels "org.opencontainers.image.licenses"}}' 'MIT OR Apache-2.0'
}

# check_programs CONTAINER ROOT: our programs are the only executables, and each
# starts with the image's own user and environment.
check_programs() {
  local found expected program printed
  found="$(find "$2" \( -path '*/bin/*' -o -path '*/sbin/*' \) ! -type d -printf '%P\n' | sort)"
  expected="$(for service in services/*/; do echo "usr/local/bin/$(basename "$service")"; done | sort)"
  [[ "$found" == "$expected" ]] || fail "the image has other programs than ours: $found"
  for program in $expected; do
    program="$(basename "$program")"
    printed="$(buildah run --isolation chroot "$1" -- "$program" --version)"
    [[ "$printed" == "$program $version (${commit:0:12})" ]] || fail "that is not $program of $commit: $printed"
    echo "$printed"
  done
  buildah run --isolation chroot "$1" -- activityctl demo --companies 200 --days 20
}

# check_pods ROOT: the chart's tests start the programs in here as its pods
# would: nothing is writable except the tests' own folder.
check_pods() {
  local pod="$folder/pod" environment pytest
  pytest="$(tests/setup/python.sh)/bin/pytest"
  environment="$(buildah inspect --type image --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "$image")"
  mkdir -p "$pod" "$1$work"
  mount --bind "$1" "$pod"
  mount --options remount,bind,ro "$pod"
  mount --bind /proc "$pod/proc"
  mount --bind /dev "$pod/dev"
  mount --bind "$work" "$pod$work"
  if touch "$pod/tmp/x" 2>/dev/null; then fail "the root file system can be written"; fi
  IMAGE_ROOT="$pod" IMAGE_ENV="$environment" \
    "$pytest" --basetemp "$work/pytest" tests/chart/test_processes.py tests/chart/test_notes.py
}

# A changed source must reuse the layer of compiled dependencies.
check_cache() {
  echo '// A change.' >>"$source/services/notifier/src/main.rs"
  build --target dependencies 2>&1 | tee "$folder/again.log"
  awk '/STEP/ { step = /cargo chef prepare/ ? "prepare" : /cargo chef cook/ ? "cook" : "other" }
    /Using cache/ { cached[step] = 1 }
    END { exit !(cached["cook"] && !cached["prepare"]) }' "$folder/again.log" ||
    fail "a changed source compiles the dependencies anew"
}

stand_in_for_distroless
stand_in_for_rust
git archive "$commit" | tar --extract --directory "$source"
SECONDS=0
build --tag "$image"
seconds_anew=$SECONDS
check_cache
echo "built in $seconds_anew s; after a change of sources the dependencies are still there"
check_labels_and_user
container="$(buildah from --pull-never "$image")"
root="$(buildah mount "$container")"
check_programs "$container" "$root"
echo "$(du --summarize --human-readable "$root" | cut -f 1) in all, $(du --summarize --human-readable "$root/usr/local/bin" | cut -f 1) of it programs, unoptimised"
check_pods "$root"
