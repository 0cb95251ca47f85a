#!/usr/bin/env python3
# count.py: what the tests of a tree hold, so that two trees can be compared.
# SPDX-License-Identifier: MIT
"""usage: tests/count.py [--files] [ROOT [OTHER]]

Prints, for the tree at ROOT (by default this one):
  - ctest    tests that the build files of tests/ name, fuzz corpora among them; a build may leave
             some of them out, as those with sanitizers do
  - tests    START_TESTs of Check
  - rows     rows of tables that begin with their reason
  - asserts  ck_assert* and ck_abort* of Check, sim_fail and audit_fail of the simulator,
             fuzz_holds of the fuzz targets, check, expect and assert of the Python tests,
             HAIL_ASSERT and abort

With OTHER, the same for both, and the names of tests that only one of them has.

--files  a row for each file as well; with OTHER, for each file whose figures differ
"""

import os
import re
import sys

REGISTERED = re.compile(
    r"^\s*(?:add_test\(NAME\s+|hail_(?:test|endpoint_test|script_test|fuzz)\()([^\s)]+)", re.M)
LOOP = re.compile(r"^foreach\((\w+)((?: [^\s)]+)+)\)$(.*?)^endforeach", re.M | re.S)
STARTED = re.compile(r"^START_TEST\((\w+)\)", re.M)
ROW = re.compile(r"^\s+[{(]\"", re.M)
ASSERTED = re.compile(
    r"\b(?:ck_assert\w*|ck_abort\w*|sim_fail|audit_fail|fuzz_holds|HAIL_ASSERT|abort)\(")
CHECKED = re.compile(r"(?<!def )\b(?:check|expect)\(|^\s*assert\b", re.M)
COLUMNS = ("tests", "rows", "asserts")


def registered(text):
    """Names of tests in a build file: a loop names one for each of its words."""
    def unroll(loop):
        return "".join(loop[3].replace("${" + loop[1] + "}", word) for word in loop[2].split())
    names = REGISTERED.findall(LOOP.sub(unroll, text))
    return {name for name in names if "$" not in name}


def count(root):
    names, files = set(), {}
    for folder, _, found in os.walk(os.path.join(root, "tests")):
        for name in sorted(found):
            path = os.path.join(folder, name)
            is_python = name.endswith(".py")
            if is_python and folder == os.path.join(root, "tests"):
                continue  # measures the tree, and tests nothing
            if not is_python and not name.endswith((".c", ".h", ".cmake", "CMakeLists.txt")):
                continue
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if name.endswith((".cmake", ".txt")):
                names |= registered(text)
                continue
            started = STARTED.findall(text)
            asserted = (CHECKED if is_python else ASSERTED).findall(text)
            figures = (len(started), len(ROW.findall(text)), len(asserted))
            if any(figures):
                files[os.path.relpath(path, root)] = figures
    return names, files


def line(label, figures):
    print(f"{label:40}" + "".join(f"{figure:>9}" for figure in figures))


def total(files):
    return [sum(column) for column in zip(*files.values())]


def main(words):
    wants_files = "--files" in words
    roots = [word for word in words if word != "--files"]
    if any(word.startswith("-") for word in roots) or len(roots) > 2:
        sys.exit(__doc__)
    roots = roots or [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    trees = [count(root) for root in roots]
    for root, (names, files) in zip(roots, trees):
        if not files:
            sys.exit(f"count.py: no tests below {root}")
        line(root, ("ctest",) + COLUMNS)
        if wants_files and len(trees) == 1:
            for path, figures in sorted(files.items()):
                line(path, ("",) + figures)
        line("all", [len(names)] + total(files))
    if len(trees) == 2:
        (before, old), (after, new) = trees
        print("only in the first:", ", ".join(sorted(before - after)) or "none")
        print("only in the second:", ", ".join(sorted(after - before)) or "none")
        for path in sorted(set(old) | set(new)) if wants_files else ():
            was, now = old.get(path, (0, 0, 0)), new.get(path, (0, 0, 0))
            if was != now:
                line(path, ("",) + tuple(f"{a}>{b}" if a != b else b for a, b in zip(was, now)))


main(sys.argv[1:])
