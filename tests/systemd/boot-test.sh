#!/bin/bash
# Proves that the package and the hardened units really work: boots a minimal Debian with systemd as PID 1 in a container,
# installs the package, archives from the fake space, looks from outside as an operator and a reader would, upgrades,
# removes and purges. At the end the same with install.sh, which other distributions use.
#
#   tests/systemd/boot-test.sh [--possible] [--no-build] [--keep] [--program FILE] [--space FILE] [--package FILE]
#
# --possible  only tell whether this machine can run it; if not, say why and exit 1
# --no-build  take the programs in target/debug as they are
# --keep      leave the container's root in target/boot-test/root
# --program, --space  other programs than room-archiver and fake-space of target/debug
# --package   install this; default: one that is made of the program now
#
# Needs root, and the packages mmdebstrap and systemd-container, and what packaging/deb needs. The first run fetches the Debian packages (half a
# minute) and keeps them in target/boot-test; after that it takes about a minute. The container has a network of its
# own with nothing but loopback. Not proven here: MemoryMax= and TasksMax=, which containers often can't enforce.
set -euo pipefail

cd "$(dirname "$0")/../.."
work=$PWD/target/boot-test
root=$work/root
program=target/debug/room-archiver
space=target/debug/fake-space
package=
build=yes
keep=
nspawn_pid=
leader=
checks=0
name=room-archiver-boot-$$

# shellcheck source=tests/systemd/container.sh
. tests/systemd/container.sh

while [ $# -gt 0 ]; do
    case $1 in
        --possible) possible; exit ;;
        --no-build) build= ;;
        --keep) keep=yes ;;
        --program) program=$2; shift ;;
        --space) space=$2; shift ;;
        --package) package=$2; shift ;;
        *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    esac
    shift
done

fail() {
    echo "FAILED: $1" >&2
    if [ -n "$leader" ]; then
        inside journalctl --no-pager -n 60 -u 'room-archiver*' -u 'space-*' >&2 || true
    fi
    exit 1
}

# holds WHAT COMMAND…: one check; the command runs on this side.
holds() {
    local what=$1
    shift
    "$@" || fail "$what"
    checks=$((checks + 1))
    echo "ok: $what"
}

# soon COMMAND…: waits until it succeeds, a minute at most.
soon() {
    local tries
    for tries in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.2
    done
    echo "not within ${tries} tries: $*" >&2
    return 1
}

not() { ! "$@" >/dev/null 2>&1; }
equal() { [ "$1" = "$2" ] || { echo "expected '$2', found '$1'" >&2; return 1; }; }
property() { inside systemctl show --value -p "$2" "$1"; }
is() { equal "$(property "$1" "$2")" "$3"; }
mode() { inside stat -c '%a %U:%G' "$1"; }
as_reader() { inside setpriv --reuid=reader --regid=reader --init-groups "$@"; }
as_stranger() { inside setpriv --reuid=stranger --regid=stranger --clear-groups "$@"; }
query() { as_reader sqlite3 -readonly "$1" "$2"; }
journal() { inside journalctl --no-pager -o cat -u "$1"; }

state=/var/lib/room-archiver

# start_space NAME PORT OPTION…
start_space() {
    local unit=space-$1 port=$2
    shift 2
    inside systemd-run --quiet --unit="$unit" /opt/fake-space --port "$port" "$@"
    soon says "$unit" token || fail "the fake space '$unit' did not start"
}

says() { journal "$1" | sed -n "s/^$2  *//p" | grep .; }

# configure SPACE FILE TOKEN-FILE DIRECTORY
configure() {
    inside sh -c "umask 077; cat >'$3'" < <(says "space-$1" token)
    inside sh -c "cat >'$2'" <<TOML
[signalwire]
base_url = "$(says "space-$1" API)"
project_id = "$(says "space-$1" project)"
[poll]
schedule = "*/2 * * * * *"
[download]
allow_private_hosts = true
[archive]
directory = "$4/recordings"
min_free_space = "0"
[database]
path = "$4/archive.db"
TOML
}

archived() { equal "$(query "$1/archive.db" 'SELECT count(*) FROM archive')" "$2"; }

whole() {
    local path sha256
    query "$1/archive.db" 'SELECT path, sha256 FROM archive' | while IFS='|' read -r path sha256; do
        as_reader sha256sum "$1/recordings/$path" | grep -q "^$sha256 " || return 1
    done
}

part() { inside sh -c "test -n \"\$(find $state/slow/recordings/.partial -name '*.part' -size +0)\""; }

