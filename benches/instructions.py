#!/usr/bin/env python3
"""Instruction counts of the transfer path and of a page's upsert, as guards that the machine's noise does not move.

usage: benches/instructions.py [--record]

Runs the program under valgrind's callgrind against a fake space over plain HTTP: once for a recording of
128 MiB, once for a tiny one; the difference is what the bytes cost. Then for a sweep of 3000 and of 1000
recordings that an impossible disk reserve keeps from being downloaded: the difference is what listing and
writing 2000 of them costs. What SHA-256 itself takes is left out:
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
from rig import MIB, ROOT, TARGET

BOOK = pathlib.Path(__file__).with_name("instructions.json")
# Its own profile: symbols are kept, and it builds quicker.
PROFILE = "callgrind"
SIZE = 128
ROWS = 2000
TOLERANCE = 0.10
# `rep movsb` counts as an instruction a byte under valgrind: a copied MiB would drown the rest.
COPIES = f"glibc.cpu.x86_rep_movsb_threshold={1 << 30}"
HASHES = re.compile(r"sha2|sha256|compress", re.IGNORECASE)
# What a transfer goes through; the rest of a run is its start, which varies by more than a transfer takes.
TRANSFER = re.compile(r"room_archiver::(download|archive)|hyper|bytes::|mem(cpy|move|set)")


def count(filled, reserve, counted, place):
    """Instructions of a sweep and its downloads in a space filled so, of `counted` functions without SHA-256."""
    binaries = TARGET / PROFILE
    space = subprocess.Popen([binaries / "fake-space", *filled],
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
min_free_space = "{reserve}"
[database]
path = "{place}/archive.db"
[log]
level = "warn"
""")
        out = place / "callgrind.out"
        # --fair-sched: threads take turns, so that pieces of the body come in much the same sizes.
        done = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}",
             binaries / "room-archiver", "--config", place / "config.toml", "once", "--sweep"],
            env={"ROOM_ARCHIVER_API_TOKEN": facts["token"], "PATH": "/usr/bin:/bin", "GLIBC_TUNABLES": COPIES},
            capture_output=True)
        # 4: recordings are left to archive, as they should be behind the reserve.
        if done.returncode not in (0, 4):
            sys.exit(done.stderr.decode())
    finally:
        space.terminate()
        space.wait()
    told = subprocess.run(["callgrind_annotate", "--threshold=100", out], check=True, capture_output=True, text=True).stdout
    total = 0
    for line in told.splitlines():
        row = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(\S.*)", line)
        if row and "PROGRAM TOTALS" not in line and counted.search(row[2]) and not HASHES.search(row[2]):
            total += int(row[1].replace(",", ""))
    return total


def difference(name, large, small, reserve, counted, units):
    """What one of so many units costs that `large` has more than `small`."""
    counts = []
    for filled in (large, small):
        with tempfile.TemporaryDirectory(prefix="room-archiver-bench.") as place:
            runs = []
            for number in range(3):
                directory = pathlib.Path(place) / str(number)
                directory.mkdir()
                runs.append(count(filled, reserve, counted, directory))
        # The least: what varies is added by threads that wait for each other.
        counts.append(min(runs))
        print(f"{name}, {' '.join(filled)}: {' '.join(f'{run:,}' for run in runs)}", flush=True)
    return round((counts[0] - counts[1]) / units)


def measure():
    file = lambda size: ["--sessions", "1", "--media-size", str(size)]
    rows = lambda count: ["--sessions", "0", "--bulk", str(count)]
    return {
        "transfer_per_mib": difference("transfer", file(SIZE * MIB), file(4096), "0", TRANSFER, SIZE),
        "upsert_per_recording": difference("upsert", rows(1000 + ROWS), rows(1000), "1000TiB", re.compile(""), ROWS),
    }


def main():
    subprocess.run(["cargo", "build", "--profile", PROFILE, "--locked", "--workspace", "--quiet"], cwd=ROOT, check=True)
    now = measure()
    book = json.loads(BOOK.read_text()) if BOOK.exists() else {}
    off = []
    for name, count in now.items():
        then = book.get(name)
        print(f"{name}: {count:,} instructions, recorded {then or 'none'}")
        if then and abs(count / then - 1) > TOLERANCE:
            off.append(f"{name} is off by {count / then - 1:+.1%}")
    if "--record" in sys.argv:
        BOOK.write_text(json.dumps({**book, **now}, indent=2) + "\n")
    elif off:
        sys.exit(f"{'; '.join(off)}: find out why, or record the new numbers with --record")


main()
