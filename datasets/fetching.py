"""What the fetch scripts share: messages, tables, and files that are written whole or not at all."""
import contextlib
import csv
import fcntl
import io
import sys
from pathlib import Path

NO_NETWORK = 3  # exit code: what is wanted cannot be fetched here


class Failure(Exception):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


def fail(message, code=1):
    raise Failure(message, code)


def publish(path, text):
    """Writes a whole file or none."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(path)


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def table(rows):
    """Rows of fields as TAB-separated text."""
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(rows)
    return out.getvalue()


def is_whole(path):
    """Whether a PNG or WebP file begins as one and is not cut."""
    data = path.read_bytes()
    if path.suffix == ".png":
        return data.startswith(b"\x89PNG\r\n\x1a\n") and data.rstrip(b"\0").endswith(b"IEND\xaeB`\x82")
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP" and int.from_bytes(data[4:8], "little") + 8 == len(data)


def shown(folder):
    """The folder as messages name it: relative where that is shorter."""
    folder = Path(folder).resolve()
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


@contextlib.contextmanager
def alone(folder):
    """Keeps a second fetch into the same folder waiting."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_into(name, is_complete, build):
    """What a build.py does: builds into the folder on its command line what is not complete there."""
    def main():
        folder = shown(sys.argv[1])
        if is_complete(folder):
            print(f"{name}: complete in {folder}", flush=True)
            return
        with alone(folder):
            build(folder)
    run(name, main)


def run(name, main):
    """Calls main(); failures become one line and the exit code."""
    try:
        main()
    except Failure as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        raise SystemExit(failure.code) from None
    except OSError as error:
        print(f"{name}: {error.filename}: {error.strerror}" if error.filename else f"{name}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
