#!/usr/bin/env bash
# Installs the Python packages that the tests need into a separate environment
# if they are missing, and prints its folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"

install() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/python/requirements.txt"
}

install_once python "$(checksum "$here/python/requirements.txt")" install
