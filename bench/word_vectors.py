"""Are a run's word vectors those that gensim's word2vec learns? Mean overlap of the ten nearest words of the 1,000 most
frequent ones, beside gensim's own between two seeds (each with its own order of the texts, as duet has).

    duet train bench/word_vectors.toml --out RUN
    VENV/bin/python bench/word_vectors.py data/wordnet/train.txt RUN/words-word2vec.txt   (VENV: pip install gensim)
"""
import random
import re
import sys
import unicodedata

import numpy as np
from gensim.models import Word2Vec

PROBES, NEAREST, EPOCHS = 1000, 10, 5
WORD = re.compile(r"[^\W_]+")


def gensim_vectors(texts, seed):
    texts = list(texts)
    random.Random(seed).shuffle(texts)
    model = Word2Vec(texts, vector_size=100, window=5, min_count=5, negative=5, sg=1, sample=1e-4, epochs=EPOCHS,
                     seed=seed, workers=1)
    return {word: model.wv[word] for word in model.wv.index_to_key}


def read_vectors(path):
    with open(path, encoding="utf-8") as lines:
        next(lines)
        rows = [line.split() for line in lines]
    return {word: np.array(values, dtype=np.float32) for word, *values in rows}


def nearest(vectors, words):
    x = np.stack([vectors[word] for word in words])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    alike = x[:PROBES] @ x.T
    np.fill_diagonal(alike[:, :PROBES], -np.inf)
    return np.argsort(-alike, axis=1)[:, :NEAREST]


def overlap(a, b):
    return float(np.mean([len(set(x) & set(y)) / NEAREST for x, y in zip(a, b)]))


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        texts = [WORD.findall(unicodedata.normalize("NFKC", line).casefold()) for line in lines]
    ours, first, second = read_vectors(sys.argv[2]), gensim_vectors(texts, 1), gensim_vectors(texts, 2)
    words = [word for word in first if word in ours]  # by falling count
    print(f"{len(words)} words; duet has {len(ours)}, gensim {len(first)}")
    near = [nearest(vectors, words) for vectors in (ours, first, second)]
    print(f"gensim and gensim: {overlap(near[1], near[2]):.3f}")
    print(f"duet and gensim:   {(overlap(near[0], near[1]) + overlap(near[0], near[2])) / 2:.3f}")


if __name__ == "__main__":
    main()
