# test_mlapi.py: what a stock MLAPI 12 client, and one that means harm, gets from haild.
# SPDX-License-Identifier: MIT

import contextlib
import functools
import os
import random
import socket
import struct
import tempfile
import time

import mlapi_client as mlapi
from harness import PATIENCE, Haild, check, equal, main, run, scenario
from mlapi_client import (AUTHENTICATED, BOTH, CONNECTION_REQUEST, ENCRYPTED, HAIL_RESPONSE, NAMED,
                          PLAIN, UNNAMED, Client, Config, byte_array, varint)

FLAGS = (PLAIN, ENCRYPTED, AUTHENTICATED, BOTH)
FLAG_NAMES = ("plain", "encrypted", "authenticated", "both")


@functools.cache
def certificate():
    """A certificate for localhost; made once."""
    folder = tempfile.mkdtemp(prefix="hail-e2e-cert-")
    run("hail-cert", "dev", "--dir", folder, "--name", "localhost")
    return os.path.join(folder, "server.pfx.b64")


def settings(game="echo", signed=False, floors=None, mlapi_keys=None, **server):
    """A configuration for haild: the mlapi profile on loopback."""
    out = {
        "haild": {"game": game},
        "server": {"address": "127.0.0.1", "port": 0, "profile": "mlapi", "shard_count": 1,
                   "accepts_per_s": 1000000},  # every client here has one address
        "mlapi": {"sign_key_exchange": signed},
    }
    if signed:
        out["server"]["identity_file"] = certificate()
    out["server"].update(server)
    out["mlapi"].update(mlapi_keys or {})
    if floors:
        out["floors"] = floors
    return out


def echo(client, flags, kind=UNNAMED, body=b"are you there?"):
    client.send(flags, kind, body)
    equal(client.receive(10 * PATIENCE), (kind, flags, body), "echo with flags %d" % flags)


# ---- What works


def join(signed, scene_management, data):
    keys = {"enable_scene_management": scene_management, "connection_approval": data is not None}
    config = Config(signed=signed, scene_management=scene_management, approval=data is not None)
    with Haild(settings(signed=signed, mlapi_keys=keys)) as server:
        with Client(server.address, config, data or b"").join() as client:
            for flags in FLAGS:
                echo(client, flags)
            counters = server.counters()
            equal(counters["handshakes_done"], 1, "handshakes")
            equal(counters["conns_open"], 1, "open connections")


for _signed in (False, True):
    for _scenes in (True, False):
        for _data in (None, b"", b"token-123", b"x" * 1024):
            scenario("join: %s, scene management %s, %s" % (
                "signed" if _signed else "unsigned", "on" if _scenes else "off",
                "no approval" if _data is None else "%d bytes of connection data" % len(_data),
            ))(functools.partial(join, _signed, _scenes, _data))


@scenario("join: scenes, prefabs, version and hash size in the configuration")
def join_configured():
    keys = {"protocol_version": 300, "scenes": "lobby, arena", "prefab_hashes": "77, 5",
            "rpc_hash_size": 64, "use_prefab_sync": True, "scene": "lobby"}
    config = Config(protocol_version=300, scenes=["lobby", "arena"], prefabs=[77, 5],
                    rpc_hash_size=2, prefab_sync=True)
    with Haild(settings(mlapi_keys=keys)) as server:
        with Client(server.address, config).join() as client:
            equal(client.scene, 1, "the scene that the server is in")
            echo(client, BOTH, NAMED, varint(mlapi.name_hash("chat", 2)) + b"hello")


@scenario("echo: bodies of 0 to 60,000 bytes in every protection")
def bodies():
    with Haild(settings()) as server, Client(server.address).join() as client:
        for size in (0, 1, 15, 16, 17, 1000, 60000):
            for flags in FLAGS:
                echo(client, flags, UNNAMED, os.urandom(size))


@scenario("echo: 64 messages under way at once come back in order")
def in_order():
    with Haild(settings()) as server, Client(server.address).join() as client:
        sent = [(UNNAMED, FLAGS[n % 4], b"%d" % n) for n in range(64)]
        for kind, flags, body in sent:
            client.send(flags, kind, body)
        for message in sent:
            equal(client.receive(), message, "echo")


