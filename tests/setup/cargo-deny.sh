#!/usr/bin/env bash
# Installs cargo-deny if it is missing, and prints the folder that holds `bin/cargo-deny`.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
version=0.20.2

install() {
  # Unoptimised, because here the build takes the time, not the check.
  cargo install --locked --debug --config profile.dev.debug=false --root "$1" cargo-deny --version "$version"
}

install_once cargo-deny "$version" install
