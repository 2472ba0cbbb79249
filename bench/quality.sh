#!/usr/bin/env bash
# Scores of a recipe on the emoji splits, a row a split and kind of query, with 95 % intervals over queries.
#   bench/quality.sh STEPS SEED [key=value ...]      runs/quality-STEPS-SEED is kept and resumed
# RECIPE (default configs/quickstart.toml) and DUET (default build/release/bin/duet) may be set in the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
steps="$1" seed="$2"
shift 2
duet="${DUET:-build/release/bin/duet}" run="runs/quality-$steps-$seed"
settings=(--set "train.steps=$steps" --set "seed=$seed")
for setting in "$@"; do settings+=(--set "$setting"); done
if [ -e "$run/recipe.toml" ]; then
  "$duet" train --resume "$run"
else
  "$duet" train "${RECIPE:-configs/quickstart.toml}" --out "$run" "${settings[@]}"
fi
splits=()
for split in val test_style test_novel test_comp; do splits+=(--data "data/emoji/$split.tsv"); done
for captions in caption label; do
  echo "$run, query = $captions"
  "$duet" -q evaluate "$run" "${splits[@]}" --captions "$captions" --no-save
done
