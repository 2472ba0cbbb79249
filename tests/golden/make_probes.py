"""Golden values of the simple classifiers on frozen features, from scikit-learn: logistic regression (of many items, of fewer
items than features, of two classes, of several labels an item), ridge classifier, nearest neighbours.

    python3 tests/golden/make_probes.py

with numpy, scikit-learn and safetensors writes probes.safetensors beside itself.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier

HERE = pathlib.Path(__file__).parent
TEMPERATURE = 0.1


def correlated(random, items, width, classes, noise):
    """Features as towers make them: a common mean, few strong directions, classes that overlap."""
    labels = random.integers(classes, size=items)
    labels[:classes] = np.arange(classes)
    mixing = random.normal(size=(width, width)) * np.geomspace(3, 0.05, width)[:, None]
    centres = random.normal(size=(classes, width))
    features = (centres[labels] + noise * random.normal(size=(items, width))) @ mixing + random.normal(size=width)
    return features.astype(np.float32), labels.astype(np.int64)


def logistic(c):
    return LogisticRegression(C=c, tol=1e-11, max_iter=100_000)


def main():
    random = np.random.default_rng(5)
    values = {}
    x, y = correlated(random, 240, 12, 5, 1.5)
    train, labels, test, truth = x[:160], y[:160], x[160:], y[160:]
    values |= {"train": train, "labels": labels, "test": test, "truth": truth}
    for name, c in (("weak", 100.0), ("middle", 0.1), ("strong", 1e-4)):
        model = logistic(c).fit(train.astype(np.float64), labels)
        values[f"logistic/{name}/c"] = np.array([c])
        values[f"logistic/{name}/weight"] = model.coef_
        values[f"logistic/{name}/bias"] = model.intercept_
        values[f"logistic/{name}/accuracy"] = np.array([model.score(test.astype(np.float64), truth)])

    few, few_labels = correlated(random, 15, 40, 5, 1)
    values |= {"few": few, "few_labels": few_labels}
    model = logistic(1.0).fit(few.astype(np.float64), few_labels)
    values |= {"few/weight": model.coef_, "few/bias": model.intercept_}

    two = (labels == 1).astype(np.int64)
    model = logistic(0.1).fit(train.astype(np.float64), two)
    values |= {"two_labels": two, "two/weight": model.coef_, "two/bias": model.intercept_}

    several = np.stack([labels == 0, labels <= 1, train[:, 0] > train[:, 0].mean()], 1).astype(np.int64)
    model = OneVsRestClassifier(logistic(0.5)).fit(train.astype(np.float64), several)
    values["several_labels"] = several
    values["several/weight"] = np.concatenate([part.coef_ for part in model.estimators_])
    values["several/bias"] = np.concatenate([part.intercept_ for part in model.estimators_])

    for name, features, own, alpha in (("ridge/many", train, labels, 3.0), ("ridge/few", few, few_labels, 0.5)):
        model = RidgeClassifier(alpha=alpha, solver="cholesky").fit(features.astype(np.float64), own)
        values |= {f"{name}/alpha": np.array([alpha]), f"{name}/weight": model.coef_, f"{name}/bias": model.intercept_}

    for k in (1, 7, 40):
        model = KNeighborsClassifier(k, metric="cosine", algorithm="brute",
                                     weights=lambda distances: np.exp((1 - distances) / TEMPERATURE))
        model.fit(train.astype(np.float64), labels)
        values[f"knn/{k}"] = model.predict_proba(test.astype(np.float64))

    as_stored = {name: np.ascontiguousarray(value) for name, value in values.items()}
    save_file(as_stored, HERE / "probes.safetensors")


main()
