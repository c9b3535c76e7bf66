#!/usr/bin/env bash
# Checks every query of the embedded engine against its schema and records the
# compiler's findings (.sqlx/), so that a build needs no database. Run it after changing
# a query or adding a migration, and commit the result.
set -euo pipefail
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The compiler also needs a connection's own tables.
python3 - "$scratch/schema.sqlite" migrations/*.sql sql/*/create_temporary.sql <<'PYTHON'
import pathlib, sqlite3, sys
database, *scripts = sys.argv[1:]
with sqlite3.connect(database) as connection:
    for script in scripts:
        statements = pathlib.Path(script).read_text()
        connection.executescript(statements.replace("CREATE TEMPORARY TABLE", "CREATE TABLE"))
PYTHON

rm -rf .sqlx && mkdir .sqlx
touch src/lib.rs # the macros run only when the crate is compiled anew
WAREHOUSE_SQLITE_URL="sqlite://$scratch/schema.sqlite" SQLX_OFFLINE_DIR="$PWD/.sqlx" cargo check --quiet --package warehouse-sqlite
echo "$(find .sqlx -name '*.json' | wc -l) queries checked"
