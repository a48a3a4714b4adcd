#!/usr/bin/env python3
"""Instruction counts of the transfer path, as a guard that the machine's noise does not move.

usage: benches/instructions.py [--record]

Runs the program under valgrind's callgrind against a fake space over plain HTTP: once for a recording of
32 MiB, once for a tiny one; the difference is what the bytes cost. What SHA-256 itself takes is left out:
valgrind hides the processor's SHA instructions, and the portable code would drown the rest. Compares with
benches/instructions.json and fails if it is off by more than a tenth; --record writes the new number down.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from rig import MIB, ROOT, TARGET, median

BOOK = pathlib.Path(__file__).with_name("instructions.json")
# Its own profile: symbols are kept, and it builds quicker.
PROFILE = "callgrind"
SIZE = 32
TOLERANCE = 0.10
HASHES = re.compile(r"sha2|sha256|compress", re.IGNORECASE)


def count(size, place):
    """Instructions of archiving one recording of this size, SHA-256 left out."""
    binaries = TARGET / PROFILE
    space = subprocess.Popen([binaries / "fake-space", "--sessions", "1", "--media-size", str(size)],
                             stdout=subprocess.PIPE, text=True)
    try:
        facts = dict(space.stdout.readline().split() for _ in range(4))
        (place / "config.toml").write_text(f"""
[signalwire]
base_url = "{facts['API']}"
project_id = "{facts['project']}"
[download]
allow_private_hosts = true
[archive]
directory = "{place}/recordings"
min_free_space = "0"
[database]
path = "{place}/archive.db"
[log]
level = "warn"
""")
        out = place / "callgrind.out"
        # --fair-sched: threads take turns, so that pieces of the body come in much the same sizes.
        subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}",
             binaries / "room-archiver", "--config", place / "config.toml", "once", "--sweep"],
            env={"ROOM_ARCHIVER_API_TOKEN": facts["token"], "PATH": "/usr/bin:/bin"}, check=True, capture_output=True)
    finally:
        space.terminate()
        space.wait()
    told = subprocess.run(["callgrind_annotate", "--threshold=100", out], check=True, capture_output=True, text=True).stdout
    total = 0
    for line in told.splitlines():
        row = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(\S.*)", line)
        if row and "PROGRAM TOTALS" not in line and not HASHES.search(row[2]):
            total += int(row[1].replace(",", ""))
    return total


def measure():
    with tempfile.TemporaryDirectory(prefix="room-archiver-bench.") as place:
        sizes = (("large", SIZE * MIB), ("small", 4096))
        counts = {}
        for name, size in sizes:
            runs = []
            for number in range(3):
                directory = pathlib.Path(place) / f"{name}{number}"
                directory.mkdir()
                runs.append(count(size, directory))
            counts[name] = median(runs)
            print(f"{name}: {' '.join(f'{run:,}' for run in runs)}")
    return round((counts["large"] - counts["small"]) / SIZE)


def main():
    subprocess.run(["cargo", "build", "--profile", PROFILE, "--locked", "--workspace", "--quiet"], cwd=ROOT, check=True)
    now = measure()
    book = json.loads(BOOK.read_text()) if BOOK.exists() else {}
    name = "transfer_per_mib"
    then = book.get(name)
    print(f"{name}: {now:,} instructions, recorded {then or 'none'}")
    if "--record" in sys.argv:
        BOOK.write_text(json.dumps({**book, name: now}, indent=2) + "\n")
    elif then and abs(now / then - 1) > TOLERANCE:
        sys.exit(f"off by {now / then - 1:+.1%}: find out why, or record the new number with --record")


main()
