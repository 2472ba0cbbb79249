"""Pairs of sentences for `duet follows --pairs`, and how often its answers are right (bench/follows.sh).

    python3 bench/follows.py pairs TABLE                 lines of two sentences with a TAB between them
    python3 bench/follows.py judge TABLE NAME < ANSWERS  accuracy of the probabilities behind such lines, 95 % over documents
    python3 bench/follows.py words TABLE TRAIN           the same of how many words both share (TF-IDF cosine, logistic regression)

Needs numpy, and scikit-learn for the last one.
"""
import csv
import sys

import numpy as np

DRAWS = 2000


def read_table(path):
    with open(path, encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def say(name, rows, yes):
    """Documents are drawn again, not pairs: those of one document have sentences in common."""
    right = np.asarray(yes) == np.array([row["label"] == "follows" for row in rows])
    documents = np.unique([row["concept"] for row in rows], return_inverse=True)[1]
    counts, hits = np.bincount(documents), np.bincount(documents, right)
    random = np.random.default_rng(1)
    drawn = random.integers(len(counts), size=(DRAWS, len(counts)))
    low, high = np.percentile(hits[drawn].sum(1) / counts[drawn].sum(1), [2.5, 97.5])
    print(f"{name}: accuracy {right.mean():.3f} [{low:.3f}, {high:.3f}], {len(rows):,} pairs of {len(counts)} documents", flush=True)


def cosines(vectorizer, rows):
    first, second = (vectorizer.transform([row[side] for row in rows]) for side in ("first", "second"))
    return np.asarray(first.multiply(second).sum(1))


def judge_words(rows, train):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    vectorizer = TfidfVectorizer(sublinear_tf=True).fit([row[side] for row in train for side in ("first", "second")])
    model = LogisticRegression().fit(cosines(vectorizer, train), [row["label"] == "follows" for row in train])
    say("words in common", rows, model.predict(cosines(vectorizer, rows)))


def main():
    rows = read_table(sys.argv[2])
    if sys.argv[1] == "pairs":
        for row in rows:
            print(row["first"], row["second"], sep="\t")
    elif sys.argv[1] == "judge":
        say(sys.argv[3], rows, [float(line.rsplit("\t", 1)[1]) > 0.5 for line in sys.stdin])
    else:
        judge_words(rows, read_table(sys.argv[3]))


main()
