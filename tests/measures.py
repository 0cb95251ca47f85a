#!/usr/bin/env python3
# measures.py: how the tree of engine/ is built, in figures that should not get worse.
# SPDX-License-Identifier: MIT
"""usage: tests/measures.py [--check | --arrows] [--wings FILE] [ROOT]

Prints, for the sources of the engine in ROOT (by default this tree):
  - files that lie flat in engine/, beside the public API's own
  - files in include circles; a .c and its .h are one
  - includes that point upwards, of all includes between files of the engine
  - functions that take the whole shard
  - files of engine/delivery with a unit test that links nothing above them

--check       exits with 1 if a figure is worse than its aim
--arrows      prints the includes that point upwards or belong to a circle, as file:line: why
--wings FILE  a line "file wing" for each file of a tree that has no folders for them
"""

import os
import re
import sys

# Bottom first. A folder includes itself, those before it in its line or above, and hail.h.
WINGS = ["memory", "context", "packet", "delivery", "client", "shard", "native", "handshake",
         "mlapi", "profiles", "io", ""]
API = {"hail", "endpoint", "send", "args", "scene", "worker", "profiles"}
FUNCTION = re.compile(r"^[a-z][^;{}#/]*?\b([a-z_0-9]+)\(([^;{}]*)\)\n\{", re.M)


def sources(root):
    for folder, _, names in os.walk(os.path.join(root, "engine")):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    yield os.path.relpath(path, root), file.read()


def pair_of(path):
    return os.path.splitext(path)[0]


def circles(graph):
    """The sets of more than one pair that include each other (Tarjan, 1972)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                found.append(part)

    for node in list(graph):
        if node not in index:
            visit(node)
    return found


def wing_of(path, given):
    pair = pair_of(path)
    if pair in given:
        return given[pair]
    return os.path.dirname(pair)[len("engine/"):]


def measure(root, given):
    files = dict(sources(root))
    graph, arrows, upwards = {}, 0, []
    for path, text in files.items():
        mine = graph.setdefault(pair_of(path), set())
        for target in re.findall(r'^#include "(engine/[^"]+)\.h"', text, re.M):
            if target in (pair_of(path), "engine/hail"):
                continue
            arrows += 1
            mine.add(target)
            if WINGS.index(wing_of(target, given)) > WINGS.index(wing_of(path, given)):
                upwards.append("%s -> %s" % (path, target))
    in_circles = {pair for part in circles(graph) for pair in part}
    functions = [match for path, text in files.items() if path.endswith(".c")
                 for match in FUNCTION.findall(text)]
    whole = [name for name, taken in functions if re.search(r"struct hail_shard \*", taken)]
    flat = [path for path in files if os.path.dirname(path) == "engine" and
            os.path.basename(pair_of(path)) not in API]
    delivery = [os.path.basename(pair_of(path)) for path in files
                if path.endswith(".c") and wing_of(path, given) == "delivery"]
    tested = [name for name in delivery if has_test(root, name)]
    return {
        "flat": flat, "circle": [path for path in files if pair_of(path) in in_circles],
        "circle_lines": sum(text.count("\n") for path, text in files.items()
                            if pair_of(path) in in_circles),
        "upwards": upwards, "arrows": arrows, "whole": whole, "functions": functions,
        "delivery": delivery, "tested": tested,
    }


def arrows(root):
    """Each include that points upwards or belongs to a circle, as file:line: why."""
    files = dict(sources(root))
    graph = {}
    lines = []
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            match = re.match(r'#include "(engine/[^"]+)\.h"', line)
            if not match or match[1] in (pair_of(path), "engine/hail"):
                continue
            graph.setdefault(pair_of(path), set()).add(match[1])
            lines.append((path, number, match[1]))
    found = circles(graph)
    for path, number, target in lines:
        mine, other = wing_of(path, {}), wing_of(target, {})
        unknown = [wing for wing in (mine, other) if wing not in WINGS]
        if unknown:
            yield "%s:%d: engine/%s has no place among the wings" % (path, number, unknown[0])
        elif WINGS.index(other) > WINGS.index(mine):
            yield "%s:%d: engine/%s is above engine/%s, and is not included by it" \
                % (path, number, other, mine)
        if any(pair_of(path) in part and target in part for part in found):
            yield "%s:%d: this include is part of a circle" % (path, number)


def has_test(root, name):
    """Whether a test of that name links the delivery alone, or what is below it."""
    folder = os.path.join(root, "tests")
    for list_name in os.listdir(folder):
        if not list_name.endswith(".cmake"):
            continue
        with open(os.path.join(folder, list_name), encoding="utf-8") as file:
            if re.search(r"hail_test\(%s hail_(delivery|proto)\)" % name, file.read()):
                return os.path.exists(os.path.join(folder, "test_%s.c" % name))
    return False


def main():
    arguments = sys.argv[1:]
    if "--help" in arguments:
        print(__doc__)
        return 0
    if arguments[:1] == ["--arrows"]:
        lines = list(arrows(arguments[1] if len(arguments) > 1 else "."))
        for line in lines:
            print(line)
        return 1 if lines else 0
    check = "--check" in arguments
    arguments = [argument for argument in arguments if argument != "--check"]
    given = {}
    if arguments[:1] == ["--wings"]:
        with open(arguments[1], encoding="utf-8") as file:
            given = dict(line.split() for line in file)
        arguments = arguments[2:]
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = measure(arguments[0] if arguments else here, given)
    share = 100 * len(found["whole"]) / max(1, len(found["functions"]))
    rows = [
        ("files flat in engine/, beside the API's own", "%d" % len(found["flat"]), "0",
         not found["flat"]),
        ("engine files in include circles", "%d, of %d lines"
         % (len(found["circle"]), found["circle_lines"]), "0", not found["circle"]),
        ("includes upwards inside engine/", "%d of %d" % (len(found["upwards"]), found["arrows"]),
         "0", not found["upwards"]),
        ("engine functions that take the whole shard", "%d of %d, %.0f %%"
         % (len(found["whole"]), len(found["functions"]), share), "a third", share <= 100 / 3),
        ("delivery files with unit tests of their own", "%d of %d"
         % (len(found["tested"]), len(found["delivery"])), "all",
         len(found["tested"]) == len(found["delivery"])),
    ]
    print("%-45s %-20s %s" % ("measure", "here", "aim"))
    for what, here_is, aim, good in rows:
        print("%-45s %-20s %s%s" % (what, here_is, aim, "" if good else "   (not kept)"))
    for arrow in found["upwards"]:
        print("  upwards: " + arrow)
    for path in found["circle"]:
        print("  in a circle: " + path)
    for name in sorted(set(found["delivery"]) - set(found["tested"])):
        print("  no unit test: " + name)
    return 1 if check and not all(row[3] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
