#!/usr/bin/env bash
# Installs the Python packages that the tests need into an environment of their own,
# unless they are there, and prints its folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"

install() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/python/requirements.txt"
}

install_once python "$(checksum "$here/python/requirements.txt")" install
