"""Builds the emoji set from npm packages: pictures, captions, and the manifests of every split.

A killed run continues: a package stays in DIR/packages until its pictures are all there, published by one rename.
"""
import argparse
import base64
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import unicodedata
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fetching import NO_NETWORK, alone, fail, is_whole, publish, read_table, run, shown, table  # noqa: E402

FORMAT = 1  # of what is written; raise it when the same packages give other files
SIZE = 64  # pixels, for drawings that come as SVG


class Package(NamedTuple):
    name: str
    version: str
    bytes: int
    sha512: str

    @property
    def spec(self):
        return f"{self.name}@{self.version}"


class Style(NamedTuple):
    name: str
    package: Package
    inside: str  # folder of the pictures, or the file of an Iconify set
    suffix: str
    pictures: int
    credit: str  # for the NOTICE


PACKAGES = {row["name"]: Package(row["name"], row["version"], int(row["bytes"]), row["sha512"])
            for row in read_table(HERE / "packages.tsv")}
CAPTIONS = PACKAGES["emojibase-data"]
# Languages that emojibase lacks (Arabic) come from Unicode itself: names and keywords, then those of variants.
CLDR = {"annotations": PACKAGES["cldr-annotations-modern"],
        "annotationsDerived": PACKAGES["cldr-annotations-derived-modern"]}
STYLES = [
    Style("noto", PACKAGES["emoji-datasource-google"], "package/img/google/64/", ".png", 1906,
          "Noto Emoji, (c) Google LLC, Apache-2.0, https://github.com/googlefonts/noto-emoji"),
    Style("twemoji", PACKAGES["emoji-datasource-twitter"], "package/img/twitter/64/", ".png", 1906,
          "Twemoji, (c) Twitter, Inc and other contributors, CC-BY-4.0, https://github.com/twitter/twemoji"),
    Style("fluent3d", PACKAGES["@lobehub/fluent-emoji-3d"], "package/assets/", ".webp", 1852,
          "Fluent Emoji (3D), (c) Microsoft Corporation, MIT, https://github.com/microsoft/fluentui-emoji"),
    Style("openmoji", PACKAGES["openmoji"], "package/color/svg/", ".svg", 1914,
          "OpenMoji, (c) OpenMoji contributors, CC-BY-SA-4.0, https://openmoji.org"),
    Style("fluentflat", PACKAGES["@iconify-json/fluent-emoji-flat"], "package/icons.json", ".json", 1562,
          "Fluent Emoji (flat), (c) Microsoft Corporation, MIT, https://github.com/microsoft/fluentui-emoji"),
    Style("notov1", PACKAGES["@iconify-json/noto-v1"], "package/icons.json", ".json", 1227,
          "Noto Emoji (v1), (c) Google LLC, Apache-2.0, https://github.com/googlefonts/noto-emoji"),
    Style("emojione", PACKAGES["@iconify-json/emojione"], "package/icons.json", ".json", 1320,
          "EmojiOne, (c) Ranks.com, Inc. (EmojiOne), CC-BY-4.0, https://github.com/EmojiTwo/emojitwo"),
]
CONCEPTS = 1914
# manifest -> (pictures, concepts): what the splits must come to.
SPLITS = {
    "train": (8286, 1748),
    "val": (637, 470),
    "test_style": (1740, 1740),
    "test_novel": (871, 139),
    "test_comp": (153, 27),
    "val_novel": (668, 137),
    "train_choose": (7618, 1611),
    "val_choose": (595, 438),
    "all": (11687, CONCEPTS),
}
COLUMNS = ["filepath", "label", "caption", "concept", "group", "subgroup", "style"]


def say(message):
    print(f"emoji: {message}", flush=True)


def digest(path):
    sha = hashlib.sha512()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return base64.b64encode(sha.digest()).decode()


