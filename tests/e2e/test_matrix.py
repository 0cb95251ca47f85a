# test_matrix.py: hail-load matrix with servers of its own, its files and its page, and hail-load
# compare.
# SPDX-License-Identifier: MIT
#
# usage: test_matrix.py PROGRAMS [NAME...]

import html.parser
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import xml.dom.minidom

from harness import FAULTS, PATIENCE, check, equal, main, program, run, scenario

TINY = ("--connections", "4", "--sizes", "64", "--repeats", "2", "--duration", "0.1", "--warmup",
        "0", "--bursts", "2", "--rate", "500", "--handshakes", "8", "--concurrent", "4",
        "--quiet")


class Outside(html.parser.HTMLParser):
    """What of a page would have to be fetched, and the texts of its pictures."""

    def __init__(self):
        super().__init__()
        self.fetched = []
        self.pictures = 0

    def handle_starttag(self, tag, attrs):
        self.pictures += tag == "svg"
        self.fetched += [value for name, value in attrs
                         if name in ("src", "href", "data", "action") or
                         (name == "style" and "url" in value)]
        if tag in ("script", "link", "iframe", "img"):
            self.fetched.append(tag)


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


@scenario("matrix: every kind of row, in a table, as JSON and as a page that stands alone")
def whole():
    with tempfile.TemporaryDirectory() as folder:
        found = os.path.join(folder, "found.json")
        page = os.path.join(folder, "found.html")
        out, _ = run("hail-load", "matrix", *TINY, "--json", found, "--html", page)
        check("INCOMPLETE" not in out, out)
        told = read_json(found)
        equal(told["complete"], True, "complete")
        for key in ("cpu", "cpu flags", "kernel", "hail", "libraries", "time", "command",
                    "pinning"):
            check(told["about"].get(key), "about has no " + key)
        rows = told["rows"]
        # Where io_uring is refused its rows are left out; epoll is everywhere.
        for row in (("closed", "hail", "both"), ("closed", "mlapi", "encrypted"),
                    ("open", "hail", "authenticated"), ("open", "mlapi", "plain"),
                    ("handshakes", "hail", "signed"), ("handshakes", "mlapi", "unsigned")):
            alike = [found for found in rows
                     if (found["kind"], found["who"], found["flags"], found["io"]) ==
                     (*row, "epoll")]
            check(alike, "no row %s" % (row,))
            for found_row in alike:
                for figure in ("per_second", "server_us", "p50_us", "p99_us"):
                    values = found_row[figure]["values"]
                    equal(len(values), 2, "%s of %s" % (figure, row))
                    check(min(values) >= 0 and found_row["per_second"]["low"] > 0, str(found_row))
        split = [row for row in rows if "spent_cpu_us" in row]
        check(split, "nothing was split")
        for row in split:
            parts = sum(row["spent_%s_us" % part]["median"]
                        for part in ("system", "copy", "crypto", "protocol"))
            check(0.7 < parts / row["spent_cpu_us"]["median"] < 1.3, "parts of %s" % row)
            check(row["flags"] == "plain" or row["spent_crypto_us"]["median"] > 0.01,
                  "cryptography of %s" % row)
        xml.dom.minidom.parse(page)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        outside = Outside()
        outside.feed(text)
        equal(outside.fetched, [], "what the page fetches")
        check(outside.pictures >= 3, "%d pictures" % outside.pictures)

        out, _ = run("hail-load", "compare", "--p", "0", found, found)
        check("0 better, 0 worse; 0 moved" in out, out)


@scenario("compare: exit status 1 for what became worse, 2 for what is no file of a matrix")
def compares():
    with tempfile.TemporaryDirectory() as folder:
        before, after = os.path.join(folder, "a.json"), os.path.join(folder, "b.json")
        run("hail-load", "matrix", *TINY, "--repeats", "4", "--only", "closed", "--profiles",
            "hail", "--io", "epoll", "--flags", "plain", "--json", before)
        told = read_json(before)
        cost = told["rows"][0]["server_us"]
        cost["values"] = [100 * value for value in cost["values"]]
        with open(after, "w", encoding="utf-8") as file:
            json.dump(told, file)
        out, _ = run("hail-load", "compare", "--p", "0.05", before, after, want=1)
        check("WORSE" in out and "0 better, 1 worse" in out, out)
        out, _ = run("hail-load", "compare", "--p", "0.05", after, before)
        check("1 better, 0 worse" in out, out)
        _, errors = run("hail-load", "compare", before, "/dev/null", want=2)
        check("/dev/null: line " in errors, errors)


@scenario("matrix: interrupted, it keeps what it has, says so, and leaves no server behind")
def interrupted():
    with tempfile.TemporaryDirectory() as folder:
        found = os.path.join(folder, "found.json")
        process = subprocess.Popen(
            [program("hail-load"), "matrix", *TINY, "--repeats", "32", "--only", "closed", "--json",
             found], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": folder})
        until = time.monotonic() + 20 * PATIENCE
        children = "/proc/%d/task/%d/children" % (process.pid, process.pid)
        servers = []
        while len(servers) < 2 and time.monotonic() < until:
            time.sleep(0.05)
            with open(children, encoding="ascii") as file:
                servers = file.read().split()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60 * PATIENCE)
        for fault in FAULTS:
            check(fault not in errors, errors)
        equal(process.returncode, 1, "exit status\n" + out + errors)
        check("INCOMPLETE: interrupted" in out, out)
        told = read_json(found)
        equal((told["complete"], told["fault"]), (False, "interrupted"), "complete and fault")
        check(servers and not any(os.path.exists("/proc/" + server) for server in servers),
              "servers are still there")
        equal(os.listdir(folder), ["found.json"], "what is left in the folder")


@scenario("matrix: the baseline as a peer, ratios to it, and a peer that fails")
def peers():
    with tempfile.TemporaryDirectory() as folder:
        found = os.path.join(folder, "found.json")
        line = ("matrix", *TINY, "--only", "closed", "--profiles", "hail", "--io", "epoll",
                "--flags", "plain", "--json", found)
        out, _ = run("hail-load", *line, "--peers", os.path.join(program("."), "..", "bench"))
        baselines = [row for row in read_json(found)["rows"] if row["who"] == "baseline"]
        equal([(row["io"], row["size"], row["burst"]) for row in baselines], [("epoll", 64, 2)],
              "rows of the baseline")
        check("system calls" in read_json(found)["about"]["baseline"], "about")
        # Behind the cost and its bounds: no ratio to plain, which it is, and one to the baseline.
        check(re.search(r"^hail +epoll .*?\) +- +[0-9.]+ ", out, re.MULTILINE), out)
        fake = os.path.join(folder, "baseline")
        for text, want in (("#!/bin/sh\nexit 3\n", "baseline did not come to its end"),
                           ("#!/bin/sh\necho yes\n", "does not answer as")):
            with open(fake, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(fake, 0o755)
            out, errors = run("hail-load", *line, "--peers", folder, want=1)
            check(want in errors and "INCOMPLETE" in out, errors + out)


@scenario("matrix: what cannot be written is told before anything is measured")
def unwritable():
    _, errors = run("hail-load", "matrix", "--json", "/nonexistent/x.json", want=1)
    check("/nonexistent/x.json: No such file" in errors, errors)


main()
