# test_hail.py: the hail profile between processes: haild and hail-load over UDP, straight and
# through a relay that loses, changes and moves, and strangers that mean no good.
# SPDX-License-Identifier: MIT

import contextlib
import json
import os
import random
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from harness import (IO, PATIENCE, Haild, check, equal, ini, main, program, run, scenario)


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="hail-e2e-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


def settings(server=None, hail=None, **sections):
    return {"haild": {"game": "echo"},
            "server": {"profile": "hail", "address": "127.0.0.1", "port": 0, "shard_count": 1,
                       **(server or {})},
            "hail": {"exchange": "unsigned", "source_per_s": 1000000, **(hail or {})}, **sections}


def load(address, *arguments, want=0):
    """hail-load; returns what it told as JSON, and its stderr."""
    out, errors = run("hail-load", "--connect", "%s:%d" % address, "--profile", "hail", "--quiet",
                      "--warmup", "0", "--duration", "0.2", "--json", "-", *arguments, want=want)
    return json.loads(out), errors


def refused(address, *arguments, words):
    told, errors = load(address, *arguments, want=1)
    equal(told["joins"], None, "joins")
    for word in words:
        check(word in errors, "%r is not in: %s" % (word, errors))


def signed(made):
    """What hail-load is told of a server whose certificate is for localhost, by a CA of `made`."""
    return ["--sign", "--trust", os.path.join(made, "ca.pem"), "--server-name", "localhost"]


def all_came(told):
    check(told["complete"], told)
    for row in told["messages"]:
        check(row["messages"] > 0, row)


# ---- Joining


@scenario("each key exchange: messages of every protection, and every one accounted for")
def exchanges():
    with folder() as made:
        run("hail-cert", "dev", "--dir", made, "--name", "localhost")
        key_file = os.path.join(made, "static")
        with open(key_file, "w", encoding="utf-8") as file:
            file.write(os.urandom(32).hex() + "\n")
        identity = {"identity_file": os.path.join(made, "server.pfx.b64")}
        for exchange, server in (("unsigned", {}), ("signed", identity), ("pinned", {})):
            hail = {"exchange": exchange, "static_key_file": key_file}
            with Haild(settings(server, hail)) as haild:
                pin = re.search(r"static key ([0-9a-f]{64})", haild.errors())
                how = {"unsigned": [], "pinned": ["--pin", pin[1] if pin else ""],
                       "signed": signed(made)}[exchange]
                told, _ = load(haild.address, "--connections", "5", "--flags", "all", "--size",
                               "24,128,1100", *how)
                all_came(told)
                equal(len(told["messages"]), 9, "rows: encrypted is both")
                told, _ = load(haild.address, "--handshakes", "50", *how)
                equal(told["handshakes"]["count"], 50, "handshakes")
                # A server with a certificate takes those who know its key as well.
                if exchange == "signed":
                    all_came(load(haild.address, "--pin", pin[1])[0])
                counters = haild.wait_counters(conns_open=0)
                equal(counters["handshakes_done"], counters["requests"], "requests")


@scenario("tickets: clients come back without certificates, unless the server gives none")
def tickets():
    with folder() as made:
        run("hail-cert", "dev", "--dir", made, "--name", "localhost")
        key_file = os.path.join(made, "ticket.key")
        run("hail-cert", "ticket-key", key_file)
        equal(os.stat(key_file).st_mode & 0o777, 0o600, "nobody else reads it")
        run("hail-cert", "ticket-key", key_file, want=1)
        run("hail-cert", "ticket-key", key_file, "--force")
        server = {"identity_file": os.path.join(made, "server.pfx.b64")}
        how = [*signed(made), "--handshakes", "50", "--concurrent", "5", "--resume"]
        for hail, resumed in (({"ticket_key_file": key_file}, 45), ({}, 45),
                              ({"no_tickets": "true"}, 0)):
            with Haild(settings(server, {"exchange": "signed", **hail})) as haild:
                told, _ = load(haild.address, *how)
                equal(told["handshakes"]["count"], 50, "handshakes")
                equal(told["handshakes"]["resumed"], resumed, "resumed")
                counters = haild.wait_counters(conns_open=0)
                equal(counters["handshakes_resumed"], resumed, "counted")
                check((counters["tickets_issued"] >= 50) == (resumed > 0), counters)


