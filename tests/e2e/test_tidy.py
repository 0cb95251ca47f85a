# test_tidy.py: every rule of tests/tidy.sh finds its offence, on the right line.
# SPDX-License-Identifier: MIT

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "// x.c: a file.\n// SPDX-License-Identifier: MIT\n"

# (file, text after the two lines of the head, line, part of the reason)
OFFENCES = [
    ("crypto/a.c", '#include "proto/x.h"\n', 3, "crypto/ is the bottom"),
    ("proto/a.c", '#include "engine/x.h"\n', 3, "proto/ includes crypto/ only"),
    ("engine/a.c", '#include "tools/x.h"\n', 3, "engine/ includes what is below"),
    ("engine/a.c", '#include "../x.h"\n', 3, "from the top"),
    ("engine/delivery/a.c", '#include "engine/shard/x.h"\n', 3, "engine/shard is above"),
    ("engine/shard/a.c", '\n#include "engine/profiles/x.h"\n', 4, "engine/profiles is above"),
    ("engine/memory/a.c", '#include "engine/x.h"\n', 3, "is above engine/memory"),
    ("engine/cellar/a.c", '#include "engine/hail.h"\n#include "engine/memory/x.h"\n', 4,
     "no place among the wings"),
    ("tools/a.c", "#include <openssl/sha.h>\n", 3, "only crypto/ sees BoringSSL"),
    ("tests/test_a.c", "#include <openssl/sha.h>\n", 3, "only crypto/ sees BoringSSL"),
    ("crypto/a.c", "\n#include <intel-ipsec-mb.h>\n", 4, "only crypto/gcm.c and batch.c"),
    ("engine/a.c", "\n#include <liburing.h>\n", 4, "only engine/io/uring.c"),
    ("proto/mlapi/a.c", "x = malloc(3);\n", 3, "no heap"),
    ("proto/a.c", "now = time(NULL);\n", 3, "no heap"),
    ("engine/hail.h", '#include "crypto/x.h"\n', 3, "stands alone"),
    ("bench/a.c", "static volatile int x;\n", 3, "volatile"),
    ("engine/a.c", "x = memcmp(a, b, 3);\n", 3, "hail_equal"),
    ("tools/a.c", "strcpy(a, b);\n", 3, "how long its buffer is"),
    ("engine/a.c", "typedef int number;\n", 3, "no typedefs"),
    ("engine/a.c", "int x; /* why */\n", 3, "comments are written with //"),
    ("engine/a.h", "#define CHECK(x) if (x) return 0\n", 3, "does not jump"),
    ("engine/a.c", "// TO" "DO: more\n", 3, "unfinished"),
    ("engine/a.c", "int x; \n", 3, "space at the end"),
    ("engine/a.c", "\tint x;\n", 3, "a tab"),
    ("engine/a.c", "// " + "x" * 98 + "\n", 3, "over 100 columns"),
    ("engine/a.c", "int x;\n" * 799, 800, "801 lines"),
    ("engine/a.c", "void f(void)\n{\n" + "    x();\n" * 71 + "}\n", 4, "71 lines"),
    ("engine/a.c", "void f(void)\n{\n    conn->state = OPEN;\n}\n", 5, "in its enter function"),
    ("crypto/orphan.c", "int x;\n", 1, "names it"),
    ("engine/a.h", "\n// Does it.\nint hail_do(int x);\n", 5, "begins with another word"),
]

# What looks like an offence and is none.
INNOCENT = [
    ("engine/a.c", '// volatile, malloc( and memcmp( in prose\nputs("volatile typedef");\n'),
    ("engine/io/uring.c", "#include <liburing.h>\n"),
    ("engine/memory/a.c", '#include "engine/hail.h"\n'),
    ("engine/shard/a.c", '#include "engine/shard/x.h"\n#include "engine/memory/x.h"\n'),
    ("engine/a.c", '#include "engine/profiles/x.h"\n'),
    ("crypto/a.c", "#include <openssl/sha.h>\n"),
    ("tests/test_a.c", "x = memcmp(a, b, 3);\n"),
    ("engine/a.c", "void f(void)\n{\n" + "    x();\n" * 70 + "}\n"),
    ("engine/a.c", "#define LIST(X) \\\n    X(A) /* first */ \\\n    X(B) /* last */\n"),
    ("engine/a.h", "\n// hail_do does it.\nint hail_do(int x);\n\n// Prose.\n\nint x;\n"),
    ("engine/a.c", "// " + "x" * 97 + "\n"),
    ("engine/a.c", "void a_enter(int x)\n{\n    conn->state = x;\n}\n"),
    ("engine/a.c", "void f(void)\n{\n    if (conn->state == OPEN)\n        x();\n}\n"),
]


# Two files, and whether they include each other: a .c and its .h are one.
CIRCLES = [
    ({"engine/io/a.c": "engine/io/uring.h", "engine/io/uring.h": "engine/io/a.h"}, True),
    ({"engine/io/a.c": "engine/io/uring.h", "engine/io/uring.h": "engine/io/b.h"}, False),
]


def tidy(path, text):
    return tidy_all({path: text})


def tidy_all(files):
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(root, "CMakeLists.txt"), "w", encoding="ascii") as file:
            file.write("a.c uring.c mlapi/a.c test(a)\n")
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="ascii") as file:
                file.write(text)
        run = subprocess.run([os.path.join(HERE, "..", "tidy.sh"), root], capture_output=True,
                             text=True, check=False)
        return run.returncode, run.stdout + run.stderr


def main():
    bad = 0
    for path, text, line, why in OFFENCES:
        code, out = tidy(path, HEAD + text)
        found = [l for l in out.splitlines() if l.startswith("%s:%d: " % (path, line)) and why in l]
        if code != 1 or not found:
            print("not found: %s:%d %s\n  %s" % (path, line, why, out.strip()))
            bad += 1
    for path, text in INNOCENT:
        code, out = tidy(path, HEAD + text)
        if code != 0:
            print("innocent: %s\n  %s" % (path, out.strip()))
            bad += 1
    for files, is_circle in CIRCLES:
        code, out = tidy_all({path: HEAD + '#include "%s"\n' % target
                              for path, target in files.items()})
        if out.count("part of a circle") != (2 if is_circle else 0) or code != is_circle:
            print("circle: %s\n  %s" % (files, out.strip()))
            bad += 1
    code, out = tidy("engine/a.c", "int x;\n")
    if code != 1 or "engine/a.c:1: no SPDX line of its own" not in out:
        print("not found: no SPDX line\n  %s" % out.strip())
        bad += 1
    print("%d rules tried, %d wrong" % (len(OFFENCES) + len(INNOCENT) + len(CIRCLES) + 1, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
