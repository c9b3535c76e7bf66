#!/usr/bin/env bash
# Installs checkov and the validator of manifests into a separate environment if
# they are missing, and prints its folder. It is separate from the tests'
# environment because it is large (about 400 MB) and pins many packages that
# nothing else needs.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"

install() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/policy/requirements.txt"
}

install_once policy "$(checksum "$here/policy/requirements.txt")" install
