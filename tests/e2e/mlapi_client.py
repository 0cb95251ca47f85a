# mlapi_client.py: an MLAPI 12 client that shares no code with hail, to hold its server against.
# SPDX-License-Identifier: MIT
#
# It does what the stock client does, weaknesses included: private keys of 8 bits, affine
# arithmetic, one key for both directions. Python 3.11's standard library and nothing else, so that
# it runs wherever the tests do. `python3 mlapi_client.py` checks it against tests/vectors.

import hashlib
import hmac
import os
import socket
import struct
import time

PLAIN, ENCRYPTED, AUTHENTICATED, BOTH = 0, 1, 2, 3
HAIL, HAIL_RESPONSE, GREETINGS, CONNECTION_REQUEST, APPROVED = 0, 1, 2, 3, 4
TIME_SYNC, SERVER_RPC, SERVER_RPC_REQUEST, SERVER_RPC_RESPONSE = 11, 14, 15, 16
CLIENT_RPC, CLIENT_RPC_REQUEST, CLIENT_RPC_RESPONSE = 17, 18, 19
UNNAMED, NAMED, INVALID = 20, 22, 32


class Malformed(Exception):
    """What the stock client would drop with a line in its log."""


class Closed(Exception):
    """The other end closed the connection."""


class Refused(Exception):
    """The stock client would stay unconnected for ever."""


# ---- AES-256-CBC: FIPS 197 by tables of 32-bit columns, so that 60,000 bytes take no second.


def _tables():
    power, log = [0] * 255, [0] * 256
    x = 1
    for i in range(255):
        power[i], log[x] = x, i
        x ^= (x << 1) ^ (0x11B if x & 0x80 else 0)  # times 3, a generator
        x &= 0xFF
    sbox = [0] * 256
    for i in range(256):
        b = power[(255 - log[i]) % 255] if i else 0
        sbox[i] = b ^ 0x63
        for shift in range(1, 5):
            sbox[i] ^= ((b << shift) | (b >> (8 - shift))) & 0xFF
    inverse = [0] * 256
    for i, s in enumerate(sbox):
        inverse[s] = i

    def times(a, b):
        return power[(log[a] + log[b]) % 255] if a and b else 0

    def column(v, a, b, c, d):
        return times(v, a) << 24 | times(v, b) << 16 | times(v, c) << 8 | times(v, d)

    def turned(table):
        return [[(w >> n | w << (32 - n)) & 0xFFFFFFFF for w in table] for n in (0, 8, 16, 24)]

    forward = turned([column(s, 2, 1, 1, 3) for s in sbox])
    backward = turned([column(s, 14, 9, 13, 11) for s in inverse])
    mix = turned([column(v, 14, 9, 13, 11) for v in range(256)])
    return sbox, inverse, forward, backward, mix


_SBOX, _INVERSE, _FORWARD, _BACKWARD, _MIX = _tables()
_ROUNDS = 14


def _bytes_of(word):
    return word >> 24, (word >> 16) & 0xFF, (word >> 8) & 0xFF, word & 0xFF


