"""What the benchmarks stand on: nginx with TLS and expiring links, a fake space, timed runs side by side."""

import atexit
import base64
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# Another build can be measured in its place.
ARCHIVER = pathlib.Path(os.environ.get("BENCH_ARCHIVER", TARGET / "release/room-archiver"))
SPACE = TARGET / "release/fake-space"
SECRET = "bench"
MIB = 1 << 20
# With two cores or more the servers keep to the first and what is measured to the second.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]

NGINX = """
daemon off;
user root;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    default_type video/mp4;
    client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
    uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {work}/server.pem;
        ssl_certificate_key {work}/server.key;
        ssl_session_cache shared:s:1m;
        location /media/ {{
            secure_link $arg_md5,$arg_expires;
            secure_link_md5 "$secure_link_expires$uri {secret}";
            if ($secure_link = "") {{ return 403; }}
            if ($secure_link = "0") {{ return 410; }}
            {more}
            root {media};
        }}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options).stdout


def build():
    """Builds what is measured."""
    if "BENCH_ARCHIVER" in os.environ:
        return
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)


class Rig:
    """The servers and the directories of one benchmark; all of it goes when the process ends."""

    def __init__(self, space_args, nginx_more="", keep=False):
        self.keep = keep
        # Media in memory, so that the server's disk is no part of what is measured; the archive on disk.
        shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="room-archiver-bench.", dir=os.environ.get("BENCH_DIR", "/var/tmp")))
        self.media = pathlib.Path(tempfile.mkdtemp(prefix="room-archiver-bench.", dir=shm))
        self.children = []
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        (self.media / "media").mkdir()
        self.port = free_port()
        self.ca = self.work / "ca.pem"
        self._certificates()
        config = NGINX.format(work=self.work, port=self.port, secret=SECRET, media=self.media, more=nginx_more)
        (self.work / "nginx.conf").write_text(config)
        self._start("nginx", "-c", self.work / "nginx.conf", "-e", self.work / "nginx.log")
        self.space_args = space_args
        self._start_space(self.port)
        self.files = sorted((self.media / "media").iterdir())

    def _start_space(self, port):
        """A space whose links lead to this port."""
        self.base = f"https://127.0.0.1:{port}/media"
        space = self._start(
            SPACE, "--export", self.media / "media", "--links-to", self.base, "--links-secret", SECRET, *self.space_args,
            stdout=subprocess.PIPE, text=True)
        facts = {}
        while not {"API", "project", "token"} <= facts.keys():
            line = space.stdout.readline()
            if not line:
                sys.exit("the fake space did not start")
            key, _, value = line.strip().partition(" ")
            facts.setdefault(key, value.strip())
        self.api, self.project, self.token = facts["API"], facts["project"], facts["token"]

    def links_through(self, port):
        """From now on the space's links lead to this port."""
        self._stop(self.children.pop())
        self._start_space(port)

    def start_python(self, script, *args):
        """A server of ours, on the servers' core; it is up when it has printed a line."""
        server = self._start(sys.executable, pathlib.Path(__file__).parent / script, *args, stdout=subprocess.PIPE, text=True)
        server.stdout.readline()

    def _start(self, *command, **options):
        command = ["taskset", "-c", str(SERVER_CORE), *[str(part) for part in command]]
        child = subprocess.Popen(command, **options)
        self.children.append(child)
        return child

    @staticmethod
    def _stop(child):
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def close(self):
        for child in self.children:
            self._stop(child)
        self.children = []
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.media, ignore_errors=True)

    def _certificates(self):
        at = {"cwd": self.work}
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        run(*new, "-x509", "-days", "2", "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem", **at)
        run(*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr", **at)
        (self.work / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        run("openssl", "x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-extfile", "san", "-out", "server.pem", **at)

    def link(self, file):
        """A link to a file, as the space mints it."""
        expires = int(time.time()) + 3600
        digest = hashlib.md5(f"{expires}/media/{file.name} {SECRET}".encode()).digest()
        md5 = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return f"{self.base}/{file.name}?md5={md5}&expires={expires}"

    def fresh(self):
        """An empty directory on the disk, and nothing left to be written back from what was before.

        With `keep`, what was before stays to the end: ext4 is slow to make many files where as many were just removed.
        """
        if not self.keep:
            for place in self.work.glob("run*"):
                shutil.rmtree(place)
        place = pathlib.Path(tempfile.mkdtemp(prefix="run", dir=self.work))
        os.sync()
        return place

    def archiver(self, place, concurrency):
        """The command that archives everything, and its environment."""
        config = place / "config.toml"
        config.write_text(f"""
[signalwire]
base_url = "{self.api}"
project_id = "{self.project}"
ca_file = "{self.ca}"
[download]
concurrency = {concurrency}
allow_private_hosts = true
[archive]
directory = "{place}/recordings"
min_free_space = "0"
[database]
path = "{place}/archive.db"
[log]
level = "warn"
""")
        command = [str(ARCHIVER), "--config", str(config), "once", "--sweep"]
        return command, {**os.environ, "ROOM_ARCHIVER_API_TOKEN": self.token}

    def archived(self, place):
        """Fails unless everything was archived."""
        count = int(run("sqlite3", place / "archive.db", "SELECT count(*) FROM archive"))
        if count != len(self.files):
            sys.exit(f"{count} of {len(self.files)} recordings were archived")


class Run:
    """What a command came to, all its children counted."""

    def __init__(self, command, env=None, cwd=None, core=CLIENT_CORE, shell=False, watch=None):
        if shell:
            command = ["bash", "-c", "set -e -o pipefail\n" + command]
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        began = time.monotonic()
        # To a file, not a pipe: nobody has to read while it runs.
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            if watch:
                watch(child)
            _, status, usage = os.wait4(child.pid, 0)
            self.wall = time.monotonic() - began
            child.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            self.output = output.read().decode(errors="replace")
        self.cpu = usage.ru_utime + usage.ru_stime
        self.user, self.sys = usage.ru_utime, usage.ru_stime
        self.rss = usage.ru_maxrss / 1024
        if child.returncode != 0:
            sys.exit(f"{command} ended with {child.returncode}:\n{self.output[-2000:]}")


def median(values):
    return statistics.median(values)


def machine():
    """One line on the machine, one on the versions."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    print(f"{model}, {len(CORES)} cores, {memory} GiB; Linux {os.uname().release}; load {os.getloadavg()[0]:.1f}")
    first = lambda *command: subprocess.run(command, capture_output=True, text=True)
    versions = []
    for command in (["curl", "--version"], ["aria2c", "--version"], ["nginx", "-v"], ["openssl", "version"], ["rustc", "--version"]):
        told = first(*command)
        versions.append(" ".join((told.stdout + told.stderr).splitlines()[0].split()[:3]))
    print("; ".join(versions))


def report(title, figures, key, unit, rivals, extra=()):
    """Prints the runs, their medians and the ratios pair by pair. `rivals`: name -> the most that is allowed."""
    print(f"\n{title}")
    for name, runs in figures.items():
        values = [getattr(run, key) for run in runs]
        others = "".join(f"; {other} {median([getattr(run, other) for run in runs]):.2f}" for other in extra)
        print(f"  {name:<28} median {median(values):8.2f} {unit}  of {' '.join(f'{value:.2f}' for value in values)}{others}")
    ours = next(iter(figures.values()))
    result = {}
    for name, most in rivals.items():
        ratios = [getattr(a, key) / getattr(b, key) for a, b in zip(ours, figures[name])]
        verdict = "met" if median(ratios) <= most else "MISSED"
        print(f"  ratio to {name:<19} median {median(ratios):8.2f}     (at most {most}: {verdict})")
        result[name] = round(median(ratios), 3)
    print(json.dumps({"bench": title, "ratios": result}))