@scenario("named messages come back under their name")
def named():
    with Haild(settings()) as server, Client(server.address).join() as client:
        for name in ("ChatMessage", "x", "été", "a name with spaces"):
            for flags in FLAGS:
                for body in (b"", b"hello", os.urandom(300)):
                    echo(client, flags, NAMED, varint(mlapi.name_hash(name)) + body)


@scenario("RPCs: 14 comes back as 17, a request is answered with its arguments")
def rpcs():
    with Haild(settings()) as server, Client(server.address).join() as client:
        for flags in FLAGS:
            for network_id, behaviour, arguments in ((0, 0, b""), (300, 1, b"\x0e\xfb\0\0\x80\x3f"),
                                                     (2**32, 40000, os.urandom(700))):
                body = mlapi.rpc_body(network_id, behaviour, mlapi.name_hash("Move"), arguments)
                client.send(flags, mlapi.SERVER_RPC, body)
                equal(client.receive(), (mlapi.CLIENT_RPC, flags, body), "call")
                call_id = 2**40 + network_id
                client.send(flags, mlapi.SERVER_RPC_REQUEST, mlapi.rpc_body(
                    network_id, behaviour, mlapi.name_hash("Sum"), arguments, call_id))
                equal(client.receive(), (mlapi.SERVER_RPC_RESPONSE, flags,
                                         varint(call_id) + arguments), "response")


@scenario("one byte per TCP segment")
def dribble():
    with Haild(settings(signed=True)) as server:
        with Client(server.address, Config(signed=True), dribble=True).join() as client:
            for flags in FLAGS:
                for size in (0, 1, 17, 200):
                    echo(client, flags, UNNAMED, os.urandom(size))


@scenario("a whole join and four messages in one segment")
def one_segment():
    with Haild(settings()) as server, Client(server.address) as client:
        out = mlapi.frame(client.read_hail()) + mlapi.frame(client.request())
        for flags in FLAGS:
            out += mlapi.frame(mlapi.wrap(client.key, flags, UNNAMED, b"early"))
        client.wire.send_raw(out)
        client.read_greetings()
        client.read_approved()
        for flags in FLAGS:
            equal(client.receive(), (UNNAMED, flags, b"early"), "echo")


@scenario("messages torn at every byte")
def torn():
    with Haild(settings()) as server, Client(server.address).join() as client:
        whole = mlapi.frame(mlapi.wrap(client.key, BOTH, UNNAMED, b"torn"))
        for at in range(1, len(whole)):
            client.wire.send_raw(whole[:at])
            client.wire.send_raw(whole[at:])
        for at in range(1, len(whole)):
            equal(client.receive(), (UNNAMED, BOTH, b"torn"), "torn at %d" % at)


@scenario("50 reconnects")
def reconnect():
    with Haild(settings()) as server:
        for _ in range(50):
            with Client(server.address).join() as client:
                echo(client, BOTH)
        server.wait_counters(closed_by_peer=50, handshakes_done=50, conns_open=0)


@scenario("20 clients at once, each with its own key")
def many():
    with Haild(settings(shard_count=2)) as server:
        clients = [Client(server.address).join() for _ in range(20)]
        equal(len({c.client_id for c in clients}), 20, "client ids")
        equal(len({c.key for c in clients}), 20, "keys")
        check(all(c.client_id != 0 for c in clients), "0 is the server")
        for client in clients:
            client.send(BOTH, UNNAMED, b"%d" % client.client_id)
        for client in clients:
            equal(client.receive(), (UNNAMED, BOTH, b"%d" % client.client_id), "echo")
            client.close()


@scenario("encryption off: joins in the clear, protected messages are dropped")
def no_encryption():
    with Haild(settings(mlapi_keys={"enable_encryption": False})) as server:
        with Client(server.address, Config(encryption=False)).join() as client:
            client.key = bytes(32)
            for flags in (ENCRYPTED, AUTHENTICATED, BOTH):
                client.send(flags, UNNAMED, b"secret")
            for body in (b"", b"x", os.urandom(60000)):
                echo(client, PLAIN, UNNAMED, body)
            equal(server.counters()["dropped_no_key"], 3, "dropped without a key")


