#!/usr/bin/env bash
# What frozen features of bench/learns.sh's runs are worth for labels that nobody trained on: ridge classifier and k-NN against
# the same tower untrained. Pictures: emoji subgroups of concepts never seen (train_choose -> val_novel); texts: WordNet's
# lexicographer files (labels_val).
#   bench/transfer.sh [KIND ...]     (default: all runs in runs/learns)
# Needs numpy for PYTHON (default .venv/bin/python).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}" python="${PYTHON:-.venv/bin/python}" out=runs/learns/features
mkdir -p "$out"
readonly labelled=10000 # texts

features() { # RUN NAME picture|text
  local part file
  for part in train test; do
    file="$out/$2-$part.npy"
    ! [ "$file" -nt "$1/model/manifest.json" ] || continue
    case "$3" in
      picture) "$duet" -q embed "$1" --features --images "${tables[$part]}" --out "$file" ;;
      text) "$duet" -q embed "$1" --features --texts "$out/$part.txt" --out "$file" ;;
    esac
  done
}

# The tower of a run before its first step: a run of one step without a learning rate.
untrained() { # RUN NAME
  [ -e "runs/learns/untrained/$2/model" ] || { rm -rf "runs/learns/untrained/$2" && "$duet" -q train "$1/recipe.toml" \
    --out "runs/learns/untrained/$2" --set train.steps=1 --set train.lr=0 --set train.evaluations=1; }
}

head -n $((labelled + 1)) <(shuf --random-source=<(yes) <(tail -n +2 data/wordnet/labels_train.tsv) \
  | { head -n 1 data/wordnet/labels_train.tsv; cat; }) > "$out/labels_train.tsv" || true
cp data/wordnet/labels_val.tsv "$out/labels_test.tsv"
for part in train test; do tail -n +2 "$out/labels_$part.tsv" | cut -f 1 > "$out/$part.txt"; done

kinds=("$@")
[ $# -gt 0 ] || kinds=($(ls runs/learns | grep -v -e features -e untrained -e word2vec -e glove)) # those two train words, no tower
for kind in "${kinds[@]}"; do
  run="runs/learns/$kind"
  declare -A tables
  if grep -q '^\[image\]\|^image' "$run/recipe.toml"; then
    seen=picture label=subgroup group=concept
    tables=([train]=data/emoji/train_choose.tsv [test]=data/emoji/val_novel.tsv)
  else
    seen=text label=label group=-
    tables=([train]="$out/labels_train.tsv" [test]="$out/labels_test.tsv")
  fi
  untrained "$run" "$kind"
  features "$run" "$kind" "$seen"
  features "runs/learns/untrained/$kind" "untrained-$kind" "$seen"
  "$python" bench/probe.py "$label" "$group" "${tables[train]}" "$out/$kind-train.npy" "${tables[test]}" \
    "$out/$kind-test.npy" "$out/untrained-$kind-train.npy" "$out/untrained-$kind-test.npy" | sed "s/^/$kind  /"
done
