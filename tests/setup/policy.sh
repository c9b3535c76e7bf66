#!/usr/bin/env bash
# Installs checkov and what validates manifests into an environment of their own, unless
# they are there, and prints its folder. It is apart from the tests' environment because
# it is large (about 400 MB) and pins many packages that nothing else needs.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"

install() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/policy/requirements.txt"
}

install_once policy "$(checksum "$here/policy/requirements.txt")" install
