#!/usr/bin/env bash
# Few-shot tables (docs/results.md): emoji of concepts never seen (test_novel) and of a style never seen (test_style), by group and
# subgroup, and Open Clip Art's folders. Support and validation are drawn from the training pictures.
#   bench/few_shot.sh RUN [NAME ...]      (default: novel_group novel_subgroup style_group style_subgroup clipart)
# METHODS (default: all that keep the towers frozen), SEEDS (10) and DUET may be set in the environment. Rows are kept in
# RUN/fewshot, so that a run that was stopped goes on, and tables are printed again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}" run="$1" tables="$1/fewshot/tables"
shift
mkdir -p "$tables"

# Rows of TABLE whose COLUMN is a class that has at least N rows in OF; the paths of TABLE stay right by --root.
classes_of() { # TABLE COLUMN OF N
  awk -F '\t' -v column="$2" -v least="$4" '
    FNR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
    NR == FNR { if (FNR > 1) n[$at]++; next }
    FNR == 1 || n[$at] >= least' "$3" "$1"
}

study() { # NAME LABEL TRAIN TEST option ...
  local name="$1" label="$2" train="$3" test="$4"
  shift 4
  echo "$name"
  "$duet" -q fewshot "$run" --data "$train" --test "$test" --label-column "$label" --root "$(dirname "$train")" --seeds "${SEEDS:-10}" \
    --results "$run/fewshot/$name.jsonl" --splits "$run/fewshot/$name.splits.json" --report "$run/fewshot/$name.html" \
    --csv "$run/fewshot/$name.csv" ${METHODS:+--methods "$METHODS"} "$@"
}

names=("$@")
[ $# -gt 0 ] || names=(novel_group novel_subgroup style_group style_subgroup clipart)
for name in "${names[@]}"; do
  case "$name" in
    novel_group) study "$name" group data/emoji/train.tsv data/emoji/test_novel.tsv --labels datasets/emoji/group_names.txt ;;
    novel_subgroup) # the 39 of 71 that have 60 training pictures, as the linear model's floor has them
      classes_of data/emoji/test_novel.tsv subgroup data/emoji/train.tsv 60 > "$tables/novel_subgroup.tsv"
      study "$name" subgroup data/emoji/train.tsv "$tables/novel_subgroup.tsv" --labels datasets/emoji/subgroup_names.txt ;;
    style_group) study "$name" group data/emoji/train.tsv data/emoji/test_style.tsv \
      --labels datasets/emoji/group_names.txt --concept-column '' --leave-out-shared ;;
    style_subgroup)
      classes_of data/emoji/test_style.tsv subgroup data/emoji/train.tsv 60 > "$tables/style_subgroup.tsv"
      study "$name" subgroup data/emoji/train.tsv "$tables/style_subgroup.tsv" --labels datasets/emoji/subgroup_names.txt \
        --concept-column '' --leave-out-shared ;;
    clipart) # folders with enough drawings for 16 shots, 4 to choose on, and their concepts apart
      classes_of data/clipart/test.tsv group data/clipart/train.tsv 40 > "$tables/clipart.tsv"
      study "$name" group data/clipart/train.tsv "$tables/clipart.tsv" ;;
    *) echo "few_shot: unknown table $name" >&2; exit 2 ;;
  esac
done