@scenario("wrong certificates, each way: refused by the client, and it says why")
def wrong_certificates():
    with folder() as made:
        run("../tests/e2e_certificates", made)
        for name, word in (("right", None), ("expired", "expired"), ("early", "not_yet_valid"),
                           ("elsewhere", "wrong_name"), ("stranger", "unknown_issuer"),
                           ("client", "usage")):
            server = {"identity_file": os.path.join(made, name + ".pem")}
            with Haild(settings(server, {"exchange": "signed"})) as haild:
                if word:
                    refused(haild.address, *signed(made), words=["certificate", word])
                else:
                    all_came(load(haild.address, *signed(made))[0])
                    # Nor is it taken for the address, which it does not carry.
                    refused(haild.address, *signed(made)[:-2], words=["certificate", "wrong_name"])


@scenario("ends that are set up differently: refused, and the client says how")
def mismatches():
    with folder() as made:
        run("hail-cert", "dev", "--dir", made, "--name", "localhost")
        with Haild(settings()) as haild:
            refused(haild.address, *signed(made), words=["another key exchange"])
            refused(haild.address, "--pin", "42" * 32, words=["another key exchange"])
            equal(haild.wait_counters(conns_accepted=0)["dropped_pattern"] > 0, True, "counted")
        with Haild(settings(hail={"exchange": "pinned"})) as haild:
            refused(haild.address, "--pin", "42" * 32, words=["pinned static key"])
        with Haild(settings(floors={"trade": "both"})) as haild:
            refused(haild.address, words=["names, floors or channels"])
            ini = os.path.join(made, "floors.ini")
            with open(ini, "w", encoding="utf-8") as file:
                file.write("[server]\nprofile = hail\n[hail]\nexchange = unsigned\n"
                           "[floors]\ntrade = both\n")
            all_came(load(haild.address, "--config", ini)[0])
            all_came(load(haild.address, "--config", ini, "--name", "trade", "--flags", "both")[0])
            told, errors = load(haild.address, "--config", ini, "--name", "trade", "--flags",
                                "authenticated", want=1)
            check("did not come back" in errors, errors)
            check(haild.counters()["dropped_floor"] > 0, "below the floor")


DECLARED = {"channel state": {"kind": "unreliable", "age_max_ms": 100},
            "channel moves": {"kind": "sequenced", "priority": 2},
            "channel chat": {"kind": "reliable_ordered", "floor": "both", "weight": 3},
            "channel trade": {"kind": "unreliable", "floor": "authenticated"}}


