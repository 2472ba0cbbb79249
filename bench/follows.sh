#!/usr/bin/env bash
# Does the second sentence follow the first in a newspaper's editorial, or stand in another one? Accuracy of next_sentence on pairs that
# neither training nor its own draws have seen, trained and untrained, and of a linear probe on both towers' features of the two texts.
#   bench/follows.sh [TABLE]      (default: data/sentences/follows_val.tsv)
# Needs data/sentences, and for PYTHON (default python3) numpy and scikit-learn. Runs are kept in runs/follows; THREADS and DUET may be set
# in the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}" python="${PYTHON:-python3}" out=runs/follows
train=data/sentences/follows_train.tsv test="${1:-data/sentences/follows_val.tsv}"
threads=(${THREADS:+--threads "$THREADS"})
mkdir -p "$out"

run() { # NAME option ...
  local name="$1"
  shift
  [ -e "$out/$name/model" ] || { rm -rf "${out:?}/$name" && "$duet" -q train configs/pretrain_text.toml --out "$out/$name" \
    --set "data.train='data/sentences/editorials_train.txt'" --set "data.validation=['data/sentences/editorials_val.txt']" \
    --set "text={kind='transformer', context=64, width=128, layers=2, heads=4, causal=false, pool='mean', segments=2}" \
    --set tokenizer.vocabulary=4000 --set "objective=[{kind='word2vec', unit='piece'}, {kind='next_sentence'}]" \
    --set "stage=[{name='words', share=3, objectives=['word2vec']}, {name='pairs', share=1, objectives=['next_sentence']}]" \
    "${threads[@]}" "$@"; }
}

run trained --set train.steps=1600 --set train.lr=2e-3
run untrained --set train.steps=2 --set train.lr=0
for name in trained untrained; do
  "$python" bench/follows.py pairs "$test" | "$duet" -q follows "$out/$name" --pairs - | "$python" bench/follows.py judge "$test" "next_sentence, $name"
  "$duet" -q evaluate "$out/$name" --task linear_probe --texts --text-column first --second-column second --train "$train" --data "$test" \
    --concept-column concept | sed "s/^/linear probe, $name  /"
done
"$python" bench/follows.py words "$test" "$train"
