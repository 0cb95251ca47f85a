#!/usr/bin/env python3
# walk.py: holds the walks of a message through the engine, as DESIGN.md lists them, to the code.
# SPDX-License-Identifier: MIT
"""usage: tests/walk.py [ROOT]

A walk is a numbered list in engine/DESIGN.md below a heading "The walk of ...". Each line names
a file and a function in it: `engine/io/io.c` `hail_io_turn`. A function has to be defined in its
file, and the one before has to call it: by its name, or as the operation of a table that the line
names ("as `turn`"). From the worker to the handler there may be DEPTH calls.
"""

import os
import re
import sys

DEPTH = 12  # calls from the worker's loop to the application's handler
STEP = re.compile(r"^(\d+)\. `([a-z/_]+\.c)` `([a-z_0-9]+)`(?:, as `([a-z_]+)`)?")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def body_of(text, name):
    """The text of a function's definition; None: it is not there."""
    found = re.search(r"^[a-z][^;{}#]*?\b%s\([^;{}]*\)\n\{\n(.*?)^\}" % name, text, re.M | re.S)
    return found.group(1) if found else None


def walks(document):
    for title, section in re.findall(r"^### (The walk of [^\n]*)\n(.*?)(?=^##|\Z)", document,
                                     re.M | re.S):
        for part in re.split(r"\n(?=1\. )", section):
            steps = [found.groups() for found in map(STEP.match, part.split("\n")) if found]
            if steps:
                yield title, steps


def faults(root, title, steps):
    before, before_name = None, None
    for place, (number, path, name, operation) in enumerate(steps, 1):
        where = "%s, %s" % (title, number)
        if int(number) != place:
            yield "%s: it is number %d" % (where, place)
        try:
            body = body_of(read(root, path), name)
        except OSError:
            yield "%s: there is no %s" % (where, path)
            return
        if body is None:
            yield "%s: %s does not define %s" % (where, path, name)
            return
        if before is not None and not re.search(r"\b%s\b" % (operation or name), before):
            yield "%s: %s does not call %s" % (where, before_name, operation or name)
        before, before_name = body, name


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
        os.path.dirname(os.path.abspath(__file__)))
    if root == "--help":
        print(__doc__)
        return 0
    found = list(walks(read(root, "engine/DESIGN.md")))
    wrong = [fault for title, steps in found for fault in faults(root, title, steps)]
    for title, steps in found:
        inward = [step[2] for step in steps]
        if inward[0] == "turn_until_stopped" and len(inward) > DEPTH and \
                "hail_io_push" not in inward:
            wrong.append("%s: %d calls to the handler, %d are the most"
                         % (title, len(inward), DEPTH))
    if not found:
        wrong.append("engine/DESIGN.md has no walk")
    for fault in wrong:
        print(fault)
    print("%d walks, %d steps, %d wrong"
          % (len(found), sum(len(steps) for _, steps in found), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
