#!/usr/bin/env bash
# Writes a bill of materials (CycloneDX, JSON) for each program to the folder that is
# named, by default target/sbom. The same commit gives the same files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="${1:-target/sbom}"
# What the image runs on; dependencies differ by platform.
platform="${SBOM_PLATFORM:-x86_64-unknown-linux-gnu}"

tool="$(tests/setup/cargo-cyclonedx.sh)/bin/cargo-cyclonedx"
# The tool takes whatever Cargo.lock says, and changes it where it is out of date.
cargo metadata --locked --format-version 1 >/dev/null
if [[ -z "${SOURCE_DATE_EPOCH:-}" ]]; then
  SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
fi
export SOURCE_DATE_EPOCH

# It writes beside each Cargo.toml: under a name that is nobody else's, to be taken away.
name=".sbom-$$"
trap 'find proto crates services tests -name "$name.json" -delete' EXIT
"$tool" cyclonedx --quiet --format json --spec-version 1.5 --target "$platform" \
  --no-build-deps --override-filename "$name"
mkdir -p "$folder"
for service in services/*/; do
  program="$(basename "$service")"
  # Paths on the machine that wrote it are nobody's business, and differ.
  sed -e "s#path+file://$PWD#path+file:///company-activity#g" "$service$name.json" >"$folder/$program.cdx.json"
  echo "$folder/$program.cdx.json"
done