class Aes256:
    def __init__(self, key):
        assert len(key) == 32
        words = list(struct.unpack(">8I", key))
        rcon = 1
        while len(words) < 4 * (_ROUNDS + 1):
            word = words[-1]
            if len(words) % 8 == 0:
                word = ((word << 8) | (word >> 24)) & 0xFFFFFFFF
            if len(words) % 4 == 0:
                word = int.from_bytes(bytes(_SBOX[b] for b in _bytes_of(word)), "big")
            if len(words) % 8 == 0:
                word ^= rcon << 24
                rcon = (rcon << 1) ^ (0x11B if rcon & 0x80 else 0)
            words.append(words[-8] ^ word)
        self.keys = words
        rounds = [words[i : i + 4] for i in range(0, len(words), 4)][::-1]
        self.inverse_keys = list(rounds[0])
        for number, four in enumerate(rounds[1:], 1):
            for word in four:
                if number < _ROUNDS:
                    a, b, c, d = _bytes_of(word)
                    word = _MIX[0][a] ^ _MIX[1][b] ^ _MIX[2][c] ^ _MIX[3][d]
                self.inverse_keys.append(word)

    def _run(self, words, keys, tables, last, turn):
        t0, t1, t2, t3 = tables
        a, b, c, d = (w ^ k for w, k in zip(words, keys))
        for at in range(4, 4 * _ROUNDS, 4):
            if turn == 1:  # encryption reads the columns to the right, decryption to the left
                e, f, g, h = b, c, d, a
                i, j, k, m = d, a, b, c
            else:
                e, f, g, h = d, a, b, c
                i, j, k, m = b, c, d, a
            a, b, c, d = (
                t0[a >> 24] ^ t1[e >> 16 & 255] ^ t2[c >> 8 & 255] ^ t3[i & 255] ^ keys[at],
                t0[b >> 24] ^ t1[f >> 16 & 255] ^ t2[d >> 8 & 255] ^ t3[j & 255] ^ keys[at + 1],
                t0[c >> 24] ^ t1[g >> 16 & 255] ^ t2[a >> 8 & 255] ^ t3[k & 255] ^ keys[at + 2],
                t0[d >> 24] ^ t1[h >> 16 & 255] ^ t2[b >> 8 & 255] ^ t3[m & 255] ^ keys[at + 3],
            )
        state, out = (a, b, c, d), []
        for n in range(4):
            word = (
                last[state[n] >> 24] << 24
                | last[state[(n + turn) % 4] >> 16 & 255] << 16
                | last[state[(n + 2) % 4] >> 8 & 255] << 8
                | last[state[(n - turn) % 4] & 255]
            )
            out.append(word ^ keys[4 * _ROUNDS + n])
        return out

    def cbc_encrypt(self, iv, plain):
        pad = 16 - len(plain) % 16
        plain += bytes([pad]) * pad
        previous, out = struct.unpack(">4I", iv), []
        for block in struct.iter_unpack(">4I", plain):
            mixed = [w ^ p for w, p in zip(block, previous)]
            previous = self._run(mixed, self.keys, _FORWARD, _SBOX, 1)
            out.append(struct.pack(">4I", *previous))
        return b"".join(out)

    def cbc_decrypt(self, iv, data):
        if len(data) == 0 or len(data) % 16 != 0:
            raise Malformed("ciphertext of %d bytes" % len(data))
        previous, out = struct.unpack(">4I", iv), []
        for block in struct.iter_unpack(">4I", data):
            words = self._run(block, self.inverse_keys, _BACKWARD, _INVERSE, -1)
            out.append(struct.pack(">4I", *(w ^ p for w, p in zip(words, previous))))
            previous = block
        plain = b"".join(out)
        pad = plain[-1]
        if not 1 <= pad <= 16 or plain[-pad:] != bytes([pad]) * pad:
            raise Malformed("padding")
        return plain[:-pad]


# ---- Numbers


