"""Draws what the runs of bench/learns.sh have learned: docs/learned/KIND.png for each KIND that pictures can tell.

    python3 bench/learned.py [KIND ...]      (default: all such kinds that runs/learns holds)

- what a tower takes for alike: four drawings of concepts never seen, and the six nearest others by the frozen feature;
- what a text finds: four labels, and the six nearest drawings among pictures held back, whose concepts are known;
- what an objective makes of a picture: the page of `duet reconstruct`, drawings of concepts never seen.

Untrained is the same network before its first step, as bench/transfer.sh makes it. The drawings asked for are the same for all
kinds, spread evenly over the table, whatever comes out. Only Noto and Fluent Emoji are shown, which anybody may pass on. Needs data/emoji, numpy and
Pillow; DUET is the program (default build/release/bin/duet).
"""
import base64
import csv
import html
import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
DUET = os.environ.get("DUET", "build/release/bin/duet")
EMOJI, RUNS, WORK, OUT = Path("data/emoji"), Path("runs/learns"), Path("runs/learns/features"), Path("docs/learned")
STYLES = {"noto", "fluent3d", "fluentflat"}
QUERIES, NEAREST, RECONSTRUCTED = 4, 6, 64

WIDTH, CELL, GAP, FRAME, COLOURS = 700, 44, 4, 2, 128
TEXT, FAINT, RIGHT, EDGE = "#1f2328", "#59636e", "#1a7f37", "#d1d9e0"
FONT = ImageFont.load_default(12)


# The runs.

