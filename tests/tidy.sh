#!/bin/sh
# tidy.sh: the rules a compiler cannot hold. It prints what it found, file:line and why, and fails.
# SPDX-License-Identifier: MIT
#
# usage: tests/tidy.sh [ROOT]    HAIL_BINARIES: programs whose libraries are looked at as well
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 2
cd "${1-$(dirname "$0")/..}" || exit 2

folders=
for folder in crypto proto engine tools bench tests; do
    [ ! -d "$folder" ] || folders="$folders $folder"
done
# shellcheck disable=SC2086 # a list of words, here and below: no name in the project has a space
sources=$(find $folders -name '*.[ch]' | sort)
# shellcheck disable=SC2086
scripts=$(find $folders \( -name '*.sh' -o -name '*.py' -o -name '*.cmake' -o -name CMakeLists.txt \
    -o -path 'tools/*' ! -name '*.*' \) -type f | sort)
[ -n "$sources" ] || {
    echo "tidy: no sources below $PWD"
    exit 2
}

found=$(mktemp -d) || exit 2
trap 'rm -rf "$found"' EXIT

# The sources without comments and string contents, so that words in prose are no offence. Line
# numbers stay.
for file in $sources; do
    mkdir -p "$found/code/$(dirname "$file")"
    sed -e "s/'\\\\\\?.'/' '/g" -e 's/\\"//g' -e '/^ *#include/!s/"[^"]*"/""/g' -e 's,//.*,,' \
        "$file" >"$found/code/$file"
done

# of FOLDER... [but FILE...]: the sources below them.
of() {
    for file in $sources; do
        take=no listing=yes
        for at; do
            case "$at:$listing:$file" in
            but:*) listing=no ;;
            *:yes:"$at"/*) take=yes ;;
            *:no:"$at") take=no ;;
            esac
        done
        [ $take = no ] || echo "$file"
    done
}

# code WHY PATTERN FILE...: no line of FILE..., comments and strings aside, may match PATTERN.
code() {
    why=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    (cd "$found/code" && grep -HnE "$pattern" "$@") | while IFS=: read -r file line _; do
        echo "$file:$line: $why"
    done
}

# text WHY PATTERN FILE...: the same for whole lines.
text() {
    why=$1 pattern=$2
    shift 2
    grep -HnE "$pattern" "$@" | while IFS=: read -r file line _; do
        echo "$file:$line: $why"
    done
}

# shellcheck disable=SC2046,SC2086
rules() {
    all='crypto proto engine tools bench tests'
    heap='malloc|calloc|realloc|free|strdup|strndup|asprintf'
    clock='clock_gettime|gettimeofday|time|nanosleep'
    dice='rand|random|getrandom|getentropy'
    files='socket|send|recv|sendto|recvfrom|sendmsg|recvmsg|read|write|open|fopen|printf|fprintf'

    code 'crypto/ is the bottom: it includes no other layer' \
        '#include "(proto|engine|tools|bench|tests)/' $(of crypto)
    code 'proto/ includes crypto/ only' '#include "(engine|tools|bench|tests)/' $(of proto)
    code 'engine/ includes what is below it' '#include "(tools|bench|tests)/' $(of engine)
    code 'includes are written from the top of the project' '#include "\.\./' $(of $all)
    code 'only crypto/ sees BoringSSL, and OpenSSL a program of its own' '#include <openssl/' \
        $(of proto engine tools bench tests but bench/peer_openssl.c)
    code 'only crypto/gcm.c and batch.c see intel-ipsec-mb, and what measures it' \
        '#include <intel-ipsec-mb' $(of $all but crypto/gcm.c crypto/batch.c bench/bench_crypto.c)
    code 'only engine/io/uring.c sees io_uring, and what it is measured against' \
        '#include <liburing' $(of $all but engine/io/uring.c bench/baseline.c)
    code 'proto/ has no heap, clock, dice or socket of its own: they come in as arguments' \
        "\\<($heap|$clock|$dice|$files)\\(" \
        $(of proto)
    code 'a public header stands alone' '#include "' $(of engine | grep '/hail\.h$')
    code 'volatile is not a synchronisation tool: use stdatomic.h' '\<volatile\>' $(of $all)
    code 'secrets are compared with hail_equal, and so is all else outside the tests' \
        '\<(memcmp|bcmp)\(' $(of crypto proto engine tools bench)
    code 'does not know how long its buffer is, or cannot say what went wrong' \
        '\<(strcpy|strcat|sprintf|vsprintf|gets|alloca|atoi|atol|atof|strtok)\(' $(of $all)
    code 'no typedefs: struct and enum say what a thing is' '^ *typedef\>' $(of $all)
    code 'comments are written with //, where a macro does not go on' \
        '^( *[^ X]| *X[^(]).*/\*.*[^\]$' $(of $all)
    code 'a macro does not jump' '^ *#define.*\<(return|goto|break|continue)\>' $(of $all)

    text 'unfinished work' '\<(TODO|FIXME|XXX|HACK)\>' $sources \
        $(echo "$scripts" | grep -v 'tests/tidy.sh' | grep -v 'tests/e2e/test_tidy.py')
    text 'space at the end of the line' '[[:space:]]$' $sources $scripts
    text 'a tab' '	' $sources $(echo "$scripts" | grep -v 'tests/tidy.sh')

    [ ! -d engine ] || python3 "$here/measures.py" --arrows .
    lengths
    states $(of engine)
    named_in_build
    for file in $sources $scripts; do
        head -n 12 "$file" | grep -qE '^(//|#) SPDX-License-Identifier: MIT$' ||
            [ "$(basename "$file")" = CMakeLists.txt ] || [ "${file##*.}" = cmake ] ||
            echo "$file:1: no SPDX line of its own"
    done
    for file in $(of $all | grep '\.h$'); do
        doc_comments "$file"
    done
    libraries
}

