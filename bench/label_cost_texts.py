"""Lines of bench/label_cost_texts.sh's table: the rows of its few-shot studies beside TF-IDF and logistic regression on the same
labels, those of the splits' support and validation together; C and the length of phrases by five-fold cross-validation on
them. Mean accuracy over the seeds, 95 % over seeds and items (both drawn again, of n seeds n - 1), and what pretraining adds.

    VENV/bin/python bench/label_cost_texts.py data/sentences/sentiment_train.tsv data/sentences/sentiment_val.tsv STUDY ...

A STUDY is a folder with splits.json, pretrained.jsonl and scratch.jsonl. Needs numpy, scikit-learn and xxhash.
"""
import csv
import json
import pathlib
import sys

import numpy as np
import xxhash
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

DRAWS = 2000


def read_table(path):
    with open(path, encoding="utf-8", newline="") as table:
        return [(row["text"], row["label"]) for row in csv.DictReader(table, delimiter="\t")]


def content_of(text):
    return xxhash.xxh3_128_hexdigest(text.encode())


def right_of(row):
    """[items] whether each test item was answered rightly: four a hexadecimal digit."""
    bits = "".join(f"{int(digit, 16):04b}" for digit in row["right"])
    return np.array([bit == "1" for bit in bits[:row["items"]]])


def answers_of(path, method):
    """{seed: [items]}"""
    with open(path, encoding="utf-8") as rows:
        return {row["seed"]: right_of(row) for row in map(json.loads, rows) if row["method"] == method}


def tfidf(labelled, asked):
    """[items] right or wrong."""
    search = GridSearchCV(make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(max_iter=1000)),
                          {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)],
                           "logisticregression__C": [0.1, 1, 10, 100]}, cv=5)
    search.fit(*zip(*labelled))
    texts, labels = zip(*asked)
    return search.predict(texts) == np.array(labels)


def interval(right):
    """95 % of the mean of [seeds, items]."""
    random = np.random.default_rng(1)
    seeds, items = right.shape
    means = []
    for _ in range(DRAWS):
        drawn = right[random.integers(seeds, size=max(1, seeds - 1))].mean(0)
        means.append(drawn[random.integers(items, size=items)].mean())
    return np.percentile(means, [2.5, 97.5])


def main():
    train, asked = (read_table(path) for path in sys.argv[1:3])
    by_content = {content_of(text): (text, label) for text, label in train}
    for study in map(pathlib.Path, sys.argv[3:]):
        splits = json.loads((study / "splits.json").read_text(encoding="utf-8"))
        contents = splits["items"]["contents"]
        found = {"pretrained": answers_of(study / "pretrained.jsonl", "fine_tune"),
                 "scratch": answers_of(study / "scratch.jsonl", "fine_tune"),
                 "frozen": answers_of(study / "pretrained.jsonl", "linear_probe"), "tf-idf": {}}
        for split in splits["splits"]:
            labelled = [by_content[contents[at]] for at in sorted(split["support"] + split["validation"])]
            # The order of items that are asked is the table's, as duet's rows have it.
            found["tf-idf"][split["seed"]] = tfidf(labelled, asked)
        seeds = sorted(set.intersection(*(set(answers) for answers in found.values())))
        right = {name: np.stack([answers[seed] for seed in seeds]).astype(float) for name, answers in found.items()}
        means = "  ".join(f"{right[name].mean():.3f} [{{:.3f}}, {{:.3f}}]".format(*interval(right[name])) for name in right)
        differences = "  ".join(f"{difference.mean():+.3f} [{{:+.3f}}, {{:+.3f}}]".format(*interval(difference))
                                for difference in (right["pretrained"] - right["scratch"], right["pretrained"] - right["tf-idf"]))
        print(f"{len(labelled):<8,}{means}  {differences}  {len(seeds)} seeds", flush=True)


main()