@scenario("declared channels: both ends take them from one file, by name, each with its floor")
def channels():
    with folder() as made, Haild(settings(**DECLARED)) as haild:
        path = os.path.join(made, "channels.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(ini(settings(**DECLARED)))
        how = ["--config", path]
        refused(haild.address, words=["names, floors or channels"])
        for name, more in ((None, ["--flags", "all"]), ("moves", ["--flags", "authenticated"]),
                           ("chat", ["--size", "5000"])):
            all_came(load(haild.address, *how, *(["--channel", name] if name else []), *more)[0])
        told, errors = load(haild.address, *how, "--channel", "trade", "--flags", "plain", want=1)
        check("did not come back" in errors, errors)
        _, errors = run("hail-load", "--connect", "%s:%d" % haild.address, "--profile", "hail",
                        *how, "--channel", "gossip", want=2)
        check("--channel gossip: is neither the name nor the kind" in errors, errors)
        carried = haild.channels()
        equal(sorted(carried), ["chat", "moves", "state", "trade"], "channels in the counters")
        for name in carried:
            equal(carried[name]["in"] > 0 and carried[name]["out"] > 0, name != "trade", name)
            equal(carried[name]["below_floor"] > 0, name == "trade", name + " below its floor")


@scenario("nobody there: told at once, not after the handshake's time")
def nobody():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
    began = time.monotonic()
    refused(address, words=["Connection refused"])
    check(time.monotonic() - began < 5 * PATIENCE, "waited for nothing")


@scenario("io_uring refused by seccomp: epoll does it, and the log says why and how to allow it")
def seccomp():
    guard = program("../tests/without_io_uring")
    for io, profile in (("auto", "hail"), ("auto", "mlapi")):
        how = settings({"io": io, "profile": profile})
        if profile == "mlapi":
            del how["hail"]
        with Haild(how, before=[guard]) as haild:
            check("io=epoll: io_uring is refused (io_uring_setup: Operation not permitted)" in
                  haild.errors() and "seccomp" in haild.errors(), haild.errors())
            told, _ = (load(haild.address) if profile == "hail" else
                       (json.loads(run("hail-load", "--connect", "%s:%d" % haild.address,
                                       "--quiet", "--warmup", "0", "--duration", "0.2",
                                       "--json", "-")[0]), None))
            all_came(told)


def knows_localhost():
    """A root without /etc/hosts, as debootstrap makes it, does not."""
    try:
        socket.getaddrinfo("localhost", None)
        return True
    except OSError as error:
        print("left out: this machine does not know localhost: %s" % error)
        return False


@scenario("IPv4 and IPv6: each alone, and both on one socket; by address and by name")
def families():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        print("left out: this machine has no IPv6: %s" % error)
        return
    by_name = ["localhost"] if knows_localhost() else []
    for address, clients in (("127.0.0.1", ["127.0.0.1"]), ("::1", ["[::1]"]),
                             ("::", ["127.0.0.1", "[::1]", *by_name])):
        with Haild(settings({"address": address})) as haild:
            for client in clients:
                all_came(load((client, haild.address[1]), "--connections", "3")[0])


@scenario("--dump shows a session; a key log has its keys, only its owner may read it, and is loud")
def dump():
    with folder() as made:
        log, shown = os.path.join(made, "keys"), os.path.join(made, "session")
        with Haild(settings(hail={"key_log_file": log})) as haild:
            check("KEYS OF ALL SESSIONS ARE WRITTEN to " + log in haild.errors(), haild.errors())
            load(haild.address, "--rate", "50", "--size", "200", "--flags", "all", "--dump", shown)
        equal(os.stat(log).st_mode & 0o777, 0o600, "the key log's mode")
        with open(log, encoding="ascii") as file:
            keys = re.findall(r"(?m)^HAIL ([0-9a-f]{16}) [0-9a-f]{64}$", file.read())
        with open(shown, encoding="ascii") as file:
            lines = file.read()
        equal(len(keys), 1, "sessions in the key log")
        for pattern in (r"> hello 1200: version 1, pattern NN, .* token " + keys[0],
                        r"< welcome \d+: connection [0-9a-f]{8}, fragment 0 of 1",
                        r"> finish \d+: ", r"< packet \d+: encrypted, .*: .*approved",
                        r"> packet \d+: plain, .*: message \(200 bytes\)",
                        r"< packet \d+: authenticated, .*: message \(200 bytes\)",
                        r"> packet \d+: encrypted, .*: message \(200 bytes\)",
                        r"> packet \d+: encrypted, .*: close"):
            check(re.search(r"(?m)^\d+\.\d+ " + pattern, lines), pattern + " not in\n" + lines)
        check("malformed" not in lines and "forged" not in lines, lines)


# ---- A network in between

MOVES = int(os.environ.get("HAIL_MOVES", "150"))


class Relay:
    """Datagrams between clients and a server. `mangle(datagram, up)` gives what to pass on, as a
    list. Each client has a socket towards the server; `move()` gives all of them new ones."""

    def __init__(self, server, mangle=lambda datagram, up: [datagram]):
        self.server, self.mangle = server, mangle
        self.down = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.down.bind(("127.0.0.1", 0))
        self.address = self.down.getsockname()
        self.up = {}
        self.seen = []
        self.lock = threading.Lock()
        self.ending = False
        self.thread = threading.Thread(target=self.run)

    def open(self):
        up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        up.connect(self.server)
        return up

    def run(self):
        while not self.ending:
            with self.lock:
                for ups in self.up.values():
                    while len(ups) > 8:  # what was sent to older ones has long come
                        ups.pop(0).close()
                sources = {up: client for client, ups in self.up.items() for up in ups}
            readable, _, _ = select.select([self.down, *sources], [], [], 0.02)
            for end in readable:
                with contextlib.suppress(OSError):
                    self.pass_on(end, sources)

    def pass_on(self, end, sources):
        if end is not self.down:
            for datagram in self.mangle(end.recv(65536), False):
                self.down.sendto(datagram, sources[end])
            return
        datagram, client = self.down.recvfrom(65536)
        with self.lock:
            ups = self.up.setdefault(client, [])
            if not ups:
                ups.append(self.open())
            self.seen.append(datagram)
        for datagram in self.mangle(datagram, True):
            ups[-1].send(datagram)

    def move(self):
        with self.lock:
            for ups in self.up.values():
                ups.append(self.open())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join()
        for ups in self.up.values():
            for up in ups:
                up.close()
        self.down.close()


class Loading:
    """hail-load in the background."""

    def __init__(self, address, *arguments):
        self.process = subprocess.Popen(
            [program("hail-load"), "--connect", "%s:%d" % address, "--profile", "hail", "--quiet",
             "--warmup", "0", "--json", "-", *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def running(self):
        return self.process.poll() is None

    def finish(self, want=0):
        out, errors = self.process.communicate(timeout=60 * PATIENCE)
        equal(self.process.returncode, want, "hail-load's exit status\n" + out + errors)
        return json.loads(out), errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.running():
            self.process.kill()
            self.process.wait()


@scenario("a client whose port changes all the time stays connected, to its shard's state")
def moves():
    with Haild(settings({"shard_count": 2})) as haild, Relay(haild.address) as relay, Loading(
            relay.address, "--connections", "4", "--rate", "400", "--flags", "both",
            "--duration", str(MOVES * 0.04 * min(PATIENCE, 2))) as loading:
        haild.wait_counters(handshakes_done=4)
        count = 0
        while loading.running() and count < MOVES:
            relay.move()
            count += 1
            time.sleep(0.03)
        told, _ = loading.finish()
        counters = haild.counters()
        equal(counters["conns_accepted"], 4, "connections: nobody had to come again")
        equal(count, MOVES, "moves")
        check(counters["paths_changed"] >= 3 * MOVES, "changed: %(paths_changed)d" % counters)
        # The kernel steers by the connection's name, whatever port a datagram comes from.
        equal(counters["datagrams_passed"], 0, "datagrams at the wrong shard")
        row = told["messages"][0]
        check(row["lost"] <= row["messages"] // 50, "lost %(lost)d of %(messages)d" % row)


@scenario("a bad network: what is lost is told, what comes is right, and nothing comes twice")
def bad_network():
    dice = random.Random(7)

    def mangle(datagram, _):
        if dice.random() < 0.1:
            return []
        if dice.random() < 0.1:
            return [datagram, datagram]
        if dice.random() < 0.05:
            at = dice.randrange(len(datagram))
            return [datagram[:at] + bytes([datagram[at] ^ 1 << dice.randrange(8)]) +
                    datagram[at + 1:]]
        return [datagram]

    with Haild(settings()) as haild, Relay(haild.address, mangle) as relay:
        told, _ = load(relay.address, "--connections", "4", "--rate", "500", "--duration", "2",
                       "--flags", "both")
        row = told["messages"][0]
        check(told["complete"] and row["messages"] > 300 and row["lost"] > 50, row)
        counters = haild.counters()
        check(counters["dropped_replay"] > 0 and counters["dropped_forged"] > 0, counters)


@scenario("hail-load --simulate: a bad line inside, whose delay and losses show in the figures")
def simulated():
    line = "delay=20ms,jitter=1ms,loss=5%,duplicate=1%,reorder=1%:2ms,seed=7"
    with Haild(settings()) as haild:
        for channel in ("unreliable", "sequenced", "reliable", "ordered"):
            told, _ = load(haild.address, "--simulate", line, "--channel", channel, "--rate",
                           "1000", "--connections", "20", "--duration", str(0.5 * PATIENCE))
            all_came(told)
            equal(told["plan"]["simulation"]["text"], line, "what was simulated")
            equal(told["plan"]["simulation"]["loss_per_million"], 50000, "loss")
            row = told["messages"][0]
            check(row["p50_us"] >= 40000, "there and back in %(p50_us)d us" % row)
            if channel in ("unreliable", "sequenced"):
                check(row["lost"] > 0, "lost %(lost)d of %(messages)d" % row)
            else:
                equal(row["lost"], 0, "lost of what is reliable")
        told, _ = load(haild.address, "--simulate", "delay=20ms", "--handshakes", "20")
        check(told["handshakes"]["p50_us"] >= 80000, told["handshakes"])
        # While they play, not while they join.
        told, _ = load(haild.address, "--simulate", "delay=20ms,rebind=2s", "--channel", "reliable",
                       "--rate", "200", "--connections", "10", "--duration", "3")
        all_came(told)
        check(haild.counters()["paths_changed"] > 0, "ports that changed")


@scenario("what was captured and is sent again, from anywhere, changes nothing")
def replays():
    with Haild(settings()) as haild, Relay(haild.address) as relay:
        with Loading(relay.address, "--rate", "200", "--duration", "3", "--flags",
                     "both") as loading:
            haild.wait_counters(handshakes_done=1)
            before = haild.counters()["messages_in_both"]
            with relay.open() as stranger:
                while len(relay.seen) < 200:
                    check(loading.running(), "hail-load has ended: %r" % (relay.seen[:3],))
                    time.sleep(0.01)
                for datagram in relay.seen[:200] * 5:
                    stranger.send(datagram)
            told, _ = loading.finish()
            equal(told["messages"][0]["lost"], 0, "lost")
        counters = haild.counters()
        equal(counters["messages_in_both"] - before <= 600 and counters["paths_changed"], 0,
              "paths changed")
        check(counters["dropped_replay"] >= 900, counters)


# ---- Strangers


def captured_hello(haild):
    with Relay(haild.address, lambda datagram, up: []) as relay, Loading(
            relay.address, "--duration", "1"):
        end = time.monotonic() + 10 * PATIENCE
        while not relay.seen:
            check(time.monotonic() < end, "no hello came")
            time.sleep(0.01)
        return relay.seen[0]


def changed_token(hello, number):
    """The client's token lies behind type, version, pattern (WIRE.md, section 2.1)."""
    return hello[:TOKEN_AT] + number.to_bytes(8, "big") + hello[TOKEN_AT + 8:]


TOKEN_AT = 4


def stranger_at(host):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


@scenario("a flood of hellos from many addresses: those who play and those who join do not mind")
def flood():
    with Haild(settings(hail={"handshakes_per_s": 100, "source_per_s": 100})) as haild:
        hello = captured_hello(haild)
        before = haild.counters()
        with Loading(haild.address, "--rate", "500", "--duration", "3", "--flags",
                     "both") as loading:
            haild.wait_counters(conns_open=1)
            end = time.monotonic() + 2
            sent = 0
            socks = []
            for host in range(2, 52):
                socks.append(stranger_at("127.0.7.%d" % host))
            while time.monotonic() < end:  # some 20,000 a second: there may be two cores for all
                time.sleep(0.0025)
                for sock in socks:
                    with contextlib.suppress(OSError):
                        sock.sendto(changed_token(hello, sent), haild.address)
                        sent += 1
            load(haild.address, "--handshakes", "5")
            told, _ = loading.finish()
            for sock in socks:
                sock.close()
        row = told["messages"][0]
        counters = haild.counters()
        equal(row["lost"], 0, "lost of those who play, with %d hellos" % sent)
        check(counters["retries"] - before["retries"] > 100, "cookies: %r" % counters["retries"])
        check(counters["handshakes_open"] <= 4096, "handshakes under way")


def made_up_cookie(hello, number):
    return hello[:COOKIE_LEN_AT] + b"\x18" + number.to_bytes(24, "big") + hello[NOISE_AT:]


COOKIE_LEN_AT = 53
NOISE_AT = 78


def counted(haild, holds):
    """Waits until it holds for the counters, and returns them."""
    deadline = time.monotonic() + 10 * PATIENCE
    while not holds(counters := haild.counters()):
        check(time.monotonic() < deadline, counters)
        time.sleep(0.01)
    return counters


@scenario("a flood of made-up cookies: the kernel keeps it from the server, and true ones come in")
def made_up_cookies():
    with Haild(settings(hail={"cookies": "always"})) as haild:
        hello = captured_hello(haild)
        before = haild.counters()
        done = threading.Event()
        sent = [0]

        def flood_until_done():
            with stranger_at("127.0.7.2") as sock:
                while not done.wait(0.01):  # some 10,000 a second; 1,000 are let through
                    for _ in range(100):
                        with contextlib.suppress(OSError):
                            sock.sendto(made_up_cookie(hello, 1 << 176 | sent[0]), haild.address)
                            sent[0] += 1

        flooding = threading.Thread(target=flood_until_done)
        flooding.start()
        try:
            drops = counted(haild, lambda now: now["socket_drops"] > 2000)["socket_drops"]
            told, _ = load(haild.address, "--handshakes", "50")
            equal(told["handshakes"]["count"], 50, "handshakes")
        finally:
            done.set()
            flooding.join()
        counters = counted(haild, lambda now: now["dropped_cookie"] + now["socket_drops"] >=
                           sent[0])
        check(counters["socket_drops"] > drops, counters)
        check(counters["dropped_cookie"] < sent[0] / 2, "%r of %d" % (counters, sent[0]))
        equal(counters["handshakes_done"] - before["handshakes_done"], 50, "joined")
        equal(counters["cookies_admitted"], 1000, "of those with a word of the server's")
        load(haild.address, "--handshakes", "5")


@scenario("noise, and hellos cut short: counted, never answered, never fatal")
def noise():
    dice = random.Random(11)
    with Haild(settings()) as haild:
        hello = captured_hello(haild)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect(haild.address)
            stranger.setblocking(False)
            for number in range(2000):
                kind = number % 3
                datagram = (dice.randbytes(dice.randrange(1, 1300)) if kind == 0 else
                            hello[:dice.randrange(1, len(hello))] if kind == 1 else
                            bytes([dice.randrange(256)]) + hello[1:])
                with contextlib.suppress(OSError):
                    stranger.send(datagram)
                if number % 50 == 0:
                    time.sleep(0.002)
            all_came(load(haild.address)[0])
            answers = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    answers.append(stranger.recv(2048))
            # A whole hello with another first byte may be a hello still; nothing else is answered.
            check(len(answers) <= 2000 // 3 * 2 / 50, "%d answers" % len(answers))
        counters = haild.counters()
        check(sum(value for name, value in counters.items() if name.startswith("dropped_")) > 1000,
              counters)


@scenario("the server is told to stop: clients learn it, by name of the reason")
def going_down():
    with Haild(settings()) as haild, Loading(haild.address, "--idle", "3", "--duration",
                                             "60") as loading:
        haild.wait_counters(handshakes_done=3)
        haild.stop()
        _, errors = loading.finish(want=1)
        check("lost a connection" in errors, errors)


if __name__ == "__main__":
    check(IO in ("auto", "uring", "epoll"), IO)
    main()
