# shellcheck shell=bash
# Sourced by the scripts beside it.
#
# Tools live outside the work tree, in one folder per tool and version, so that
# work trees share them and `git clean` keeps them.
tools_root="${COMPANY_ACTIVITY_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/company-activity/tools}"

# install_once NAME VERSION COMMAND... prints the folder of a tool. If the tool
# is missing, COMMAND installs it first, with the folder as its last argument.
install_once() {
  local tool="$1"
  local folder="$tools_root/$1-$2"
  local command=("${@:3}")
  if [[ ! -f "$folder/.installed" ]]; then
    mkdir -p "$tools_root"
    (
      # Two test runs may start at once; without flock they must not.
      if command -v flock >/dev/null; then exec 9>"$tools_root/.lock" && flock 9; fi
      if [[ ! -f "$folder/.installed" ]]; then
        trap '[[ -f "$folder/.installed" ]] || echo "$tool cannot be installed; the reason is above" >&2' EXIT
        echo "installing $1 into $folder" >&2
        rm -rf "$folder"
        mkdir "$folder"
        "${command[@]}" "$folder" >&2
        touch "$folder/.installed"
      fi
    )
  fi
  echo "$folder"
}

# checksum FILE prints a version derived from the contents of FILE.
checksum() {
  cksum <"$1" | cut -d ' ' -f 1
}
