#!/usr/bin/env bash
# What labels cost: accuracy on concepts never seen, by how many labelled pictures there are, of the same network from scratch, of
# one pretrained without labels (RUN, bench/learns.sh) and trained on the labels, and of that one frozen below a ridge classifier.
#   bench/label_cost.sh [RUN]      (default: runs/learns/simclr)
# A line a share and seed; SHARES, SEEDS, STEPS and DUET may be set in the environment. Needs data/emoji.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}" pretrained="${1:-runs/learns/simclr}" out=runs/label_cost
mkdir -p "$out"
test=(--data data/emoji/val_novel.tsv --label-column group --no-save --json)
# What the labels are called in training, letter by letter.
tail -n +2 data/emoji/train_choose.tsv | cut -f 5 | sort -u | awk '{ print $0 "\t" $0 }' > "$out/labels.txt"

top_1() { sed -n 's/.*"top_1": *\([0-9.]*\).*/\1/p' | head -n 1; }

subset() { # SHARE SEED: that share of the concepts
  awk -F '\t' -v share="$1" -v seed="$2" 'BEGIN { srand(seed) } NR == 1 { print; next }
    !($4 in chosen) { chosen[$4] = rand() < share } chosen[$4]' data/emoji/train_choose.tsv
}

learned() { # NAME option ...: accuracy of a run trained on the labels
  local run="$out/$1"
  shift
  [ -e "$run/model" ] || { rm -rf "$run" && "$duet" -q train configs/labels.toml --out "$run" --set "train.steps=${STEPS:-400}" ${THREADS:+--threads "$THREADS"} "$@"; }
  "$duet" -q evaluate "$run" --task zero_shot --labels "$out/labels.txt" "${test[@]}" | top_1
}

for share in ${SHARES:-0.03 0.1 0.3 1}; do
  for seed in ${SEEDS:-1 2 3}; do
    table="$out/train-$share-$seed.tsv"
    subset "$share" "$seed" > "$table"
    data=(--set "data.train='$table'" --set "data.root='data/emoji'" --set "seed=$seed")
    scratch="$(learned "scratch-$share-$seed" "${data[@]}")"
    tuned="$(learned "pretrained-$share-$seed" "${data[@]}" --init-image "$pretrained")"
    frozen="$("$duet" -q evaluate "$pretrained" --task ridge --train "$table" --root data/emoji "${test[@]}" | top_1)"
    echo "share $share seed $seed labels $(($(wc -l < "$table") - 1)) scratch $scratch pretrained $tuned frozen $frozen"
  done
done
