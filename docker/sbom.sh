#!/usr/bin/env bash
# Writes a bill of materials (CycloneDX, JSON) for each program to the given
# folder, by default target/sbom. The same commit gives the same files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="${1:-target/sbom}"
# The image's platform; dependencies differ by platform.
platform="${SBOM_PLATFORM:-x86_64-unknown-linux-gnu}"

tool="$(tests/setup/cargo-cyclonedx.sh)/bin/cargo-cyclonedx"
# The tool uses Cargo.lock as it is, and would update an outdated one.
cargo metadata --locked --format-version 1 >/dev/null
if [[ -z "${SOURCE_DATE_EPOCH:-}" ]]; then
  SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
fi
export SOURCE_DATE_EPOCH

# built PROGRAM... lists the packages that programs are made of.
built() {
  cargo tree --locked --target "$platform" --edges normal --prefix none --format '{p}' "${@/#/--package=}"
}

programs=()
for service in services/*/; do programs+=("$(basename "$service")"); done
lists="$(mktemp --directory)"
built "${programs[@]}" >"$lists/suite"

# The tool writes beside each Cargo.toml, so use a unique name that is easy to remove.
name=".sbom-$$"
trap 'find proto crates services tests -name "$name.json" -delete; rm -r "$lists"' EXIT
"$tool" cyclonedx --quiet --format json --spec-version 1.5 --target "$platform" \
  --no-build-deps --override-filename "$name"
mkdir -p "$folder"
for program in "${programs[@]}"; do
  built "$program" >"$lists/program"
  # Local paths are private, and differ between machines.
  sed -e "s#path+file://$PWD#path+file:///company-activity#g" "services/$program/$name.json" |
    python3 docker/sbom-built.py "$lists/suite" "$lists/program" >"$folder/$program.cdx.json"
  echo "$folder/$program.cdx.json"
done
