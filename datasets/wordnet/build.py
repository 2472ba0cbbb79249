"""Builds a text from WordNet 3.0: a document a synset, its definition first, then its example sentences.

Also the lexicographer's file of each definition (noun.animal, verb.motion, ...), as labels for tests of transfer.
"""
import collections
import gzip
import hashlib
import re
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from debian import fetch, unpack  # noqa: E402
from fetching import build_into, fail, publish, table  # noqa: E402

FORMAT = 1  # of what is written; raise it when the same package gives other files
PACKAGE = "wordnet-base"
SPLITS = ["train", "val", "test"]
COLUMNS = ["text", "label", "words", "synset"]
# What WordNet 3.0 comes to; another number by more than a hundredth is another WordNet, or read wrongly.
SYNSETS, SENTENCES, LEXICOGRAPHER_FILES = 117_659, 165_869, 45


class Synset(NamedTuple):
    key: str  # part of speech and place in its file, as other tools name it: "n 02084071"
    label: str
    words: list
    definition: str
    examples: list


def say(message):
    print(f"wordnet: {message}", flush=True)


def plain(text):
    return " ".join(text.split())


def parts_of(gloss):
    """(definition, example sentences) of "definition; "example"; "example" - author"."""
    definition, *rest = re.split(r'[;:] ?(?=")', gloss, maxsplit=1)
    rest = "".join(rest)
    quoted = [] if rest.count('"') % 2 else re.findall(r'"([^"]*)"', rest)  # a quote that is never closed: none
    examples = [plain(example).rstrip(" ;:,") for example in quoted]
    return plain(definition).rstrip(" ;:"), [example for example in examples if " " in example]


def words_of(fields):
    """The synset's words: "domestic_dog" is two; "(a)" marks where an adjective may stand."""
    words = fields[4:4 + 2 * int(fields[3], 16):2]
    return [re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in words]


def lexicographer_files(tree):
    """Their names by number: the package has them in a manual page."""
    with gzip.open(tree / "man/man5/lexnames.5WN.gz", "rt", encoding="utf-8") as page:
        names = dict(re.findall(r"^(\d\d)\t([a-z]+\.\w+)\s", page.read(), re.MULTILINE))
    if len(names) != LEXICOGRAPHER_FILES:
        fail(f"{PACKAGE} names {len(names)} lexicographer files, expected {LEXICOGRAPHER_FILES}")
    return names


def read_synsets(tree):
    labels = lexicographer_files(tree)
    for part in ("noun", "verb", "adj", "adv"):
        with open(tree / "wordnet" / f"data.{part}", encoding="utf-8") as file:
            for line in file:
                if line.startswith("  "):
                    continue  # the licence
                data, _, gloss = line.partition(" | ")
                fields = data.split()
                yield Synset(f"{fields[2]} {fields[0]}", labels[fields[1]], words_of(fields), *parts_of(gloss))


def split_of(synset):
    """By what the definition says, so that equal ones are in one split."""
    share = int(hashlib.sha256(synset.definition.encode()).hexdigest()[:8], 16) % 100
    return "test" if share < 5 else "val" if share < 10 else "train"


def check(synsets):
    sentences = sum(1 + len(synset.examples) for synset in synsets)
    for what, found, expected in (("synsets", len(synsets), SYNSETS), ("sentences", sentences, SENTENCES)):
        if abs(found - expected) > expected // 100:
            fail(f"{PACKAGE} gave {found:,} {what}, expected about {expected:,}")
    return sentences


def document(synset):
    return "".join(sentence + "\n" for sentence in [synset.definition, *synset.examples])


def write(synsets, folder):
    """How many synsets went into each split."""
    parts = collections.defaultdict(list)
    for synset in synsets:
        parts[split_of(synset)].append(synset)
    for split in SPLITS:
        publish(folder / f"{split}.txt", "\n".join(document(synset) for synset in parts[split]))
        publish(folder / f"labels_{split}.tsv", table([COLUMNS, *(
            (synset.definition, synset.label, ", ".join(synset.words), synset.key) for synset in parts[split])]))
    return {split: len(parts[split]) for split in SPLITS}


def is_complete(folder):
    stamp = folder / "complete"
    return (stamp.exists() and stamp.read_text(encoding="utf-8").startswith(f"wordnet, format {FORMAT}\n")
            and all((folder / name).exists() for split in SPLITS for name in (f"{split}.txt", f"labels_{split}.tsv")))


def build(folder):
    start = time.monotonic()
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    archives = fetch([PACKAGE], packages, say)
    tree = packages / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    unpack(archives, tree)
    synsets = list(read_synsets(tree / "usr/share"))
    sentences = check(synsets)
    counts = write(synsets, folder)
    licence = (tree / f"usr/share/doc/{PACKAGE}/copyright").read_text(encoding="utf-8")
    publish(folder / "NOTICE", f"Definitions and example sentences of WordNet, from Debian's package {PACKAGE}. No part of\n"
            "duet. Changed: taken out of the database's files, white space and authors' names left out.\n\n" + licence)
    publish(folder / "complete", f"wordnet, format {FORMAT}\n{archives[0].name}\n")
    shutil.rmtree(packages)
    say(f"complete in {time.monotonic() - start:.0f} s: {sentences:,} sentences of {len(synsets):,} synsets "
        f"({', '.join(f'{split} {count:,}' for split, count in counts.items())})")


if __name__ == "__main__":
    build_into("wordnet", is_complete, build)
