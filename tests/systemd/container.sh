# Part of boot-test.sh: a container whose PID 1 is systemd, without needing one on this machine.
# shellcheck shell=bash disable=SC2154 # work, root, name, program, space, package and keep are the caller's

# Says what is missing, if anything is.
possible() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "not root"; return 1; }
    for tool in mmdebstrap systemd-nspawn nsenter; do
        command -v "$tool" >/dev/null || { echo "no $tool"; return 1; }
    done
    [ -n "$(hierarchies)" ] || { echo "no writable cgroup tree"; return 1; }
    unshare --mount --pid --fork true 2>/dev/null || { echo "no right to make namespaces"; return 1; }
}

# Where a group for the container is made: the named tree and the unified one, or just the unified.
hierarchies() {
    local tree
    for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        if [ -w "$tree/cgroup.procs" ]; then echo "$tree"; fi
    done
}

# A fresh root from the kept archive, with the programs, the package, and this tree's systemd/ and config/ in /opt.
unpack() {
    local release
    # This machine's own release, for the C library that the programs were linked with.
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    mkdir -p "$work"
    if [ ! -e "$work/$release.tar" ]; then
        mmdebstrap --quiet --variant=minbase \
            --include=systemd,systemd-sysv,dbus,udev,procps,sqlite3,curl,ca-certificates "$release" "$work/$release.new.tar"
        mv "$work/$release.new.tar" "$work/$release.tar"
    fi
    rm -rf --one-file-system "$root"
    mkdir "$root"
    tar -xf "$work/$release.tar" -C "$root"
    echo "127.0.0.1 localhost" >"$root/etc/hosts"
    install "$program" "$root/opt/room-archiver"
    install "$space" "$root/opt/fake-space"
    install -m 0644 "$package" "$root/opt/room-archiver.deb"
    mkdir "$root/opt/tree"
    cp -r systemd config "$root/opt/tree/"
}

boot() {
    local tree keep_unit=()
    # Without systemd on this side there is nobody to make a scope: the container stays in our own groups.
    [ -d /run/systemd/system ] || keep_unit=(--keep-unit)
    (
        if [ ${#keep_unit[@]} -gt 0 ]; then
            for tree in $(hierarchies); do
                mkdir -p "$tree/$name"
                echo "$BASHPID" >"$tree/$name/cgroup.procs"
            done
        fi
        export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
        exec setsid systemd-nspawn --quiet --register=no "${keep_unit[@]}" --private-network \
            --machine="$name" -D "$root" --boot --console=pipe >"$work/console.log" 2>&1 </dev/null
    ) &
    nspawn_pid=$!
    soon find_leader || { tail -n 20 "$work/console.log" >&2; return 1; }
    soon inside systemctl is-active multi-user.target || { tail -n 20 "$work/console.log" >&2; return 1; }
}

# The child that is PID 1 in a namespace of its own; others come and go while nspawn sets up.
find_leader() {
    local child
    # shellcheck disable=SC2013 # words, one a child
    for child in $(cat "/proc/$nspawn_pid/task/$nspawn_pid/children"); do
        if grep -qE '^NSpid:.*\s1$' "/proc/$child/status"; then
            leader=$child
            return 0
        fi
    done
    return 1
}

# inside COMMAND…: runs it in the container as root.
inside() {
    nsenter -t "$leader" -m -u -i -n -p -C -- env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin LANG=C.UTF-8 "$@"
}

shut_down() {
    local tree
    if [ -n "$nspawn_pid" ] && kill -0 "$nspawn_pid" 2>/dev/null; then
        # nspawn passes this on as a request to power off.
        kill -TERM "$nspawn_pid"
        timeout 20 tail --pid="$nspawn_pid" -f /dev/null || kill -KILL "$nspawn_pid"
        wait "$nspawn_pid" 2>/dev/null || true
    fi
    for tree in $(hierarchies); do
        if [ -d "$tree/$name" ]; then
            find "$tree/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
        fi
    done
    [ -n "$keep" ] || rm -rf --one-file-system "$root"
}