def varint(v):
    if v <= 240:
        return bytes([v])
    if v <= 2287:
        return bytes([241 + ((v - 240) >> 8), (v - 240) & 255])
    if v <= 67823:
        return bytes([249, (v - 2288) >> 8, (v - 2288) & 255])
    n = max(3, (v.bit_length() + 7) // 8)
    return bytes([247 + n]) + v.to_bytes(n, "little")


def zigzag(v):
    return varint(v << 1 if v >= 0 else (-v << 1) - 1)


def byte_array(data):
    return varint(len(data)) + data


def write_string(text):
    return varint(len(text)) + text.encode("utf-16-le")


def single(value):
    return varint(struct.unpack("<I", struct.pack("<f", value))[0])


class Reader:
    """Bytes from the front; past the end is malformed."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Malformed("%d bytes wanted, %d left" % (n, len(self.data) - self.at))
        self.at += n
        return self.data[self.at - n : self.at]

    def varint(self):
        first = self.take(1)[0]
        if first <= 240:
            return first
        if first <= 248:
            return 240 + ((first - 241) << 8) + self.take(1)[0]
        if first == 249:
            return 2288 + int.from_bytes(self.take(2), "big")
        return int.from_bytes(self.take(first - 247), "little")

    def byte_array(self):
        return self.take(self.varint())

    def single(self):
        return struct.unpack("<f", struct.pack("<I", self.varint()))[0]

    def rest(self):
        return self.take(len(self.data) - self.at)


# ---- Names and the hash of the configuration: FNV-1, multiply and then xor

_FNV32 = (0x811C9DC5, 0x01000193, 0xFFFFFFFF)
_FNV64 = (0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF)


def fnv1(items, parameters):
    value, prime, mask = parameters
    for item in items:
        value = (value * prime & mask) ^ item
    return value


def utf16_units(text):
    raw = text.encode("utf-16-le")
    return struct.unpack("<%dH" % (len(raw) // 2), raw)


def name_hash(name, size=0):
    """`size` is RpcHashSize: 0 for 16 bits, 1 for 32, 2 for 64."""
    units = utf16_units(name)
    if size == 2:
        return fnv1(units, _FNV64)
    value = fnv1(units, _FNV32)
    return value if size == 1 else (value >> 16) ^ (value & 0xFFFF)


class Config:
    """MLAPI's NetworkConfig: its defaults, with encryption on."""

    def __init__(self, **given):
        self.protocol_version = 0
        self.scenes = []
        self.prefabs = []
        self.runtime_scene_changes = False
        self.networked_var = True
        self.same_prefabs = True
        self.prefab_sync = False
        self.scene_management = True
        self.length_safety = False
        self.encryption = True
        self.signed = False
        self.rpc_hash_size = 0
        self.approval = False
        for name, value in given.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def hash_input(self):
        out = varint(self.protocol_version) + write_string("12.0.0")
        if self.scene_management and not self.runtime_scene_changes:
            out += b"".join(write_string(s) for s in sorted(self.scenes, key=utf16_units))
        if self.same_prefabs:
            out += b"".join(varint(p) for p in sorted(self.prefabs))
        switches = (self.networked_var, self.same_prefabs, self.prefab_sync, self.scene_management,
                    self.length_safety, self.encryption, self.signed)
        bits = sum(bool(on) << n for n, on in enumerate(switches)) | self.rpc_hash_size << 7
        return out + struct.pack("<H", bits)

    def hash(self):
        return fnv1(self.hash_input(), _FNV64)


# ---- Curve25519, affine, as MLAPI's big integers do it

P = 2**255 - 19
A = 486662
BASE = (9, 0x20AE19A1B8A086B4E01EDD2C7748D14C923D4D7E6D7C61B229E9C5A27ECED3D9)


def point_add(p, q):
    if p is None:
        return q
    if q is None:
        return p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + 2 * A * p[0] + 1) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - A - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def point_multiply(scalar, point):
    out = None
    for bit in bin(scalar)[2:]:
        out = point_add(out, out)
        if bit == "1":
            out = point_add(out, point)
    return out


def mlapi_scalar(private):
    """The stock library's ladder starts one bit above the key's highest."""
    return private + (1 << private.bit_length())


def stripped(value):
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def public_part(point):
    x, y = stripped(point[0]), stripped(point[1])
    return struct.pack("<I", len(x)) + x + y


def parse_public_part(data):
    reader = Reader(data)
    x = int.from_bytes(reader.take(struct.unpack("<I", reader.take(4))[0]), "big")
    return x, int.from_bytes(reader.rest(), "big")


def stretched_key(shared_x):
    return hashlib.pbkdf2_hmac("sha1", stripped(shared_x), b"P1sN0R4inb0wPl5P1sPls", 1000, 32)


# ---- Messages


def wrap(key, flags, kind, body, iv=None):
    if flags == PLAIN:
        return bytes([kind << 2]) + body
    inner = bytes([kind]) + body
    if flags & ENCRYPTED:
        iv = iv if iv is not None else os.urandom(16)
        inner = iv + Aes256(key).cbc_encrypt(iv, inner)
    if not flags & AUTHENTICATED:
        return bytes([flags]) + inner
    return seal(key, bytes([flags]) + bytes(32) + inner)


