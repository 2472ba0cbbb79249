"""How much of a labelling lies in frozen features: ridge classifier and k nearest neighbours, with 95 % intervals over groups
of test rows (the pictures of a concept are drawn together), and the paired difference to other features.

    python3 bench/probe.py LABELS GROUPS TRAIN.tsv TEST.tsv TRAIN.npy TEST.npy [NAME OTHER_TRAIN.npy OTHER_TEST.npy ...]

LABELS is a column of both tables, GROUPS another ("-": each row is its own). Rows of the arrays are rows of the tables
(duet embed --features); rows without a label are left out. The ridge's weight is chosen on a fifth of the training groups. Needs
numpy.
"""
import csv
import sys

import numpy as np

NEIGHBOURS, TEMPERATURE, WEIGHTS = 20, 0.1, [10.0**power for power in range(-3, 5)]


def column(path, name):
    with open(path, encoding="utf-8", newline="") as table:
        return [row[name] for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)]


def ridge(x, y, classes, weight):
    """Linear map to one-hot labels; x has mean 0 and a last column of ones."""
    targets = (y[:, None] == np.arange(classes)).astype(np.float64)
    gram = x.T @ x
    gram[np.diag_indices(x.shape[1] - 1)] += weight * len(x) / 100
    gram[-1, -1] += 1e-9
    return np.linalg.solve(gram, x.T @ targets)


def prepared(train, test):
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    return [np.hstack([(x - mean) / deviation, np.ones((len(x), 1))]) for x in (train, test)]


def ridge_right(train, y, groups, test, truth):
    classes = max(y.max(), truth.max()) + 1
    held = np.isin(groups, np.random.default_rng(1).permutation(np.unique(groups))[::5])
    fit, check = prepared(train[~held], train[held])
    chosen = max(WEIGHTS, key=lambda w: np.mean((check @ ridge(fit, y[~held], classes, w)).argmax(1) == y[held]))
    x, queries = prepared(train, test)
    return (queries @ ridge(x, y, classes, chosen)).argmax(1) == truth


def knn_right(train, y, test, truth):
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (train, test)]
    right = []
    for begin in range(0, len(test), 1024):
        cosine = unit[1][begin:begin + 1024] @ unit[0].T
        nearest = np.argpartition(-cosine, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        votes = np.zeros((len(cosine), max(y.max(), truth.max()) + 1))
        weights = np.exp(np.take_along_axis(cosine, nearest, 1) / TEMPERATURE)
        np.add.at(votes, (np.arange(len(cosine))[:, None], y[nearest]), weights)
        right.append(votes.argmax(1) == truth[begin:begin + 1024])
    return np.concatenate(right)


def interval(values, groups):
    names, inverse = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(inverse, values), np.bincount(inverse)
    draws = np.random.default_rng(1).integers(len(names), size=(2000, len(names)))
    return np.percentile(sums[draws].sum(1) / counts[draws].sum(1), [2.5, 97.5])


def main():
    label, group, train_table, test_table, *files = sys.argv[1:]
    tables, labels = (train_table, test_table), [column(table, label) for table in (train_table, test_table)]
    kept = [np.array([bool(name) for name in names]) for names in labels]
    number = {name: i for i, name in enumerate(sorted(set(labels[0] + labels[1]) - {""}))}
    y, truth = (np.array([number[name] for name in names if name]) for names in labels)
    groups, test_groups = (np.arange(len(names)) if group == "-" else np.array(column(table, group))
                           for table, names in zip(tables, labels))
    groups, test_groups = groups[kept[0]], test_groups[kept[1]]
    named = [("", *files[:2])] + [tuple(files[i:i + 3]) for i in range(2, len(files), 3)]
    features = []
    for _, *pair in named:
        arrays = [np.load(file).astype(np.float64) for file in pair]
        if [len(array) for array in arrays] != [len(mask) for mask in kept]:
            sys.exit(f"{pair}: {[len(array) for array in arrays]} rows of features, {[len(mask) for mask in kept]} of labels")
        features.append([array[mask] for array, mask in zip(arrays, kept)])
    for probe, right_of in (("ridge", lambda a, b: ridge_right(a, y, groups, b, truth)),
                            ("k-NN", lambda a, b: knn_right(a, y, b, truth))):
        right = [right_of(*pair).astype(float) for pair in features]
        low, high = interval(right[0], test_groups)
        line = f"{probe:6} {right[0].mean():.3f} [{low:.3f}, {high:.3f}]"
        for (name, *_), other in zip(named[1:], right[1:]):
            difference = right[0] - other
            low, high = interval(difference, test_groups)
            line += f" | {name} {other.mean():.3f}: {difference.mean():+.3f} [{low:+.3f}, {high:+.3f}]"
        print(line, flush=True)


main()
