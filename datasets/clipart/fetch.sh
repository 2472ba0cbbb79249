#!/usr/bin/env bash
# Fetches Open Clip Art (public domain) from its Debian packages, 156 MB: pictures with titles and keywords.
#   datasets/clipart/fetch.sh [DIR]      DIR: data/clipart of this checkout; no root needed
# Exit codes: 0 complete, 1 failed, 3 no apt-get or no network (nothing can be fetched here).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
case "${1:-}" in
  -h | --help) sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
  -*) echo "clipart: unknown option $1" >&2; exit 2 ;;
esac
if ! command -v python3 > /dev/null; then
  echo "clipart: needs python3; run scripts/setup.sh" >&2
  exit 1
fi
exec python3 -B "$here/build.py" "${1:-$here/../../data/clipart}"
