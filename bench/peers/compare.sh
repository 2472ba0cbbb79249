#!/usr/bin/env bash
# duet beside open_clip on this machine, in one run, each side at its best: training, embedding, and a cold text query.
#   bench/peers/compare.sh PYTHON [BUILD]   PYTHON: of a venv with
#     torch==2.13.0 ftfy regex tqdm huggingface_hub safetensors numpy pillow pyyaml,
#     and, without dependencies, torchvision==0.28.0 open_clip_torch==3.3.0 timm
#   BUILD: a build folder configured with -DDUET_BENCH=ON (default build/release)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python="$1" build="${2:-build/release}"
shape=configs/vit_transformer.toml

for round in 1 2; do
  echo "round $round"
  "$python" bench/peers/open_clip_bench.py train tiny 256
  "$build/bin/step_bench" "$shape" 256 5 32     # captions padded to the context, as open_clip does
  "$build/bin/step_bench" "$shape" 256 5 16     # trimmed to what emoji captions need (longest of a batch, rounded up to 8)
  "$python" bench/peers/open_clip_bench.py embed tiny 256
done
for round in 1 2 3; do "$python" bench/peers/open_clip_bench.py cold tiny; done
bench/cold_query.sh "$build"
