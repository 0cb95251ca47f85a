# test_tools.py: hail-cert, haild's configuration, hail-load against haild, and the example of
# README.md, as a user runs them.
# SPDX-License-Identifier: MIT

import base64
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

from harness import (FAULTS, PATIENCE, Haild, check, equal, ini, main, program, run, scenario)
from mlapi_client import BOTH, PLAIN, UNNAMED, Client


class Folder:
    """A temporary folder; leaving the block removes it."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="hail-e2e-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def __call__(self, name):
        return os.path.join(self.path, name)

    def write(self, name, content):
        with open(self(name), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return self(name)


def has(text, *words):
    for word in words:
        check(word in text, "%r is not in: %s" % (word, text))


# ---- Every tool


@scenario("--help: usage and an example on stdout, status 0")
def helps():
    for name in ("haild", "hail-load", "hail-cert"):
        out, errors = run(name, "--help")
        has(out, "usage: " + name, "example")
        equal(errors, "", name + "'s stderr")


@scenario("a wrong command line: one line that says what to do, status 2")
def wrong_command_lines():
    for name, *arguments in (
        ["haild", "--bogus"], ["haild", "too", "many"], ["haild", "--config"],
        ["hail-load", "--bogus"], ["hail-load", "--connect"],
        ["hail-load", "--connect", "127.0.0.1:1", "--flags", "some"],
        ["hail-load", "--connect", "127.0.0.1:1", "--connections", "-1"],
        ["hail-load", "--connect", "127.0.0.1:99999"],
        ["hail-load", "--connect", "127.0.0.1"],
        ["hail-load", "--connect", "127.0.0.1:1", "--handshakes", "1", "--concurrent", "257"],
        ["hail-cert"], ["hail-cert", "bake"], ["hail-cert", "dev", "--days", "0"],
        ["hail-cert", "dev", "--ca", "x"], ["hail-cert", "inspect"], ["hail-cert", "verify", "x"],
        ["hail-cert", "inspect", "a", "b"],
    ):
        out, errors = run(name, *arguments, want=2)
        equal(out, "", "%s %s: stdout" % (name, arguments))
        check(errors.startswith(name + ": "), "%s %s: %s" % (name, arguments, errors))
        equal(len(errors.splitlines()), 1, "%s %s: lines: %s" % (name, arguments, errors))


# ---- hail-cert


@scenario("hail-cert dev, inspect and verify agree with each other")
def certificates():
    with Folder() as folder:
        made = folder("made")
        run("hail-cert", "dev", "--dir", made, "--name", "play.example", "--name", "203.0.113.7",
            "--days", "30")
        equal(sorted(os.listdir(made)), ["ca.pem", "cert.pem", "key.pem", "server.pfx.b64"],
              "files")
        for name, mode in (("ca.pem", 0o644), ("key.pem", 0o600), ("server.pfx.b64", 0o600)):
            equal(stat.S_IMODE(os.stat(os.path.join(made, name)).st_mode), mode, name)
        for name in ("server.pfx.b64", "cert.pem", "ca.pem"):
            out, _ = run("hail-cert", "inspect", os.path.join(made, name))
            has(out, "CA" if name == "ca.pem" else "play.example")
        has(run("hail-cert", "inspect", os.path.join(made, "cert.pem"), "--key",
                os.path.join(made, "key.pem"))[0], "yes, a server can use it")

        def verify(name, host, *more, want=0):
            out, errors = run("hail-cert", "verify", os.path.join(made, name), "--ca",
                              os.path.join(made, "ca.pem"), "--host", host, *more, want=want)
            return out + errors

        for name in ("cert.pem", "server.pfx.b64"):
            verify(name, "play.example")
            verify(name, "203.0.113.7")
            has(verify(name, "other.example", want=1), "name", "play.example")
            has(verify(name, "play.example", "--at", str(int(time.time()) + 31 * 86400), want=1),
                "expired")
            has(verify(name, "play.example", "--at", str(int(time.time()) - 86400), want=1),
                "not_yet_valid")
        out, errors = run("hail-cert", "dev", "--dir", made, want=1)
        has(errors, "--force")
        run("hail-cert", "dev", "--dir", made, "--force", "--name", "play.example")


@scenario("hail-cert verify refuses each wrong certificate, and names what is wrong")
def wrong_certificates():
    with Folder() as folder:
        run("../tests/e2e_certificates", folder.path)
        for name, why in REFUSED:
            out, errors = run("hail-cert", "verify", folder(name), "--ca", folder("ca.pem"),
                              "--host", "localhost", want=1)
            has(errors, why)
        run("hail-cert", "verify", folder("right.pem"), "--ca", folder("ca.pem"), "--host",
            "localhost")


@scenario("hail-cert inspect says what is wrong with a file")
def wrong_files():
    with Folder() as folder:
        run("hail-cert", "dev", "--dir", folder.path)
        with open(folder("server.pfx.b64"), "rb") as file:
            pfx = file.read()
        for name, content in (("empty", b""), ("text", b"hello\n"), ("cut.b64", pfx[:-400]),
                              ("cut.der", base64.b64decode(pfx)[:-300]), ("zeros", bytes(3000))):
            _, errors = run("hail-cert", "inspect", folder.write(name, content), want=1)
            has(errors, "hail-cert: " + folder(name))
        _, errors = run("hail-cert", "inspect", folder("missing"), want=1)
        has(errors, folder("missing"), "No such file")


@scenario("hail-cert says what kinds of keys it does not use, and asks no more of them")
def refused_kinds():
    corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fuzz/corpus")
    shown = ("subject      CN=play.test", "names        play.test")
    with Folder() as folder:
        run("hail-cert", "dev", "--dir", folder.path)
        for kind, name in (("X25519", "x25519"), ("EC secp256k1", "ec-secp256k1"),
                           ("DH", "dh"), ("RSASSA-PSS", "rsassa-pss"), ("2.999.1", "2-999-1")):
            path = os.path.join(corpus, "certificate", name)
            out, errors = run("hail-cert", "inspect", path, want=1)
            has(out, *shown, "key          " + kind)
            has(errors, "key_kind", "is " + kind + ";")
            _, errors = run("hail-cert", "verify", path, "--ca", folder("ca.pem"), "--host",
                            "other.test", want=1)
            has(errors, "key_kind", "is " + kind + ";")
        # What signs other certificates is at home in a CA file, where no server's key is.
        path = os.path.join(corpus, "certificate", "ec-p-384")
        out, _ = run("hail-cert", "inspect", path)
        has(out, *shown, "key          EC P-384", "private key  not here")
        out, errors = run("hail-cert", "inspect", os.path.join(corpus, "inspect", "ec-p-384"),
                          want=1)
        has(out, "key          EC P-384", "private key  of a kind that is not used here")
        has(errors, "key_kind", "the private key is EC P-384,")


# ---- haild's configuration


def basic(**server):
    out = {"server": {"address": "127.0.0.1", "port": 0, "profile": "mlapi",
                      "accepts_per_s": 1000000},
           "haild": {"game": "echo"}}
    out["server"].update(server)
    return out


@scenario("haild --check-config: good files are good, bad ones are told by file, line and key")
def check_config():
    with Folder() as folder:
        good = folder.write("good.ini", ini(basic()))
        run("haild", "--check-config", "--config", good)
        example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/haild.ini")
        if os.path.exists(example):
            run("haild", "--check-config", "--config", example)
        for what, text in (
            ("unknown key", ini(basic(colour="red"))),
            ("unknown section", ini(basic()) + "[colours]\nred = 1\n"),
            ("not a number", ini(basic(conns_max="many"))),
            ("negative", ini(basic(conns_max="-1"))),
            ("number with a tail", ini(basic(conns_max="12x"))),
            ("too large", ini(basic(port="65536"))),
            ("not a boolean", ini(basic()) + "[mlapi]\nenable_encryption = perhaps\n"),
            ("unknown game", ini(basic()).replace("echo", "chess")),
            ("unknown profile", ini(basic(profile="quic"))),
            ("unknown floor", ini(basic()) + "[floors]\nchat = some\n"),
            ("no such identity file", ini(basic(identity_file="/nonexistent")) +
             "[mlapi]\nsign_key_exchange = true\n"),
            ("signing without an identity", ini(basic()) + "[mlapi]\nsign_key_exchange = true\n"),
            ("no key in front of =", ini(basic()) + "= 7\n"),
            ("a line that is nothing", ini(basic()) + "hello\n"),
        ):
            bad = folder.write("bad.ini", text)
            for arguments in (("--check-config", "--config", bad), ("--config", bad)):
                out, errors = run("haild", *arguments, want=1)
                check("haild: " in errors and "ready" not in out, "%s: %s%s" % (what, out, errors))
        _, errors = run("haild", "--config", folder("missing.ini"), want=1)
        has(errors, folder("missing.ini"))


def spoil(lines, dice):
    """A file with one to four of its lines lost, doubled, cut, or with other bytes in them."""
    lines = list(lines)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(lines))
        line = lines[at]
        cut = dice.randint(0, len(line))
        lines[at:at + 1] = dice.choice((
            [], [line, line], [line[:cut]], [line[:cut], line[cut:]], [" " + line],
            [line[:cut] + chr(dice.randint(1, 255)) * dice.choice((1, 300, 70000)) +
             line[cut:]],
            [dice.choice(lines)]))
        lines = lines or [""]
    return "\n".join(lines) + "\n"


@scenario("haild --check-config: 120 files with faults by chance are good, or refused with a word")
def spoilt_configs():
    seed = int(os.environ.get("HAIL_SEED", time.time_ns()))
    print("HAIL_SEED=%d" % seed)
    dice = random.Random(seed)
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/haild.ini")
    with open(example, encoding="utf-8") as file:
        lines = file.read().splitlines()
    with Folder() as folder:
        for _ in range(120):
            text = spoil(lines, dice)
            path = folder("spoilt.ini")
            with open(path, "w", encoding="latin-1", errors="replace") as file:
                file.write(text)
            done = subprocess.run([program("haild"), "--check-config", "--config", path],
                                  capture_output=True, timeout=60 * PATIENCE, check=False,
                                  stdin=subprocess.DEVNULL)
            errors = done.stderr.decode(errors="replace")
            check(done.returncode in (0, 1), "exit status %d:\n%s\n%s" %
                  (done.returncode, errors, text[:4000]))
            check(done.returncode == 0 or "haild: " in errors, "no word on:\n" + text[:4000])
            check(not any(fault in errors for fault in FAULTS), errors)


@scenario("haild says why it cannot start: the port is taken, the address is not here")
def cannot_start():
    with Folder() as folder, Haild(basic()) as server:
        for settings, words in ((basic(port=server.address[1]), (str(server.address[1]), "in use")),
                                (basic(address="203.0.113.7"), ("203.0.113.7",))):
            path = folder.write("haild.ini", ini(settings))
            out, errors = run("haild", "--config", path, want=1)
            has(errors, "haild: ", *words)


@scenario("haild --check-config: checks the address that the file names, while its port is in use")
def check_config_address():
    with Folder() as folder, Haild(basic()) as server:
        taken = folder.write("taken.ini", ini(basic(port=server.address[1])))
        run("haild", "--check-config", "--config", taken)
        foreign = folder.write("foreign.ini", ini(basic(address="203.0.113.7", port=7777)))
        _, errors = run("haild", "--check-config", "--config", foreign, want=1)
        has(errors, "203.0.113.7")


@scenario("haild --check-config: a certificate that no client would take is a fault")
def check_config_certificate():
    with Folder() as folder:
        run("../tests/e2e_certificates", folder.path)
        for name, server_name, why in (("expired.pem", None, "expired"), ("early.pem", None,
                                       "not_yet_valid"), ("right.pem", "other.example",
                                       "other.example"), ("right.pem", "localhost", None)):
            settings = basic(profile="hail", identity_file=folder(name))
            del settings["server"]["accepts_per_s"]
            settings["hail"] = {"server_name": server_name} if server_name else {}
            path = folder.write("haild.ini", ini(settings))
            _, errors = run("haild", "--check-config", "--config", path, want=1 if why else 0)
            if why:
                has(errors, why)


@scenario("hail-cert inspect and verify: an answer for each profile")
def profiles_of_certificates():
    with Folder() as folder:
        made = folder("made")
        run("hail-cert", "dev", "--dir", made, "--name", "play.example")
        out, _ = run("hail-cert", "inspect", os.path.join(made, "server.pfx.b64"))
        has(out, "profile hail: yes", "profile mlapi, signed key exchange: yes")
        out, _ = run("hail-cert", "verify", os.path.join(made, "cert.pem"), "--ca",
                     os.path.join(made, "ca.pem"), "--host", "127.0.0.1")
        has(out, "profile hail: no: wrong_name", "profile mlapi: a client")


@scenario("haild: files are looked for where the configuration lies")
def relative_paths():
    settings = basic(identity_file="sub/server.pfx.b64")
    settings["mlapi"] = {"sign_key_exchange": True}
    with Folder() as folder:
        path = folder.write("haild.ini", ini(settings))
        _, errors = run("haild", "--check-config", "--config", path, want=1)
        has(errors, folder("sub/server.pfx.b64"))
        run("hail-cert", "dev", "--dir", folder("sub"), "--name", "localhost")
        run("haild", "--check-config", "--config", path)


class Unread:
    """haild in a session of its own, with pipes that nobody reads until the end."""

    def __init__(self, folder, **streams):
        path = folder.write("haild.ini", ini(basic()))
        self.process = subprocess.Popen([program("haild"), "--config", path], bufsize=0,
                                        start_new_session=True, stdin=subprocess.DEVNULL, **streams)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def ends(self):
        self.signal(signal.SIGTERM)
        equal(self.process.wait(30 * PATIENCE), 0, "exit status after SIGTERM")


@scenario("haild: whoever reads it may stop, or go; it serves on, and ends when told")
def unread():
    with Folder() as folder, Unread(folder, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL) as haild:
        check(b"ready on" in haild.process.stdout.readline(), "it is up")
        for _ in range(60): # more than a pipe holds
            haild.signal(signal.SIGUSR1)
        haild.ends()
    with Folder() as folder, Unread(folder, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE) as haild:
        check(b"ready on" in haild.process.stdout.readline(), "it is up")
        haild.process.stdout.close()
        haild.process.stderr.close()
        haild.signal(signal.SIGUSR1)
        haild.ends()


@scenario("haild: SIGHUP without a terminal and SIGUSR2 are no end")
def signals():
    with Folder() as folder, Unread(folder, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE) as haild:
        check(b"ready on" in haild.process.stdout.readline(), "it is up")
        haild.signal(signal.SIGHUP)
        haild.signal(signal.SIGUSR2)
        haild.signal(signal.SIGUSR1)
        check(b"counters" in haild.process.stdout.readline(), "it lives")
        haild.ends()
        has(haild.process.stderr.read().decode(), "SIGHUP: the configuration is read at start")


# ---- hail-load against haild


def load(server, *more, want=0):
    return run("hail-load", "--connect", "%s:%d" % server.address, *more, want=want)


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Loading:
    """hail-load while it runs; finish() waits for its end and returns stdout, stderr and JSON."""

    def __init__(self, folder, address, *more):
        self.path = folder("loading.json")
        self.process = subprocess.Popen(
            [program("hail-load"), "--connect", "%s:%d" % address, "--quiet", "--json", self.path,
             *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)

    def finish(self, want):
        out, errors = self.process.communicate(timeout=60 * PATIENCE)
        equal(self.process.returncode, want, "hail-load's exit status\n" + out + errors)
        for fault in FAULTS:
            check(fault not in errors, errors)
        return out, errors, read_json(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class Wire:
    """Stands between clients and a server, and can end a connection on the server's side."""

    def __init__(self, server):
        self.server = server
        self.ups = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                down = self.listener.accept()[0]
            except OSError:
                return
            up = socket.create_connection(self.server)
            self.ups.append(up)
            for pair in ((down, up), (up, down)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass  # either end is gone, and so shall be the other
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for up in self.ups:
            # Closing alone would end nothing while a thread waits in recv.
            with contextlib.suppress(OSError):
                up.shutdown(socket.SHUT_RDWR)
            up.close()


def brief(*more):
    return ("--connections", "4", "--size", "100", "--warmup", "0", "--duration", "1", *more)


@scenario("hail-load: every protection, handshakes, and the figures as JSON")
def loads():
    with Folder() as folder, Haild(basic()) as server:
        path = folder("out.json")
        out, _ = load(server, *brief("--flags", "all", "--handshakes", "20", "--json", path,
                                     "--server-pid", str(server.process.pid)))
        has(out, "plain", "encrypted", "authenticated", "both", "joined 4 in ")
        check("INCOMPLETE" not in out, out)
        told = read_json(path)
        equal((told["complete"], told["fault"]), (True, None), "complete and fault")
        equal((told["joins"]["wanted"], told["joins"]["count"]), (4, 4), "joins")
        equal([row["flags"] for row in told["messages"] if row["complete"]],
              ["plain", "encrypted", "authenticated", "both"], "complete rows")
        # One of the two ways to read it, and the table says which.
        fine = told["server_cpu_step_us"] < 1000
        has(out, "from the process's own clock" if fine else "in ticks of ")
        check(all(row["server_us_per_message"] > 0 for row in told["messages"]), "no server CPU")
        counters = server.counters()
        for name in ("plain", "encrypted", "authenticated", "both"):
            check(counters["messages_in_" + name] > 0, "no message " + name)
        check(counters["handshakes_done"] >= 24, "handshakes: %d" % counters["handshakes_done"])
        equal(sum(v for k, v in counters.items() if k.startswith("dropped_")), 0, "drops")


def signed(identity):
    settings = basic(identity_file=identity)
    settings["mlapi"] = {"sign_key_exchange": True}
    return settings


REFUSED = (
    ("expired.pem", "expired"),
    ("early.pem", "not_yet_valid"),
    ("stranger.pem", "unknown_issuer"),
    ("elsewhere.pem", "wrong_name"),
    ("client.pem", "not for servers"),
)


@scenario("hail-load: joins with the right certificate, refuses each wrong one with its reason")
def wrong_servers():
    with Folder() as folder:
        run("../tests/e2e_certificates", folder.path)
        name = ("--sign", "--server-name", "localhost", "--flags", "both")
        trust = (*name, "--trust", folder("ca.pem"))
        with Haild(signed(folder("right.pem"))) as server:
            load(server, *brief(*trust))
            _, errors = load(server, *brief(*name), want=1)
            has(errors, "unknown_issuer")  # the system's store does not know our CA
        for file, why in REFUSED:
            with Haild(signed(folder(file))) as server:
                _, errors = load(server, *brief(*trust), want=1)
                has(errors, why)
                server.wait_counters(handshakes_done=0, conns_open=0)


@scenario("hail-load fails, and says why, where there is no server or another configuration")
def no_server():
    with Haild(basic()) as server:
        _, errors = load(server, *brief("--sign", "--flags", "both"), want=1)
        has(errors, "hail-load: ")
        address = server.address
    _, errors = run("hail-load", "--connect", "127.0.0.1:%d" % address[1], *brief(), want=1)
    has(errors, "hail-load: ", "refused")


@scenario("hail-load without the data that a server wants: told which option gives it")
def no_data():
    settings = basic(handshake_timeout_ms=500)
    settings["mlapi"] = {"connection_approval": True}
    with Haild(settings) as server:
        _, errors = load(server, *brief(), want=1)
        has(errors, "cannot join", "--data or --data-file")
        load(server, *brief("--data", "room"))


@scenario("hail-load --config: joins a server of scenes, prefabs and a version by its own file")
def joins_by_file():
    settings = basic()
    settings["mlapi"] = {"connection_approval": True, "scenes": "Lobby, Arena", "scene": "Lobby",
                         "prefab_hashes": "77, 5", "protocol_version": 9, "rpc_hash_size": 64}
    with Folder() as folder, Haild(settings) as server:
        path = folder.write("server.ini", ini(settings))
        load(server, *brief("--config", path, "--data", "", "--name", "chat"))
        _, errors = load(server, *brief("--data", ""), want=1)
        has(errors, "cannot join", "--config")


# What was lost after it joined was configured rightly.
def lost(errors):
    has(errors, "lost a connection to", "s after it joined", "log and counters")
    check("--sign" not in errors and "--no-encryption" not in errors, errors)


@scenario("hail-load, the server gone in mid run: what was measured, marked, and status 1")
def server_gone():
    with Folder() as folder, Haild(basic()) as server, Loading(
            folder, server.address, "--connections", "4", "--flags", "plain,both", "--warmup", "0",
            "--duration", "600", "--server-pid", str(server.process.pid)) as loading:
        wait_more(server, "messages_in_plain", 5000)
        server.stop()
        out, errors, told = loading.finish(want=1)
        lost(errors)
        has(out, "joined 4 in ", "plain", "incomplete", "INCOMPLETE")
        equal(told["complete"], False, "complete")
        has(told["fault"], "lost a connection to")
        equal([(row["flags"], row["complete"]) for row in told["messages"]], [("plain", False)],
              "rows")
        check(told["messages"][0]["messages"] > 0, "no messages")
        equal(told["joins"]["count"], 4, "joins")


def wait_more(server, name, least):
    deadline = time.monotonic() + 20 * PATIENCE
    while server.counters()[name] < least:
        check(time.monotonic() < deadline, "%s never came to %d" % (name, least))


@scenario("hail-load, the server gone in a storm: how many handshakes there were, and status 1")
def server_gone_in_storm():
    with Folder() as folder, Haild(basic()) as server, Loading(
            folder, server.address, "--handshakes", "10000000") as loading:
        wait_more(server, "handshakes_done", 20)
        server.stop()
        out, _, told = loading.finish(want=1)
        has(out, "handshakes: ", " of 10000000, incomplete", "INCOMPLETE")
        equal((told["complete"], told["handshakes"]["wanted"]), (False, 10000000), "storm")
        check(0 < told["handshakes"]["count"] < 10000000, "count: %r" % told["handshakes"])


@scenario("hail-load --idle: how many stayed to the end, all, some or none")
def idle():
    with Folder() as folder, Haild(basic()) as server:
        with Loading(folder, server.address, "--idle", "4", "--duration", "0.2") as loading:
            out, _, told = loading.finish(want=0)
            has(out, "idle: 4 of 4 connections stayed")
            equal((told["complete"], told["idle"]["stayed"]), (True, 4), "all stayed")
        done = server.wait_counters(conns_open=0)["handshakes_done"]
        with Wire(server.address) as wire, Loading(
                folder, wire.address, "--idle", "4", "--duration", "3") as loading:
            server.wait_counters(handshakes_done=done + 4)
            wire.ups[0].shutdown(socket.SHUT_WR)
            out, errors, told = loading.finish(want=1)
            lost(errors)
            has(out, "joins: 4 in ", "idle: 3 of 4 connections stayed", "INCOMPLETE")
            equal((told["complete"], told["idle"]["stayed"]), (False, 3), "some stayed")
        done = server.wait_counters(conns_open=0)["handshakes_done"]
        with Loading(folder, server.address, "--idle", "4", "--duration", "600") as loading:
            server.wait_counters(handshakes_done=done + 4)
            server.stop()
            out, errors, told = loading.finish(want=1)
            lost(errors)
            has(out, "idle: 0 of 4 connections stayed")
            equal((told["complete"], told["idle"]["stayed"]), (False, 0), "none stayed")


# ---- The library


@scenario("README.md's example: echoes what is protected, drops what is not, ends when told")
def example():
    with subprocess.Popen([program("../tests/readme_example"), "0"], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as server:
        try:
            said = re.search(r"port (\d+)", server.stderr.readline())
            check(said, "it did not say its port")
            with Client(("127.0.0.1", int(said[1]))).join() as client:
                client.send(PLAIN, UNNAMED, b"for all to see")
                client.send(BOTH, UNNAMED, b"for you")
                equal(client.receive(10 * PATIENCE), (UNNAMED, BOTH, b"for you"), "echo")
            _, errors = server.communicate("\n", timeout=20 * PATIENCE)
        finally:
            server.kill()
        equal((server.returncode, errors), (0, ""), "its end")


if __name__ == "__main__":
    main()
