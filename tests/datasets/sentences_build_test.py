"""What datasets/sentences/build.py writes, of made-up editorials and reviews."""
import csv
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "datasets/sentences"))
import build  # noqa: E402


class Tables(unittest.TestCase):
    def setUp(self):
        editorials = [[f"Sentence {at} of {number}." for at in range(4)] for number in range(60)]
        reviews = [(str(number), "2.5" if number % 2 else "-2.5", f"Review {number}") for number in range(60)]
        with tempfile.TemporaryDirectory() as folder:
            build.write(editorials, reviews, Path(folder))
            self.rows = {}
            for split in build.SPLITS:
                with open(Path(folder) / f"follows_{split}.tsv", encoding="utf-8", newline="") as table:
                    self.rows[split] = list(csv.DictReader(table, delimiter="\t"))

    def test_a_concept_is_one_document(self):
        document_of = {}
        for split, rows in self.rows.items():
            self.assertGreater(len(rows), 6, split)
            for row in rows:
                document = row["first"].split(" of ")[1]
                self.assertEqual(document_of.setdefault(row["concept"], document), document, split)
        self.assertEqual(len(document_of), 60)

    def test_each_sentence_has_both_labels(self):
        for split, rows in self.rows.items():
            for side in ("first", "second"):
                of_label = {label: sorted(row[side] for row in rows if row["label"] == label) for label in ("follows", "random")}
                self.assertEqual(of_label["follows"], of_label["random"], split)
            for row in rows:
                together = row["first"].split(" of ")[1] == row["second"].split(" of ")[1]
                self.assertEqual(together, row["label"] == "follows", row)


if __name__ == "__main__":
    unittest.main()
