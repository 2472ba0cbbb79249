"""Do near words mean the same kind of thing? Share of WordNet's validation words whose nearest other one has their
lexicographer file ("noun.animal"), against chance, and against random vectors with a paired interval.

    python3 bench/word_categories.py runs/learns/word2vec/words-word2vec.txt

Needs numpy and data/wordnet (datasets/wordnet/fetch.sh). Words of several files are left out.
"""
import collections
import csv
import sys

import numpy as np


def read_vectors(path):
    with open(path, encoding="utf-8") as lines:
        count, dimension = map(int, next(lines).split())
        words, vectors = [], np.empty((count, dimension), np.float32)
        for row, line in enumerate(lines):
            word, *numbers = line.rstrip("\n").split(" ")
            words.append(word)
            vectors[row] = [float(x) for x in numbers]
    return words, vectors


def categories(path):
    of_word = collections.defaultdict(set)
    with open(path, encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            for word in row["words"].split(","):
                of_word[word.strip().lower()].add(row["label"])
    return {word: labels.pop() for word, labels in of_word.items() if len(labels) == 1}


def right(vectors, labels):
    """Whether each row's nearest other row has its label."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    return labels[cosine.argmax(1)] == labels


words, vectors = read_vectors(sys.argv[1])
label_of = categories("data/wordnet/labels_val.tsv")
rows = [row for row, word in enumerate(words) if word in label_of]
labels = np.array([label_of[words[row]] for row in rows])
trained = right(vectors[rows], labels)
random = right(np.random.default_rng(1).normal(size=(len(rows), vectors.shape[1])).astype(np.float32), labels)
chance = sum((np.sum(labels == label) / len(labels)) ** 2 for label in set(labels))
difference = trained.astype(float) - random
draws = np.random.default_rng(1).integers(len(rows), size=(2000, len(rows)))
low, high = np.percentile(difference[draws].mean(1), [2.5, 97.5])
print(f"{len(rows)} words: {trained.mean():.3f}, random vectors {random.mean():.3f}, chance {chance:.3f}, "
      f"difference {difference.mean():.3f} [{low:.3f}, {high:.3f}]")