@scenario("relay: to everyone else in the room, with the sender's protection")
def relay():
    with Haild(settings("relay", mlapi_keys={"connection_approval": True})) as server:
        def enter(room):
            return Client(server.address, Config(approval=True), room).join()

        with enter(b"red") as a, enter(b"red") as b, enter(b"red") as c, enter(b"blue") as d:
            for flags in FLAGS:
                a.send(flags, UNNAMED, b"hello, red")
                for other in (b, c):
                    equal(other.receive(), (UNNAMED, flags, b"hello, red"), "relayed")
            body = varint(mlapi.name_hash("chat")) + b"named"
            b.send(AUTHENTICATED, NAMED, body)
            for other in (a, c):  # and a hears nothing of its own before it
                equal(other.receive(), (NAMED, AUTHENTICATED, body), "relayed by name")
            with enter(b"blue") as e:
                d.send(BOTH, UNNAMED, b"hello, blue")  # and d heard nothing of red before
                equal(e.receive(), (UNNAMED, BOTH, b"hello, blue"), "relayed")
                e.send(PLAIN, UNNAMED, b"and you")
                equal(d.receive(), (UNNAMED, PLAIN, b"and you"), "relayed")


@scenario("relay: an event queue that is always full: nothing is lost and nobody is forgotten")
def relay_behind():
    # Room for a dozen events: the sender is paused and resumed over and over.
    config = settings("relay", message_max=1000, event_queue_bytes=8192)
    with Haild(config) as server:
        with Client(server.address).join() as a, Client(server.address).join() as b:
            number = 0
            for _ in range(50):
                out = b""
                for n in range(number, number + 200):
                    body = struct.pack("<I", n) + bytes(n % 300)
                    out += mlapi.frame(mlapi.wrap(a.key, PLAIN, UNNAMED, body))
                a.wire.send_raw(out)
                for n in range(number, number + 200):
                    body = struct.pack("<I", n) + bytes(n % 300)
                    equal(b.receive(10 * PATIENCE), (UNNAMED, PLAIN, body), "relayed")
                number += 200
        check(server.counters()["events_held"] > 0, "the queue was never full")


@scenario("relay: messages that are dropped do not fill the event queue for good")
def relay_dropped():
    config = settings("relay", message_max=1000, event_queue_bytes=8192)
    with Haild(config) as server:
        with Client(server.address).join() as a, Client(server.address).join() as b:
            forged = mlapi.frame(b"\2" + bytes(900))
            a.wire.send_raw(forged * 1000)
            a.send(BOTH, UNNAMED, b"after them")
            equal(b.receive(10 * PATIENCE), (UNNAMED, BOTH, b"after them"), "relayed")
        equal(server.counters()["dropped_forged"], 1000, "dropped")


# ---- What is refused


def tampered(client):
    """Messages that no key holder sent, or no MLAPI client would: (what, counter, wire)."""
    key, body = client.key, b"A" * 47
    for flags in (ENCRYPTED, AUTHENTICATED, BOTH):
        name = FLAG_NAMES[flags]
        wire = mlapi.wrap(key, flags, UNNAMED, body)

        def flip(at, bit=1, wire=wire):
            return wire[:at] + bytes([wire[at] ^ bit]) + wire[at + 1 :]

        if flags & AUTHENTICATED:
            for bit in (1 << n for n in range(1, 8)):
                if bit != 2:
                    yield name + ": header bit", flip(0, bit)
            for at in range(1, len(wire)):
                yield name + ": byte %d" % at, flip(at, 1 << at % 8)
            for cut in range(1, len(wire)):
                yield name + ": cut to %d" % cut, wire[:cut]
            yield name + ": byte appended", wire + b"\0"
            yield name + ": another key", mlapi.wrap(os.urandom(32), flags, UNNAMED, body)
            yield name + ": HMAC of zeros", wire[:1] + bytes(32) + wire[33:]
            yield name + ": only an HMAC", mlapi.seal(key, wire[:33])
        else:
            # 47 bytes and the type fill three blocks, so the last is all padding, 16 times 16.
            yield name + ": padding", flip(len(wire) - 17)
            yield name + ": first filler byte", flip(len(wire) - 32)
            for cut in range(1, len(wire)):
                yield name + ": cut to %d" % cut, wire[:cut]
            yield name + ": a byte appended", wire + b"\0"
        if flags & ENCRYPTED:
            head = 33 if flags == BOTH else 1
            for size in (0, 15, 16, 17, 31):
                short = wire[: head + size]
                yield name + ": sealed, cut", mlapi.seal(key, short) if flags == BOTH else short
            iv = os.urandom(16)
            empty = bytes([flags]) + bytes(head - 1) + iv + mlapi.Aes256(key).cbc_encrypt(iv, b"")
            yield name + ": no type", mlapi.seal(key, empty) if flags == BOTH else empty
    for flags in FLAGS:
        unknown = (5, 6, 7, 9, 10, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 40, 63)
        for kind in unknown + ((64, 127, 255) if flags else ()):
            yield "type %d" % kind, mlapi.wrap(key, flags, kind, b"what is this")
        for kind in (0, 1, 2, 3, 4, 11, 17, 18):  # the handshake's, and what only a server sends
            yield "type %d" % kind, mlapi.wrap(key, flags, kind, b"\x09" + bytes(9))
        for kind in (NAMED, mlapi.SERVER_RPC, mlapi.SERVER_RPC_REQUEST):
            yield "type %d, empty" % kind, mlapi.wrap(key, flags, kind, b"")
            yield "type %d, torn number" % kind, mlapi.wrap(key, flags, kind, b"\xff\1\2")
        yield "call without a hash", mlapi.wrap(key, flags, mlapi.SERVER_RPC, b"\1\2")
        yield "request without an id", mlapi.wrap(key, flags, mlapi.SERVER_RPC_REQUEST, b"\1\2\3")
        yield "behaviour of 17 bits", mlapi.wrap(key, flags, mlapi.SERVER_RPC,
                                                 b"\1" + varint(65536) + b"\3")


