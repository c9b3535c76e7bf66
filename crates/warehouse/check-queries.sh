#!/usr/bin/env bash
# Checks that the compiler's recorded findings (.sqlx) match the current queries, and
# that no migration that a database may have applied has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

sha256sum --check --quiet migrations.sha256
listed=$(cut -d' ' -f3 migrations.sha256 | sort)
there=$(printf '%s\n' */migrations/*.sql | sort)
[ "$listed" = "$there" ] || {
  echo "migrations.sha256 does not list these migrations; a new one is added with sha256sum:" >&2
  diff <(echo "$listed") <(echo "$there") >&2 || true
  exit 1
}

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
for engine in sqlite postgres; do
  cp -r "$engine/.sqlx" "$found/$engine"
  "$engine/prepare-queries.sh"
  diff --recursive --brief "$found/$engine" "$engine/.sqlx" || {
    echo "crates/warehouse/$engine/.sqlx was out of date, and is no longer: commit it" >&2
    exit 1
  }
done
