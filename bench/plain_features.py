"""Features that nobody learned, as rows of .npy beside those of `duet embed --features`: what frozen towers must beat.

    plain_features.py pixels TABLE OUT.npy                       colours and edges of a table's pictures, in its order
    plain_features.py words TRAIN.txt TEST.txt TRAIN.npy TEST.npy     TF-IDF of texts, a text a line, of words that three have

Needs numpy and Pillow; both as bench/ridge_baseline.py has them.
"""
import collections
import sys
from pathlib import Path

import numpy as np

from ridge_baseline import Words, features, load_split

FEWEST_TEXTS = 3


def pixels(table, out):
    colours, edges = features(load_split(table, []).pictures)
    np.save(out, np.hstack([colours, edges]).astype(np.float32))


def words(train, test, train_out, test_out):
    texts = [Path(path).read_text(encoding="utf-8").splitlines() for path in (train, test)]
    held_by = collections.Counter(word for text in texts[0] for word in set(Words.split(text)))
    kept = [[" ".join(w for w in Words.split(text) if held_by[w] >= FEWEST_TEXTS) for text in part] for part in texts]
    vocabulary = Words([[text] for text in kept[0]])
    for part, out in zip(kept, (train_out, test_out)):
        np.save(out, np.stack([vocabulary.vector(text) for text in part]))


def main():
    command, *arguments = sys.argv[1:] or [""]
    if command not in ("pixels", "words"):
        sys.exit(__doc__)
    {"pixels": pixels, "words": words}[command](*arguments)


main()
