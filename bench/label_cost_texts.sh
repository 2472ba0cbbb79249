#!/usr/bin/env bash
# What labels cost for sentences: film reviews told negative from positive by 1, 3, 10, 30 and 100 % of the labels, a fifth of them to choose on.
# A text tower pretrained without labels and fine-tuned, the same from scratch with the same steps, the pretrained one frozen below a linear
# probe, and TF-IDF with logistic regression on the same labels.
#   bench/label_cost_texts.sh [TABLE]      (default: data/sentences/sentiment_val.tsv)
# Needs data/sentences, data/wordnet, and for PYTHON (default python3) numpy, scikit-learn and xxhash. Rows are kept in
# runs/label_cost_texts: a run that was stopped goes on, and the table is printed again. SHARES, SEEDS (3), THREADS and DUET may be set
# in the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}" python="${PYTHON:-python3}" out=runs/label_cost_texts
train=data/sentences/sentiment_train.tsv test="${1:-data/sentences/sentiment_val.tsv}"
threads=(${THREADS:+--threads "$THREADS"})
mkdir -p "$out"

# Sentences without labels: some of WordNet, and those of reviews and editorials several times, so that they count.
texts() {
  reviews() { "$python" -c 'import csv, sys; [print(row["text"]) for row in csv.DictReader(open(sys.argv[1], encoding="utf-8"), delimiter="\t")]' "$1"; }
  sentences() { grep -v '^$' "$1"; }
  { sentences data/wordnet/train.txt | shuf -n 60000 --random-source=<(yes)
    for _ in 1 2 3 4; do reviews "$train"; done
    for _ in 1 2; do sentences data/sentences/editorials_train.txt; done; } > "$out/texts.txt"
  reviews data/sentences/sentiment_val.tsv > "$out/texts_val.txt"
}

# Word vectors first, in the tower's own token table, then masked pieces.
tower() { # NAME option ...
  local run="$out/$1"
  shift
  [ -e "$run/model" ] || { rm -rf "$run" && "$duet" -q train configs/pretrain_text.toml --out "$run" --set "data.train='$out/texts.txt'" \
    --set "data.validation=['$out/texts_val.txt']" --set tokenizer.vocabulary=4000 --set train.evaluations=2 \
    --set "text={kind='transformer', context=32, width=128, layers=2, heads=4, causal=false, pool='mean'}" \
    --set "objective=[{kind='word2vec', unit='piece'}, {kind='masked_lm'}]" \
    --set "stage=[{name='words', share=0.86, objectives=['word2vec']}, {name='sentences', share=0.14, objectives=['masked_lm']}]" \
    "${threads[@]}" "$@"; }
}

study() { # SHARE SHOTS EPOCHS
  local at="$out/$(basename "$test" .tsv)-$1" tower methods
  mkdir -p "$at"
  for tower in pretrained scratch; do
    methods=fine_tune
    [ "$tower" = scratch ] || methods+=,linear_probe
    "$duet" -q fewshot "$out/$tower" --texts --data "$train" --test "$test" --shots "$2" --validation-share 0.25 --epochs "$3" \
      --seeds "${SEEDS:-3}" --methods "$methods" --splits "$at/splits.json" --results "$at/$tower.jsonl" "${threads[@]}" > "$at/$tower.txt"
  done
  "$python" bench/label_cost_texts.py "$train" "$test" "$at"
}

[ -s "$out/texts.txt" ] || texts
tower pretrained --set train.steps=4000 --set train.lr=3e-3
tower scratch --set train.steps=2 --set train.lr=0
# Many passes over few labels, few over many.
declare -A shots=([1]=32 [3]=97 [10]=325 [30]=974 [100]=3220) epochs=([1]=20 [3]=15 [10]=10 [30]=5 [100]=3)
echo "labels  pretrained            scratch               frozen                tf-idf                pretrained - scratch     pretrained - tf-idf"
for share in ${SHARES:-1 3 10 30 100}; do study "$share" "${shots[$share]}" "${epochs[$share]}"; done
