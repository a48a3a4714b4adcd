#!/usr/bin/env python3
"""Benchmarks of downloads, side by side with curl and aria2.

usage: benches/transfer.py cpu|parallel|small|memory|slow|ranges [PAIRS]

Needs nginx, curl, aria2c, openssl, sqlite3 and taskset; builds the release binaries. All traffic stays on
loopback. The archive and the rivals' files lie in BENCH_DIR (/var/tmp), which should be a real disk.
"""

import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
from rig import CLIENT_CORE, MIB, Rig, Run, build, free_port, machine, median, report


def cpu(pairs):
    """CPU of one file of 2 GiB: hashed and durable, against curl with tee and sha256sum, and curl alone."""
    rig = Rig(["--sessions", "1", "--media-size", str(2048 * MIB)])
    [file] = rig.files
    ours, piped, plain = "room-archiver", "curl | tee | sha256sum; sync", "curl -o"
    figures = {ours: [], piped: [], plain: []}
    for _ in range(pairs):
        archive(rig, figures[ours], 1)
        link = rig.link(file)
        place = rig.fresh()
        figures[piped].append(Run(
            f"curl -sS --http1.1 --cacert {rig.ca} '{link}' | tee {place}/f | sha256sum; sync {place}/f", shell=True))
        place = rig.fresh()
        figures[plain].append(Run(["curl", "-sS", "--http1.1", "--cacert", str(rig.ca), "-o", f"{place}/f", link]))
    report("cpu: user+sys of 2 GiB over HTTPS", figures, "cpu", "s", {piped: 0.55, plain: 1.4}, ["user", "sys", "wall", "rss"])


def parallel(pairs):
    """Wall clock of 64 files of 64 MiB, eight at a time."""
    rig = Rig(["--sessions", "64", "--media-size", str(64 * MIB)])
    ours, curl, aria = "room-archiver", "curl --parallel-max 8", "aria2c -j8"
    figures = {ours: [], curl: [], aria: []}
    for _ in range(pairs):
        archive(rig, figures[ours], 8)
        place = rig.fresh()
        wanted = "".join(f'url = "{rig.link(file)}"\noutput = "{place}/{file.name}"\n' for file in rig.files)
        (place / "list").write_text(wanted)
        figures[curl].append(Run(["curl", "-sS", "--http1.1", "--cacert", str(rig.ca), "--parallel", "--parallel-max", "8",
                                  "-K", f"{place}/list"]))
        figures[aria].append(aria2c(rig, rig.files))
    report("parallel: wall of 64 x 64 MiB over HTTPS, 8 at a time", figures, "wall", "s", {curl: 1.0, aria: 1.0}, ["cpu", "rss"])


LOOP = """
sqlite3 {place}/db 'PRAGMA journal_mode=WAL; CREATE TABLE archive (path TEXT, sha256 TEXT, size INTEGER)' >/dev/null
while read -r name link; do
    curl -sS --http1.1 --cacert {ca} -o {place}/$name "$link"
    sum=$(sha256sum {place}/$name)
    sync {place}/$name {place}
    sqlite3 {place}/db "INSERT INTO archive VALUES ('$name', '${{sum%% *}}', 65536)"
done < {place}/list
"""


def small(pairs):
    """Files a second of 10,000 files of 64 KiB, each durable with its row."""
    rig = Rig(["--sessions", "0", "--bulk", "10000", "--media-size", str(64 * 1024)], keep=True)
    ours, loop, aria = "room-archiver", "shell loop", "aria2c -j8"
    figures = {ours: [], loop: [], aria: []}
    # The loop takes minutes for all of them: a part of it, and reckoned up.
    some = rig.files[:500]
    for _ in range(pairs):
        archive(rig, figures[ours], 8)
        place = rig.fresh()
        (place / "list").write_text("".join(f"{file.name} {rig.link(file)}\n" for file in some))
        looped = Run(LOOP.format(place=place, ca=rig.ca), shell=True)
        looped.wall *= len(rig.files) / len(some)
        looped.cpu *= len(rig.files) / len(some)
        figures[loop].append(looped)
        figures[aria].append(aria2c(rig, rig.files))
    report("small: wall of 10,000 x 64 KiB over HTTPS", figures, "wall", "s", {loop: 0.5, aria: 1.5}, ["cpu", "rss"])
    print(f"  files a second: {len(rig.files) / median([run.wall for run in figures[ours]]):.0f}")


