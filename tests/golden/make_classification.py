"""Golden values of classification scores from scikit-learn, and of the expected calibration error from numpy.

    pip install scikit-learn safetensors numpy
    python tests/golden/make_classification.py

writes classification.safetensors beside itself.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn import metrics

HERE = pathlib.Path(__file__).parent


def softmax(logits):
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def calibration_error(probabilities, labels, bins=15):
    """Guo et al. 2017, equation 3: bins (b / 15, (b + 1) / 15]."""
    sure, answers = probabilities.max(1), probabilities.argmax(1)
    error = 0.0
    for low in np.arange(bins) / bins:
        inside = (sure > low) & (sure <= low + 1 / bins)
        if inside.any():
            error += inside.mean() * abs((answers[inside] == labels[inside]).mean() - sure[inside].mean())
    return error


def of_classes(name, random, items, classes):
    labels = random.integers(classes - 1, size=items)  # the last class never occurs
    logits = random.normal(size=(items, classes))
    logits[np.arange(items), labels] += random.exponential(1.5, size=items)
    logits[:, 1] -= 0.7  # told less often than it occurs
    logits = logits.astype(np.float32)
    probabilities = softmax(logits.astype(np.float64))
    answers = logits.argmax(1)
    values = {
        "top_1": metrics.accuracy_score(labels, answers),
        "top_5": metrics.top_k_accuracy_score(labels, logits, k=5, labels=np.arange(classes)) if classes > 5 else 1,
        "mean_per_class": metrics.balanced_accuracy_score(labels, answers),
        "macro_f1": metrics.f1_score(labels, answers, average="macro"),
        "calibration_error": calibration_error(probabilities, labels),
    }
    everything = {"labels": np.arange(classes), "average": None, "zero_division": 0}
    return {
        f"{name}/logits": logits,
        f"{name}/labels": labels.astype(np.int64),
        f"{name}/confusion": metrics.confusion_matrix(labels, answers, labels=np.arange(classes)).astype(np.int64),
        f"{name}/precision": metrics.precision_score(labels, answers, **everything),
        f"{name}/recall": metrics.recall_score(labels, answers, **everything),
        f"{name}/f1": metrics.f1_score(labels, answers, **everything),
        **{f"{name}/{key}": np.array([value], dtype=np.float64) for key, value in values.items()},
    }


def of_two(random, items):
    labels = (random.random(items) < 0.3).astype(np.int64)
    logits = random.normal(size=(items, 2)).astype(np.float32)
    logits[:, 1] += labels
    logits = np.round(logits * 4) / 4  # ties
    return {
        "two/logits": logits,
        "two/labels": labels,
        "two/roc_auc": np.array([metrics.roc_auc_score(labels, logits[:, 1] - logits[:, 0])]),
    }


def of_several(random, items, classes):
    targets = (random.random((items, classes)) < np.linspace(0.05, 0.6, classes)).astype(np.int64)
    logits = (random.normal(size=(items, classes)) + targets).astype(np.float32)
    logits[:, 0] = np.round(logits[:, 0])  # ties
    return {
        "several/logits": logits,
        "several/targets": targets,
        "several/average_precision": metrics.average_precision_score(targets, logits, average=None),
    }


def main():
    random = np.random.default_rng(7)
    classes = of_classes("many", random, 400, 9) | of_classes("few", random, 150, 4)
    save_file(classes | of_two(random, 300) | of_several(random, 200, 6), HERE / "classification.safetensors")


if __name__ == "__main__":
    main()
