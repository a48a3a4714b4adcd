#!/usr/bin/env python3
"""How often the idle daemon wakes: context switches a second of all its threads, between two polls.

    benches/idle.py [SECONDS]        default: 60

Builds nothing: run `cargo build --release --workspace` first (`BENCH_PROFILE=debug` measures the debug build). The
daemon runs as under the systemd unit: a notification socket, a watchdog of 60 s.
"""

import collections
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get("BENCH_PROFILE", "release")
ARCHIVER = os.environ.get("BENCH_ARCHIVER", TARGET / "room-archiver")
MOST = 2.0

CONFIG = """
[signalwire]
base_url = "{api}"
project_id = "{project}"
[poll]
schedule = "{schedule}"
[download]
allow_private_hosts = true
[archive]
directory = "{directory}/recordings"
min_free_space = "0"
[telemetry]
listen = "127.0.0.1:0"
[database]
path = "{directory}/archive.db"
"""


def switches(pid):
    """Voluntary and other context switches so far, by the name of the thread."""
    found = collections.Counter()
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        found[fields["Name"]] += int(fields["voluntary_ctxt_switches"]) + int(fields["nonvoluntary_ctxt_switches"])
    return found


def measure(directory, api, project, token, seconds):
    """Lets everything be archived, waits for quiet, and counts for so long."""
    # Ten minutes between two polls, none of them while we count.
    minute = (time.gmtime().tm_min + 8) % 10
    config = f"{directory}/config.toml"
    with open(config, "w") as file:
        file.write(CONFIG.format(api=api, project=project, directory=directory, schedule=f"0 {minute}/10 * * * *"))
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{directory}/notify")
    environment = {"ROOM_ARCHIVER_API_TOKEN": token, "NOTIFY_SOCKET": f"{directory}/notify", "MALLOC_ARENA_MAX": "2",
                   "WATCHDOG_USEC": "60000000"}
    with open(f"{directory}/log", "wb") as log:
        daemon = subprocess.Popen([ARCHIVER, "--config", config, "run"], env=environment, stderr=log)
    messages = collections.Counter()

    def listen():
        while message := manager.recv(65536):
            messages[message.split(b"=")[0].decode()] += 1

    threading.Thread(target=listen, daemon=True).start()
    try:
        time.sleep(15)
        messages.clear()
        before, began = switches(daemon.pid), time.monotonic()
        time.sleep(seconds)
        after, took = switches(daemon.pid), time.monotonic() - began
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)
    for name, count in sorted((after - before).items()):
        print(f"  {name:<20} {count / took:6.2f} a second")
    print(f"  messages to systemd: {dict(messages)}")
    return (after - before).total() / took


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    space = subprocess.Popen([TARGET / "fake-space", "--sessions", "20"], stdout=subprocess.PIPE, text=True)
    try:
        facts = {}
        while "token" not in facts:
            word, _, value = space.stdout.readline().partition(" ")
            facts[word] = value.strip()
        with tempfile.TemporaryDirectory(prefix="room-archiver-idle.") as directory:
            rate = measure(directory, facts["API"], facts["project"], facts["token"], seconds)
    finally:
        space.send_signal(signal.SIGINT)
        space.wait(10)
    print(f"context switches a second: {rate:.2f} (at most {MOST}: {'met' if rate <= MOST else 'MISSED'})")
    sys.exit(rate > MOST)


main()
