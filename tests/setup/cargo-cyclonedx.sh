#!/usr/bin/env bash
# Installs cargo-cyclonedx if it is missing, and prints the folder that holds
# `bin/cargo-cyclonedx`.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
version=0.5.9

install() {
  # Unoptimised, because here the build takes the time, not the listing.
  cargo install --locked --debug --config profile.dev.debug=false --root "$1" cargo-cyclonedx --version "$version"
}

install_once cargo-cyclonedx "$version" install
