"""duet's linear probe beside scikit-learn's LogisticRegression, by turns, on the same made-up features: 10,000 x 512 of 100
classes as frozen towers make them (unit vectors, a few strong directions, a common mean). Prints seconds of each round, their
medians' ratio, accuracy on 10,000 other items, and how far both are from scikit-learn's solution to many digits (--exact).

    python3 bench/logistic.py build/release/bin/logistic_bench [--c 10] [--rounds 3] [--threads 2] [--exact]

needs numpy, scikit-learn, safetensors and threadpoolctl.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time
import warnings

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits


def made_up(items, width, classes, seed=1):
    random = np.random.default_rng(seed)
    strength = np.arange(1, width + 1) ** -0.5
    turned = np.linalg.qr(random.normal(size=(width, width)))[0]
    centres = 0.13 * random.normal(size=(classes, width)) * strength

    def part():
        labels = random.integers(classes, size=items)
        x = (centres[labels] + random.normal(size=(items, width)) * 0.4 * strength + 0.3 * strength[0]) @ turned
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels.astype(np.int64)

    return *part(), *part()


def distance(weight, wanted):
    return np.linalg.norm(weight - wanted) / np.linalg.norm(wanted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--c", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    train, labels, test, truth = made_up(options.items, options.width, options.classes)
    seconds = {"duet": [], "scikit-learn": []}
    learned = {}
    with tempfile.TemporaryDirectory() as folder:
        features, out = pathlib.Path(folder) / "features.safetensors", pathlib.Path(folder) / "out.safetensors"
        save_file({"train": train, "labels": labels}, features)
        for _ in range(options.rounds):
            done = subprocess.run([options.program, features, str(options.c), str(options.threads), "1", out],
                                  check=True, capture_output=True, text=True)
            said = json.loads(done.stdout)
            seconds["duet"].append(said["seconds"])
            values = load_file(out)
            learned["duet"] = values["weight"], values["bias"]
            with threadpool_limits(options.threads), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = LogisticRegression(C=options.c, max_iter=1000)
                begin = time.perf_counter()
                model.fit(train, labels)
                seconds["scikit-learn"].append(time.perf_counter() - begin)
            learned["scikit-learn"] = model.coef_, model.intercept_
            print(f"duet {said}, scikit-learn {seconds['scikit-learn'][-1]:.3f} s of {model.n_iter_[0]} iterations", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"medians: duet {medians['duet']:.3f} s, scikit-learn {medians['scikit-learn']:.3f} s, "
          f"ratio {medians['scikit-learn'] / medians['duet']:.2f}")
    for name, (weight, bias) in learned.items():
        print(f"{name}: accuracy {np.mean((test @ weight.T + bias).argmax(1) == truth):.4f}")
    print(f"weights: {distance(*(learned[name][0] for name in ('duet', 'scikit-learn'))):.1e} apart")
    if options.exact:
        model = LogisticRegression(C=options.c, max_iter=10_000, tol=1e-8).fit(train.astype(np.float64), labels)
        print(f"exact: accuracy {model.score(test.astype(np.float64), truth):.4f}")
        for name, (weight, _) in learned.items():
            print(f"{name}: weights {distance(weight, model.coef_):.1e} from the exact ones")


main()
