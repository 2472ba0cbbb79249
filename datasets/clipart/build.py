"""Builds the clip art set from Debian's openclipart-png and openclipart-svg: pictures, captions, manifests.

Titles and keywords stand in the SVG's RDF, the pictures are the PNGs of the same name.
"""
import collections
import hashlib
import html
import math
import os
import re
import shutil
import struct
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from debian import checksum, fetch, unpack  # noqa: E402
from fetching import build_into, is_whole, publish, read_table, table  # noqa: E402

FORMAT = 2  # of what is written; raise it when the same packages give other files
PACKAGES = ["openclipart-png", "openclipart-svg"]
COLUMNS = ["filepath", "title", "caption", "concept", "group", "subgroup"]
MANIFESTS = ["train", "val", "test", "all"]
SHARED = 8  # a title of more pictures than this names a collection
MAX_PIXELS = 100_000_000  # more is duet's data.max_pixels: it would leave the picture out

# Whole titles that name a collection or nothing, after cleaning and in lower case.
JUNK_TITLE = re.compile(r".*\btheme|.*\bicon ?sets?|.*\bcollection\b.*|.*\bcliparts?|icons?|people|webicons|clips|"
                        r"svg\b.*|.*\bexample \d+|(fc|r)\d+\b.*|unnamed|untitled|drawing|picture|image|test")
JUNK_KEYWORD = re.compile(r"hash(\(0x[0-9a-f]+\))?|0x[0-9a-f]+|[\d\W]*|unsorted|special|duplicates|clip ?art|.*\S@\S.*")
# What numbers the drawings of a series: "bee3", "BlueMan#101", "open bible 01".
SERIAL = re.compile(r"(?<=[a-z]{2})\d{1,3}$| ?#\d+$| 0\d+$")


def say(message):
    print(f"clipart: {message}", flush=True)


def left_out():
    """The beginnings of the SHA-256 of pictures that show nothing, or the same as another."""
    return {row["sha256"] for row in read_table(HERE / "left_out.tsv")}


def pixels(png):
    with open(png, "rb") as file:
        return math.prod(struct.unpack(">16xII", file.read(24)))


def described(svg):
    """Title and keywords of a drawing's RDF, without what names its author."""
    title, keywords = "", []
    try:
        root = ElementTree.parse(svg).getroot()
    except ElementTree.ParseError:
        return title, keywords
    work = next((node for node in root.iter() if node.tag.endswith("}Work")), ())
    for node in work:
        if node.tag.endswith("}title"):
            title = node.text or ""
        elif node.tag.endswith("}subject"):
            keywords = [item.text or "" for item in node.iter() if item.tag.endswith("}li")]
    authors = {clean(name.text or "").lower() for agent in root.iter() if agent.tag.endswith("}Agent")
               for name in agent if name.tag.endswith("}title")}
    return ("" if clean(title).lower() in authors else title,
            [keyword for keyword in keywords if clean(keyword).lower() not in authors])


def clean(text):
    return re.sub(r"[\s_]+", " ", html.unescape(text)).strip()


def label_of(title):
    """(the title without what its collection added, whether an author's prefix was among that)"""
    plain = re.sub(r"^clip ?art by .*? - ", "", clean(title), flags=re.IGNORECASE)
    label = re.sub(r"^\d\d | \(email: .*?\)|( openclipart|-aj)?(\.svg|\.png)?$", "", plain, flags=re.IGNORECASE)
    label = SERIAL.sub("", label.strip(" .-"))
    return label, plain != clean(title)


def tags_of(keywords, label):
    tags = dict.fromkeys(clean(keyword).lower() for keyword in keywords)
    return [tag for tag in tags if not JUNK_KEYWORD.fullmatch(tag) and tag != label.lower()]


def is_junk(label):
    readable = re.search(r"[^\W\d_]{2}", label) and label.isprintable() and "@" not in label
    return not readable or bool(JUNK_TITLE.fullmatch(label.lower()))


