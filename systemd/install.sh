#!/bin/bash
# Installs room-archiver as a systemd service, or removes it again. Running it once more upgrades.
# On Debian and Ubuntu, build the package instead: packaging/deb. It takes what this script stages.
#
#   systemd/install.sh [install|uninstall] [--binary FILE] [--prefix DIR]
#
# --binary  the program; default: target/release/room-archiver of this source tree
# --prefix  default: /usr/local; the units are changed accordingly
# DESTDIR   (environment) install below this directory, for packaging: makes no user and does not touch systemd
#
# An existing configuration or token is never changed. "uninstall" keeps both, the user and all data.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
action=install
prefix=/usr/local
binary=$tree/target/release/room-archiver
root=${DESTDIR:-}
root=${root%/}
name=room-archiver

die() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

while [ $# -gt 0 ]; do
    case $1 in
        install | uninstall) action=$1 ;;
        --binary=*) binary=${1#*=} ;;
        --prefix=*) prefix=${1#*=} ;;
        --binary | --prefix)
            [ $# -ge 2 ] || die "$1 needs a value" 2
            if [ "$1" = --binary ]; then binary=$2; else prefix=$2; fi
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
case $prefix in /*) prefix=${prefix%/} ;; *) die "--prefix must be an absolute path" 2 ;; esac

# systemd looks for units, accounts and temporary files below these two prefixes, and in /etc.
case $prefix in
    /usr | /usr/local) units=$prefix/lib/systemd/system lib=$prefix/lib ;;
    *) units=/etc/systemd/system lib=/etc ;;
esac
bin=$prefix/bin/$name
documents=$prefix/share/doc/$name
manual=$prefix/share/man
bash_completion=$prefix/share/bash-completion/completions/$name
zsh_completion=$prefix/share/zsh/site-functions/_$name
fish_completion=$prefix/share/fish/vendor_completions.d/$name.fish
config=/etc/$name/config.toml

# Every unit in this directory, by name.
unit_names() { find "$tree/systemd" -maxdepth 1 -type f \( -name '*.service' -o -name '*.socket' -o -name '*.timer' \) -printf '%f\n' | sort; }

live() { [ -z "$root" ]; }
systemd_runs() { live && [ -d /run/systemd/system ]; }

# put MODE SOURCE TARGET: replaces TARGET in one step, so that nobody sees a half-written file.
put() {
    mkdir -p "$root$(dirname "$3")"
    install -m "$1" "$2" "$root$3.new"
    mv -f "$root$3.new" "$root$3"
}

# adapted SOURCE TARGET: like put, with our prefix instead of /usr/local.
adapted() {
    local text
    text=$(mktemp)
    sed "s|/usr/local/|$prefix/|g" "$1" >"$text"
    put 0644 "$text" "$2"
    rm -f "$text"
}

completion() {
    local text
    text=$(mktemp)
    if "$binary" completions "$1" >"$text" 2>/dev/null && [ -s "$text" ]; then
        put 0644 "$text" "$2"
    else
        echo "install.sh: no completions for $1: '$binary completions $1' failed" >&2
    fi
    rm -f "$text"
}

manual_pages() {
    local pages page
    pages=$(mktemp -d)
    if "$binary" man "$pages" 2>/dev/null; then
        for page in "$pages"/*; do
            put 0644 "$page" "$manual/man${page##*.}/${page##*/}"
        done
    else
        echo "install.sh: no manual pages: '$binary man' failed" >&2
    fi
    rm -rf "$pages"
}

install_all() {
    [ -x "$binary" ] || die "no program at '$binary': build it with 'cargo build --release', or name it with --binary"
    ! live || [ "$(id -u)" = 0 ] || die "installing needs root; to stage into a directory set DESTDIR"

    put 0755 "$binary" "$bin"
    local unit
    for unit in $(unit_names); do
        adapted "$tree/systemd/$unit" "$units/$unit"
    done
    put 0644 "$tree/systemd/sysusers.d/$name.conf" "$lib/sysusers.d/$name.conf"
    put 0644 "$tree/systemd/tmpfiles.d/$name.conf" "$lib/tmpfiles.d/$name.conf"
    local paper
    for paper in "$tree"/*.md "$tree"/LICENSE-* "$tree"/docs/*.md "$tree"/{monitoring,contrib}/{,*/}*.{md,json,yml}; do
        [ ! -e "$paper" ] || put 0644 "$paper" "$documents${paper#"$tree"}"
    done
    put 0644 "$tree/config/config.toml" "$documents/examples/config.toml"
    manual_pages
    completion bash "$bash_completion"
    completion zsh "$zsh_completion"
    completion fish "$fish_completion"

    local new=
    if [ ! -e "$root$config" ] && [ ! -L "$root$config" ]; then
        new=yes
        install -d -m 0750 "$root/etc/$name"
        put 0640 "$tree/config/config.toml" "$config"
    fi

    live || return 0
    systemd-sysusers "$lib/sysusers.d/$name.conf"
    # This also lets the group read the configuration, and creates the state directory.
    systemd-tmpfiles --create "$lib/tmpfiles.d/$name.conf"
    ! systemd_runs || systemctl daemon-reload
    next_steps "$new"
}

next_steps() {
    echo "Installed $bin."
    [ -z "$1" ] || echo "A sample configuration is in $config: set your space and project there."
    if [ ! -e /etc/$name/token ]; then
        cat <<STEPS
Store the API token, readable by root only (it is read from the keyboard and not shown):
    (umask 077; systemd-ask-password -n "API token:" > /etc/$name/token)
STEPS
    fi
    if systemd_runs && systemctl --quiet is-active "$name.service"; then
        echo "The service runs the old program until you restart it: systemctl restart $name"
    else
        cat <<STEPS
Then check and start it:
    $name config check
    systemctl enable --now $name
STEPS
    fi
    cat <<STEPS
Add users who may query the archive to the group (they must log in again):
    usermod -aG $name USER
    sqlite3 -readonly /var/lib/$name/archive.db 'SELECT * FROM queue'
A read-only page of the archive, on http://127.0.0.1:8480:
    systemctl enable --now $name-web.socket
Several projects on one machine: see the top of $units/$name@.service.
STEPS
}

uninstall_all() {
    ! live || [ "$(id -u)" = 0 ] || die "removing needs root"
    local unit
    if systemd_runs; then
        for unit in $(unit_names | grep -v @); do
            systemctl --quiet disable --now "$unit" 2>/dev/null || true
        done
        # The enabled and the loaded instances.
        for unit in $(systemctl list-units --all --plain --no-legend "$name@*.service" | cut -d' ' -f1) \
            $(cd /etc/systemd/system && find . -name "$name@?*.service" -type l -printf '%f\n'); do
            systemctl --quiet disable --now "$unit" || true
        done
    fi
    for unit in $(unit_names); do
        rm -f "$root$units/$unit"
    done
    rm -f "$root$bin" "$root$manual"/man[15]/"$name"[-.]*[15] \
        "$root$lib/sysusers.d/$name.conf" "$root$lib/tmpfiles.d/$name.conf" \
        "$root$bash_completion" "$root$zsh_completion" "$root$fish_completion"
    # Nothing in it is anybody else's.
    rm -rf "$root$documents"
    ! systemd_runs || systemctl daemon-reload
    ! live || echo "Removed. Kept: /etc/$name, /var/lib/$name, the user and group $name."
}

"${action}_all"
