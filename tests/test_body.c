// test_body.c: what lies inside messages: hails, requests, approvals, names and RPCs as MLAPI wrote
// them, and cut anywhere.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mlapi/bits.h"
#include "tests/vectors.h"

static struct hail_bytes view(const struct vector_bytes *bytes)
{
    return (struct hail_bytes){bytes->data, bytes->len};
}

static bool same(struct hail_bytes a, struct hail_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

// A copy of exactly `len` bytes, so that a sanitizer sees a read past the end.
static struct vector_bytes cut(struct hail_bytes bytes, size_t len)
{
    struct vector_bytes copy = {malloc(len ? len : 1), len};

    ck_assert_ptr_nonnull(copy.data);
    memcpy(copy.data, bytes.data, len);
    return copy;
}

static void check_hail(const json_t *row)
{
    struct vector_bytes wire = vector_hex(row, "wire");
    struct vector_bytes part = vector_hex(row, "server_public");
    struct vector_bytes certificate = vector_hex(row, "certificate_der");
    struct hail_bytes body = {wire.data + 1, wire.len - 1};
    bool is_signed = certificate.len > 0;
    static uint8_t out[4096];
    struct hail_mlapi_hail_body hail;

    ck_assert(hail_mlapi_hail_read(&hail, is_signed, body));
    ck_assert(same(hail.public_part, view(&part)));
    ck_assert(same(hail.certificate, view(&certificate)));
    if (is_signed)
        ck_assert_uint_eq(hail.signature_type, (uint64_t)vector_int(row, "signature_type"));
    // One signature was spoilt on the wire; there the text says so instead.
    if (is_signed && vector_text(row, "signature")[0] != '(') {
        struct vector_bytes signature = vector_hex(row, "signature");
        ck_assert(same(hail.signature, view(&signature)));
        free(signature.data);
    }
    ck_assert_uint_eq(hail_mlapi_hail_write(out, sizeof out, &hail, is_signed), body.len);
    ck_assert_mem_eq(out, body.data, body.len);
    ck_assert_uint_eq(hail_mlapi_hail_write(out, body.len - 1, &hail, is_signed), 0);
    for (size_t len = 0; len < body.len; len++) {
        struct vector_bytes copy = cut(body, len);
        struct hail_mlapi_hail_body untouched = {.signature_type = 77};
        ck_assert(!hail_mlapi_hail_read(&untouched, is_signed, view(&copy)));
        ck_assert_uint_eq(untouched.signature_type, 77);
        free(copy.data);
    }
    free(wire.data);
    free(part.data);
    free(certificate.data);
}

START_TEST(test_hails)
{
    static const char *const lists[] = {"rsa_cases", "dsa_cases"};
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "hail"), lists[_i]), i, row)
        check_hail(row);
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

// Takes an application message off the wire and puts it there again. The caller frees what
// view.body points into: `*wire`.
static struct hail_message_view unwrap(const json_t *row, const char *field, bool from_server,
                                       struct vector_bytes *wire)
{
    struct vector_bytes key = vector_hex(row, "key");
    struct vector_bytes original = vector_hex(row, field);
    struct hail_message_view message = {.kind = HAIL_MESSAGE_UNNAMED};
    struct hail_mlapi_keys keys;
    struct hail_mlapi_packet packet;
    uint8_t out[300];

    *wire = vector_hex(row, field);
    hail_mlapi_keys_init(&keys, key.data);
    ck_assert_int_eq(hail_mlapi_unwrap(&packet, wire->data, wire->len, &keys), HAIL_ACCEPT);
    ck_assert(hail_mlapi_message_kind(&message.kind, packet.type, from_server));
    ck_assert(hail_mlapi_message_read(&message, (struct hail_bytes){packet.body, packet.body_len}));
    message.flags = packet.flags;

    const uint8_t *iv = original.data + (packet.flags & HAIL_FLAG_AUTHENTICATED ? 33 : 1);
    ck_assert_uint_eq(hail_mlapi_message_body_len(&message), packet.body_len);
    hail_mlapi_message_body_write(out + hail_mlapi_body_offset(packet.flags), &message);
    ck_assert_uint_eq(hail_mlapi_wrap(out, packet.body_len,
                                      (uint8_t)hail_mlapi_message_type(message.kind, from_server),
                                      packet.flags, &keys, iv),
                      original.len);
    ck_assert_mem_eq(out, original.data, original.len);
    free(key.data);
    free(original.data);
    return message;
}