# package_tool ACTION…: dpkg, as an administrator runs it; what it prints is in $work/dpkg.log.
package_tool() { inside dpkg "$@" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; return 1; }; }

installs() {
    holds "the package installs" package_tool --install /opt/room-archiver.deb
    holds "which does not enable the service" not inside systemctl is-enabled room-archiver
    holds "nor start it" is room-archiver ActiveState inactive
    holds "it says in README.Debian what to do next" inside test -s /usr/share/doc/room-archiver/README.Debian
    holds "the configuration is root's and readable for the group" \
        equal "$(mode /etc/room-archiver/config.toml)" "640 root:room-archiver"
    holds "its directory too" equal "$(mode /etc/room-archiver)" "750 root:room-archiver"
    holds "the state directory is the account's" equal "$(mode $state)" "750 room-archiver:room-archiver"
    inside useradd -G room-archiver reader
    inside useradd stranger
}

refuses_to_start() {
    inside systemctl start room-archiver 2>/dev/null && fail "it started without a token"
    inside sleep 2
    holds "without a token it fails, and is not restarted" is room-archiver ActiveState failed
    inside sh -c 'umask 077; echo none >/etc/room-archiver/token; echo "nonsense = [" >/etc/room-archiver/config.toml'
    inside systemctl start room-archiver 2>/dev/null && fail "it started with a broken configuration"
    inside sleep 2
    holds "a broken configuration ends with exit code 2" is room-archiver ExecMainStatus 2
    holds "and is not retried" is room-archiver ActiveState failed
}

archives() {
    configure fast /etc/room-archiver/config.toml /etc/room-archiver/token $state
    inside mkdir -p /etc/systemd/system/room-archiver.service.d
    inside sh -c 'printf "[Service]\nWatchdogSec=4s\nRestartSec=1s\n" \
        >/etc/systemd/system/room-archiver.service.d/test.conf'
    inside systemctl daemon-reload
    inside systemctl start room-archiver || fail "it did not get ready"
    holds "it is ready and running" is room-archiver SubState running
    holds "a member of the group sees three recordings archived" soon archived $state 3
    holds "and reads each, whole" whole $state
    holds "the database is for the group" equal "$(mode $state/archive.db)" "640 room-archiver:room-archiver"
    holds "a stranger can't read it" not as_stranger sqlite3 -readonly $state/archive.db 'SELECT 1'
    holds "the token stays root's" equal "$(mode /etc/room-archiver/token)" "600 root:root"
}

# page PATH: what the socket of the page answers to a viewer on this machine.
page() { inside curl --silent --fail --max-time 20 "http://127.0.0.1:8480$1"; }
page_lists() { page /recordings | grep -qF "$1"; }
page_sends() { equal "$(page "/media/$1" | sha256sum | cut -d ' ' -f 1)" "$2"; }

shows_the_page() {
    local id sha256 pid
    IFS='|' read -r id sha256 < <(query $state/archive.db 'SELECT recording_id, sha256 FROM archive LIMIT 1')
    holds "the package does not start the page's socket" is room-archiver-web.socket ActiveState inactive
    inside systemctl start room-archiver-web.socket
    holds "the socket waits for a viewer without the page running" is room-archiver-web ActiveState inactive
    holds "the first viewer starts the page, and sees the recordings" page_lists "$id"
    holds "it is ready and running" is room-archiver-web SubState running
    holds "it sends a recording, whole" page_sends "$id" "$sha256"
    pid=$(property room-archiver-web MainPID)
    holds "it has a user of its own" not equal "$(inside stat -c %U "/proc/$pid")" room-archiver
    holds "which is not root" not equal "$(inside stat -c %U "/proc/$pid")" root
    holds "it can't write to the archive" not inside nsenter -t "$pid" -m test -w $state
    holds "nor see the token" not inside nsenter -t "$pid" -m test -s /etc/room-archiver/token
    inside systemctl stop room-archiver-web
    holds "a stop succeeds" is room-archiver-web Result success
    holds "with exit code 0" is room-archiver-web ExecMainStatus 0
    holds "the next viewer starts it again" page_lists "$id"
}