def dropped(counters):
    return sum(value for name, value in counters.items() if name.startswith("dropped_"))


@scenario("tampered messages: no answer, each is counted, and the connection stays")
def tampering():
    with Haild(settings()) as server, Client(server.address).join() as client:
        sent = 0
        for what, wire in tampered(client):
            client.wire.send(wire)
            sent += 1
            if sent % 8 == 0:
                client.send(BOTH, UNNAMED, b"still here")
                equal(client.receive(), (UNNAMED, BOTH, b"still here"), "after " + what)
        echo(client, BOTH)
        counters = server.counters()
        equal(dropped(counters), sent, "drops counted: %r" % {
            k: v for k, v in counters.items() if k.startswith("dropped_") and v})
        equal(counters["conns_open"], 1, "open connections")


@scenario("tampered messages: after each the very next message is its own echo")
def tampering_one_by_one():
    with Haild(settings()) as server, Client(server.address).join() as client:
        for number, (what, wire) in enumerate(tampered(client)):
            body = b"%d" % number
            client.wire.send_raw(mlapi.frame(wire) +
                                 mlapi.frame(mlapi.wrap(client.key, PLAIN, UNNAMED, body)))
            equal(client.receive(), (UNNAMED, PLAIN, body), what)


@scenario("what MLAPI takes is taken: header bits under the HMAC, or without one")
def header_bits():
    with Haild(settings()) as server, Client(server.address).join() as client:
        for flags in (ENCRYPTED, AUTHENTICATED, BOTH):
            for bits in range(4, 256, 4):
                wire = mlapi.wrap(client.key, flags, UNNAMED, b"bits")
                wire = bytes([flags | bits]) + wire[1:]
                if flags & AUTHENTICATED:
                    wire = mlapi.seal(client.key, wire)
                client.wire.send(wire)
                equal(client.receive(), (UNNAMED, flags, b"bits"), "header bits %#x" % bits)


def refuse_config(**given):
    with Haild(settings()) as server:
        with Client(server.address, Config(**given)) as client:
            client.wire.send(client.read_hail())
            client.read_greetings()
            client.wire.send(client.request())
            client.wire.wait_closed(10 * PATIENCE)
        server.wait_counters(closed_config=1, handshakes_done=0, conns_open=0)
        with Client(server.address).join() as client:
            echo(client, BOTH)


scenario("another configuration: closed")(functools.partial(refuse_config, protocol_version=1))


@scenario("a connection request with less than both flags is dropped; then a right one joins")
def request_in_the_clear():
    with Haild(settings()) as server, Client(server.address) as client:
        client.wire.send(client.read_hail())
        client.read_greetings()
        for flags in (PLAIN, ENCRYPTED, AUTHENTICATED):
            client.wire.send(client.request(flags))
        client.wire.send(client.request(BOTH))
        client.read_approved()
        echo(client, BOTH)
        equal(server.counters()["dropped_unprotected"], 3, "dropped as unprotected")