def seal(key, wire):
    """Put the right HMAC into a message, whatever else is in it."""
    covered = wire[:1] + bytes(32) + wire[33:]
    return wire[:1] + hmac.digest(key, covered, "sha256") + wire[33:]


def unwrap(key, wire):
    """Returns (type, flags, body)."""
    if not wire:
        raise Malformed("empty message")
    flags = wire[0] & 3
    if flags == PLAIN:
        kind, body = wire[0] >> 2, wire[1:]
    else:
        if key is None:
            raise Malformed("protection without a key")
        inner = wire[1:]
        if flags & AUTHENTICATED:
            if len(inner) < 32:
                raise Malformed("no room for an HMAC")
            covered = wire[:1] + bytes(32) + inner[32:]
            if not hmac.compare_digest(hmac.digest(key, covered, "sha256"), inner[:32]):
                raise Malformed("HMAC")
            inner = inner[32:]
        if flags & ENCRYPTED:
            if len(inner) < 16:
                raise Malformed("no room for an IV")
            inner = Aes256(key).cbc_decrypt(inner[:16], inner[16:])
        if not inner:
            raise Malformed("no message type")
        kind, body = inner[0], inner[1:]
    if kind == INVALID:
        raise Malformed("type 32 is INVALID")
    return kind, flags, body


def rpc_body(network_id, behaviour, method_hash, arguments, response_id=None):
    out = varint(network_id) + varint(behaviour) + varint(method_hash)
    if response_id is not None:
        out += varint(response_id)
    return out + arguments


# ---- The certificate's RSA key, and its signature