is_confined() {
    local pid status
    pid=$(property room-archiver MainPID)
    status=$(inside cat "/proc/$pid/status")
    holds "it has no capability" grep -q '^CapBnd:\s*0000000000000000$' <<<"$status"
    holds "it can't gain privileges" grep -q '^NoNewPrivs:\s*1$' <<<"$status"
    holds "its system calls are filtered" grep -q '^Seccomp:\s*2$' <<<"$status"
    holds "it sees a read-only system" not inside nsenter -t "$pid" -m touch /etc/room-archiver/touched /usr/touched
    holds "and a writable state directory" inside nsenter -t "$pid" -m test -w $state
    holds "its /proc has processes and nothing else" not inside nsenter -t "$pid" -m test -e /proc/meminfo
}

reloads() {
    local pid since
    pid=$(property room-archiver MainPID)
    since=$(journal room-archiver | wc -l)
    inside systemctl reload room-archiver
    holds "a reload is told in the journal" soon reload_told "$since"
    inside cp -p /etc/room-archiver/config.toml /root/config.toml
    inside sh -c 'echo "nonsense = [" >/etc/room-archiver/config.toml'
    holds "a reload of a broken configuration fails visibly" not inside systemctl reload room-archiver
    holds "a reload of a broken configuration leaves it running" is room-archiver SubState running
    inside cp -p /root/config.toml /etc/room-archiver/config.toml
    inside sed -i 's#^directory = .*#directory = "/var/lib/room-archiver/elsewhere"#' /etc/room-archiver/config.toml
    holds "a reload that moves the archive fails visibly" not inside systemctl reload room-archiver
    holds "and the journal says why" journal_says 'archive.directory can.t change while the service runs'
    inside cp -p /root/config.toml /etc/room-archiver/config.toml
    holds "a reload of the right one succeeds again" inside systemctl reload room-archiver
    holds "it is the same process all along" is room-archiver MainPID "$pid"
}

journal_says() { journal room-archiver | grep -q "$1"; }
reload_told() { journal room-archiver | tail -n +$(($1 + 1)) | grep -qiE 'reload|configuration'; }

survives() {
    local pid
    inside sleep 9
    holds "it feeds the watchdog, and outlives two periods" is room-archiver NRestarts 0
    pid=$(property room-archiver MainPID)
    inside kill -STOP "$pid"
    holds "the watchdog restarts a frozen one" soon is room-archiver NRestarts 1
    holds "which gets ready again" soon is room-archiver SubState running
    inside kill -KILL "$(property room-archiver MainPID)"
    holds "a killed one is restarted" soon is room-archiver NRestarts 2
    holds "and gets ready again" soon is room-archiver SubState running
    holds "nothing was lost" archived $state 3
}

# As the README has it.
works_by_hand() {
    local recipe
    recipe=$(grep '^systemd-run .* room-archiver doctor$' README.md)
    # shellcheck disable=SC2086 # words of a command line
    holds "doctor works by hand, the token handed over" inside $recipe
    holds "a member of the group reads the status" as_reader room-archiver status
}

stops() {
    inside systemctl stop room-archiver
    holds "a stop succeeds" is room-archiver Result success
    holds "with exit code 0" is room-archiver ExecMainStatus 0
    holds "the database can be read after a clean stop" archived $state 3
    holds "recordings have the file mode" \
        equal "$(inside sh -c "find $state/recordings -name '*.mp4' ! -perm 640" | wc -l)" 0
}

runs_instances() {
    local one
    for one in fast slow; do
        configure $one /etc/room-archiver/$one.toml /etc/room-archiver/$one.token $state/$one
    done
    # As at a boot: gives the new configurations to the group.
    inside systemd-tmpfiles --create /usr/lib/tmpfiles.d/room-archiver.conf
    inside systemctl start room-archiver@fast room-archiver@slow || fail "the instances did not get ready"
    holds "two instances run" is room-archiver@slow SubState running
    holds "the first archives into its own directory" soon archived $state/fast 3
    holds "the directory above stays the account's" equal "$(mode $state)" "750 room-archiver:room-archiver"
    holds "the second is in the middle of a recording" soon part
    inside systemctl stop room-archiver@slow
    holds "stopping in a download succeeds" is room-archiver@slow Result success
    holds "with exit code 0" is room-archiver@slow ExecMainStatus 0
    holds "and leaves the part" part
    holds "its database can be read after the stop" archived $state/slow 0
    holds "the first goes on" is room-archiver@fast SubState running
}

logs_sanely() {
    journal 'room-archiver*' >"$work/journal.log"
    holds "the journal has something to tell" test -s "$work/journal.log"
    holds "but not the token" not grep -F -- "$(says space-fast token)" "$work/journal.log"
    holds "nor a signed link" not grep -F X-Amz- "$work/journal.log"
    holds "nor a panic" not grep -F panicked "$work/journal.log"
    holds "priorities are the journal's, not in the text" not grep -E '^<[0-7]>' "$work/journal.log"
}

