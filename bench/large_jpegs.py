#!/usr/bin/env python3
"""Writes JPEGs of 4000x3000 and their captions, as a camera would: what reading a photo folder costs.
   large_jpegs.py FOLDER [COUNT]     default 1,000; about 2 GB. Needs numpy and Pillow."""
import csv
import pathlib
import sys

import numpy
from PIL import Image

folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
folder.mkdir(parents=True, exist_ok=True)
random = numpy.random.default_rng(1)
# Sensor noise is what fills a photo's bytes; one field of it, shifted, serves all.
noise = random.normal(0, 4, (3200, 4200, 3)).astype(numpy.float32)
with open(folder / "captions.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["filepath", "caption"])
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=numpy.uint8))
        smooth = numpy.asarray(coarse.resize((4000, 3000), Image.BICUBIC), dtype=numpy.float32)
        y, x = random.integers(0, 200, 2)
        pixels = numpy.clip(smooth + noise[y : y + 3000, x : x + 4000], 0, 255).astype(numpy.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04}.jpg", quality=90)
        words = [("red", "green", "blue")[int(numpy.argmax(smooth[:, half].mean((0, 1))))]
                 for half in (slice(0, 2000), slice(2000, 4000))]
        rows.writerow([f"{i:04}.jpg", f"picture {i}: {words[0]} on the left, {words[1]} on the right"])