def duet(*arguments):
    subprocess.run([DUET, "-q", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def shown_rows(split):
    """Rows of a split that may be shown, and the table that holds them alone."""
    with open(EMOJI / f"{split}.tsv", encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE) if row["style"] in STYLES]
    file = WORK / f"shown-{split}.tsv"
    file.write_text("\n".join("\t".join(line) for line in [rows[0], *(row.values() for row in rows)]) + "\n", encoding="utf-8")
    return rows, file


def queries_of(rows):
    drawn = [number for number, row in enumerate(rows) if row["style"] == "noto"]
    return drawn[len(drawn) // (2 * QUERIES)::len(drawn) // QUERIES][:QUERIES]


def untrained(kind):
    run = RUNS / "untrained" / kind
    if not (run / "model").exists():
        duet("train", RUNS / kind / "recipe.toml", "--out", run, "--set", "train.steps=1", "--set", "train.lr=0",
             "--set", "train.evaluations=1")
    return run


def embedded(run, *what):
    file = WORK / "shown.npy"
    duet("embed", run, *what, "--out", file)
    rows = np.load(file).astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


# Drawing.

def picture(row, side=CELL):
    with Image.open(EMOJI / row["filepath"]) as opened:
        drawing = opened.convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    white.alpha_composite(drawing)
    return white.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def write(draw, x, y, words, colour=TEXT, anchor="la"):
    draw.text((x, y), words, font=FONT, fill=colour, anchor=anchor)


def framed(canvas, draw, x, y, drawing, right=False):
    canvas.paste(drawing, (x, y))
    side = drawing.size[0]
    if right:
        for i in range(1, FRAME + 1):
            draw.rectangle((x - i, y - i, x + side - 1 + i, y + side - 1 + i), outline=RIGHT)


def save(canvas, kind):
    OUT.mkdir(exist_ok=True)
    file = OUT / f"{kind}.png"
    canvas.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {canvas.width} x {canvas.height}, {file.stat().st_size:,} bytes", flush=True)


def found_strip(kind, asked, asked_title, asked_width, found, right_means):
    """asked: a picture or a text a line; found: for trained and untrained, lists of (row, right) a line."""
    step, top = CELL + 2 * GAP, 22
    block = NEAREST * step
    canvas = Image.new("RGB", (asked_width + 2 * block + 3 * GAP, top + len(asked) * step + 20), "white")
    draw = ImageDraw.Draw(canvas)
    lefts = [asked_width, asked_width + block + 2 * GAP]
    write(draw, GAP, 4, asked_title, FAINT)
    for left, name in zip(lefts, ("trained", "untrained")):
        write(draw, left + GAP, 4, f"{name}: the {NEAREST} nearest", FAINT)
    for line, query in enumerate(asked):
        y = top + line * step + GAP
        if isinstance(query, str):
            wrapped = textwrap.wrap(query, asked_width // 7)
            for i, words in enumerate(wrapped):
                write(draw, GAP, y + CELL // 2 + 15 * i - 15 * len(wrapped) // 2, words)
        else:
            framed(canvas, draw, GAP, y, query)
        for left, lines in zip(lefts, found):
            for place, (row, right) in enumerate(lines[line]):
                framed(canvas, draw, left + GAP + place * step, y, picture(row), right)
    line_x = lefts[1] - GAP - 1
    draw.line((line_x, 6, line_x, canvas.height - 22), fill=EDGE)
    write(draw, GAP, canvas.height - 17, f"green: {right_means}", RIGHT)
    save(canvas, kind)


# The three kinds of strips.

def alike(kind):
    rows, table = shown_rows("val_novel")
    asked, found = queries_of(rows), []
    for run in (RUNS / kind, untrained(kind)):
        features = embedded(run, "--features", "--images", table, "--root", EMOJI)
        cosine = features[asked] @ features.T
        cosine[np.arange(len(asked)), asked] = -2
        found.append([[(rows[i], rows[i]["subgroup"] == rows[query]["subgroup"]) for i in np.argsort(-line)[:NEAREST]]
                      for query, line in zip(asked, cosine)])
    found_strip(kind, [picture(rows[query]) for query in asked], "", CELL + 3 * GAP, found,
                f"of the same subgroup of Unicode's list; all are among {len(rows)} drawings of concepts never seen")


def found_by_text(kind):
    rows, table = shown_rows("val_choose")
    asked, found = queries_of(rows), []
    texts = WORK / "shown.txt"
    texts.write_text("".join(rows[query]["label"] + "\n" for query in asked), encoding="utf-8")
    for run in (RUNS / kind, untrained(kind)):
        cosine = embedded(run, "--texts", texts) @ embedded(run, "--images", table, "--root", EMOJI).T
        found.append([[(rows[i], rows[i]["concept"] == rows[query]["concept"]) for i in np.argsort(-line)[:NEAREST]]
                      for query, line in zip(asked, cosine)])
    found_strip(kind, [rows[query]["label"] for query in asked], "asked for", 100, found,
                f"what was asked for; among {len(rows)} drawings held back, of concepts known from other sets")


def reconstructed(kind):
    page = WORK / "shown.html"
    duet("reconstruct", RUNS / kind, "--images", shown_rows("val_novel")[1], "--root", EMOJI, "--count", RECONSTRUCTED, "--out", page)
    source = page.read_text(encoding="utf-8")
    note = html.unescape(re.search(r'<p class="key">(.*?)</p>', source)[1])
    cards = []
    for verdict, card in re.findall(r'<article( class="right")?>(.*?)</article>', source, re.S):
        shown = [(name, Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data, name in
                 re.findall(r'src="data:image/png;base64,([^"]+)"><figcaption>([^<]*)', card)]
        words = html.unescape(re.sub(r"<span.*?</span>|<[^>]*>", "", re.search(r"<p>(.*?)</p>", card)[1])).strip()
        if kind == "rotation":
            shown.append(("turned back", shown[0][1].rotate(-int(words.split("°")[0]))))
        cards.append((shown, words, bool(verdict)))
    side, columns = 64, len(cards[0][0])
    step = columns * (side + GAP) + 4 * GAP
    across, height = WIDTH // step, side + 40
    canvas = Image.new("RGB", (across * step, 2 * height + 22), "white")
    draw = ImageDraw.Draw(canvas)
    write(draw, GAP, 4, f"{note}, over {RECONSTRUCTED} drawings of concepts never seen; some of them:", FAINT)
    for place, (shown, words, right) in enumerate(cards[::len(cards) // (2 * across)][:2 * across]):
        x, y = place % across * step + GAP, place // across * height + 22 + GAP
        for i, (name, drawing) in enumerate(shown):
            drawing = drawing.resize((side, side), Image.Resampling.LANCZOS) if drawing.width != side else drawing
            left = x + i * (side + GAP)
            framed(canvas, draw, left, y, drawing)
            draw.rectangle((left - 1, y - 1, left + side, y + side), outline=EDGE)
            write(draw, left + side // 2, y + side + 2, name, FAINT, "ma")
        write(draw, x + (step - 4 * GAP) // 2, y + side + 17, words, RIGHT if right else TEXT, "ma")
    save(canvas, kind)


STRIPS = {
    **dict.fromkeys(("simclr", "moco", "byol", "self_distillation", "masked_feature", "same_concept", "captioning"), alike),
    **dict.fromkeys(("rotation", "jigsaw", "inpainting", "masked_patch", "autoencoder"), reconstructed),
    **dict.fromkeys(("info_nce", "sigmoid", "caption_tokens", "image_text_matching"), found_by_text),
}


def main():
    os.chdir(ROOT)
    WORK.mkdir(parents=True, exist_ok=True)
    kinds = sys.argv[1:] or [kind for kind in STRIPS if (RUNS / kind / "model").exists()]
    for kind in kinds:
        if kind not in STRIPS:
            sys.exit(f"{kind}: no picture tells what it learned (those that have one: {', '.join(STRIPS)})")
        STRIPS[kind](kind)


main()
