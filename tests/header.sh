#!/bin/sh
# header.sh: compiles hail.h by itself, as the C11 and the C++17 of a program that is stricter than
# most, with every compiler that is there. It says what it left out, and fails if that is all of a
# language's.
# SPDX-License-Identifier: MIT
#
# usage: tests/header.sh [FOLDER]    FOLDER: where hail.h is
set -u
folder=${1-$(dirname "$0")/../engine}
strict='-pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wundef -Werror'
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT

# A header by itself, again, and its initialisers.
cat >"$made/alone" <<'END'
#include "hail.h"
#include "hail.h"

int main(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_mlapi_config mlapi = HAIL_MLAPI_INIT;

    return config.size == sizeof config && mlapi.enable_encryption ? 0 : 1;
}
END

# compile LANGUAGE STANDARD OPTION COMPILER...
compile() {
    language=$1 standard=$2 option=$3 compiled=0
    shift 3
    for compiler; do
        if ! command -v "$compiler" >/dev/null; then
            echo "header: no $compiler here: left out"
            continue
        fi
        # shellcheck disable=SC2086 # a list of options
        "$compiler" "-std=$standard" $strict "$option" -I"$folder" -x "$language" \
            -o "$made/program" -c "$made/alone" || return 1
        compiled=$((compiled + 1))
        echo "header: good as $standard for $compiler"
    done
    [ $compiled -gt 0 ]
}

compile c c11 -Wstrict-prototypes gcc clang || exit 1
compile c++ c++17 -Wold-style-cast g++ clang++