def _der(data, at):
    """Returns (tag, content, next)."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        n = length & 0x7F
        length, at = int.from_bytes(data[at : at + n], "big"), at + n
    return tag, data[at : at + length], at + length


def _der_items(data):
    at, out = 0, []
    while at < len(data):
        tag, content, at = _der(data, at)
        out.append((tag, content))
    return out


def rsa_key(certificate):
    """Returns (modulus, exponent) of an X.509 certificate in DER."""
    body = _der_items(_der_items(_der_items(certificate)[0][1])[0][1])
    if body[0][0] == 0xA0:  # the version is optional
        body = body[1:]
    bits = _der_items(body[5][1])[1][1]  # serial, algorithm, issuer, validity, subject, key
    modulus, exponent = _der_items(_der_items(bits[1:])[0][1])
    return int.from_bytes(modulus[1], "big"), int.from_bytes(exponent[1], "big")


_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def rsa_signature_holds(certificate, signature, message):
    modulus, exponent = rsa_key(certificate)
    size = (modulus.bit_length() + 7) // 8
    tail = _SHA256_INFO + hashlib.sha256(message).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(tail) - 3) + b"\x00" + tail
    return (len(signature) == size
            and pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
            == expected)


# ---- A connection


class Wire:
    """Telepathy's framing over TCP. `dribble` sends each byte in a segment of its own."""

    def __init__(self, address, timeout=10.0, dribble=False, receive_buffer=None, source=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if source is not None:
            self.socket.bind((source, 0))
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.dribble, self.buffer = dribble, b""

    def send_raw(self, data):
        if not self.dribble:
            self.socket.sendall(data)
            return
        for at in range(len(data)):
            self.socket.sendall(data[at : at + 1])

    def send(self, payload):
        self.send_raw(frame(payload))

    def receive(self, timeout=None):
        deadline = time.monotonic() + (timeout if timeout is not None else 10.0)
        while True:
            if len(self.buffer) >= 4:
                length = struct.unpack(">I", self.buffer[:4])[0]
                if len(self.buffer) >= 4 + length:
                    payload = self.buffer[4 : 4 + length]
                    self.buffer = self.buffer[4 + length :]
                    return payload
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not data:
                raise Closed("end of stream")
            self.buffer += data

    def wait_closed(self, timeout=10.0):
        """Reads on until the other end closes; what still came is thrown away."""
        try:
            while True:
                self.receive(timeout)
        except Closed:
            return

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes without a goodbye: the other end gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


class Client:
    """One connection of a stock client."""

    def __init__(self, address, config=None, data=b"", private=None, **wire):
        self.config = config or Config()
        self.data = data
        self.private = private if private is not None else 128 + os.urandom(1)[0] % 128
        self.wire = Wire(address, **wire)
        self.key = self.certificate = self.client_id = None

    def read_hail(self, payload=None):
        """Takes the server's hail; returns the hail response to send."""
        kind, flags, body = unwrap(None, payload if payload is not None else self.wire.receive())
        if (kind, flags) != (HAIL, PLAIN):
            raise Refused("first message has type %d" % kind)
        reader = Reader(body)
        if self.config.signed:
            self.certificate = reader.byte_array()
        part = reader.byte_array()
        if self.config.signed:
            if reader.take(1)[0] != 0:
                raise Refused("signature type")
            if not rsa_signature_holds(self.certificate, reader.byte_array(), part):
                raise Refused("the hail's signature does not hold")
        if reader.rest():
            raise Refused("bytes after the hail")
        scalar = mlapi_scalar(self.private)
        self.server_point = parse_public_part(part)
        self.key = stretched_key(point_multiply(scalar, self.server_point)[0])
        ours = public_part(point_multiply(scalar, BASE))
        return wrap(None, PLAIN, HAIL_RESPONSE, byte_array(ours))

    def request(self, flags=None):
        body = varint(self.config.hash())
        if self.config.approval:
            body += byte_array(self.data)
        if flags is None:
            flags = BOTH if self.config.encryption else PLAIN
        return wrap(self.key, flags, CONNECTION_REQUEST, body)

    def read_greetings(self):
        kind, flags, _ = unwrap(None, self.wire.receive())
        if (kind, flags) != (GREETINGS, PLAIN):
            raise Refused("greetings expected, type %d came" % kind)

    def read_approved(self):
        """Waits for `approved`, as a stock client on its way in: time sync is welcome before it."""
        while True:
            kind, flags, body = unwrap(self.key, self.wire.receive())
            if kind == TIME_SYNC:
                Reader(body).single()
                continue
            if kind != APPROVED or flags != (BOTH if self.config.encryption else PLAIN):
                raise Refused("approved expected, type %d came with flags %d" % (kind, flags))
            break
        reader = Reader(body)
        self.client_id = reader.varint()
        if self.config.scene_management:
            self.scene = reader.varint()
            if len(reader.byte_array()) != 16:
                raise Refused("a GUID of another length")
        self.server_time = reader.single()
        if reader.varint() != 0 or reader.rest():
            raise Refused("objects, where there are none")

    def join(self):
        if self.config.encryption:
            self.wire.send(self.read_hail())
            self.read_greetings()
        self.wire.send(self.request())
        self.read_approved()
        return self

    def send(self, flags, kind, body):
        self.wire.send(wrap(self.key, flags, kind, body))

    def receive(self, timeout=None):
        """The next message that is not a time sync, as (type, flags, body)."""
        while True:
            message = unwrap(self.key, self.wire.receive(timeout))
            if message[0] != TIME_SYNC:
                return message

    def close(self):
        self.wire.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- Against the vectors


def _bytes(text):
    return bytes.fromhex(text) if text is not None else None


def _check_ecdh(cases):
    for case in cases:
        points = {}
        for side in "ab":
            scalar = mlapi_scalar(int(case["private_" + side], 16))
            points[side] = point_multiply(scalar, BASE)
            assert public_part(points[side]).hex() == case["public_" + side], case["note"]
        peer = parse_public_part(bytes.fromhex(case["public_b"]))
        shared = point_multiply(mlapi_scalar(int(case["private_a"], 16)), peer)[0]
        assert stripped(shared).hex() == case["shared_x"].lower(), case["note"]
        assert stretched_key(shared).hex() == case["key"], case["note"]
    return len(cases)


def _check_wrap(cases):
    for case in cases:
        key, body = _bytes(case["key"]), _bytes(case["body"])
        wire = wrap(key, case["flags"], case["message_type"], body, _bytes(case["iv"]))
        assert wire.hex() == case["wire"], case
        assert unwrap(key, wire) == (case["message_type"], case["flags"], body), case
    return len(cases)


def _check_reject(cases):
    for case in cases:
        off = case["what"].startswith("EnableEncryption=false")
        key = None if off else _bytes(case["key"])
        try:
            got = unwrap(key, bytes.fromhex(case["wire"]))
            want = (case["message_type"], case["flags"], bytes.fromhex(case["body"] or ""))
            assert case["result"] == "accept" and got == want, case["what"]
        except Malformed:
            assert case["result"] == "reject", case["what"]
    return len(cases)


def _check_transcript(transcript):
    names = transcript["config"]
    config = Config(encryption=names["EnableEncryption"], signed=names["SignKeyExchange"],
                    scene_management=names["EnableSceneManagement"],
                    approval=names["ConnectionApproval"])
    assert config.hash() == int(names["hash"], 16)
    key = _bytes(transcript["key"])
    for message in transcript["messages"]:
        wire, body = bytes.fromhex(message["wire"]), bytes.fromhex(message["body"])
        assert unwrap(key, wire) == (message["type"], message["flags"], body), message
        if message["type"] == HAIL and names["SignKeyExchange"]:
            reader = Reader(body)
            certificate, part = reader.byte_array(), reader.byte_array()
            assert reader.take(1) == b"\0"
            assert rsa_signature_holds(certificate, reader.byte_array(), part)
        if message["type"] == CONNECTION_REQUEST:
            data = bytes.fromhex(names["ConnectionData"])
            assert body == varint(config.hash()) + (byte_array(data) if config.approval else b"")
    return len(transcript["messages"])


def _check_names(names):
    for case in names["hashes"]:
        for size, field in enumerate(("hash16", "hash32", "hash64")):
            assert name_hash(case["name"], size) == int(case[field], 16), case
    sizes = {"VarIntTwoBytes": 0, "VarIntFourBytes": 1, "VarIntEightBytes": 2}
    for case in names["named_message_wire"]:
        hashed = varint(name_hash(case["name"], sizes[case["rpc_hash_size"]]))
        got = unwrap(_bytes(case["key"]), bytes.fromhex(case["wire"]))
        assert got == (NAMED, case["flags"], hashed + bytes.fromhex(case["payload"])), case
    return len(names["hashes"]) + len(names["named_message_wire"])


def _check_rpc(cases):
    for case in cases:
        got = unwrap(_bytes(case["key"]), bytes.fromhex(case["wire"]))
        assert got == (case["message_type"], case["flags"], bytes.fromhex(case["body"])), case
        reader = Reader(got[2])
        assert reader.varint() == case["network_id"]
        assert reader.varint() == case["behaviour_order_id"]
        assert reader.varint() == int(case["hash16"], 16) == name_hash(case["hashed_string"])
    return len(cases)


def self_test(path):
    import json

    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    counts = {
        "ecdh": _check_ecdh(vectors["ecdh"]["cases"]),
        "wrap": _check_wrap(vectors["message_wrap"]["cases"]),
        "reject": _check_reject(vectors["message_reject"]["cases"]),
        "names": _check_names(vectors["names"]),
        "rpc": _check_rpc(vectors["rpc"]["cases"]),
        "transcripts": sum(_check_transcript(t) for t in vectors["transcripts"].values()
                           if isinstance(t, dict)),
    }
    for case in vectors["serialization"]["uint64_packed"]:
        assert varint(int(case["value"])).hex() == case["bytes"], case
        if case["reads_back"] == case["value"]:
            assert Reader(bytes.fromhex(case["bytes"])).varint() == int(case["value"]), case
    for case in vectors["serialization"]["int64_packed"]:
        assert zigzag(int(case["value"])).hex() == case["bytes"], case
    return counts


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    print(self_test(os.path.join(here, "..", "vectors", "mlapi-v12.1.7.json")))