def fetch(package, folder, seconds=900, retries=2):
    """The package's archive in `folder`, whole and with the expected content."""
    path = folder / (re.sub(r"[^a-z0-9]+", "-", package.name).strip("-") + f"-{package.version}.tgz")
    if path.exists():
        return path
    own = folder / f"{path.stem}.part"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    command = ["npm", "pack", package.spec, "--prefer-offline", "--no-update-notifier", "--loglevel=error",
               f"--fetch-timeout={seconds}000", f"--fetch-retries={retries}", "--fetch-retry-mintimeout=1000"]
    npm = subprocess.run(command, cwd=own, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if npm.returncode != 0:
        complaint = re.findall(r"^npm (?:error|ERR!) (?!code |errno |syscall )(.+)$", npm.stderr, re.MULTILINE)
        fail(f"npm cannot fetch {package.spec}: {complaint[0] if complaint else 'no message'}", NO_NETWORK)
    [got] = own.glob("*.tgz")
    if digest(got) != package.sha512:
        fail(f"{package.spec} is not the archive this set was made from (its SHA-512 differs)")
    got.replace(path)
    own.rmdir()
    return path


def concept_of(code):
    """Key of a concept: its code points in lower-case hexadecimal, without the variation selector."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def member(tar, name):
    """A JSON file of a package, or None."""
    try:
        return json.load(tar.extractfile(f"package/{name}.json"))
    except KeyError:
        return None


def write_captions(archive_of, folder, languages):
    """DIR/captions.LANGUAGE.tsv for each language; the English ones first."""
    if languages[0] == "en":
        with tarfile.open(archive_of(CAPTIONS)) as tar:
            names = member(tar, "en/messages")
            groups = {g["order"]: g["key"] for g in names["groups"]}
            subgroups = {g["order"]: g["key"] for g in names["subgroups"]}
            found = [e for e in member(tar, "en/data") if groups.get(e.get("group"), "component") != "component"]
        if len(found) != CONCEPTS:
            fail(f"{CAPTIONS.spec} has {len(found)} concepts, expected {CONCEPTS}")
        rows = [(concept_of(e["hexcode"]), e["label"], ", ".join(e.get("tags", [])), groups[e["group"]],
                 subgroups[e["subgroup"]], e["hexcode"].lower()) for e in sorted(found, key=lambda e: e["order"])]
        publish(folder / "captions.en.tsv", table([("concept", "label", "tags", "group", "subgroup", "code"), *rows]))
        say(f"captions     {len(rows):>6,} concepts")
    for language in languages:
        if language != "en":
            texts = emojibase_texts(archive_of(CAPTIONS), language) or cldr_texts(archive_of, language)
            if not texts:
                fail(f"no captions in '{language}': neither {CAPTIONS.spec} nor Unicode CLDR has this language", 2)
            rows = [(row["concept"], *texts[row["concept"]]) for row in read_table(folder / "captions.en.tsv")
                    if row["concept"] in texts]
            publish(folder / f"captions.{language}.tsv", table([("concept", "label", "tags"), *rows]))
            say(f"captions     {len(rows):>6,} concepts in '{language}'")


def emojibase_texts(archive, language):
    with tarfile.open(archive) as tar:
        entries = member(tar, f"{language}/data") or []
    return {concept_of(e["hexcode"]): (e["label"], ", ".join(e.get("tags", []))) for e in entries}


def cldr_texts(archive_of, language):
    texts = {}
    for kind, package in CLDR.items():
        with tarfile.open(archive_of(package)) as tar:
            data = member(tar, f"{kind}/{language}/annotations") or {kind: {"annotations": {}}}
        for emoji, entry in data[kind]["annotations"].items():
            if "tts" in entry:
                label = entry["tts"][0]
                tags = [tag for tag in entry.get("default", []) if tag != label]
                texts[concept_of("-".join(f"{ord(c):x}" for c in emoji))] = (label, ", ".join(tags))
    return texts


def slug(label):
    plain = "".join(c for c in unicodedata.normalize("NFKD", label.lower()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"[’.&]", "", plain)).strip("-")


def icon_names(concept):
    name = slug(concept["label"].removeprefix("flag: "))
    return ["flag-for-" + name, name] if concept["group"] == "flags" else [name]


def iconify_svgs(tar, inside, concepts):
    """(concept, SVG) of an Iconify set, matched by the English label."""
    icons = json.load(tar.extractfile(inside))
    aliases = {name: alias["parent"] for name, alias in icons.get("aliases", {}).items() if set(alias) == {"parent"}}
    for concept in concepts:
        for name in icon_names(concept):
            while name in aliases:
                name = aliases[name]
            if name in icons["icons"]:
                icon = {"left": 0, "top": 0, "width": icons.get("width", 16), "height": icons.get("height", 16),
                        **icons["icons"][name]}
                box = "{left} {top} {width} {height}".format(**icon)
                yield concept["concept"], (
                    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                    f'viewBox="{box}" width="{icon["width"]}" height="{icon["height"]}">{icon["body"]}</svg>').encode()
                break


def files(tar, style, concepts):
    """(concept, bytes) of a package with one picture file a concept, matched by the code points in its name."""
    codes = {concept["concept"]: concept["code"] for concept in concepts}
    members = {}
    for entry in tar:
        name = entry.name.removeprefix(style.inside)
        if not entry.isfile() or name == entry.name or "/" in name or not name.endswith(style.suffix):
            continue
        code = name.removesuffix(style.suffix).lower()
        concept = concept_of(code)
        if concept in codes and (concept not in members or code == codes[concept]):
            members[concept] = tar.extractfile(entry).read()
    yield from members.items()


def draw(job):
    svg, path = job
    if path.exists() and is_whole(path):
        return  # by an earlier run that was killed
    rsvg = subprocess.run(["rsvg-convert", "-w", str(SIZE), "-h", str(SIZE), "-a", "-o", str(path)], input=svg,
                          capture_output=True)
    if rsvg.returncode != 0:
        fail(f"rsvg-convert cannot draw {path.name}: {rsvg.stderr.decode(errors='replace').strip()}")


def extract(style, archive, folder, concepts):
    """Publishes DIR/images/STYLE, whole or not at all."""
    part = folder / "images" / f".{style.name}.part"
    part.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        pictures = list(iconify_svgs(tar, style.inside, concepts) if style.suffix == ".json"
                        else files(tar, style, concepts))
    if style.suffix in (".json", ".svg"):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            try:
                for _ in threads.map(draw, [(svg, part / f"{concept}.png") for concept, svg in pictures]):
                    pass
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
    else:
        for concept, data in pictures:
            (part / (concept + style.suffix)).write_bytes(data)
    written = list(part.iterdir())
    bad = [path.name for path in written if not is_whole(path)]
    if bad:
        fail(f"{style.package.spec}: {len(bad)} damaged pictures, {bad[0]} among them")
    if len(written) != style.pictures:
        fail(f"{style.package.spec} gave {len(written)} pictures of style {style.name}, expected {style.pictures}")
    part.rename(folder / "images" / style.name)
    archive.unlink()


def split_of(held_out, style, concept):
    """The first row of held_out.tsv that fits decides."""
    return min((held_out[key] for key in ((style, concept), (style, "*"), ("*", concept)) if key in held_out),
               default=(0, "train"))[1]


def write_manifests(folder):
    held_out = {}
    for number, row in enumerate(read_table(HERE / "held_out.tsv")):
        held_out.setdefault((row["style"], row["concept"]), (number, row["split"]))
    novel = {row["concept"] for row in read_table(HERE / "val_novel.tsv")}
    manifests = {name: [] for name in SPLITS}
    for concept in read_table(folder / "captions.en.tsv"):
        key, label, tags = concept["concept"], concept["label"], concept["tags"]
        caption = f"{label}: {tags}" if tags else label
        for style in STYLES:
            suffix = ".webp" if style.suffix == ".webp" else ".png"
            picture = f"images/{style.name}/{key}{suffix}"
            if not (folder / picture).exists():
                continue
            row = [picture, label, caption, key, concept["group"], concept["subgroup"], style.name]
            split = split_of(held_out, style.name, key)
            manifests["all"].append(row)
            manifests[split].append(row)
            if split in ("train", "val") and key not in novel:
                manifests[split + "_choose"].append(row)
            elif split == "train":
                manifests["val_novel"].append(row)
    for name, rows in manifests.items():
        counts = (len(rows), len({row[3] for row in rows}))
        if counts != SPLITS[name]:
            fail(f"{name}.tsv would hold %d pictures of %d concepts, expected %d of %d" % (*counts, *SPLITS[name]))
        publish(folder / f"{name}.tsv", table([COLUMNS, *rows]))


def write_notice(folder):
    lines = ["Pictures and captions of the emoji set, fetched from the npm packages named here. No part of duet.",
             f"Changed: SVG drawings were rendered at {SIZE} pixels. Everything else is as its package holds it.", ""]
    for style in STYLES:
        lines += [f"images/{style.name}: {style.credit}", f"    from {style.package.spec}"]
    lines += ["captions: Unicode CLDR short names and keywords, (c) Unicode, Inc., Unicode License v3, as compiled by",
              f"    {CAPTIONS.spec}, (c) Miles Johnson, MIT, https://emojibase.dev", ""]
    publish(folder / "NOTICE", "\n".join(lines))


def stamp():
    return "\n".join([f"emoji set, format {FORMAT}", CAPTIONS.spec, *(s.package.spec for s in STYLES), ""])


def count(folder):
    return sum(1 for entry in os.scandir(folder) if not entry.name.startswith("."))


def is_complete(folder):
    stamped = folder / "complete"
    return (stamped.exists() and stamped.read_text(encoding="utf-8") == stamp()
            and all((folder / f"{name}.tsv").exists() for name in SPLITS)
            and all((folder / "images" / s.name).is_dir() and count(folder / "images" / s.name) == s.pictures
                    for s in STYLES))


def build(folder, languages):
    start = time.monotonic()
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    if (folder / "complete").exists() and (folder / "complete").read_text(encoding="utf-8") != stamp():
        (folder / "complete").unlink()  # another version's: keep nothing of it
        shutil.rmtree(folder / "images", ignore_errors=True)
        for old in folder.glob("captions.*.tsv"):
            old.unlink()
    missing_captions = [lang for lang in ["en", *languages] if not (folder / f"captions.{lang}.tsv").exists()]
    missing_styles = []
    for style in STYLES:
        pictures = folder / "images" / style.name
        if pictures.is_dir() and count(pictures) != style.pictures:
            shutil.rmtree(pictures)
        if not pictures.is_dir():
            missing_styles.append(style)
    wanted = [CAPTIONS] * bool(missing_captions) + [style.package for style in missing_styles]
    if wanted:
        size = sum(package.bytes for package in wanted) / 1e6
        say(f"fetching {len(wanted)} package{'s' * (len(wanted) > 1)}, {size:.0f} MB, into {folder}")
        fetch(min(wanted, key=lambda package: package.bytes), packages, seconds=60, retries=0)  # a network at all?
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        archives = {package: threads.submit(fetch, package, packages) for package in wanted}

        def archive_of(package):
            if package not in archives:
                archives[package] = threads.submit(fetch, package, packages)
            return archives[package].result()
        try:
            if missing_captions:
                write_captions(archive_of, folder, missing_captions)
            concepts = read_table(folder / "captions.en.tsv")
            for style in missing_styles:
                extract(style, archive_of(style.package), folder, concepts)
                say(f"{style.name:<12} {style.pictures:>6,} pictures")
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    write_manifests(folder)
    write_notice(folder)
    publish(folder / "complete", stamp())
    shutil.rmtree(packages)
    splits = ", ".join(f"{name} {pictures:,}" for name, (pictures, _) in list(SPLITS.items())[:5])
    say(f"complete in {time.monotonic() - start:.0f} s: {SPLITS['all'][0]:,} pictures of {CONCEPTS:,} concepts")
    say(splits)


def main():
    parser = argparse.ArgumentParser(prog="datasets/emoji/fetch.sh", description=__doc__.split("\n")[0])
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--languages", default="", help="captions.LANGUAGE.tsv for each of these, e.g. de,ja,ar,ru")
    arguments = parser.parse_args()
    folder = shown(arguments.folder)
    languages = [lang for lang in arguments.languages.replace(" ", "").split(",") if lang and lang != "en"]

    if is_complete(folder) and all((folder / f"captions.{lang}.tsv").exists() for lang in languages):
        say(f"complete: {SPLITS['all'][0]:,} pictures in {folder}")
        return
    if not shutil.which("npm"):
        fail("needs npm to fetch the pictures, and there is none (Debian: npm)", NO_NETWORK)
    if not shutil.which("rsvg-convert"):
        fail("needs rsvg-convert to draw the pictures (Debian: librsvg2-bin); run scripts/setup.sh")
    with alone(folder):  # a second fetch finds everything there
        build(folder, languages)


if __name__ == "__main__":
    run("emoji", main)
