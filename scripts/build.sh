#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json (default: release, into build/release) with a line of progress;
# what the compiler says goes to build/PRESET.log and is shown when it fails.
#   scripts/build.sh [--preset NAME] [--tests] [TARGET...]
# With CI set, warnings are errors and the tests are configured from the start, so that nothing is compiled twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release tests=no
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset="${2:?build: --preset needs a name}"; shift 2 ;;
    --tests) tests=yes; shift ;;
    -*) echo "build: unknown option $1 (--preset NAME, --tests)" >&2; exit 2 ;;
    *) break ;;
  esac
done
readonly folder="build/$preset" log="build/$preset.log"
settings=()
[ -z "${CI:-}" ] || settings+=(DUET_WERROR=ON DUET_TESTS=ON)
[ "$tests" = no ] || settings+=(DUET_TESTS=ON)

# cached NAME: a value of the existing configuration
cached() { sed -n "s/^$1:[A-Z]*=//p" "$folder/CMakeCache.txt"; }

is_configured() {
  local setting
  [ -e "$folder/build.ninja" ] || return 1
  for setting in "${settings[@]}"; do
    [ "$(cached "${setting%%=*}")" = "${setting#*=}" ] || return 1
  done
}

configure() {
  if [ -e "$folder/CMakeCache.txt" ] && [ "$(cached CMAKE_HOME_DIRECTORY)" != "$PWD" ]; then
    rm -rf "$folder" # the checkout was moved
  fi
  is_configured && return
  if ! cmake --preset "$preset" "${settings[@]/#/-D}" > "$log" 2>&1 < /dev/null; then
    grep -A 12 'CMake Error' "$log" >&2 || tail -n 20 "$log" >&2
    echo "build: cmake failed, see $log" >&2
    exit 1
  fi
}

# Ninja's "[12/143] Building ..." as one line that moves, or as one line each quarter where there is no terminal.
progress() {
  local line quarter=0 moved=no
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]] || continue
    local done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
      printf '\r      step %d of %d\033[K' "$done" "$all"
      moved=yes
    elif [ $((4 * done / all)) -gt $quarter ]; then
      quarter=$((4 * done / all))
      echo "      step $done of $all"
    fi
  done
  [ $moved = no ] || printf '\r\033[K'
}

mkdir -p build
configure
if ! NINJA_STATUS='[%f/%t] ' ninja -C "$folder" -j "$(nproc)" "$@" 2>&1 < /dev/null | tee "$log" | progress; then
  sed -n '/^FAILED: /,$p' "$log" | grep -v '^\[' | head -n 40 >&2
  echo "build: failed, see $log" >&2
  exit 1
fi