START_TEST(test_named)
{
    static const char *const sizes[] = {"VarIntTwoBytes", "VarIntFourBytes", "VarIntEightBytes"};
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "names"), "named_message_wire"), i,
                       row)
    {
        struct vector_bytes wire;
        struct vector_bytes payload = vector_hex(row, "payload");
        struct hail_message_view message = unwrap(row, "wire", false, &wire);
        int size = HAIL_MLAPI_HASH_16;
        uint64_t hash;

        while (strcmp(sizes[size], vector_text(row, "rpc_hash_size")) != 0)
            size++;
        ck_assert(
            hail_mlapi_name_hash(&hash, vector_text(row, "name"), (enum hail_mlapi_hash_size)size));
        ck_assert_int_eq(message.kind, HAIL_MESSAGE_NAMED);
        ck_assert_uint_eq(message.name_hash, hash);
        ck_assert_uint_eq(message.flags, (uint64_t)vector_int(row, "flags"));
        ck_assert(same((struct hail_bytes){message.body, message.body_len}, view(&payload)));
        free(wire.data);
        free(payload.data);
    }
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

// A string argument is a bit for null, then the packed string.
static void read_text(struct hail_bits_reader *reader, char *text, size_t capacity)
{
    ck_assert(!hail_bits_read_bit(reader));
    hail_bits_read_string(reader, text, capacity);
}

// Reads the arguments of one of the vectors' methods into the words of "receiver_ran".
static void describe(char *out, size_t out_len, const char *method,
                     const struct hail_message_view *message)
{
    struct hail_bits_reader reader = hail_bits_reader(message->body, message->body_len);
    char text[32];

    if (strncmp(method, "Move", 4) == 0) {
        int64_t count = hail_bits_read_zigzag(&reader);
        snprintf(out, out_len, "Move(%d,%g)", (int)count, (double)hail_bits_read_float(&reader));
    } else if (strcmp(method, "Shout") == 0) {
        read_text(&reader, text, sizeof text);
        bool loud = hail_bits_read_bit(&reader);
        snprintf(out, out_len, "Shout(%s,%s,%u)", text, loud ? "True" : "False",
                 (unsigned)hail_bits_read_varint(&reader));
    } else if (strcmp(method, "Notify") == 0) {
        read_text(&reader, text, sizeof text);
        snprintf(out, out_len, "Notify(%s,%d)", text, (int)hail_bits_read_zigzag(&reader));
    } else if (strcmp(method, "Sum") == 0) {
        ck_assert_int_eq(hail_bits_read_zigzag(&reader), 2);
        ck_assert_int_eq(hail_bits_read_zigzag(&reader), 3);
        snprintf(out, out_len, "Sum");
    } else {
        size_t len;
        ck_assert_str_eq(method, "Raw");
        ck_assert_mem_eq(hail_bits_rest(&reader, &len), "\1\2\3\xfe", 4);
        ck_assert_uint_eq(len, 4);
        snprintf(out, out_len, "Raw(1,010203fe)");
    }
    ck_assert(!reader.failed);
    ck_assert_uint_lt(8 * message->body_len - reader.bit, 8); // nothing left but padding
}

// Writes the same arguments: the same bytes, but for the pad bits, which MLAPI leaves dirty.
static void check_arguments(const json_t *row, const char *method,
                            const struct hail_message_view *message)
{
    unsigned pad = (unsigned)vector_int(row, "undefined_high_bits_of_last_body_byte");
    uint8_t out[64];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);
    const char *ran = vector_text(row, "receiver_ran");

    if (strcmp(method, "Shout") == 0) {
        hail_bits_write_bit(&writer, false);
        hail_bits_write_string(&writer, "hey");
        hail_bits_write_bit(&writer, true);
        hail_bits_write_varint(&writer, 5);
    } else if (strcmp(method, "Notify") == 0) {
        hail_bits_write_bit(&writer, false);
        hail_bits_write_string(&writer, "hi");
        hail_bits_write_zigzag(&writer, -1);
    } else if (strcmp(method, "Sum") == 0) {
        hail_bits_write_zigzag(&writer, 2);
        hail_bits_write_zigzag(&writer, 3);
    } else if (strcmp(method, "Raw") == 0) {
        hail_bits_write_bytes(&writer, (const uint8_t *)"\1\2\3\xfe", 4);
    } else {
        bool first = strcmp(ran, "Move(7,1.5)") == 0;
        hail_bits_write_zigzag(&writer, first ? 7 : -3);
        hail_bits_write_float(&writer, first ? 1.5F : 0.25F);
    }
    size_t len = hail_bits_len(&writer);
    ck_assert_uint_eq(len, message->body_len);
    ck_assert_mem_eq(out, message->body, len - 1);
    ck_assert_uint_eq(out[len - 1], message->body[len - 1] & 0xff >> pad);
}