@scenario("malformed connection requests are dropped or closed, never let in")
def request_malformed():
    with Haild(settings(mlapi_keys={"connection_approval": True})) as server:
        hashed = varint(Config().hash())
        for body in (b"", hashed[:-1], hashed, hashed + b"\5abc", hashed + b"\1ab",
                     hashed + varint(1025) + bytes(1025), hashed + varint(2**60)):
            with Client(server.address, Config(approval=True)) as client:
                client.wire.send(client.read_hail())
                client.read_greetings()
                client.send(BOTH, CONNECTION_REQUEST, body)
                try:
                    client.wire.send(client.request())
                    client.read_approved()
                    echo(client, BOTH)
                except (mlapi.Closed, ConnectionError):
                    pass
        with Client(server.address, Config(approval=True), b"ok").join() as client:
            echo(client, BOTH)


@scenario("messages out of their state are dropped; the join goes on")
def out_of_state():
    with Haild(settings()) as server, Client(server.address) as client:
        response = client.read_hail()
        early = 0
        for kind in (0, 2, 3, 4, 11, 14, 15, 16, 17, 20, 22, 32):  # all but the hail response
            client.wire.send(mlapi.wrap(None, PLAIN, kind, b"\0" * 9))
            for flags in (ENCRYPTED, AUTHENTICATED, BOTH):
                client.wire.send(mlapi.wrap(client.key, flags, kind, b"\0" * 9))
            early += 4
        client.wire.send(response)
        client.read_greetings()
        client.wire.send(response)
        early += 1
        for kind in (0, 2, 4, 11, 14, 15, 16, 17, 20, 22, 32):  # all but the connection request
            for flags in FLAGS:
                client.send(flags, kind, b"\0" * 9)
                early += 1
        client.wire.send(client.request())
        client.read_approved()
        for wire in (client.request(), response, client.request(PLAIN)):
            client.wire.send(wire)
            early += 1
        echo(client, BOTH)
        counters = server.counters()
        equal(dropped(counters), early, "drops counted")
        equal(counters["messages_in_both"], 1, "messages delivered")


