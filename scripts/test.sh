#!/usr/bin/env bash
# Builds and runs all tests; ends with ctest's summary and its exit code.
#   scripts/test.sh [--preset dev|asan] [ctest arguments, e.g. -R layering or -L fast]
# Builds in build/release beside the quick start's programs, unless another preset is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release
case "${1:-}" in
  -h | --help) sed -n '2,4s/^# \{0,1\}//p' scripts/test.sh; exit 0 ;;
  --preset) preset="${2:?test: --preset needs a name}"; shift 2 ;;
esac
scripts/setup.sh --tests
echo "test: building in build/$preset"
scripts/build.sh --preset "$preset" --tests
exec ctest --test-dir "build/$preset" -j 2 --output-on-failure "$@"
