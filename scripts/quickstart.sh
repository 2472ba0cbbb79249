#!/usr/bin/env bash
# From a fresh clone to searching pictures by text with a model that was trained here.
#   scripts/quickstart.sh [--minutes N]      N: minutes of training, default 6
# Leaves programs in build/release/, pictures in data/emoji/, and model, scores, index and pages in runs/quickstart/.
# Run it again whenever it was stopped: what is done is kept, a run that was cut off goes on where it was.
# Without npm or network it trains on shapes that duet draws itself.
set -euo pipefail
readonly started_in="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly run=runs/quickstart duet=build/release/bin/duet

minutes=
while [ $# -gt 0 ]; do
  case "$1" in
    --minutes) minutes="${2:-}"; shift; shift || true ;;
    --minutes=*) minutes="${1#*=}"; shift ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' scripts/quickstart.sh; exit 0 ;;
    *) echo "quickstart: unknown option $1 (--minutes N)" >&2; exit 2 ;;
  esac
  if ! [[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || [[ $minutes =~ ^0+(\.0+)?$ ]]; then
    echo "quickstart: --minutes takes a number above 0, e.g. --minutes 6, not '$minutes'" >&2
    exit 2
  fi
done

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\033[1m' plain=$'\033[0m'
fi
# Whatever a stage starts ends with this script, also when the script is killed.
bound=()
! command -v setpriv > /dev/null || bound=(setpriv --pdeathsig TERM)

duration() {
  if [ "$1" -lt 60 ]; then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}
stage_number=0
stage() {
  stage_number=$((stage_number + 1)) stage_start=$SECONDS
  echo "${bold}$stage_number. $1${plain}"
}
ends() { echo "      $1, $(duration $((SECONDS - stage_start)))"; }

# quote TEXT: as a shell wants it, names in any script left readable
quote() {
  if [[ $1 =~ ^[A-Za-z0-9_./=:-]+$ ]]; then echo "$1"; else echo "'${1//\'/\'\\\'\'}'"; fi
}

fetch_pictures() {
  local status=0
  "${bound[@]}" datasets/emoji/fetch.sh data/emoji || status=$?
  case $status in
    0) data=emoji ;;
    3) data=shapes
       echo "      the emoji pictures cannot be fetched without npm and network: training on shapes that duet draws itself" ;;
    *) exit "$status" ;;
  esac
}

trains_on() { if grep -qsE "^train *= *[\"']shapes" "$run/recipe.toml"; then echo shapes; else echo emoji; fi; }

train() {
  local budget=()
  [ -z "$minutes" ] || budget=(--set "train.minutes=$minutes")
  if [ -e "$run/recipe.toml" ] && [ "$(trains_on)" != "$data" ]; then
    rm -rf "$run-$(trains_on)"
    mv "$run" "$run-$(trains_on)"
    echo "      kept the run on other data as $run-$(trains_on)"
  fi
  if [ -e "$run/model" ]; then
    [ -z "$minutes" ] || echo "      $run is trained already; to train it anew: rm -r $run"
    ends "kept $run"
  elif [ -e "$run/recipe.toml" ]; then
    "${bound[@]}" "$duet" train --resume "$run"
    ends "trained"
  else
    local recipe=configs/quickstart.toml
    [ "$data" = emoji ] || recipe=configs/shapes.toml
    "${bound[@]}" "$duet" train "$recipe" --out "$run" "${budget[@]}"
    ends "trained"
  fi
}

evaluate() {
  local splits=(--data unseen=shapes:512:2) split
  if [ "$data" = emoji ]; then
    splits=()
    for split in val test_style test_novel test_comp; do
      splits+=(--data "data/emoji/$split.tsv")
    done
  fi
  if [ "$run/results.json" -nt "$run/model" ]; then
    ends "kept $run/results.json"
  else
    "${bound[@]}" "$duet" evaluate "$run" "${splits[@]}"
    ends "wrote $run/results.json"
  fi
}

index() {
  if [ "$run/index/CURRENT" -nt "$run/model" ]; then
    ends "kept $run/index"
  else
    local pictures=data/emoji/all.tsv
    [ "$data" = emoji ] || pictures=shapes:512:2
    "${bound[@]}" "$duet" index "$run" --images "$pictures" --out "$run/index"
    ends "wrote $run/index"
  fi
}

search() {
  local query queries=("crying cat" "flag with a star" "musical instrument")
  [ "$data" = emoji ] || queries=("a small blue circle" "green star on the left")
  for query in "${queries[@]}" "a red heart"; do
    echo "      \"$query\""
    "$duet" search "$query" -b "$run/index" -k 3
  done
  "$duet" search "a red heart" -b "$run/index" -k 60 --html "$run/search.html" > /dev/null
}

farewell() {
  echo
  echo "${bold}Ready in $(duration $SECONDS). Go on with:${plain}"
  [ "$started_in" = "$PWD" ] || echo "  cd $(quote "$PWD")"
  local query="a green apple" picture=data/emoji/images/noto/1f34e.png
  [ "$data" = emoji ] || query="a green square" picture=$run/index/drawn/shapes-512-2/000000.png
  echo "  $duet search \"$query\" -b $run/index"
  echo "  $duet search --image $picture -b $run/index"
  echo "  $duet search \"$query\" -b $run/index -k 60 --html $run/search.html"
  echo "  $duet evaluate $run"
  echo "  $duet train --data DIR_OR_CSV_OF_YOUR_PICTURES --out runs/mine"
  echo "  $duet --help"
  echo "Look at:"
  echo "  $PWD/$run/search.html    what \"a red heart\" finds"
  echo "  $PWD/$run/report.html    how the training went"
}

stage "Set-up: Debian packages and LibTorch, what is missing"
needs=()
[ -e data/emoji/complete ] || needs=(--data)
"${bound[@]}" scripts/setup.sh "${needs[@]}"
ends "ready"

stage "Build: Release, into build/release"
"${bound[@]}" scripts/build.sh duet duet-engine
ends "built"

stage "Pictures: the emoji set, into data/emoji"
fetch_pictures
ends "ready"

stage "Training: a model from scratch, into $run"
train

stage "Evaluation: on pictures it has not seen"
evaluate

stage "Index: all pictures, seen and unseen"
index

stage "Search"
search
ends "wrote $run/search.html"

farewell