static void check_rpc(const json_t *row)
{
    struct vector_bytes wire;
    const char *method = vector_text(row, "hashed_string");
    uint8_t type = (uint8_t)vector_int(row, "message_type");
    struct hail_message_view message = unwrap(row, "wire", type >= HAIL_MLAPI_CLIENT_RPC, &wire);
    char ran[64];
    uint64_t hash;

    ck_assert_int_eq(message.kind, type == HAIL_MLAPI_SERVER_RPC_REQUEST ? HAIL_MESSAGE_REQUEST
                                                                         : HAIL_MESSAGE_CALL);
    ck_assert(hail_mlapi_name_hash(&hash, method, HAIL_MLAPI_HASH_16));
    ck_assert_uint_eq(message.name_hash, hash);
    ck_assert_uint_eq(message.name_hash, strtoull(vector_text(row, "hash16"), NULL, 16));
    ck_assert_uint_eq(message.network_id, (uint64_t)vector_int(row, "network_id"));
    ck_assert_uint_eq(message.behaviour, (uint64_t)vector_int(row, "behaviour_order_id"));
    ck_assert_uint_eq(message.flags, (uint64_t)vector_int(row, "flags"));
    describe(ran, sizeof ran, method, &message);
    ck_assert_str_eq(ran, vector_text(row, "receiver_ran"));
    check_arguments(row, method, &message);
    if (message.kind == HAIL_MESSAGE_REQUEST) {
        struct vector_bytes answer_wire;
        struct hail_message_view answer = unwrap(row, "answer_wire", true, &answer_wire);
        struct hail_bits_reader reader = hail_bits_reader(answer.body, answer.body_len);
        ck_assert_int_eq(answer.kind, HAIL_MESSAGE_RESPONSE);
        ck_assert_uint_eq(answer.call_id, message.call_id);
        ck_assert_uint_eq(answer.flags, message.flags);
        ck_assert_int_eq(hail_bits_read_zigzag(&reader), 5);
        free(answer_wire.data);
    }
    free(wire.data);
}

START_TEST(test_rpcs)
{
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "rpc"), "cases"), i, row)
        check_rpc(row);
    ck_assert_uint_eq(i, 12);
    json_decref(root);
}
END_TEST

// Bodies in hex, and whether they can be read. r request, d request with data, a approved,
// s approved with scene management, h hail response, n named, c call, q request, p response.
static const struct {
    const char *why;
    char reads;
    const char *body;
    bool taken;
} bodies[] = {
    {"no hash", 'r', "", false},
    {"half a hash", 'r', "ff2b0a79990913aa", false},
    {"a hash", 'r', "ff2b0a79990913aaaa", true},
    {"no data", 'd', "ff2b0a79990913aaaa", false},
    {"less data than it says", 'd', "ff2b0a79990913aaaa0201", false},
    {"data of 2^64 - 1 bytes", 'd', "00ffffffffffffffffff01", false},
    {"empty data", 'd', "ff2b0a79990913aaaa00", true},
    {"data", 'd', "ff2b0a79990913aaaa020102", true},
    {"no object count", 'a', "01fb5af6373e", false},
    {"no time", 'a', "01", false},
    {"approved", 'a', "01fb5af6373e00", true},
    {"a time above 32 bits", 'a', "01fc000000000100", false},
    {"objects follow", 'a', "01fb5af6373e02ffee", true},
    {"a scene that is not there", 's', "01fb5af6373e00", false},
    {"approved with a scene", 's', "01001000000000000000000000000000000000fb4d50de3d00", true},
    {"a GUID of 15 bytes", 's', "01000f000000000000000000000000000000fb4d50de3d00", false},
    {"a GUID of 17 bytes", 's', "0100110000000000000000000000000000000000fb4d50de3d00", false},
    {"no public part", 'h', "", false},
    {"a public part cut short", 'h', "0201", false},
    {"a public part of 2^31 bytes", 'h', "fb0000008001", false},
    {"a public part, of any content", 'h', "0101", true},
    {"no name", 'n', "", false},
    {"half a name", 'n', "f9c9", false},
    {"a name and nothing", 'n', "f9c99d", true},
    {"no network id", 'c', "", false},
    {"no behaviour", 'c', "f13c", false},
    {"no method", 'c', "f13c00", false},
    {"half a method", 'c', "f13c00f945", false},
    {"a call without arguments", 'c', "f13c00f945a2", true},
    {"the last behaviour", 'c', "00f9f70f00", true},
    {"a behaviour above 16 bits", 'c', "00f9f71000", false},
    {"a request without its id", 'q', "f13c00f945a2", false},
    {"a request", 'q', "f13c00f945a205", true},
    {"a response without its id", 'p', "", false},
    {"a response without a result", 'p', "05", true},
};

