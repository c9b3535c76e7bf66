#!/usr/bin/env bash
# Installs Debian's pgbouncer, which tests put in front of Postgres, if it is
# missing, and prints the program's path. Needs root to install.
set -euo pipefail

if [[ -n "${PGBOUNCER:-}" ]]; then
  echo "$PGBOUNCER"
  exit
fi
if [[ ! -x /usr/sbin/pgbouncer ]]; then
  if ! command -v apt-get >/dev/null; then
    echo "install pgbouncer, and set PGBOUNCER to the program's path" >&2
    exit 1
  fi
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e "$policy" ]]; then
    # The package would start an unwanted pooler on the machine.
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes --no-install-recommends pgbouncer
  } >&2
fi
echo /usr/sbin/pgbouncer
