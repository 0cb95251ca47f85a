#!/bin/sh
# man.sh: the manual pages say what the programs say of themselves: every option of --help is in its
# program's page and the other way round, and so is every key of haild's configuration, and every
# counter that it prints.
# SPDX-License-Identifier: MIT
#
# usage: tests/man.sh PROGRAMS    PROGRAMS: the folder of haild, hail-load and hail-cert, as built
set -u
programs=$1
tools=$(dirname "$0")/../tools
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
bad=0

# differ WHAT ONE OTHER: tells of lines that are in one of two files alone.
differ() {
    sort -u "$2" >"$made/one"
    sort -u "$3" >"$made/other"
    [ -s "$made/one" ] || {
        echo "man: no $1 at all"
        bad=1
    }
    for line in $(comm -3 "$made/one" "$made/other"); do
        echo "man: $1 $line: in one of both alone"
        bad=1
    done
}

# compare_options PAGE PROGRAM [COMMAND...]: COMMANDs have a --help of their own.
compare_options() {
    page=$tools/man/$1 program=$programs/$2
    shift 2
    for command in '' "$@"; do
        # shellcheck disable=SC2086 # none, or one
        "$program" $command --help || bad=1
    done | grep -oE -e '--[a-z][a-z-]*' >"$made/help"
    grep -oE 'Fl -[a-z][a-z-]*' "$page" | sed 's/Fl -/--/' >"$made/page"
    differ "$(basename "$page"): option" "$made/help" "$made/page"
}

compare_options haild.8 haild
compare_options hail-load.1 hail-load matrix compare
compare_options hail-cert.1 hail-cert

# Keys: of --help, which has them indented below their sections.
sed -n 's/^\.It Ic \([a-z_0-9]*\)$/\1/p' "$tools/man/haild.8" >"$made/page"
"$programs/haild" --help | sed -n 's/^    \([a-z][a-z_0-9]*\)  .*/\1/p' >"$made/help"
differ 'haild.8: key' "$made/help" "$made/page"

# And of the example, also where they are commented out; floors are by names of messages.
awk '
    /^\[/ { floors = /floors/ }
    !floors && /^(; )?[a-z_0-9]+ = / { sub(/^; /, ""); print $1 }
' "$tools/haild.ini" | sort -u >"$made/example"
[ -s "$made/example" ] || bad=1
for key in $(sort -u "$made/page" | comm -23 "$made/example" -); do
    echo "man: haild.8: haild.ini's $key is not in it"
    bad=1
done

# Counters: as a server prints them all when asked. Channels are left out, as none was used.
cat >"$made/server.ini" <<'END'
[haild]
game = echo
[server]
profile = hail
address = 127.0.0.1
port = 0
shard_count = 1
[hail]
exchange = unsigned
END
mkfifo "$made/said"
"$programs/haild" --config "$made/server.ini" >"$made/said" 2>"$made/errors" &
server=$!
exec 3<"$made/said"
read -r line <&3 && kill -USR1 $server
while read -r name _ <&3 && [ "$name" != haild: ]; do :; done # its first line
while read -r name _ <&3 && [ "$name" != haild: ]; do
    echo "$name"
done >"$made/counters"
kill $server
wait $server || {
    cat "$made/errors"
    bad=1
}
exec 3<&-
sed -n 's/^\.It Va \([a-z_0-9]*\)$/\1/p' "$tools/man/haild.8" >"$made/page"
differ 'haild.8: counter' "$made/counters" "$made/page"

# What the formatter has to say, where there is one.
if command -v groff >/dev/null; then
    for page in "$tools"/man/*.[0-9]; do
        groff -mdoc -Tutf8 -ww -z "$page" 2>"$made/warnings" || bad=1
        if [ -s "$made/warnings" ]; then
            cat "$made/warnings"
            bad=1
        fi
    done
fi
exit $bad
