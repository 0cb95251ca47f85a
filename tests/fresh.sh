#!/bin/bash
# fresh.sh: runs README's two commands on a Debian 12 that was made for it, where a machine that is
# worked on would hide what tools/setup forgets to install.
# SPDX-License-Identifier: MIT
set -euo pipefail

if [ "${1-}" = --help ]; then
    cat <<'USAGE'
usage: tests/fresh.sh [COMMAND]
Makes the least Debian 12 with nothing but git in a temporary folder, clones what is committed here
into it, and runs COMMAND in the clone: "tools/quickstart && tools/check" unless another is given.
Leaves nothing behind. Exits as COMMAND does.

Needs root, mmdebstrap, a Debian's package sources and proxies in /etc/apt, which are used inside as
well, and 3 GB in TMPDIR. Everything takes some ten minutes more than tools/check alone.
USAGE
    exit
fi

fail() {
    printf 'fresh: %s\n' "$1" >&2
    exit 2
}

[ "$(id -u)" = 0 ] || fail 'needs root, for a root folder of its own'
command -v mmdebstrap >/dev/null || fail 'needs mmdebstrap: apt-get install mmdebstrap'
cd "$(dirname "$0")/.."

work=$(mktemp -d)
root=$work/root
inside=
finish() {
    status=$?
    trap - EXIT
    if [ -n "$inside" ]; then
        kill -KILL "$inside" 2>/dev/null || true # unshare takes no other, and takes all along
        wait "$inside" 2>/dev/null || true
    fi
    # What was mounted was so in a namespace that is gone. If it is not, better leave it all.
    if grep -qF " $work/" /proc/self/mounts; then
        printf 'fresh: something is still mounted below %s: left as it is\n' "$work" >&2
        exit 2
    fi
    rm -rf --one-file-system "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ -z "$(git status --porcelain)" ] || printf 'fresh: what is not committed is left out\n'
# Without sources for bookworm here mmdebstrap takes Debian's own.
mapfile -t sources < <(grep -lws bookworm /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
    /etc/apt/sources.list.d/*.sources)
apt-config dump Acquire | grep -E '^Acquire::(Check-|https?\b)' >"$work/apt.conf" || true
mmdebstrap --quiet --variant=minbase --include=git,ca-certificates --aptopt="$work/apt.conf" \
    bookworm "$root" "${sources[@]}"
git bundle create --quiet "$root/root/hail.bundle" HEAD

# In namespaces that end with it, and take its mounts and processes along.
unshare --mount --pid --fork --kill-child sh -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
    exec chroot "$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb sh -euc "
        cd
        git -c advice.detachedHead=false clone --quiet hail.bundle hail
        cd hail
        $2"
' - "$root" "${1-tools/quickstart && tools/check}" </dev/null &
inside=$!
status=0
wait "$inside" || status=$?
inside=
exit $status
