# harness.py: haild as a process, and running scenarios against it.
# SPDX-License-Identifier: MIT
#
# usage of a scenario file: test_x.py PROGRAMS [NAME...]   PROGRAMS is the folder that has haild in
# it; with names, only the scenarios whose name contains one of them run. HAIL_PATIENCE multiplies
# every time limit: sanitizers and loaded machines are slow. HAIL_IO is the backend that haild is
# told to use where a scenario does not say: auto, uring or epoll.

import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE = float(os.environ.get("HAIL_PATIENCE", "1"))
IO = os.environ.get("HAIL_IO", "auto")
FAULTS = ("ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
          "ERROR: LeakSanitizer", "assertion", "LeakSanitizer has encountered")

_scenarios = []
_programs = "."


def scenario(name):
    def register(function):
        _scenarios.append((name, function))
        return function

    return register


def use_programs(folder):
    """For what is no scenario file; main does it for those."""
    global _programs
    _programs = folder


def program(name):
    return os.path.join(_programs, name)


def check(condition, why):
    if not condition:
        raise AssertionError(why)


def equal(got, want, what):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, shorten(got), shorten(want)))


def shorten(value):
    text = repr(value)
    return value if len(text) <= 200 else text[:200] + "..."


def run(name, *arguments, timeout=60, want=0):
    """Runs a program to its end; returns what it wrote to stdout and stderr."""
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True,
                          timeout=timeout * PATIENCE, check=False, stdin=subprocess.DEVNULL)
    for fault in FAULTS:
        check(fault not in done.stderr, "%s: %s" % (name, done.stderr))
    if done.returncode != want:
        raise AssertionError("%s %s: exit status %d instead of %d\n%s%s" % (
            name, " ".join(arguments), done.returncode, want, done.stdout, done.stderr))
    return done.stdout, done.stderr


def ini(settings):
    """{section: {key: value}} as haild reads it."""
    lines = []
    for section, pairs in settings.items():
        lines.append("[%s]" % section)
        for key, value in pairs.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            lines.append("%s = %s" % (key, text))
    return "\n".join(lines) + "\n"


class Haild:
    """haild on a port of the kernel's choice. Leaving the block stops it, and holds it to exit
    status 0 without a word from a sanitizer."""

    def __init__(self, settings, before=()):
        self.folder = tempfile.mkdtemp(prefix="hail-e2e-")
        path = os.path.join(self.folder, "haild.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(ini({**settings, "server": {"io": IO, **settings["server"]}}))
        self.errors_path = os.path.join(self.folder, "stderr")
        with open(self.errors_path, "wb") as errors:
            self.process = subprocess.Popen([*before, program("haild"), "--config", path],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=errors)
        self.output = b""
        ready = self.wait_for(rb"haild: ready on (\S+):(\d+)\s", 20)
        self.address = (ready[1].decode().strip("[]"), int(ready[2]))

    def errors(self):
        with open(self.errors_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for(self, pattern, seconds):
        """Reads stdout until `pattern` is there; returns the match and keeps what follows it."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            match = re.search(pattern, self.output)
            if match:
                self.output = self.output[match.end() :]
                return match
            left = deadline - time.monotonic()
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            data = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not data:
                raise AssertionError("haild never said %r, but: %s\n%s" % (
                    pattern, self.output.decode(errors="replace"), self.errors()))
            self.output += data

    def counters(self):
        """The counters as of now, by SIGUSR1."""
        self.process.send_signal(signal.SIGUSR1)
        match = self.wait_for(COUNTERS, 10)
        return parse_counters(match[0])

    def channels(self):
        """What each channel that was used has carried, as of now, by its name."""
        self.process.send_signal(signal.SIGUSR1)
        text = self.wait_for(COUNTERS, 10)[0].decode()
        return {m[1]: {n[1]: int(n[2]) for n in re.finditer(r"(\w+) (\d+)(?![.\d])", m[2])}
                for m in re.finditer(r"(?m)^  channel\[(.+)\] (.*)$", text)}

    def wait_counters(self, **wanted):
        """Waits until counters have the values given; the server counts in a thread of its own,
        after the peer has seen what is counted. Returns all counters."""
        deadline = time.monotonic() + 10 * PATIENCE
        while True:
            counters = self.counters()
            got = {name: counters[name] for name in wanted}
            if got == wanted:
                return counters
            check(time.monotonic() < deadline, "counters: got %r, want %r" % (got, wanted))
            time.sleep(0.01)

    def stop(self):
        """SIGTERM; returns the last counters."""
        self.process.send_signal(signal.SIGTERM)
        try:
            rest = self.process.communicate(timeout=20 * PATIENCE)[0]
        finally:
            self.kill()
        equal(self.process.returncode, 0, "haild's exit status\n" + self.errors())
        for fault in FAULTS:
            check(fault not in self.errors(), self.errors())
        match = re.search(COUNTERS, self.output + rest)
        check(match, "no counters at the end")
        shutil.rmtree(self.folder)
        return parse_counters(match[0])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.kill()
            if os.path.exists(self.folder):
                print(self.errors()[-2000:])
                shutil.rmtree(self.folder)
        elif self.process.returncode is None:
            self.stop()


COUNTERS = rb"(?s)haild: counters\n.*?haild: end\n"


def parse_counters(text):
    return {m[1].decode(): int(m[2]) for m in re.finditer(rb"(?m)^\s+(\w+) +(\d+)$", text)}


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: %s PROGRAMS [NAME...]" % sys.argv[0])
    use_programs(sys.argv[1])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    failed, names = [], sys.argv[2:]
    chosen = [s for s in _scenarios if not names or any(n in s[0] for n in names)]
    print("%-64s %-5s %7s" % ("scenario", "ok", "seconds"), flush=True)
    for name, function in chosen:
        began, ok = time.monotonic(), "yes"
        try:
            function()
        except Exception:  # a scenario may fail in any way, and the next one still runs
            traceback.print_exc(file=sys.stdout)
            failed.append(name)
            ok = "NO"
        print("%-64s %-5s %7.2f" % (name, ok, time.monotonic() - began), flush=True)
    print("%d of %d scenarios passed" % (len(chosen) - len(failed), len(chosen)))
    for name in failed:
        print("failed: " + name)
    sys.exit(1 if failed or not chosen else 0)
