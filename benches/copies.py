#!/usr/bin/env python3
"""Benchmarks of copies to an object store, side by side with rclone and the AWS command line.

usage: benches/copies.py large|many|memory [PAIRS]

The store is OpenStack Swift with its S3 API on loopback (tests/s3/swift). Needs nginx, openssl, sqlite3, rclone and
taskset, and installs awscli from PyPI; builds the release binaries. What is copied was archived before: measured is a
whole service from its start to the last verified copy, against a program that only copies the files.
"""

import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from rig import ARCHIVER, MIB, ROOT, SERVER_CORE, Rig, Run, build, free_port, machine, report, run

KEY, SECRET = "test:tester", "testing"
AWSCLI = "awscli==1.46.3"


class Store:
    """A real S3 server in the directory of a rig."""

    def __init__(self, rig):
        self.place = rig.work / "swift"
        self.port = free_port()
        self.prefixes = 0
        rig.children.append(self)
        run("taskset", "-c", str(SERVER_CORE), ROOT / "tests/s3/swift", self.place, self.port, stdin=subprocess.DEVNULL)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.env = {**ours, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}

    def prefix(self):
        """A place in the bucket where nothing is yet."""
        self.prefixes += 1
        return f"run-{self.prefixes}"

    def terminate(self):
        for pid in (self.place / "run").glob("*.pid"):
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                pass

    def wait(self, _seconds=None):
        """The rig waits for its children; these are not ours to wait for."""


def filled(rig):
    """An archive that holds all of it already."""
    place = rig.fresh()
    command, env = rig.archiver(place, 8)
    Run(command, env=env)
    rig.archived(place)
    return place, env


def service(rig, place, env, target=None, copies=""):
    """The service from its start until all is copied to the target, or for some seconds if nothing is to be copied.

    `cpu` and `wall` end with the last verified copy, `whole_cpu` and `whole_wall` with the last sidecar.
    """
    config = place / "config.toml"
    plain = config.read_text().split("[copies.")[0]
    config.write_text(plain + copies)
    took = []

    def watch(child):
        began = time.monotonic()
        wanted = [(len(rig.files), -1), (len(rig.files), 0)] if target else []
        for copied, sidecars in wanted:
            while not reached(place, target, copied, sidecars):
                if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                    return
                time.sleep(0.05)
            took.append((cpu_of(child.pid), time.monotonic() - began))
        if not target:
            time.sleep(5)
        child.terminate()

    done = Run([str(ARCHIVER), "--config", str(config), "run"], env=env, watch=watch)
    if target and len(took) < 2:
        sys.exit(done.output[-2000:])
    if target:
        (done.cpu, done.wall), (done.whole_cpu, done.whole_wall) = took
    return done


def cpu_of(pid):
    """Seconds of CPU that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reached(place, target, copied, sidecars):
    """Whether so many copies are verified, and as many sidecars are left to be written; -1: any number."""
    database = sqlite3.connect(f"file:{place}/archive.db?mode=ro", uri=True, timeout=5)
    query = "SELECT copied, sidecars_pending FROM copy_targets WHERE target = ?"
    row = database.execute(query, (target,)).fetchone()
    database.close()
    return row is not None and row[0] >= copied and sidecars in (-1, row[1])


def ours(rig, store, place, env, number):
    target = f"run-{number}"
    section = f"""
[copies.{target}]
url = "s3://bucket/{store.prefix()}"
endpoint = "{store.endpoint}"
"""
    return service(rig, place, {**env, **store.env}, target, section)


def rclone(store, place):
    command = ["rclone", "copy", "--config", "/dev/null", "--transfers", "4", f"{place}/recordings", f":s3:bucket/{store.prefix()}",
               "--s3-provider", "Other", "--s3-endpoint", store.endpoint, "--s3-env-auth"]
    return Run(command, env=store.env)


def aws(program, store, place):
    command = [program, "--endpoint-url", store.endpoint, "s3", "cp", "--only-show-errors", "--recursive",
               f"{place}/recordings", f"s3://bucket/{store.prefix()}"]
    return Run(command, env=store.env)


def compare(title, space, pairs):
    rig = Rig(space)
    store = Store(rig)
    run(sys.executable, "-m", "venv", rig.work / "aws")
    run(rig.work / "aws/bin/pip", "install", "--quiet", AWSCLI)
    program = str(rig.work / "aws/bin/aws")
    place, env = filled(rig)
    names = ("room-archiver", "rclone copy", "aws s3 cp")
    figures = {name: [] for name in names}
    for pair in range(pairs):
        figures[names[0]].append(ours(rig, store, place, env, pair))
        figures[names[1]].append(rclone(store, place))
        figures[names[2]].append(aws(program, store, place))
    report(f"{title}: user+sys", figures, "cpu", "s", {names[1]: 0.6, names[2]: 1.0}, ["rss"])
    report(f"{title}: wall", figures, "wall", "s", {names[1]: 1.0, names[2]: 1.0})
    whole = [(round(run.whole_cpu, 2), round(run.whole_wall, 1)) for run in figures[names[0]]]
    print(f"  room-archiver until the last sidecar, user+sys and wall: {whole}")


def large(pairs):
    """CPU and wall of one file of 1 GiB."""
    compare("copies: 1 GiB", ["--sessions", "1", "--media-size", str(1024 * MIB)], pairs)


def many(pairs):
    """CPU and wall of 2,000 files of 256 KiB."""
    compare("copies: 2,000 x 256 KiB", ["--sessions", "0", "--bulk", "2000", "--media-size", str(256 * 1024)], pairs)


def memory(pairs):
    """Peak memory of the service while it copies, and of one that has nothing to copy."""
    rig = Rig(["--sessions", "8", "--media-size", str(128 * MIB)])
    store = Store(rig)
    place, env = filled(rig)
    for pair in range(min(pairs, 2)):
        without = service(rig, place, env).rss
        with_copies = ours(rig, store, place, env, pair).rss
        verdict = "met" if with_copies - without <= 48 else "MISSED"
        print(f"copies: peak memory {with_copies:.1f} MiB, {without:.1f} MiB without (at most 48 MiB more: {verdict})")


def main():
    kinds = {kind.__name__: kind for kind in (large, many, memory)}
    if len(sys.argv) < 2 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    build()
    machine()
    kinds[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 5)


main()
