#!/usr/bin/env python3
"""A space with many recordings: what the first sweep, a quiet poll, a start and the readers cost.

    benches/million.py [RECORDINGS ...]        default: 10000 100000 1000000

Builds nothing: run `cargo build --release --workspace` first. Everything lies in a temporary directory (TMPDIR) that
needs about 2 GB for a million recordings. Downloads are held back by an impossible disk reserve; then every row is
made an archived one by SQL, as no benchmark could fetch a million files. Times are wall-clock milliseconds (the
median of five) unless they say CPU.
"""

import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

TARGET = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(os.path.dirname(__file__), "..", "target")), "release")
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """
[signalwire]
base_url = "{api}"
project_id = "{project}"
[poll]
schedule = "* * * * * *"
sweep_schedule = "0 0 0 1 1 *"
[download]
allow_private_hosts = true
[archive]
directory = "{directory}/recordings"
min_free_space = "1000TiB"
[verify]
schedule = "0 0 0 1 1 *"
[database]
path = "{directory}/archive.db"
"""

# What an operator asks of each view, in one line each; :room and :day are filled in.
QUERIES = {
    "archive: a room's month": "SELECT * FROM archive WHERE room_name = :room AND started_at >= date(:day, '-30 days') AND started_at < :day ORDER BY started_at",
    "archive: one recording": "SELECT * FROM archive WHERE recording_id = :recording",
    "archive: a day": "SELECT * FROM archive WHERE started_at >= date(:day, '-1 day') AND started_at < :day ORDER BY started_at",
    "archive: the largest": "SELECT room_name, path, size_bytes FROM archive ORDER BY size_bytes DESC LIMIT 20",
    "archive: gone upstream": "SELECT recording_id, path FROM archive WHERE upstream_gone_at IS NOT NULL",
    "archive: longest unverified": "SELECT path FROM archive WHERE verified_at < date(:day, '-90 days') ORDER BY verified_at LIMIT 100",
    "queue: oldest": "SELECT * FROM queue ORDER BY first_seen_at LIMIT 100",
    "failures": "SELECT * FROM failures ORDER BY first_seen_at",
    "sessions: a room's month": "SELECT * FROM sessions WHERE room_name = :room AND start_time >= date(:day, '-30 days') AND start_time < :day",
    "sessions: one": "SELECT * FROM sessions WHERE session_id = :session",
    "gaps": "SELECT * FROM gaps ORDER BY end_time",
    "gaps: how many": "SELECT count(*) FROM gaps",
    "attempts of one": "SELECT * FROM attempts WHERE recording_id = :recording ORDER BY attempt",
    "passes: the last": "SELECT * FROM passes ORDER BY id DESC LIMIT 20",
    "events: the last": "SELECT * FROM events ORDER BY id DESC LIMIT 20",
    "storage_by_room": "SELECT * FROM storage_by_room ORDER BY bytes DESC",
    "storage_by_day": "SELECT * FROM storage_by_day ORDER BY day",
}


class Space:
    """A fake space with so many recordings, ten a session."""

    def __init__(self, recordings):
        self.process = subprocess.Popen(
            [f"{TARGET}/fake-space", "--sessions", "0", "--bulk", str(recordings)], stdout=subprocess.PIPE, text=True
        )
        told = {}
        while "token" not in told:
            word, _, value = self.process.stdout.readline().partition(" ")
            told[word] = value.strip()
        self.api, self.project, self.token = told["API"], told["project"], told["token"]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


class Daemon:
    """The service, and when it told that it is ready."""

    def __init__(self, directory, token):
        notify = f"{directory}/notify"
        if os.path.exists(notify):
            os.unlink(notify)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(notify)
        began = time.monotonic()
        # As the unit has it.
        environment = {"ROOM_ARCHIVER_API_TOKEN": token, "NOTIFY_SOCKET": notify, "MALLOC_ARENA_MAX": "2"}
        self.log = open(f"{directory}/log", "ab")
        self.process = subprocess.Popen(
            [f"{TARGET}/room-archiver", "--config", f"{directory}/config.toml", "run"], env=environment, stderr=self.log
        )
        while b"READY=1" not in self.socket.recv(65536):
            pass
        self.ready_ms = (time.monotonic() - began) * 1000
        self.socket.setblocking(False)

    def drain(self):
        try:
            while True:
                self.socket.recv(65536)
        except BlockingIOError:
            pass

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None:
            self.drain()
            time.sleep(0.01)
        self.socket.close()
        self.log.close()


def passes(database, kind):
    try:
        rows = database.execute("SELECT outcome, requests FROM passes WHERE kind = ? AND ended_at IS NOT NULL", (kind,))
        return rows.fetchall()
    except sqlite3.OperationalError:
        return []


