#!/usr/bin/env python3
"""What the read-only page costs with a large archive: the time of each list, the size of pages, memory for viewers.

    benches/web.py CONFIG [PROGRAM]        default: target/release/room-archiver

CONFIG is the configuration of a filled archive, such as the one that benches/million.py makes. Times are milliseconds
of a request over one connection, as a proxy has it: the median, and the 99th of a hundred of 200 requests.
"""

import http.client
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse

CONFIG = sys.argv[1]
PROGRAM = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(__file__), "..", "target", "release", "room-archiver")
ADDRESS = ("127.0.0.1", 8483)
REQUESTS = int(os.environ.get("REQUESTS", "200"))


def start():
    environment = {"ROOM_ARCHIVER__WEB__LISTEN": "%s:%d" % ADDRESS, "MALLOC_ARENA_MAX": "2"}
    process = subprocess.Popen(
        [PROGRAM, "--config", CONFIG, "web"], env=environment, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if "serving the page" in line:
            # It logs who looked at which recording: a full pipe would stop it.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process
    sys.exit("it did not start")


def memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) / 1024


def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status, body[:300])
    return body.decode()


def following(body):
    found = re.search(r'rel="next" href="([^"]*)"', body)
    return found and found[1].replace("&amp;", "&").replace("&#x2f;", "/")


def measure(connection, name, path, pages):
    """Requests a list page by page, from the start again after its end."""
    times, largest, at = [], 0, path
    for _ in range(REQUESTS):
        began = time.monotonic()
        body = get(connection, at)
        times.append((time.monotonic() - began) * 1000)
        largest = max(largest, len(body.encode()))
        after = following(body) if pages else None
        at = urllib.parse.urljoin(path, after) if after else path
    times.sort()
    print(f"  {name:<44} {times[len(times) // 2]:8.1f} {times[int(len(times) * 0.99) - 1]:8.1f} ms {largest:8} bytes", flush=True)


def main():
    process = start()
    try:
        connection = http.client.HTTPConnection(*ADDRESS)
        body = get(connection, "/rooms")
        rooms = [urllib.parse.unquote_plus(room) for room in re.findall(r"room=([^\"&]+)\"", body)]
        largest = os.environ.get("ROOM") or rooms[0]
        room = urllib.parse.quote_plus(largest)
        small = urllib.parse.quote_plus(rooms[-1])
        body = get(connection, "/recordings")
        recording = re.search(r"/recordings/([0-9a-f-]{36})", body)[1]
        session = re.search(r"/sessions/([0-9a-f-]{36})", get(connection, "/sessions"))[1]
        deep = "2024-06-01"
        get(connection, "/")
        time.sleep(4)  # the first count of everything
        print("                                                 median      p99")
        for name, path in {
            "status": "/",
            "recordings": "/recordings",
            "recordings, from the middle": f"/recordings?to={deep}",
            "recordings of a month": "/recordings?from=2024-05-01&to=2024-05-31",
            "recordings of the room": f"/recordings?room={room}",
            "recordings of the room, from the middle": f"/recordings?room={room}&to={deep}",
            "recordings of a small room": f"/recordings?room={small}",
            "archived recordings": "/recordings?state=archived",
            "lost recordings": "/recordings?state=lost",
            "lost recordings of the room": f"/recordings?state=lost&room={room}",
            "lost recordings of a small room": f"/recordings?state=lost&room={small}",
            "recordings with a concern": "/recordings?concern=any",
            "recordings with one concern": "/recordings?concern=truncated",
            "recordings with a concern in the room": f"/recordings?concern=any&room={room}",
            "recordings of an unknown room": "/recordings?room=nobody",
            "sessions": "/sessions",
            "sessions of the room": f"/sessions?room={room}",
            "sessions of a month": "/sessions?from=2024-05-01&to=2024-05-31",
            "gaps": "/sessions?gaps=1",
            "gaps of the room": f"/sessions?gaps=1&room={room}",
            "rooms": "/rooms",
            "a recording": f"/recordings/{recording}",
            "a session": f"/sessions/{session}",
        }.items():
            measure(connection, name, path, pages="/recordings/" not in path and "/sessions/" not in path)
        print(f"  memory (anonymous) after that                {memory(process):8.1f} MiB")
    finally:
        process.terminate()
        process.wait()


main()