def read_tree(tree):
    """{content: [(png, label, had prefix, keywords)]} of all drawings; and how many drawings there were."""
    drawings, count, useless = collections.defaultdict(list), 0, left_out()
    for svg in sorted((tree / "svg").rglob("*.svg")):
        png = tree / "png" / svg.relative_to(tree / "svg").with_suffix(".png")
        if not png.exists() or not is_whole(png):
            continue
        count += 1
        content = checksum(png)
        if content[:16] not in useless and pixels(png) <= MAX_PIXELS:
            title, keywords = described(svg)
            drawings[content].append((png, *label_of(title), keywords))
    return drawings, count


def chosen_copy(copies):
    """Of equal pictures the one in the most telling folder, by name where several are."""
    return min(copies, key=lambda copy: ("unsorted" in copy[0].parts, -len(copy[0].parts), str(copy[0])))


def series_of(label):
    """The title without what tells the drawings of a series apart: "apple" of "Apple (B and W)"."""
    words = re.sub(r"\(.*?\)|:.*", "", label.lower())
    words = " ".join(re.sub(r"[\W\d_]+", " ", words).split())
    return re.sub(r" bw$", "", words) or label.lower()


def split_of(label):
    """A series is in one split, so that no title of val and test occurs in train."""
    share = int(hashlib.sha256(series_of(label).encode()).hexdigest()[:8], 16) % 100
    return "val" if share < 10 else "test" if share < 25 else "train"


def choose(tree):
    """[(png, row)] of what the set keeps, and a line that accounts for the rest."""
    drawings, count = read_tree(tree)
    kept = {content: chosen_copy(copies) for content, copies in drawings.items()}
    titles = collections.Counter(label.lower() for _, label, _, _ in kept.values())
    rows = []
    for content, (png, label, had_prefix, _) in kept.items():
        # One author's titles stayed the same from drawing to drawing: shared ones are wrong.
        if is_junk(label) or titles[label.lower()] > (2 if had_prefix else SHARED):
            continue
        tags = tags_of([keyword for copy in drawings[content] for keyword in copy[3]], label)
        caption = f"{label}: {', '.join(tags)}" if tags else label
        place = png.relative_to(tree / "png")
        group, *subgroup = place.parent.parts
        rows.append((png, [f"images/{place}", label, caption, label.lower(), group, "/".join(subgroup)]))
    return rows, f"{count:,} drawings, {len(kept):,} different and usable, {len(kept) - len(rows):,} of them with junk titles"


def version_of(packages):
    return "\n".join([f"clip art set, format {FORMAT}", *(package.name for package in packages), ""])


def is_complete(folder):
    stamp = folder / "complete"
    return (stamp.exists() and stamp.read_text(encoding="utf-8").startswith(f"clip art set, format {FORMAT}\n")
            and (folder / "images").is_dir() and all((folder / f"{name}.tsv").exists() for name in MANIFESTS))


def build(folder):
    start = time.monotonic()
    packages, part, images = folder / "packages", folder / "images.part", folder / "images"
    packages.mkdir(parents=True, exist_ok=True)
    archives = fetch(PACKAGES, packages, say)
    tree = packages / "tree"
    for old in (tree, part, images):
        shutil.rmtree(old, ignore_errors=True)
    unpack(archives, tree)
    rows, account = choose(tree / "usr/share/openclipart")
    say(account)
    manifests = {name: [] for name in MANIFESTS}
    for png, row in sorted(rows, key=lambda entry: entry[1][0]):
        target = part / Path(row[0]).relative_to("images")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(png.resolve(), target)
        manifests["all"].append(row)
        manifests[split_of(row[1])].append(row)
    part.rename(images)
    for name, lines in manifests.items():
        publish(folder / f"{name}.tsv", table([COLUMNS, *lines]))
    publish(folder / "NOTICE", "Open Clip Art Library (openclipart.org), release 0.18, dedicated to the public domain\n"
            f"by its authors; from Debian's packages {' and '.join(PACKAGES)}. No part of duet. Pictures unchanged.\n")
    publish(folder / "complete", version_of(archives))
    shutil.rmtree(packages)
    counts = ", ".join(f"{name} {len(manifests[name]):,}" for name in ("train", "val", "test"))
    say(f"complete in {time.monotonic() - start:.0f} s: {len(rows):,} pictures ({counts})")


if __name__ == "__main__":
    build_into("clipart", is_complete, build)
