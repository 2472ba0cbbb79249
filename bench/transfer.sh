#!/usr/bin/env bash
# What frozen features of bench/learns.sh's runs are worth for labels that nobody trained on: ridge classifier and k-NN, against
# the same tower untrained, and against pixels with edges or TF-IDF. A line a run, task and probe.
#   emoji     subgroups of pictures whose concepts no objective has seen (train_choose -> val_novel)
#   clipart   folders of drawings of another collection (train -> val)
#   captions  groups of emoji told by their captions, concepts never seen (train_choose -> val_novel)
#   wordnet   lexicographer files of definitions (10,000 of labels_train -> labels_val)
#   bench/transfer.sh [KIND ...]     (default: all runs in runs/learns)
# Needs data/emoji, data/clipart, data/wordnet, and for PYTHON (default .venv/bin/python) numpy and Pillow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}" python="${PYTHON:-.venv/bin/python}" out=runs/learns/features
mkdir -p "$out"
readonly labelled=10000

# Sets label, group, and the tables: tables[train], tables[test].
declare -A tables
task() {
  case "$1" in
    emoji) label=subgroup group=concept tables=([train]=data/emoji/train_choose.tsv [test]=data/emoji/val_novel.tsv) ;;
    clipart) label=group group=concept tables=([train]=data/clipart/train.tsv [test]=data/clipart/val.tsv) ;;
    captions) label=group group=concept tables=([train]="$out/captions-train.tsv" [test]="$out/captions-test.tsv") ;;
    wordnet) label=label group=- tables=([train]="$out/wordnet-train.tsv" [test]="$out/wordnet-test.tsv") ;;
  esac
}

columns() { # TABLE COLUMN ...: those columns, with their names
  awk -F '\t' -v wanted="${*:2}" '
    NR == 1 { n = split(wanted, names, " "); for (i = 1; i <= NF; i++) at[$i] = i }
    { for (i = 1; i <= n; i++) printf "%s%s", $at[names[i]], i < n ? "\t" : "\n" }' "$1"
}

prepare_texts() {
  local part
  columns data/wordnet/labels_val.tsv text label > "$out/wordnet-test.tsv"
  { echo "text	label"; shuf --random-source=<(yes) -n "$labelled" <(columns data/wordnet/labels_train.tsv text label | tail -n +2); } \
    > "$out/wordnet-train.tsv"
  for part in train:train_choose test:val_novel; do # a caption a concept
    columns "data/emoji/${part#*:}.tsv" caption group concept | awk -F '\t' 'NR == 1 || !seen[$3]++' > "$out/captions-${part%%:*}.tsv"
  done
  for part in wordnet captions; do
    for side in train test; do tail -n +2 "$out/$part-$side.tsv" | cut -f 1 > "$out/$part-$side.txt"; done
    [ -s "$out/plain-$part-test.npy" ] || "$python" bench/plain_features.py words "$out/$part"-{train,test}.txt "$out/plain-$part"-{train,test}.npy
  done
}

features() { # RUN NAME TASK picture|text
  local part file
  for part in train test; do
    file="$out/$2-$3-$part.npy"
    ! [ "$file" -nt "$1/model/manifest.json" ] || continue
    case "$4" in
      picture) "$duet" -q embed "$1" --features --images "${tables[$part]}" --out "$file" ;;
      text) "$duet" -q embed "$1" --features --texts "$out/$3-$part.txt" --out "$file" ;;
    esac
  done
}

# The tower of a run before its first step: a run of one step without a learning rate. Runs with the same towers on the same data
# share it; prints its name.
untrained() { # RUN
  local name
  name="$(awk '/^\[/ { on = $1 ~ /^\[(data|tokenizer|image|text)\]/ } on' "$1/recipe.toml" | cksum | cut -d ' ' -f 1)"
  [ -e "runs/learns/untrained/$name/model" ] || { rm -rf "runs/learns/untrained/$name" && "$duet" -q train "$1/recipe.toml" \
    --out "runs/learns/untrained/$name" --set train.steps=1 --set train.lr=0 --set train.evaluations=1 >&2; }
  echo "$name"
}

probe() { # KIND UNTRAINED TASK picture|text
  local run="runs/learns/$1" start="untrained-$2" part
  task "$3"
  if [ "$4" = picture ]; then
    for part in train test; do
      [ -s "$out/plain-$3-$part.npy" ] || "$python" bench/plain_features.py pixels "${tables[$part]}" "$out/plain-$3-$part.npy"
    done
  fi
  features "$run" "$1" "$3" "$4"
  features "runs/learns/untrained/$2" "$start" "$3" "$4"
  "$python" bench/probe.py "$label" "$group" "${tables[train]}" "${tables[test]}" "$out/$1-$3"-{train,test}.npy \
    untrained "$out/$start-$3"-{train,test}.npy plain "$out/plain-$3"-{train,test}.npy | sed "s/^/$1  $3  /"
}

has() { grep -q "^\[$1\]\|^$1 *=" "runs/learns/$2/recipe.toml"; } # image|text RUN

prepare_texts
kinds=("$@")
[ $# -gt 0 ] || kinds=($(ls runs/learns | grep -v -e features -e untrained -e word2vec -e glove)) # those two train words, no tower
for kind in "${kinds[@]}"; do
  start="$(untrained "runs/learns/$kind")"
  ! has image "$kind" || for name in emoji clipart; do probe "$kind" "$start" "$name" picture; done
  ! has text "$kind" || for name in captions wordnet; do probe "$kind" "$start" "$name" text; done
done
