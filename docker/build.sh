#!/usr/bin/env bash
# Builds the image of the checked-out commit. Arguments are passed to `docker buildx build`;
# a release is pushed with its SBOM and provenance, which no local store can hold:
#   docker/build.sh --output type=image,push=true,rewrite-timestamp=true \
#     --sbom=true --provenance=mode=max --platform linux/amd64,linux/arm64
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
commit="$(git rev-parse HEAD)"
# The image carries the commit's time, and with rewrite-timestamp so do its files, so that
# rebuilding gives the same layers.
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)"
export SOURCE_DATE_EPOCH

docker buildx build --file docker/Dockerfile \
  --tag "ghcr.io/company-activity/company-activity:$version" \
  --build-arg VERSION="$version" --build-arg COMMIT="$commit" \
  "$@" .
