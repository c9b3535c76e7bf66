#!/usr/bin/env bash
# Builds the image of the commit that is checked out. Arguments go on to `docker buildx build`;
# a release is pushed with what is known of its making, which no local store can hold:
#   docker/build.sh --output type=image,push=true,rewrite-timestamp=true \
#     --sbom=true --provenance=mode=max --platform linux/amd64,linux/arm64
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
commit="$(git rev-parse HEAD)"
# The image says that it was made at the commit's time; with rewrite-timestamp its files do, too,
# so that building it again gives the same layers.
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)"
export SOURCE_DATE_EPOCH

docker buildx build --file docker/Dockerfile \
  --tag "ghcr.io/company-activity/company-activity:$version" \
  --build-arg VERSION="$version" --build-arg COMMIT="$commit" \
  "$@" .