def memory(pairs):
    """Peak memory of 8 and of 64 TLS downloads at once, and whether it grows."""
    for concurrency, most in ((8, 48), (64, 96)):
        rig = Rig(["--sessions", "192", "--media-size", str(32 * MIB)])
        for _ in range(min(pairs, 2)):
            place = rig.fresh()
            command, env = rig.archiver(place, concurrency)
            samples = []
            run = Run(command, env=env, watch=lambda child: sample(child, samples))
            rig.archived(place)
            quarter = max(1, len(samples) // 4)
            peaks = [max(samples[at:at + quarter], default=0) for at in range(0, 4 * quarter, quarter)]
            verdict = "met" if run.rss <= most else "MISSED"
            print(f"memory: {concurrency} at once: peak {run.rss:.1f} MiB (at most {most}: {verdict}); "
                  f"by quarter of the run {' '.join(f'{peak:.0f}' for peak in peaks)}; {run.wall:.1f} s")
        rig.close()


def sample(child, samples):
    """Resident memory in MiB, every 50 ms until the child ends; leaves its status to be waited for."""
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        try:
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            return
        resident = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        if resident:
            samples.append(int(resident[0]) / 1024)
        time.sleep(0.05)


RATE = 8 * MIB


def slow(pairs):
    """A line of 100 ms and 8 MiB/s a connection: 192 files eight at a time, then one large file alone."""
    for title, count, size, concurrency in (("192 x 8 MiB, 8 at a time", 192, 8, 8), ("1 x 128 MiB", 1, 128, 1)):
        rig = Rig(["--sessions", str(count), "--media-size", str(size * MIB)])
        port = free_port()
        rig.links_through(port)
        rig.start_python("slow_link.py", port, rig.port, 0.1, RATE)
        ours, aria = "room-archiver", f"aria2c -j{concurrency} -x1"
        figures = {ours: [], aria: []}
        for _ in range(pairs):
            archive(rig, figures[ours], concurrency)
            figures[aria].append(aria2c(rig, rig.files, concurrency))
        report(f"slow: wall of {title}, 100 ms, {RATE // MIB} MiB/s a connection", figures, "wall", "s", {aria: 1.0})
        rig.close()


def ranges(pairs):
    """What several ranges of one file at once would bring on such a line: aria2c alone."""
    rig = Rig(["--sessions", "1", "--media-size", str(128 * MIB)])
    port = free_port()
    rig.links_through(port)
    rig.start_python("slow_link.py", port, rig.port, 0.1, RATE)
    four, one = "aria2c -x4", "aria2c -x1"
    figures = {four: [], one: []}
    for _ in range(pairs):
        figures[four].append(aria2c(rig, rig.files, 1, 4))
        figures[one].append(aria2c(rig, rig.files, 1, 1))
    report(f"ranges: wall of 1 x 128 MiB, 100 ms, {RATE // MIB} MiB/s a connection", figures, "wall", "s", {one: 1.0})


def archive(rig, figures, concurrency):
    place = rig.fresh()
    command, env = rig.archiver(place, concurrency)
    figures.append(Run(command, env=env))
    rig.archived(place)


def aria2c(rig, files, at_once=8, connections=1):
    place = rig.fresh()
    (place / "list").write_text("".join(f"{rig.link(file)}\n  out={file.name}\n" for file in files))
    return Run(["aria2c", "-q", f"-j{at_once}", f"-x{connections}", f"-s{connections}", "-k1M", "--file-allocation=none",
                f"--ca-certificate={rig.ca}", "-d", str(place), "-i", f"{place}/list"])


COMMANDS = {command.__name__: command for command in (cpu, parallel, small, memory, slow, ranges)}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    build()
    machine()
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    COMMANDS[sys.argv[1]](pairs)