static bool reads(char kind, struct hail_bytes body)
{
    struct hail_mlapi_request_body request;
    struct hail_mlapi_approved_body approved;
    struct hail_message_view message = {.kind = HAIL_MESSAGE_UNNAMED};
    struct hail_bytes part;

    switch (kind) {
    case 'r':
    case 'd':
        return hail_mlapi_request_read(&request, kind == 'd', body);
    case 'a':
    case 's':
        return hail_mlapi_approved_read(&approved, kind == 's', body);
    case 'h':
        return hail_mlapi_hail_response_read(&part, body);
    case 'n':
        message.kind = HAIL_MESSAGE_NAMED;
        break;
    case 'c':
        message.kind = HAIL_MESSAGE_CALL;
        break;
    case 'q':
        message.kind = HAIL_MESSAGE_REQUEST;
        break;
    default:
        message.kind = HAIL_MESSAGE_RESPONSE;
    }
    return hail_mlapi_message_read(&message, body);
}

START_TEST(test_body)
{
    struct vector_bytes body = test_unhex(bodies[_i].body);

    ck_assert_msg(reads(bodies[_i].reads, view(&body)) == bodies[_i].taken, "%s", bodies[_i].why);
    free(body.data);
}
END_TEST

// Each kind has a type of its own from either side, and no other type is an application's.
START_TEST(test_types)
{
    static const uint8_t want[2][5] = {{20, 22, 14, 15, 19}, {20, 22, 17, 18, 16}};

    for (int from_server = 0; from_server < 2; from_server++) {
        for (unsigned type = 0; type < 256; type++) {
            enum hail_message_kind kind = HAIL_MESSAGE_UNNAMED;
            const uint8_t *at = memchr(want[from_server], (int)type, 5);
            ck_assert_int_eq(hail_mlapi_message_kind(&kind, (uint8_t)type, from_server),
                             at != NULL);
            if (at) {
                ck_assert_int_eq(kind, at - want[from_server]);
                ck_assert_uint_eq(hail_mlapi_message_type(kind, from_server), type);
            }
        }
    }
}
END_TEST

// Messages of every kind with random fields come back as they were.
START_TEST(test_round_trip)
{
    uint64_t dice = test_seed();

    for (int round = 0; round < 3000; round++) {
        uint8_t payload[40];
        uint8_t out[100];
        struct hail_message_view got = {
            .kind = (enum hail_message_kind)(test_next(&dice) % (HAIL_MESSAGE_RESPONSE + 1))};
        bool call = got.kind == HAIL_MESSAGE_CALL || got.kind == HAIL_MESSAGE_REQUEST;
        const struct hail_message_view sent = {
            .kind = got.kind,
            .name_hash = call || got.kind == HAIL_MESSAGE_NAMED
                             ? test_next(&dice) >> test_next(&dice) % 64
                             : 0,
            .network_id = call ? test_next(&dice) >> test_next(&dice) % 64 : 0,
            .behaviour = call ? (uint16_t)test_next(&dice) : 0,
            .call_id = got.kind >= HAIL_MESSAGE_REQUEST ? test_next(&dice) : 0,
            .body = payload,
            .body_len = test_next(&dice) % sizeof payload,
        };
        for (size_t i = 0; i < sizeof payload; i++)
            payload[i] = (uint8_t)test_next(&dice);
        size_t len = hail_mlapi_message_body_len(&sent);
        hail_mlapi_message_body_write(out, &sent);
        ck_assert(hail_mlapi_message_read(&got, (struct hail_bytes){out, len}));
        ck_assert_uint_eq(got.name_hash, sent.name_hash);
        ck_assert_uint_eq(got.network_id, sent.network_id);
        ck_assert_uint_eq(got.behaviour, sent.behaviour);
        ck_assert_uint_eq(got.call_id, sent.call_id);
        ck_assert(same((struct hail_bytes){got.body, got.body_len},
                       (struct hail_bytes){sent.body, sent.body_len}));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("body");
    TCase *tests = tcase_create("body");

    tcase_add_loop_test(tests, test_body, 0, HAIL_COUNTOF(bodies));
    tcase_add_test(tests, test_types);
    tcase_add_loop_test(tests, test_hails, 0, 2);
    tcase_add_test(tests, test_named);
    tcase_add_test(tests, test_rpcs);
    tcase_add_test(tests, test_round_trip);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