# Over itself, while the plain unit and an instance run and another instance does not.
upgrades() {
    local plain instance
    inside systemctl start room-archiver || fail "it did not get ready"
    plain=$(property room-archiver MainPID)
    instance=$(property room-archiver@fast MainPID)
    holds "the package upgrades over itself" package_tool --install /opt/room-archiver.deb
    holds "the service runs after it" is room-archiver SubState running
    holds "as a new process" not equal "$(property room-archiver MainPID)" "$plain"
    holds "the instance, too" is room-archiver@fast SubState running
    holds "as a new process" not equal "$(property room-archiver@fast MainPID)" "$instance"
    holds "a stopped instance stays stopped" is room-archiver@slow ActiveState inactive
    holds "the configuration is the administrator's" inside grep -q base_url /etc/room-archiver/config.toml
    holds "and the archive is whole" whole $state
    holds "the page's socket still takes viewers" page_lists "$(query $state/archive.db 'SELECT recording_id FROM archive LIMIT 1')"
    holds "by the new program" runs_installed_program room-archiver-web
    inside systemctl --quiet enable room-archiver room-archiver@fast
    holds "an upgrade keeps it enabled" package_tool --install /opt/room-archiver.deb
    holds "as it was" inside systemctl is-enabled room-archiver
}

# Not one that was replaced and goes on as a deleted file.
runs_installed_program() {
    equal "$(inside readlink "/proc/$(property "$1" MainPID)/exe")" /usr/bin/room-archiver
}

removes() {
    holds "the package is removed" package_tool --remove room-archiver
    holds "which stops the service" not inside systemctl is-active room-archiver
    holds "and the page with its socket" not inside systemctl is-active room-archiver-web.socket room-archiver-web
    holds "and the instances" not inside systemctl is-active room-archiver@fast
    holds "the program is gone" not inside test -e /usr/bin/room-archiver
    holds "the configuration stays" inside test -e /etc/room-archiver/config.toml
    holds "the archive stays" archived $state 3
    holds "and is whole" whole $state
}

purges() {
    holds "the package is purged" package_tool --purge room-archiver
    holds "which says that the archive stays" grep -q '^Kept: the archive .* in /var/lib/room-archiver' "$work/dpkg.log"
    holds "and what else" grep -q '^Kept: API tokens .* in /etc/room-archiver' "$work/dpkg.log"
    holds "the configuration of the package is gone" not inside test -e /etc/room-archiver/config.toml
    holds "the token stays" equal "$(mode /etc/room-archiver/token)" "600 root:root"
    holds "no unit is left enabled or masked" not grep_links /etc/systemd/system
    holds "the archive stays" archived $state 3
    holds "and is whole" whole $state
    holds "the archives of the instances, too" archived $state/fast 3
}

grep_links() { inside find "$1" -name 'room-archiver*' -type l | grep .; }

# Over the archive that the package left.
by_script() {
    inside /opt/tree/systemd/install.sh --binary /opt/room-archiver >"$work/install.log" || fail "install.sh"
    configure fast /etc/room-archiver/config.toml /etc/room-archiver/token $state
    inside systemctl start room-archiver room-archiver@fast || fail "it did not get ready after install.sh"
    holds "install.sh installs, too, and the service runs" is room-archiver SubState running
    holds "the program is below /usr/local" inside test -x /usr/local/bin/room-archiver
    inside /opt/tree/systemd/install.sh uninstall >/dev/null
    holds "uninstalling stops the instances" not inside systemctl is-active room-archiver@fast
    holds "and removes the unit" not inside systemctl cat room-archiver.service
    holds "but keeps what was archived" archived $state 3
}

possible || exit 1
[ -z "$build" ] || cargo build --quiet --workspace --bins
[ -n "$package" ] || package=$(packaging/deb --fast --binary "$program")
trap shut_down EXIT
SECONDS=0
unpack
boot
echo "booted after $SECONDS s"
start_space fast 8101 --sessions 3
start_space slow 8102 --sessions 2 --media-size 50000000 --bandwidth 100000
installs
refuses_to_start
archives
shows_the_page
is_confined
reloads
survives
works_by_hand
stops
runs_instances
upgrades
logs_sanely
removes
purges
by_script
echo "boot test: all $checks checks hold, after $SECONDS s"
