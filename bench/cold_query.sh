#!/usr/bin/env bash
# Seconds of one text query from process start to the printed top 10, over a bundle of 10,000 pictures (drawn shapes).
#   bench/cold_query.sh [BUILD]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duet="${1:-build/release}/bin/duet"
work="${TMPDIR:-/tmp}/duet-cold-query"
if [ ! -e "$work/bundle/CURRENT" ]; then
  mkdir -p "$work"
  "$duet" -q train configs/vit_transformer.toml --out "$work/run" --set data.train=shapes --set data.caption_columns=[] \
    --set data.query_columns=[] --set data.validation=[] --set tokenizer.vocabulary=300 --set train.steps=2 --set train.batch=16
  "$duet" -q index "$work/run" --images shapes:10000 --out "$work/bundle"
fi
python3 - "$duet" "$work/bundle" << 'PYTHON'
import subprocess, sys, time
times = []
for _ in range(20):
    start = time.perf_counter()
    subprocess.run([sys.argv[1], "search", "a small red circle", "-b", sys.argv[2]], check=True,
                   stdout=subprocess.DEVNULL)
    times.append(time.perf_counter() - start)
times.sort()
print(f"duet cold query: median {1e3 * times[10]:.1f} ms, fastest {1e3 * times[0]:.1f} ms of 20")
PYTHON
