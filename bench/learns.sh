#!/usr/bin/env bash
# What each objective learns on its own: its metric on validation data against the same network untrained, the difference
# paired by batch with its 95 % interval. Pictures: emoji; texts: WordNet; pairs: emoji.
#   bench/learns.sh [MINUTES] [KIND ...]     (default: 3 minutes each, all kinds)
# Needs data/emoji and data/wordnet. Runs are kept in runs/learns/KIND, lines are printed as they come. In the environment: STEPS,
# so many steps instead of minutes, which a busy machine does not shorten; THREADS; DUET, the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${DUET:-build/release/bin/duet}"
length="minutes=${1:-3}"
[ -z "${STEPS:-}" ] || length="steps=$STEPS"
threads=(${THREADS:+--threads "$THREADS"})
shift || true

# Concepts of val_novel are kept away, so that bench/transfer.sh can ask for them.
readonly emoji=(--set "data.train='data/emoji/train_choose.tsv'" --set "data.validation=['data/emoji/val_choose.tsv']")
readonly vit="image={kind='vit', size=64, patch=8, width=192, layers=6, heads=4}"
readonly two="count=2, crop=[0.2, 1.0], brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, jitter=0.8, grayscale=0.2"
# For next_sentence: a label, then the tags of the same picture or of another.
readonly captions="data={train='data/emoji/train_choose.tsv', validation=['data/emoji/val_choose.tsv'], caption_columns=['label', 'caption'], workers=1}"
pictures() { echo "pretrain_image|$1|${2:-}"; }
texts() { echo "pretrain_text|$1|${2:-}"; }
pairs() { echo "pairs|$1|${2:-}"; }

# Recipe, objective, further assignment.
recipe_of() {
  case "$1" in
    simclr) pictures "{kind='simclr'}" ;;
    moco) pictures "{kind='moco', queue=4096, momentum=0.99}" "views.moco={$two}" ;;
    byol) pictures "{kind='byol', momentum=[0.99, 1]}" "views.byol={$two}" ;;
    self_distillation) pictures "{kind='self_distillation', prototypes=1024, momentum=[0.99, 1]}" \
      "views={global={$two}, local={size=32, count=4, crop=[0.1, 0.4], brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1}}" ;;
    masked_feature) pictures "{kind='masked_feature', prototypes=1024, momentum=[0.98, 1]}" "$vit" ;;
    masked_patch) pictures "{kind='masked_patch'}" "$vit" ;;
    rotation | jigsaw | inpainting | autoencoder) pictures "{kind='$1'}" ;;
    masked_lm | autoregressive_lm | denoising) texts "{kind='$1'}" ;;
    next_sentence) texts "{kind='next_sentence'}" "$captions" ;;
    word2vec | glove) texts "{kind='$1', unit='word', min_count=5}" ;;
    info_nce | sigmoid | captioning) pairs "{kind='$1'}" ;;
    caption_tokens) pairs "{kind='caption_tokens'}" "space=[{name='pieces', kind='pieces'}]" ;;
    same_concept) pairs "{kind='same_concept'}" "train.per_concept=2" ;;
    image_text_matching) pairs "{kind='image_text_matching'}, {kind='info_nce'}" train.batch=64 ;;
    *) echo "learns: unknown kind $1" >&2; exit 2 ;;
  esac
}

kinds=("$@")
[ $# -gt 0 ] || kinds=(simclr moco byol self_distillation masked_feature masked_patch rotation jigsaw inpainting autoencoder
  masked_lm autoregressive_lm denoising next_sentence word2vec glove
  info_nce sigmoid same_concept caption_tokens captioning image_text_matching)
for kind in "${kinds[@]}"; do
  IFS='|' read -r recipe objective more <<< "$(recipe_of "$kind")"
  run="runs/learns/$kind"
  settings=()
  [ -z "$more" ] || settings+=(--set "$more")
  [ "$recipe" = pretrain_text ] || settings+=("${emoji[@]}")
  if ! [ -e "$run/model" ]; then
    rm -rf "$run"
    "$duet" -q train "configs/$recipe.toml" --out "$run" --set "train.$length" --set "objective=[$objective]" \
      --set train.evaluations=2 "${settings[@]}" "${threads[@]}"
  fi
  learned="$("$duet" -q evaluate "$run" --objectives "${threads[@]}")"
  grep -w -e "$kind" <<< "$learned"
done
