#!/usr/bin/env bash
# Fetches the emoji set: 11,687 pictures of 1,914 concepts in 7 drawing styles, with their captions.
#   datasets/emoji/fetch.sh [DIR] [--languages de,ja,ar,ru]      DIR: data/emoji of this checkout
# Exit codes: 0 complete, 1 failed, 3 neither npm nor network (nothing can be fetched here).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
case "${1:-}" in
  -h | --help) sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
  "" | -*) dir="$here/../../data/emoji" ;;
  *) dir="$1"; shift ;;
esac
if ! command -v python3 > /dev/null; then
  echo "emoji: needs python3; run scripts/setup.sh" >&2
  exit 1
fi
exec python3 -B "$here/build.py" "$dir" "$@"
