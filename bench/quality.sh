#!/usr/bin/env bash
# Scores of a recipe on the emoji splits, a row a split and kind of query, with 95 % intervals over queries.
#   bench/quality.sh [--choose] STEPS SEED [key=value ...]
# The run is kept as runs/quality-STEPS-SEED, and resumed where it was stopped. --choose: what settings are chosen by. It
# trains without the concepts of val_novel and scores val_choose and val_novel alone, into runs/choose-STEPS-SEED.
# RECIPE (default configs/quickstart.toml), DUET (default build/release/bin/duet) and RUN may be set in the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kind=quality splits=(val test_style test_novel test_comp) settings=()
if [ "$1" = --choose ]; then
  shift
  kind=choose splits=(val_choose val_novel)
  settings=(--set 'data.train="data/emoji/train_choose.tsv"'
    --set 'data.validation=["data/emoji/val_choose.tsv", "data/emoji/val_novel.tsv"]')
fi
steps="$1" seed="$2"
shift 2
duet="${DUET:-build/release/bin/duet}" run="${RUN:-runs/$kind-$steps-$seed}"
settings+=(--set "train.steps=$steps" --set "seed=$seed")
for setting in "$@"; do settings+=(--set "$setting"); done
if [ -e "$run/recipe.toml" ]; then
  "$duet" train --resume "$run"
else
  "$duet" train "${RECIPE:-configs/quickstart.toml}" --out "$run" "${settings[@]}"
fi
data=()
for split in "${splits[@]}"; do data+=(--data "data/emoji/$split.tsv"); done
for captions in caption label; do
  echo "$run, query = $captions"
  "$duet" -q evaluate "$run" "${data[@]}" --captions "$captions" --no-save
done
