#!/usr/bin/env bash
# Installs what the benchmark compares the suite with (dlt, dbt for Postgres, and a plain client) into a separate
# environment if it is missing, and prints its folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"

install() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/contestants/requirements.txt"
}

install_once contestants "$(checksum "$here/contestants/requirements.txt")" install
