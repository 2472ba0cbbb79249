"""The linear model without learned features that duet must beat: ridge regression from a picture's pixels and edges to the
TF-IDF vector of its caption's words. Prints text-to-image scores of each split, computed as `duet evaluate` computes them.

  python bench/ridge_baseline.py --train data/emoji/train.tsv --captions caption --choose data/emoji/val.tsv \\
      data/emoji/val.tsv data/emoji/test_style.tsv

A Python with numpy and Pillow. The picture: put on white, padded to 64 x 64; 16 x 16 RGB means, and histograms of oriented
gradients (Dalal and Triggs, 2005) of 8 x 8 pixels in 9 orientations. Score of a query: cosine of its TF-IDF vector and the
one predicted from the picture; --score inner leaves the predicted length in, which is weaker on the emoji's val. Lambda is
chosen by the mean reciprocal rank on --choose, never on another split.
"""
import argparse
import collections
import csv
import math
import re
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SIDE, CELL, ORIENTATIONS, COARSE = 64, 8, 9, 16
MAX_PIXELS = 100_000_000  # duet's data.max_pixels: larger pictures are left out, and counted
IMAGE_COLUMNS = ["filepath", "image", "file", "path"]
LAMBDAS = [10 ** (step / 2) for step in range(-4, 4)]  # times the mean variance of a feature
RESAMPLES = 2000

Split = collections.namedtuple("Split", "name pictures keys captions")  # pictures [N, 64, 64, 3]; captions: a list each


def read_manifest(path, caption_columns):
    """{picture: (key, captions)}: the key is the concept, or the picture's path where there is none."""
    text = Path(path).read_text(encoding="utf-8-sig")
    known = {*IMAGE_COLUMNS, *caption_columns, "concept"}
    separator = max("\t,;", key=lambda mark: len(known.intersection(text.splitlines()[0].split(mark))))
    rows = csv.DictReader(text.splitlines(keepends=True), delimiter=separator)
    image_column = next((name for name in IMAGE_COLUMNS if name in rows.fieldnames), None)
    missing = [name for name in caption_columns if name not in rows.fieldnames]
    if missing or not image_column:
        sys.exit(f"{path}: no column '{missing[0] if missing else 'filepath'}' (columns: {', '.join(rows.fieldnames)})")
    entries = {}
    for row in rows:
        picture = row[image_column].strip()
        _, captions = entries.setdefault(picture, ((row.get("concept") or "").strip() or picture, []))
        captions += filter(None, (row[name].strip() for name in caption_columns))
    return entries


