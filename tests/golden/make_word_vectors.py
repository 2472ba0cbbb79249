"""Golden values of word2vec (skip-gram and CBOW) and glove on a small text: loss and gradients of one step from plain
PyTorch, pair by pair as the papers describe them, on the pairs that duet draws: both draw from PyTorch's generator.

    .venv/bin/python tests/golden/make_word_vectors.py

writes word_vectors.safetensors beside itself.
"""
import collections
import math
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
F = torch.nn.functional
SEED = 11
WIDTH, PAIRS, NEGATIVES, WINDOW, SUBSAMPLE, MIN_COUNT = 6, 64, 4, 3, 0.02, 2
BLOCK = 4096  # numbers drawn at a time


class Draws:
    def __init__(self):
        self.left = []

    def next(self):
        if not self.left:
            self.left = torch.rand(BLOCK, dtype=torch.float64).tolist()[::-1]
        return self.left.pop()


class Corpus:
    """Words by falling count, then by name; rarer ones than MIN_COUNT do not stand in the texts."""

    def __init__(self, texts):
        counts = collections.Counter(word for text in texts for word in text)
        self.names = sorted((w for w in counts if counts[w] >= MIN_COUNT), key=lambda w: (-counts[w], w))
        self.counts = [counts[w] for w in self.names]
        self.texts = [[self.names.index(w) for w in text if w in self.names] for text in texts]
        self.texts = [text for text in self.texts if len(text) > 1]
        self.places = [None]  # None: between two texts
        for number, text in enumerate(self.texts):
            self.places += [(number, i) for i in range(len(text))] + [None]
        total = sum(self.counts)
        shares = [SUBSAMPLE * total / count for count in self.counts]
        self.keep = [min(1, share**0.5 + share) for share in shares]


def windows(corpus, draws):
    """Places in jumps of the golden section, each with its words of a window of drawn reach; words are dropped by their
    frequency first."""
    def kept(word):
        return corpus.keep[word] >= 1 or draws.next() < corpus.keep[word]

    count, at = len(corpus.places), 0
    stride = next(s for s in range(round(0.6180339887 * count), 2 * count) if math.gcd(s, count) == 1)
    while True:
        place, at = corpus.places[at], (at + stride) % count
        if place is None:
            continue
        text, i = corpus.texts[place[0]], place[1]
        if not kept(text[i]):
            continue
        reach, found = 1 + int(draws.next() * WINDOW), []
        for way in (range(i - 1, -1, -1), range(i + 1, len(text))):
            side = []
            for j in way:
                if len(side) == reach:
                    break
                if kept(text[j]):
                    side.append(text[j])
            found += side
        if found:
            yield text[i], found


def examples(corpus, cbow):
    """[(words whose mean vector tells, the word told)]"""
    made = []
    for centre, neighbours in windows(corpus, Draws()):
        made += [(neighbours, centre)] if cbow else [([centre], word) for word in neighbours]
        if len(made) >= PAIRS:
            return made[:PAIRS]


def word2vec(p, corpus, cbow):
    """Mikolov et al. 2013, equation 4, negated; a negative that is the target does not count (word2vec.c)."""
    torch.manual_seed(SEED)
    pairs = examples(corpus, cbow)
    share = torch.tensor(corpus.counts, dtype=torch.float64) ** 0.75
    bounds = (share.cumsum(0) / share.sum()).tolist()
    draw = torch.rand(PAIRS, NEGATIVES, dtype=torch.float64)
    total, met = 0, 0
    for i, (words, target) in enumerate(pairs):
        hidden = sum(p["objective.input"][w] for w in words) / len(words)
        total = total - F.logsigmoid(hidden @ p["objective.output"][target])
        for k in range(NEGATIVES):
            negative = next(w for w, bound in enumerate(bounds) if draw[i, k] < bound)
            met += negative == target
            if negative != target:
                total = total - F.logsigmoid(-hidden @ p["objective.output"][negative])
    assert met > 0, "no negative was a target"
    return total / PAIRS


def skip_gram(p, corpus):
    return word2vec(p, corpus, False)


def cbow(p, corpus):
    return word2vec(p, corpus, True)


def glove(p, corpus):
    """Pennington et al. 2014, equations 8 and 9, x_max 2; words at distance d count 1 / d, both ways."""
    near = collections.Counter()
    for text in corpus.texts:
        for i in range(len(text)):
            for j in range(len(text)):
                if i != j and abs(i - j) <= WINDOW:
                    near[text[i], text[j]] += 1 / abs(i - j)
    entries = sorted(near)
    torch.manual_seed(SEED)
    total = 0
    for drawn in torch.randint(len(entries), (PAIRS,)).tolist():
        row, column = entries[drawn]
        x = torch.tensor(near[row, column], dtype=torch.float64)
        told = (p["objective.input"][row] @ p["objective.output"][column] + p["objective.input_bias"][row]
                + p["objective.output_bias"][column])
        total = total + min(1, (x / 2) ** 0.75) * (told - x.log()) ** 2
    return total / PAIRS


def main():
    generator = torch.Generator().manual_seed(5)
    ids = (torch.rand(240, generator=generator) ** 3 * 40).long()  # word k more often than k + 1
    ends = torch.rand(240, generator=generator) < 0.15
    texts, text = [], []
    for word, end in zip(ids.tolist(), ends.tolist()):
        text.append(f"w{word}")
        if end:
            texts.append(text)
            text = []
    texts.append(text)
    corpus = Corpus(texts)
    assert len(corpus.names) < len({w for t in texts for w in t}), "no word is too rare"
    size = len(corpus.names)
    tables = {"input": torch.randn(size, WIDTH, generator=generator), "output": torch.randn(size, WIDTH, generator=generator)}
    biases = {"input_bias": torch.randn(size, generator=generator), "output_bias": torch.randn(size, generator=generator)}
    out = {"corpus/ids": ids, "corpus/ends": ends.long()}
    for objective, parameters in ((skip_gram, tables), (cbow, tables), (glove, tables | biases)):
        name = objective.__name__
        leaves = {f"objective.{k}": v.double().requires_grad_() for k, v in parameters.items()}
        loss = objective(leaves, corpus)
        loss.backward()
        out[f"{name}/loss"] = loss.detach().float()
        out |= {f"{name}/weight/objective.{k}": v for k, v in parameters.items()}
        out |= {f"{name}/gradient/{k}": leaf.grad.float() for k, leaf in leaves.items()}
    save_file({k: v.clone().contiguous() for k, v in out.items()}, HERE / "word_vectors.safetensors")


if __name__ == "__main__":
    main()
