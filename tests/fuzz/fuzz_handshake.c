// fuzz_handshake.c: a datagram as a handshake message: what either end decodes before it knows
// anything about the other.
// SPDX-License-Identifier: MIT
//
// Holds  nothing outside the datagram is read; each message is taken in one form only: what a
//        decoder takes, the encoder writes back byte for byte; of a hello that is to be refused the
//        version, pattern and token are right.
// Seeds  made from WIRE.md by tests/fuzz/make_handshake_seeds.
#include "proto/datagram.h"
#include "proto/noise.h"
#include "tests/fuzz/fuzz.h"

static void hello(const uint8_t *data, size_t size)
{
    uint8_t again[HAIL_HELLO_LEN];
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    struct hail_hello hello;

    if (hail_hello_decode(&hello, data, size) != HAIL_ACCEPT)
        return;
    fuzz_holds(size == HAIL_HELLO_LEN);
    fuzz_holds(hello.version == data[1] && hello.pattern == data[2]);
    fuzz_holds(memcmp(hello.token, data + 4, sizeof hello.token) == 0);
    if (hello.version != HAIL_WIRE_VERSION || hello.pattern < HAIL_NOISE_NX ||
        hello.pattern > HAIL_HELLO_RESUME)
        return;
    hail_hello_encode(again, &hello);
    fuzz_holds(memcmp(again, data, size) == 0);
    fuzz_holds(hail_prologue_write(prologue, &hello) ==
               (hello.pattern == HAIL_HELLO_RESUME ? HAIL_PROLOGUE_MAX : 55));
    fuzz_holds(memcmp(prologue, "hail", 4) == 0 && memcmp(prologue + 4, data + 1, 51) == 0);
}

static void welcome(const uint8_t *data, size_t size)
{
    uint8_t again[HAIL_DATAGRAM_MAX];
    struct hail_welcome welcome;

    if (hail_welcome_decode(&welcome, data, size) != HAIL_ACCEPT)
        return;
    fuzz_holds(welcome.fragment.data + welcome.fragment.len == data + size);
    fuzz_holds(welcome.index < welcome.count);
    fuzz_holds(hail_welcome_encode(again, &welcome) == size && memcmp(again, data, size) == 0);
}

static void small_ones(enum hail_datagram_type type, const uint8_t *data, size_t size)
{
    uint8_t again[HAIL_RETRY_LEN];
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t cookie[HAIL_COOKIE_LEN];
    struct hail_finish finish;
    struct hail_refuse refuse;
    size_t len = 0;

    if (type == HAIL_DATAGRAM_RETRY && hail_retry_decode(token, cookie, data, size) == HAIL_ACCEPT)
        len = hail_retry_encode(again, token, cookie);
    if (type == HAIL_DATAGRAM_REFUSE && hail_refuse_decode(&refuse, data, size) == HAIL_ACCEPT)
        len = hail_refuse_encode(again, &refuse);
    fuzz_holds(len == 0 || (len == size && memcmp(again, data, size) == 0));
    if (type == HAIL_DATAGRAM_FINISH && hail_finish_decode(&finish, data, size) == HAIL_ACCEPT) {
        len = hail_finish_encode(again, &finish);
        fuzz_holds(len == finish.sealed_at && len + HAIL_AEAD_TAG_LEN <= size);
        fuzz_holds(memcmp(again, data, len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum hail_datagram_type type;

    if (hail_datagram_type_of(&type, data, size) != HAIL_ACCEPT || type == HAIL_DATAGRAM_PACKET)
        return 0;
    if (type == HAIL_DATAGRAM_HELLO)
        hello(data, size);
    else if (type == HAIL_DATAGRAM_WELCOME)
        welcome(data, size);
    else
        small_ones(type, data, size);
    return 0;
}