def wait_for_passes(daemon, database, kind, count):
    while len(passes(database, kind)) < count:
        daemon.drain()
        time.sleep(0.02)
    return passes(database, kind)


def median_ms(run):
    times = []
    for _ in range(5):
        began = time.monotonic()
        run()
        times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def archive_all(directory):
    """Makes every row an archived one, as after a long life."""
    database = sqlite3.connect(f"{directory}/archive.db", isolation_level=None)
    database.execute(
        """UPDATE recording SET state = 'archived', archived_bytes = size_bytes, sha256 = printf('%064d', rowid),
           path = 'room/' || id || '.mp4', archived_at = started_at, verified_at = started_at, next_attempt_at = NULL"""
    )
    database.execute(
        """INSERT INTO attempt (recording_id, number, started_at, ended_at, bytes, http_status, outcome)
           SELECT id, 1, started_at, started_at, size_bytes, 200, 'archived' FROM recording WHERE true
           ON CONFLICT DO NOTHING"""
    )
    database.close()


def show(name, value, unit):
    print(f"  {name:<32} {value:>10.1f} {unit}", flush=True)


def measure(recordings):
    print(f"{recordings} recordings, {recordings // 10} sessions", flush=True)
    with tempfile.TemporaryDirectory(prefix="room-archiver-bench-") as directory:
        space = Space(recordings)
        with open(f"{directory}/config.toml", "w") as config:
            config.write(CONFIG.format(api=space.api, project=space.project, directory=directory))
        daemon = Daemon(directory, space.token)
        database = sqlite3.connect(f"file:{directory}/archive.db?mode=ro", uri=True)
        swept = wait_for_passes(daemon, database, "sweep", 1)
        assert swept[0][0] == "complete", swept
        show("first sweep, CPU a recording", daemon.cpu() / recordings * 1e6, "µs")
        show("first sweep, CPU", daemon.cpu(), "s")
        show("first sweep, requests", swept[0][1], "")
        show("first sweep, peak memory", daemon.peak_mib(), "MiB")
        database.close()
        daemon.end()
        archive_all(directory)

        daemon = Daemon(directory, space.token)
        database = sqlite3.connect(f"file:{directory}/archive.db?mode=ro", uri=True)
        known = len(wait_for_passes(daemon, database, "poll", 3))
        cpu, began = daemon.cpu(), time.monotonic()
        polled = wait_for_passes(daemon, database, "poll", known + 10)
        show("a quiet poll, CPU (all the daemon)", (daemon.cpu() - cpu) / (len(polled) - known) * 1000, "ms")
        show("a quiet poll, requests", max(requests for _, requests in polled[known:]), "")
        show("with polls, peak memory", daemon.peak_mib(), "MiB")
        daemon.end()
        ready = []
        for _ in range(5):
            daemon = Daemon(directory, space.token)
            ready.append(daemon.ready_ms)
            daemon.end()
        show("start to READY", statistics.median(ready), "ms")
        space.end()

        room = database.execute("SELECT room_name FROM session LIMIT 1 OFFSET 7").fetchone()[0]
        day = database.execute("SELECT date(max(started_at)) FROM recording").fetchone()[0]
        recording, session = database.execute("SELECT id, session_id FROM recording LIMIT 1 OFFSET 77").fetchone()
        values = {"room": room, "day": day, "recording": recording, "session": session}

        def program(*arguments):
            command = [f"{TARGET}/room-archiver", "--config", f"{directory}/config.toml", *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={})

        show("status", median_ms(lambda: program("status")), "ms")
        show("list --state lost", median_ms(lambda: program("list", "--state", "lost")), "ms")
        show("list --room R --since a month", median_ms(lambda: program("list", "--room", room, "--since", f"{day[:7]}-01")), "ms")
        show("list --since a day", median_ms(lambda: program("list", "--since", day)), "ms")
        if recordings <= 100_000:
            show("list, all of it", median_ms(lambda: program("list")), "ms")
        show("show ID", median_ms(lambda: program("show", recording)), "ms")
        # What sqlite3 does for an operator: a connection of its own for each query.
        for name, query in QUERIES.items():
            def ask():
                with sqlite3.connect(f"file:{directory}/archive.db?mode=ro", uri=True) as reader:
                    reader.execute(query, values).fetchall()
                reader.close()
            show(name, median_ms(ask), "ms")
        database.close()
        show("database", os.path.getsize(f"{directory}/archive.db") / 2**20, "MiB")


if __name__ == "__main__":
    for count in [int(argument) for argument in sys.argv[1:]] or [10_000, 100_000, 1_000_000]:
        measure(count)