# Lines of 100 columns, files of 800 lines, functions of 70. The public header is one file whatever
# it holds, since a user reads one: 1,200.
# shellcheck disable=SC2086
lengths() {
    awk '
        function end_file() {
            most = file == "engine/hail.h" ? 1200 : 800
            if (lines > most)
                print file ":" most ": the file has " lines " lines, " most " are the most"
        }
        FNR == 1 { end_file(); file = FILENAME; inside = 0 }
        { lines = FNR }
        length($0) > 100 { print FILENAME ":" FNR ": over 100 columns" }
        file !~ /\.[ch]$/ { next }
        /^\{/ { inside = 1; start = FNR }
        /^\}/ {
            if (inside && FNR - start - 1 > 70)
                print FILENAME ":" start ": the function has " FNR - start - 1 \
                    " lines, 70 are the most"
            inside = 0
        }
        END { end_file() }
    ' $sources $scripts
}

# A state is assigned in one function, whose name ends in `enter` and that asserts what may follow.
states() {
    [ $# -eq 0 ] || (cd "$found/code" && awk '
        /^[a-z].*\(/ { inside = $0; sub(/\(.*/, "", inside) }
        /(->|\.)state = / && inside !~ /enter$/ {
            print FILENAME ":" FNR ": a state is assigned in its enter function alone"
        }
    ' "$@")
}

# A source that no build file names is never compiled, and a test never run.
# shellcheck disable=SC2086
named_in_build() {
    lists=$(find CMakeLists.txt $folders -name CMakeLists.txt -o -name '*.cmake')
    for file in $sources; do
        name=$(basename "$file" .c)
        [ "$name.c" = "$(basename "$file")" ] || continue
        short=${name#test_}
        short=${short#fuzz_}
        grep -qE "(^|[^a-z0-9_])($name|$short)([^a-z0-9_]|$)" $lists ||
            echo "$file:1: no CMakeLists.txt or .cmake names it"
    done
}

# A function's comment begins with the function's name, so that the two cannot drift apart. One
# comment may speak for the functions that follow it closely.
doc_comments() {
    awk '
        /^\/\/ / { if (!comment) { comment = 1; first = $2; sub(/[^a-z0-9_].*$/, "", first) } next }
        /^\/\// { next }
        comment && /^[A-Za-z].*[ *]hail_[a-z0-9_]+\(/ && !/^static/ {
            name = $0
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
            if (name != "" && name != first)
                print FILENAME ":" FNR ": the comment of " name " begins with another word"
        }
        { comment = 0 }
    ' "$1"
}

# BoringSSL and OpenSSL have the same symbols: both in one process is a crash to come.
libraries() {
    for program in ${HAIL_BINARIES-}; do
        needed=$(ldd "$program" 2>&1) || continue
        case "$needed" in
        *libcrypto.so.[1-9]* | *libssl.so*)
            echo "$program:0: OpenSSL is linked into it"
            ;;
        esac
    done
}

rules >"$found/all" 2>"$found/errors"
cat "$found/errors" "$found/all"
if [ -s "$found/all" ] || [ -s "$found/errors" ]; then
    echo "tidy: $(wc -l <"$found/all") to mend"
    exit 1
fi
# shellcheck disable=SC2086
echo "tidy: $(echo $sources | wc -w) sources and $(echo $scripts | wc -w) scripts are in order"
