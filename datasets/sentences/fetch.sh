#!/usr/bin/env bash
# Fetches newspaper editorials and lines of film reviews from vaderSentiment's source package on PyPI, 2.5 MB.
#   datasets/sentences/fetch.sh [DIR]      DIR: data/sentences of this checkout; nothing is installed
# Exit codes: 0 complete, 1 failed, 3 no pip or no network (nothing can be fetched here).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
case "${1:-}" in
  -h | --help) sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
  -*) echo "sentences: unknown option $1" >&2; exit 2 ;;
esac
if ! command -v python3 > /dev/null; then
  echo "sentences: needs python3; run scripts/setup.sh" >&2
  exit 1
fi
exec python3 -B "$here/build.py" "${1:-$here/../../data/sentences}"