def square_root(value):
    root = pow(value, (mlapi.P + 3) // 8, mlapi.P)
    if root * root % mlapi.P != value % mlapi.P:
        root = root * pow(2, (mlapi.P - 1) // 4, mlapi.P) % mlapi.P
    return root if root * root % mlapi.P == value % mlapi.P else None


def bad_points():
    """(what, public part) that no server may use."""
    def part(x, y):
        return struct.pack("<I", len(x)) + x + y

    def raw(value):
        return mlapi.stripped(value)

    x, y = mlapi.point_multiply(mlapi.mlapi_scalar(200), mlapi.BASE)
    yield "off the curve: another y", mlapi.public_part((x, y ^ 1))
    yield "off the curve: x and y swapped", mlapi.public_part((y, x))
    yield "off the curve: y is 0", mlapi.public_part((x, 0))
    twist = next(u for u in range(2, 99)
                 if square_root(u**3 + mlapi.A * u * u + u) is None)
    yield "on the twist", mlapi.public_part((twist, 5))
    low = [0, 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
           39382357235489614581723060781553021112529911719440698176882885853963445705823]
    for u in low:
        root = square_root(u**3 + mlapi.A * u * u + u)
        if root is not None:
            yield "low order %d" % u, mlapi.public_part((u, root))
            yield "low order %d, other y" % u, mlapi.public_part((u, (mlapi.P - root) % mlapi.P))
    small = next((u, r) for u in range(2, 19) for r in [square_root(u**3 + mlapi.A * u * u + u)]
                 if r is not None)
    yield "x not reduced", part(raw(small[0] + mlapi.P), raw(small[1]))
    yield "x is p", part(raw(mlapi.P), b"\0")
    yield "y not reduced", part(raw(x), raw(y + mlapi.P))
    yield "x of 2^256-1", part(b"\xff" * 32, raw(y))
    yield "x of 33 bytes", part(b"\1" + bytes(32), raw(y))
    yield "y of 33 bytes", part(raw(x), b"\1" + bytes(32))
    yield "x of 1,000 bytes", part(b"\1" * 1000, raw(y))
    yield "no x", part(b"", raw(y))
    yield "no y", part(raw(x), b"")
    yield "nothing", b""
    yield "length cut", b"\x20\0\0"
    yield "x longer than what is there", struct.pack("<I", 65) + raw(x) + raw(y)
    yield "x of 2^32-1", b"\xff" * 4 + raw(x) + raw(y)


@scenario("unusable points are dropped; a right hail response then still works")
def points():
    with Haild(settings()) as server:
        parts = list(bad_points())
        for what, part in parts:
            with Client(server.address) as client:
                right = client.read_hail()
                client.wire.send(mlapi.wrap(None, PLAIN, HAIL_RESPONSE, byte_array(part)))
                client.wire.send(right)
                client.read_greetings()
                client.wire.send(client.request())
                client.read_approved()
                echo(client, BOTH, body=what.encode())
        counters = server.counters()
        equal(dropped(counters), len(parts), "drops counted")


@scenario("malformed hail responses are dropped; a right one then still works")
def hail_response_malformed():
    with Haild(settings()) as server, Client(server.address) as client:
        right = client.read_hail()
        bad = [b"\4", right[:-1], right + b"\0", b"\4" + varint(2**40) + right[2:],
               b"\4" + varint(65535) + right[2:], right[:1] + b"\x43" + right[2:],
               b"\4" + byte_array(b"\0" * 4), b"\4\xff"]
        for wire in bad:
            client.wire.send(wire)
        client.wire.send(right)
        client.read_greetings()
        client.wire.send(client.request())
        client.read_approved()
        echo(client, BOTH)
        equal(dropped(server.counters()), len(bad), "drops counted")


@scenario("a length of 0, or above the maximum, closes the connection")
def lengths():
    with Haild(settings()) as server:
        with Client(server.address) as client:  # before it has joined nobody needs as much
            client.wire.send_raw(struct.pack(">I", 10000))
            client.wire.wait_closed(10 * PATIENCE)
        prefixes = (0, 2**31, 2**32 - 1, 2**31 - 1, 66000)
        for length in prefixes:
            with Client(server.address) as client:  # a stranger
                client.wire.send_raw(struct.pack(">I", length))
                client.wire.wait_closed(10 * PATIENCE)
            with Client(server.address).join() as client:  # and one that had joined
                echo(client, BOTH)
                client.wire.send_raw(struct.pack(">I", length) + b"more")
                client.wire.wait_closed(10 * PATIENCE)
        server.wait_counters(closed_protocol=2 * len(prefixes) + 1, conns_open=0)


@scenario("floors: below them a message is dropped and counted, above it is taken")
def floors():
    rules = {"trade": "both", "position": "authenticated", "chat": "encrypted"}
    least = {"trade": BOTH, "position": AUTHENTICATED, "chat": ENCRYPTED, "free": PLAIN}
    with Haild(settings(floors=rules)) as server, Client(server.address).join() as client:
        below = 0
        for name, floor in least.items():
            for flags in FLAGS:
                body = varint(mlapi.name_hash(name)) + b"%d" % flags
                if flags & floor == floor:
                    echo(client, flags, NAMED, body)
                else:
                    client.send(flags, NAMED, body)
                    below += 1
        echo(client, PLAIN)
        equal(server.counters()["dropped_floor"], below, "dropped below their floor")


@scenario("a default floor holds for all that has no name")
def default_floor():
    with Haild(settings(default_floor="both")) as server, Client(server.address).join() as client:
        for flags in (PLAIN, ENCRYPTED, AUTHENTICATED):
            client.send(flags, UNNAMED, b"below")
        echo(client, BOTH)
        equal(server.counters()["dropped_floor"], 3, "dropped below the floor")


@scenario("noise: random frames and mutated messages, before and after the join")
def noise():
    seed = int(os.environ.get("HAIL_SEED", int.from_bytes(os.urandom(4), "little")))
    dice = random.Random(seed)

    def mutated(wire):
        at = dice.randrange(len(wire))
        wire = wire[:at] + bytes([wire[at] ^ 1 << dice.randrange(8)]) + wire[at + 1 :]
        return wire if dice.random() < 0.7 else wire[: dice.randint(1, len(wire))]

    try:
        with Haild(settings()) as server:
            for _ in range(20):
                with Client(server.address) as client:
                    right = client.read_hail()
                    for _ in range(25):
                        client.wire.send(mutated(right))
                        client.wire.send(dice.randbytes(dice.randint(1, 200)))
                    client.wire.send(right)
                    client.read_greetings()
                    for _ in range(25):
                        client.wire.send(mutated(client.request()))
                    client.wire.send(client.request())
                    client.read_approved()
                    for _ in range(50):
                        body = dice.randbytes(dice.randint(0, 60))
                        client.wire.send(dice.randbytes(dice.randint(1, 200)))
                        client.wire.send(mutated(mlapi.wrap(client.key, dice.randint(0, 3),
                                                            dice.randint(0, 32), body)))
                    client.send(BOTH, UNNAMED, b"the end")
                    while True:  # what is not authenticated may well have been echoed
                        wire = client.wire.receive(10 * PATIENCE)
                        if wire[0] & 3 == BOTH and mlapi.unwrap(client.key, wire)[2] == b"the end":
                            break
    except BaseException:
        print("HAIL_SEED=%d" % seed)
        raise


@scenario("connections reset in the middle of everything")
def resets():
    with Haild(settings()) as server, Client(server.address).join() as other:
        for number in range(60):
            client = Client(server.address)
            if number % 3:
                client.join()
                client.send(BOTH, UNNAMED, os.urandom(20000))
            if number % 3 == 2:
                client.wire.send_raw(b"\0\0\1\0half")
            client.wire.reset()
        echo(other, BOTH)
        with Client(server.address).join():  # accepted after all the others
            counters = server.wait_counters(conns_open=2)
        # Whoever was gone before he was accepted is an error of that.
        equal(counters["conns_accepted"] + counters["accept_errors"], 62, "accepted")
        server.wait_counters(conns_open=1)


# ---- Peers that cost


@scenario("slow reader: closed and counted; others are served meanwhile")
def slow_reader():
    with Haild(settings()) as server, Client(server.address).join() as other:
        with Client(server.address, receive_buffer=4096).join() as client:
            message = mlapi.frame(mlapi.wrap(client.key, PLAIN, UNNAMED, bytes(60000)))
            client.wire.socket.settimeout(20 * PATIENCE)
            try:
                for _ in range(2000):  # far more than the kernel and unsent_max together hold
                    client.wire.send_raw(message)
                raise AssertionError("120 MB were taken in without anyone reading the answers")
            except ConnectionError:
                pass
        echo(other, BOTH)
        server.wait_counters(closed_slow_reader=1, conns_open=1)


@scenario("handshake timeout: silence, dribble and a half join are all closed")
def handshake_timeout():
    with Haild(settings(handshake_timeout_ms=400)) as server:
        with Client(server.address).join() as joined:
            began = time.monotonic()
            with Client(server.address) as silent, Client(server.address) as half:
                half.wire.send(half.read_hail())
                half.read_greetings()
                silent.wire.wait_closed(10 * PATIENCE)
                half.wire.wait_closed(10 * PATIENCE)
            took = time.monotonic() - began
            check(took >= 0.35, "closed after %.3f s" % took)
            with Client(server.address) as slow:
                try:
                    while True:  # a byte now and then of a frame that never ends
                        slow.wire.send_raw(b"\0\0\1\0" if took else b"\0")
                        took = 0
                        time.sleep(0.05)
                        check(time.monotonic() - began < 10 * PATIENCE, "a dribble keeps it open")
                except ConnectionError:
                    pass
            server.wait_counters(closed_handshake_timeout=3, conns_open=1)
            echo(joined, BOTH)


@scenario("1,000 connections that never finish, and a real one gets in")
def strangers():
    with Haild(settings(handshakes_max=2000, handshakes_per_prefix=2000)) as server:
        sockets = []
        for number in range(1000):
            stranger = socket.create_connection(server.address, 10 * PATIENCE)
            if number % 2:
                stranger.sendall(b"\0\0\0\x45\4")
            sockets.append(stranger)
        with Client(server.address).join() as client:
            for flags in FLAGS:
                echo(client, flags)
            check(server.counters()["conns_open"] >= 1001, "the strangers are there")
        for stranger in sockets:
            stranger.close()
        server.wait_counters(closed_by_peer=1001, conns_open=0)


@scenario("more strangers than handshakes_max: the oldest make room, a real one gets in")
def crowd():
    with Haild(settings(handshakes_max=16)) as server:
        sockets = [socket.create_connection(server.address, 10 * PATIENCE) for _ in range(100)]
        with Client(server.address).join() as client:
            echo(client, BOTH)
        counters = server.counters()
        check(counters["closed_crowded_out"] >= 84, "closed: %r" % counters)
        equal(time_waits(server.address[1]), 0, "connections that the kernel remembers")
        for stranger in sockets:
            stranger.close()


def time_waits(port):
    """How many ended connections the kernel keeps for a server's port."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1].endswith(":%04X" % port) and row[3] == "06" for row in rows)


def was_reset(stranger):
    stranger.setblocking(False)
    try:
        while stranger.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


@scenario("one address connects too fast: it is reset, counted, and others get in")
def flood():
    with Haild(settings(accepts_per_s=5)) as server:
        sockets = []
        for _ in range(200):
            with contextlib.suppress(ConnectionError):  # before it knew that it was connected
                sockets.append(socket.create_connection(server.address, 10 * PATIENCE))
        with Client(server.address, source="127.0.0.2").join() as client:
            echo(client, BOTH)
        counters = server.counters()
        taken = counters["conns_accepted"] - 1
        check(5 <= taken < 100, "taken: %d" % taken)
        equal(counters["dropped_rate"], 200 - taken, "refused")
        equal(sum(not was_reset(s) for s in sockets), taken, "connections that are there")
        equal(time_waits(server.address[1]), 0, "connections that the kernel remembers")
        for stranger in sockets:
            stranger.close()


@scenario("conns_per_prefix: an address's next is reset, others get in, as it does later")
def crowded_address():
    with Haild(settings(conns_per_prefix=2)) as server:
        with Client(server.address).join() as first:
            with Client(server.address).join():
                with contextlib.suppress(mlapi.Closed, ConnectionError):
                    Client(server.address).join()
                    raise AssertionError("a third got in")
                server.wait_counters(dropped_prefix=1, conns_refused=0, conns_open=2)
                with Client(server.address, source="127.0.0.2").join() as other:
                    echo(other, BOTH)
                echo(first, BOTH)
            server.wait_counters(conns_open=1)
            with Client(server.address).join() as third:
                echo(third, BOTH)


@scenario("the server is full: the next is refused, and gets in when one has left")
def full():
    with Haild(settings(conns_max=2)) as server:
        with Client(server.address).join() as first:
            with Client(server.address).join():
                with contextlib.suppress(mlapi.Closed, ConnectionError):
                    Client(server.address).join()
                    raise AssertionError("a third got in")
                server.wait_counters(conns_refused=1)
                echo(first, BOTH)
            server.wait_counters(closed_by_peer=1, conns_open=1)
            with Client(server.address).join() as third:
                echo(third, BOTH)


@scenario("a message begun and never finished is given up after stall_timeout_ms")
def stall():
    with Haild(settings(stall_timeout_ms=300)) as server:
        with Client(server.address).join() as client:
            echo(client, BOTH)
            client.wire.send_raw(b"\0\0\1\0half")
            client.wire.wait_closed(10 * PATIENCE)
        server.wait_counters(closed_slow_writer=1, conns_open=0)


@scenario("idle timeout, when it is set")
def idle():
    with Haild(settings(idle_timeout_ms=300)) as server:
        with Client(server.address).join() as client:
            echo(client, BOTH)
            client.wire.wait_closed(10 * PATIENCE)
        server.wait_counters(closed_idle=1, conns_open=0)


# ---- The process


@scenario("SIGTERM while connected: end of stream, and counters that are what was done")
def terminate():
    with Haild(settings()) as server:
        with Client(server.address).join() as client:
            for flags, times in zip(FLAGS, (3, 5, 7, 11)):
                for _ in range(times):
                    echo(client, flags)
            client.wire.send(b"\2" + bytes(40))
            echo(client, PLAIN)
            counters = server.stop()
            client.wire.wait_closed(10 * PATIENCE)
        for name, want in (("conns_accepted", 1), ("handshakes_done", 1), ("messages_in_plain", 4),
                           ("messages_in_encrypted", 5), ("messages_in_authenticated", 7),
                           ("messages_in_both", 11), ("messages_out_plain", 4),
                           ("messages_out_encrypted", 5), ("messages_out_authenticated", 7),
                           ("messages_out_both", 11), ("dropped_forged", 1)):
            equal(counters[name], want, name)


if __name__ == "__main__":
    main()