def load_picture(path):
    """uint8 [64, 64, 3], or None where it is larger than duet reads."""
    Image.MAX_IMAGE_PIXELS = None
    with warnings.catch_warnings(), Image.open(path) as opened:
        warnings.simplefilter("ignore")  # Pillow on colour profiles and palettes
        if opened.width * opened.height > MAX_PIXELS:
            return None
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    picture = Image.new("RGBA", upright.size, "white")
    picture.alpha_composite(upright)
    picture = picture.convert("RGB")
    scale = SIDE / max(picture.size)
    width, height = (min(max(math.floor(side * scale + .5), 1), SIDE) for side in picture.size)
    smaller = min(width, picture.width), min(height, picture.height)
    picture = picture.resize(smaller, Image.BOX).resize((width, height), Image.BILINEAR)
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(picture, ((SIDE - width) // 2, (SIDE - height) // 2))
    return np.asarray(square)


def load_split(path, caption_columns):
    root, pictures, keys, captions = Path(path).parent, [], [], []
    entries = read_manifest(path, caption_columns)
    for name, (key, texts) in entries.items():
        picture = load_picture(root / name)
        if picture is not None:
            pictures.append(picture)
            keys.append(key)
            captions.append(texts)
    if len(pictures) < len(entries):
        print(f"{path}: {len(entries) - len(pictures)} pictures of more than {MAX_PIXELS:,} pixels left out", flush=True)
    return Split(Path(path).stem, np.stack(pictures), keys, captions)


def edge_histograms(pictures):
    """[N, 64, 64, 3] -> [N, 7 * 7 * 4 * 9]: blocks of 2 x 2 cells, each normalised, clipped at .2, normalised again."""
    down, across = np.gradient(pictures, axis=(1, 2))
    strongest = (down ** 2 + across ** 2).argmax(axis=3)[..., None]  # of the three colours
    down, across = (np.take_along_axis(part, strongest, axis=3)[..., 0] for part in (down, across))
    angle = np.arctan2(down, across) % np.pi * (ORIENTATIONS / np.pi) - .5  # in bins, from the first one's centre
    lower = np.floor(angle)
    strength, share, cells = np.hypot(down, across), angle - lower, SIDE // CELL
    histogram = np.empty((len(pictures), cells, cells, ORIENTATIONS), np.float32)
    for bin in range(ORIENTATIONS):
        votes = strength * ((lower % ORIENTATIONS == bin) * (1 - share) + ((lower + 1) % ORIENTATIONS == bin) * share)
        histogram[..., bin] = votes.reshape(-1, cells, CELL, cells, CELL).sum(axis=(2, 4))
    corners = [histogram[:, y:cells - 1 + y, x:cells - 1 + x] for y in (0, 1) for x in (0, 1)]
    blocks = np.concatenate(corners, axis=3)
    for limit in (.2, np.inf):
        blocks = np.minimum(blocks / np.sqrt((blocks ** 2).sum(axis=3, keepdims=True) + 1e-2), limit)
    return blocks.reshape(len(pictures), -1)


def features(pictures):
    """[N, D] in two parts: colours and edges."""
    colours, edges = [], []
    for first in range(0, len(pictures), 256):
        part = pictures[first:first + 256].astype(np.float32) / 255
        fine = SIDE // COARSE
        colours.append(part.reshape(-1, COARSE, fine, COARSE, fine, 3).mean(axis=(2, 4)).reshape(len(part), -1))
        edges.append(edge_histograms(part))
    return np.concatenate(colours), np.concatenate(edges)


class Words:
    """Unit TF-IDF vectors over the words of the training captions."""

    def __init__(self, captions):
        seen = collections.Counter(word for texts in captions for word in {w for text in texts for w in self.split(text)})
        self.column = {word: i for i, word in enumerate(sorted(seen))}
        self.idf = np.array([math.log(1 + len(captions) / seen[word]) for word in self.column])

    @staticmethod
    def split(text):
        return re.findall(r"\w+", text.lower())

    def vector(self, text):
        vector = np.zeros(len(self.idf), np.float32)
        for word in self.split(text):
            if word in self.column:
                vector[self.column[word]] += self.idf[self.column[word]]
        return vector / (np.linalg.norm(vector) or 1)


class Ridge:
    """Centred features, each part scaled to unit variance in all; centring the targets would change no rank."""

    def __init__(self, split, score):
        self.score = score
        parts = features(split.pictures)
        self.means = [part.mean(axis=0) for part in parts]
        self.scales = [1 / np.sqrt(part.var(axis=0).sum()) for part in parts]
        self.words = Words(split.captions)
        targets = np.stack([np.mean([self.words.vector(text) for text in texts], axis=0) if texts
                            else np.zeros(len(self.words.idf), np.float32) for texts in split.captions])
        rows = self.rows(parts)
        self.gram, self.moment = rows.T @ rows, rows.T @ targets  # [D, D], [D, words]
        self.maps = {}

    def rows(self, parts):
        return np.concatenate([(part - mean) * scale for part, mean, scale in zip(parts, self.means, self.scales)], axis=1)

    def map(self, strength):
        """[D, words]"""
        if strength not in self.maps:
            size = len(self.gram)
            ridge = strength * np.trace(self.gram) / size * np.eye(size, dtype=np.float32)
            self.maps = {strength: np.linalg.solve(self.gram + ridge, self.moment)}
        return self.maps[strength]

    def scores(self, queries, rows, strength):
        """[queries, pictures]"""
        predicted = rows @ self.map(strength)
        if self.score == "cosine":
            predicted /= np.linalg.norm(predicted, axis=1, keepdims=True) + 1e-12
        return np.stack([self.words.vector(query) for query in queries]) @ predicted.T


class Task:
    """Each distinct caption of each concept asks; any picture of the concept is right."""

    def __init__(self, split, ridge):
        asked = dict.fromkeys((key, text) for key, texts in zip(split.keys, split.captions) for text in texts)
        self.name, self.queries = split.name, [text for _, text in asked]
        self.rows = ridge.rows(features(split.pictures))
        answers = collections.defaultdict(list)
        for row, key in enumerate(split.keys):
            answers[key].append(row)
        self.answers = [answers[key] for key, _ in asked]

    def ranks(self, ridge, strength):
        """Of the best right answer of each query; of equal scores the earlier row comes first."""
        ranks = []
        for scores, right in zip(ridge.scores(self.queries, self.rows, strength), self.answers):
            best = max(right, key=lambda row: (scores[row], -row))
            ranks.append(1 + np.count_nonzero(scores > scores[best]) + np.count_nonzero(scores[:best] == scores[best]))
        return np.array(ranks)

    def chance(self, k):
        """Recall at k of a random order."""
        n = len(self.rows)
        miss = [math.prod((n - len(right) - i) / (n - i) for i in range(min(k, n))) for right in self.answers]
        return 1 - sum(miss) / len(miss)


def interval(found):
    """95 %, percentile bootstrap over queries."""
    random = np.random.default_rng(1)
    means = sorted(found[random.integers(len(found), size=len(found))].mean() for _ in range(RESAMPLES))
    return "[" + ", ".join(f"{means[round(share * (RESAMPLES - 1))]:.3f}" for share in (.025, .975)) + "]"


def choose_lambda(task, ridge):
    best = (-1, None)
    for strength in LAMBDAS:
        ranks = task.ranks(ridge, strength)
        reciprocal = (1 / ranks).mean()
        print(f"  lambda {strength:<8.4g} {task.name} MRR {reciprocal:.4f}  R@1 {(ranks <= 1).mean():.3f}", flush=True)
        best = max(best, (reciprocal, strength))
    return best[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("splits", nargs="+", metavar="MANIFEST", help="splits to score")
    parser.add_argument("--train", required=True, metavar="MANIFEST")
    parser.add_argument("--captions", default="caption", metavar="COLUMNS", help="caption columns, separated by commas")
    parser.add_argument("--lambda", dest="strength", default="auto", metavar="auto|NUMBER",
                        help="strength of the ridge, in mean variances of a feature; auto chooses on --choose")
    parser.add_argument("--score", default="cosine", choices=["cosine", "inner"])
    parser.add_argument("--choose", metavar="MANIFEST", help="split that chooses lambda")
    options = parser.parse_args()
    if options.strength == "auto" and not options.choose:
        parser.error("--lambda auto chooses on a split of its own: give --choose, or a number")
    columns = options.captions.split(",")
    ridge = Ridge(load_split(options.train, columns), options.score)
    if options.strength == "auto":
        strength = choose_lambda(Task(load_split(options.choose, columns), ridge), ridge)
    else:
        strength = float(options.strength)
    print(f"ridge trained on {options.train}, captions {options.captions}, {options.score}, lambda {strength:.4g}")
    print(f"{'split':<14}{'R@1':>6} {'':<14} {'R@5':>6}{'R@10':>7} {'':<14} {'median':>7}{'chance R@1':>12}{'R@10':>7}  "
          "queries / gallery")
    for path in options.splits:
        task = Task(load_split(path, columns), ridge)
        ranks = task.ranks(ridge, strength)
        recall = {k: ranks <= k for k in (1, 5, 10)}
        print(f"{task.name:<14}{recall[1].mean():>6.3f} {interval(recall[1])} {recall[5].mean():>6.3f}"
              f"{recall[10].mean():>7.3f} {interval(recall[10])} {np.median(ranks):>7g}{task.chance(1):>12.4f}"
              f"{task.chance(10):>7.4f}  {len(ranks):,} / {len(task.rows):,}", flush=True)


if __name__ == "__main__":
    main()
