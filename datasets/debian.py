"""Files of Debian packages, fetched and unpacked but not installed: no root needed."""
import hashlib
import re
import shutil
import subprocess

from fetching import NO_NETWORK, fail


def checksum(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def apt(*arguments, folder="."):
    """What apt-get prints; fails with the line that says why."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        fail("needs apt-get and dpkg-deb (Debian or Ubuntu)", NO_NETWORK)
    done = subprocess.run(["apt-get", "-q", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode != 0:
        why = re.findall(r"^E: (.+)$", done.stderr, re.MULTILINE) or ["no message"]
        fail(f"apt-get {arguments[0]}: {why[0]} (are the lists fresh? apt-get update)", NO_NETWORK)
    return done.stdout


def available(packages):
    """[(file name, bytes, SHA-256)] of the packages as apt's signed lists name them."""
    found = re.findall(r"^'[^']+' (\S+) (\d+) SHA256:([0-9a-f]{64})$", apt("download", "--print-uris", *packages),
                       re.MULTILINE)
    if len(found) != len(packages):
        fail(f"apt-get knows no {' and '.join(packages)} (apt-get update; in Ubuntu they are in universe)", NO_NETWORK)
    return [(name, int(size), sha) for name, size, sha in found]


def fetch(packages, folder, say):
    """The packages' files in `folder`, whole."""
    wanted = available(packages)

    def is_there(name, size, sha):
        path = folder / name
        return path.exists() and path.stat().st_size == size and checksum(path) == sha
    if not all(is_there(*package) for package in wanted):
        say(f"fetching {' and '.join(packages)}, {sum(size for _, size, _ in wanted) / 1e6:.0f} MB")
        for old in folder.glob("*.deb"):
            old.unlink()
        apt("download", *packages, folder=folder)
    for package in wanted:
        if not is_there(*package):
            fail(f"{package[0]} is not what apt's list promises")
    return [folder / name for name, _, _ in wanted]


def unpack(archives, tree):
    for archive in archives:
        subprocess.run(["dpkg-deb", "--extract", archive, tree], check=True)
