#!/usr/bin/env bash
# Builds Jaeger 2 from its Go module if it is missing, and prints the folder
# that holds `bin/jaeger`. `go install` refuses the module because its go.mod
# replaces a dependency, so it is built in its download folder. Needs Go 1.25 or
# newer, and some minutes the first time.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
# The newest version on the module proxy; its command `jaeger` is Jaeger 2.
version=v1.76.0

install() {
  command -v go >/dev/null || { echo "building Jaeger needs Go: https://go.dev/doc/install" >&2; return 1; }
  local module
  module="$(go mod download -json "github.com/jaegertracing/jaeger@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  mkdir -p "$1/bin"
  (cd "$module" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$1/bin/jaeger" ./cmd/jaeger)
}

install_once jaeger "$version" install
