// test_session.c: both ends of a session: with MLAPI's own ends from its transcripts, with each
// other, and with everything out of its state, cut, changed or unprotected.
// SPDX-License-Identifier: MIT
#include "tests/session_pair.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mlapi/bits.h"
#include "proto/mlapi/body.h"
#include "tests/vectors.h"

static bool doubt(void *user, const struct hail_certificate *certificate, const char *host,
                  int64_t unix_s, struct hail_fault_report *report)
{
    (void)user;
    (void)certificate;
    (void)host;
    (void)unix_s;
    report->fault = HAIL_FAULT_UNKNOWN_ISSUER;
    return false;
}

static struct hail_mlapi_network encrypted(void)
{
    struct hail_mlapi_network network;

    hail_mlapi_network_init(&network);
    network.enable_encryption = true;
    return network;
}

static void check_message(struct pair *pair, struct hail_mlapi_session *from,
                          struct hail_mlapi_session *to, uint64_t *dice)
{
    static uint8_t body[300];
    static uint8_t out[500];
    enum hail_message_kind kind = (enum hail_message_kind)(test_next(dice) % 5);
    const struct hail_message_view sent = {
        .kind = kind,
        .flags = from->has_key ? test_next(dice) % 4 : 0,
        .name_hash = kind == HAIL_MESSAGE_UNNAMED || kind == HAIL_MESSAGE_RESPONSE ? 0 : 12345,
        .network_id = kind == HAIL_MESSAGE_CALL || kind == HAIL_MESSAGE_REQUEST ? 300 : 0,
        .call_id = kind >= HAIL_MESSAGE_REQUEST ? test_next(dice) : 0,
        .body = body,
        .body_len = test_next(dice) % sizeof body,
    };

    for (size_t i = 0; i < sent.body_len; i++)
        body[i] = (uint8_t)test_next(dice);
    struct hail_mlapi_bare bare;
    size_t len = hail_mlapi_session_prepare(from, &bare, out, &sent, &pair->random);
    hail_mlapi_protect(NULL, &bare, 1);
    ck_assert_uint_eq(len, hail_mlapi_message_len(&sent));
    ck_assert_int_eq(session_pair_give(pair, to, out, len), HAIL_ACCEPT);
    ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_MESSAGE);
    const struct hail_message_view *got = &pair->result.message;
    ck_assert_int_eq(got->kind, sent.kind);
    ck_assert_uint_eq(got->flags, sent.flags);
    ck_assert_uint_eq(got->name_hash, sent.name_hash);
    ck_assert_uint_eq(got->network_id, sent.network_id);
    ck_assert_uint_eq(got->call_id, sent.call_id);
    ck_assert_uint_eq(got->body_len, sent.body_len);
    if (sent.body_len > 0)
        ck_assert_mem_eq(got->body, body, sent.body_len);
}

// Two ends of ours over every combination of what shapes a session: bit 0 encryption, 1 signing,
// 2 scene management, 3 connection data.
START_TEST(test_pair)
{
    uint64_t dice = test_seed();
    struct hail_mlapi_network network;

    hail_mlapi_network_init(&network);
    network.enable_encryption = _i & 1;
    network.sign_key_exchange = _i & 2;
    network.enable_scene_management = _i & 4;
    network.connection_approval = _i & 8;
    struct pair *pair = session_pair_init(&network, test_next(&dice));
    while (pair->stage < STAGE_CONNECTED)
        session_pair_step(pair);
    ck_assert_int_eq(pair->server.state, HAIL_MLAPI_CONNECTED);
    ck_assert_int_eq(pair->client.state, HAIL_MLAPI_CONNECTED);
    ck_assert_int_eq(pair->server.has_key, network.enable_encryption);
    ck_assert_mem_eq(pair->server.key, pair->client.key, sizeof pair->server.key);
    ck_assert_int_eq(pair->asked, pair->setup.signing);
    for (int i = 0; i < 300; i++) {
        bool up = test_next(&dice) % 2;
        check_message(pair, up ? &pair->client : &pair->server, up ? &pair->server : &pair->client,
                      &dice);
    }
    session_pair_free(pair);
}
END_TEST

static void inject(struct hail_mlapi_session *session, const struct vector_bytes *key)
{
    if (key->len == 0)
        return; // no encryption, no key
    ck_assert_uint_eq(key->len, sizeof session->key);
    memcpy(session->key, key->data, key->len);
    hail_mlapi_keys_init(&session->keys, key->data);
}

// What our end answers, unwrapped, must be of the type and body that MLAPI's other end sent.
static void check_reply(struct pair *pair, const struct hail_mlapi_session *session, uint8_t type,
                        const struct vector_bytes *body)
{
    struct hail_mlapi_packet packet;

    ck_assert_int_eq(hail_mlapi_unwrap(&packet, pair->result.reply, pair->result.reply_len,
                                       session->has_key ? &session->keys : NULL),
                     HAIL_ACCEPT);
    ck_assert_uint_eq(packet.type, type);
    if (!body)
        return;
    ck_assert_uint_eq(packet.body_len, body->len);
    ck_assert_mem_eq(packet.body, body->data, body->len);
}

// Wraps a transcript's body again with the IV it had: the same bytes.
static void check_rewrap(const json_t *row, const struct hail_mlapi_session *session)
{
    struct vector_bytes wire = vector_hex(row, "wire");
    struct vector_bytes body = vector_hex(row, "body");
    uint32_t flags = (uint32_t)vector_int(row, "flags");
    static uint8_t out[4096];

    memcpy(out + hail_mlapi_body_offset(flags), body.data, body.len);
    ck_assert_uint_eq(hail_mlapi_wrap(out, body.len, (uint8_t)vector_int(row, "type"), flags,
                                      &session->keys,
                                      wire.data + (flags & HAIL_FLAG_AUTHENTICATED ? 33 : 1)),
                      wire.len);
    ck_assert_mem_eq(out, wire.data, wire.len);
    free(wire.data);
    free(body.data);
}

// One message of the transcript, given to our end of the other side.
static void play(struct pair *pair, const json_t *row, const json_t *request,
                 const struct vector_bytes *key)
{
    bool from_server = strcmp(vector_text(row, "from"), "server") == 0;
    struct hail_mlapi_session *to = from_server ? &pair->client : &pair->server;
    struct vector_bytes wire = vector_hex(row, "wire");
    struct vector_bytes body = vector_hex(row, "body");
    int64_t type = vector_int(row, "type");

    check_rewrap(row, to);
    ck_assert_msg(session_pair_give(pair, to, wire.data, wire.len) == HAIL_ACCEPT, "%s",
                  vector_text(row, "name"));
    if (type == HAIL_MLAPI_HAIL) {
        ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_KEYED);
        check_reply(pair, to, HAIL_MLAPI_HAIL_RESPONSE, NULL);
        inject(to, key);
    } else if (type == HAIL_MLAPI_HAIL_RESPONSE) {
        ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_KEYED);
        check_reply(pair, to, HAIL_MLAPI_GREETINGS, NULL);
        inject(to, key);
    } else if (type == HAIL_MLAPI_GREETINGS) {
        struct vector_bytes want = vector_hex(request, "body");
        check_reply(pair, to, HAIL_MLAPI_CONNECTION_REQUEST, &want);
        free(want.data);
    } else if (type == HAIL_MLAPI_CONNECTION_REQUEST) {
        const struct hail_mlapi_approved_body approved = {.client_id = 1, .server_time_s = 0.25F};
        uint8_t approval[160];
        ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_REQUEST);
        ck_assert_uint_eq(pair->result.data.len, pair->client.conn_data.len);
        if (pair->client.conn_data.len > 0)
            ck_assert_mem_eq(pair->result.data.data, pair->client.conn_data.data,
                             pair->client.conn_data.len);
        ck_assert_uint_gt(
            hail_mlapi_server_approve(to, approval, sizeof approval, &approved, &pair->random), 0);
    } else if (type == HAIL_MLAPI_CONNECTION_APPROVED) {
        ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_CONNECTED);
        ck_assert_uint_eq(pair->result.client_id, 1);
    } else if (type == HAIL_MLAPI_UNNAMED) {
        ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_MESSAGE);
        ck_assert_uint_eq(pair->result.message.flags, (uint64_t)vector_int(row, "flags"));
        ck_assert_uint_eq(pair->result.message.body_len, body.len);
        ck_assert_mem_eq(pair->result.message.body, body.data, body.len);
    } else {
        ck_assert_int_eq(type, HAIL_MLAPI_TIME_SYNC);
        ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_NONE);
    }
    free(wire.data);
    free(body.data);
}

static const char *const transcripts[] = {
    "unsigned_default", "unsigned_no_scene_management", "signed_rsa_no_scene_management",
    "signed_rsa",       "unsigned_connection_data",     "no_encryption",
};

START_TEST(test_transcript)
{
    json_t *root = vectors_mlapi();
    const json_t *all = json_object_get(root, "transcripts");
    const json_t *transcript = json_object_get(all, transcripts[_i]);
    const json_t *config = json_object_get(transcript, "config");
    const json_t *messages = json_object_get(transcript, "messages");
    struct vector_bytes key = vector_hex(transcript, "key");
    struct vector_bytes data = vector_hex(config, "ConnectionData");
    struct hail_mlapi_network network;
    const json_t *request = NULL;
    json_t *row;
    size_t i;

    hail_mlapi_network_init(&network);
    network.enable_encryption = json_is_true(json_object_get(config, "EnableEncryption"));
    network.sign_key_exchange = json_is_true(json_object_get(config, "SignKeyExchange"));
    network.enable_scene_management =
        json_is_true(json_object_get(config, "EnableSceneManagement"));
    network.connection_approval = json_is_true(json_object_get(config, "ConnectionApproval"));
    struct pair *pair = session_pair_init(&network, 5);
    ck_assert_uint_eq(pair->setup.config_hash, strtoull(vector_text(config, "hash"), NULL, 16));
    pair->client.conn_data = (struct hail_bytes){data.data, data.len};
    json_array_foreach(messages, i, row)
    {
        if (vector_int(row, "type") == HAIL_MLAPI_CONNECTION_REQUEST)
            request = row;
    }
    ck_assert_ptr_nonnull(request);
    if (network.enable_encryption) { // the messages' keys, for wrapping them again
        hail_mlapi_keys_init(&pair->client.keys, key.data);
        hail_mlapi_keys_init(&pair->server.keys, key.data);
    }
    json_array_foreach(messages, i, row) play(pair, row, request, &key);
    ck_assert_int_eq(pair->client.state, HAIL_MLAPI_CONNECTED);
    ck_assert_int_eq(pair->server.state, HAIL_MLAPI_CONNECTED);
    ck_assert_uint_eq(json_object_size(all), HAIL_COUNTOF(transcripts) + 1); // and a note
    session_pair_free(pair);
    free(key.data);
    free(data.data);
    json_decref(root);
}
END_TEST

// How MLAPI's own client took a signed hail, spoilt or not; ours the same.
static void check_hail(const json_t *row, struct pair *pair)
{
    struct vector_bytes wire = vector_hex(row, "wire");
    bool taken = strcmp(vector_text(row, "real_client"), "hail response sent") == 0;
    bool unknown_type = strstr(vector_text(row, "real_client"), "Invalid signature type") != NULL;
    const struct hail_mlapi_session before = pair->client;

    enum hail_verdict got = session_pair_give(pair, &pair->client, wire.data, wire.len);
    ck_assert_int_eq(got, taken          ? HAIL_ACCEPT
                          : unknown_type ? HAIL_DROP_MALFORMED
                                         : HAIL_DROP_SIGNATURE);
    ck_assert_int_eq(pair->result.close, !taken);
    ck_assert_int_eq(pair->result.reply_len > 0, taken);
    ck_assert_int_eq(pair->client.has_key, taken);
    ck_assert_int_eq(pair->client.state, taken ? HAIL_MLAPI_EXPECT_GREETINGS : HAIL_MLAPI_FAILED);
    pair->client = before;
    if (taken) { // and what the verifier does not believe is not taken, whoever signed it
        pair->setup.verifier.check = doubt;
        ck_assert_int_eq(session_pair_give(pair, &pair->client, wire.data, wire.len),
                         HAIL_DROP_CERTIFICATE);
        ck_assert_int_eq(pair->result.report.fault, HAIL_FAULT_UNKNOWN_ISSUER);
        ck_assert(pair->result.close && !pair->client.has_key);
        pair->setup.verifier.check = session_pair_believe;
        pair->client = before;
    }
    free(wire.data);
}

START_TEST(test_signed_hails)
{
    static const char *const lists[] = {"rsa_client_reaction", "dsa_cases"};
    struct hail_mlapi_network network = encrypted();
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    network.sign_key_exchange = true;
    struct pair *pair = session_pair_init(&network, 5);
    json_array_foreach(json_object_get(json_object_get(root, "hail"), lists[_i]), i, row)
        check_hail(row, pair);
    ck_assert_uint_gt(i, 0);
    session_pair_free(pair);
    json_decref(root);
}
END_TEST

// The server's X25519 with the client that MLAPI computed.
START_TEST(test_mlapi_key)
{
    const struct hail_mlapi_network network = encrypted();
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "x25519_server"), "cases"), i, row)
    {
        struct vector_bytes scalar = vector_hex(row, "server_scalar_le_clamped");
        struct vector_bytes part = vector_hex(row, "client_public");
        struct vector_bytes key = vector_hex(row, "client_key");
        uint8_t body[100];
        struct pair *pair = session_pair_init(&network, i);

        memcpy(pair->server.private_key, scalar.data, scalar.len);
        size_t len = hail_mlapi_hail_response_write(body, sizeof body,
                                                    (struct hail_bytes){part.data, part.len});
        ck_assert_int_eq(
            session_pair_give_wrapped(pair, &pair->server, HAIL_MLAPI_HAIL_RESPONSE, 0, body, len),
            HAIL_ACCEPT);
        ck_assert_mem_eq(pair->server.key, key.data, key.len);
        session_pair_free(pair);
        free(scalar.data);
        free(part.data);
        free(key.data);
    }
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

// A shared X with a leading zero byte is stretched without it: both ends of ours would agree either
// way, so it is compared with the rule.
START_TEST(test_short_secret)
{
    static const char salt[] = "P1sN0R4inb0wPl5P1sPls";
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_init(&network, 1);
    struct hail_x25519_pair peer;
    uint8_t shared[HAIL_X25519_LEN];
    uint8_t big[HAIL_X25519_LEN];
    uint8_t part[HAIL_AFFINE_MAX];
    uint8_t body[100];
    uint8_t key[32];

    do {
        hail_x25519_pair_init(&peer, &pair->random);
        ck_assert(hail_x25519(shared, pair->server.private_key, peer.public_key));
    } while (shared[31] != 0);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = shared[31 - i];
    ck_assert_uint_ne(big[1], 0);
    ck_assert(hail_pbkdf2_sha1(key, sizeof key, (struct hail_bytes){big + 1, 31},
                               (struct hail_bytes){(const uint8_t *)salt, sizeof salt - 1}, 1000));
    struct hail_bytes bytes = {part, hail_affine_write(part, peer.public_key)};
    size_t len = hail_mlapi_hail_response_write(body, sizeof body, bytes);
    ck_assert_int_eq(
        session_pair_give_wrapped(pair, &pair->server, HAIL_MLAPI_HAIL_RESPONSE, 0, body, len),
        HAIL_ACCEPT);
    ck_assert_mem_eq(pair->server.key, key, sizeof key);
    session_pair_free(pair);
}
END_TEST

#define BIT(type) (1u << HAIL_MLAPI_##type)
#define FROM_CLIENT                                                                                \
    (BIT(UNNAMED) | BIT(NAMED) | BIT(SERVER_RPC) | BIT(SERVER_RPC_REQUEST) |                       \
     BIT(CLIENT_RPC_RESPONSE) | BIT(SCENE_SWITCHED) | BIT(VAR_DELTA) | BIT(VAR_UPDATE))
#define FROM_SERVER                                                                                \
    (BIT(UNNAMED) | BIT(NAMED) | BIT(CLIENT_RPC) | BIT(CLIENT_RPC_REQUEST) |                       \
     BIT(SERVER_RPC_RESPONSE) | BIT(TIME_SYNC) | BIT(ADD_OBJECT) | BIT(DESTROY_OBJECT) |           \
     BIT(SWITCH_SCENE) | BIT(CHANGE_OWNER) | BIT(ADD_OBJECTS) | BIT(VAR_DELTA) | BIT(VAR_UPDATE) | \
     BIT(DESTROY_OBJECTS) | BIT(SYNCED_VAR))

// Which types each end takes when, of all that there are.
static const struct {
    const char *why;
    enum stage stage;
    bool server;
    enum hail_mlapi_state state;
    uint32_t taken;
} states[] = {
    {"server, no response yet", STAGE_RESPONSE, true, HAIL_MLAPI_EXPECT_HAIL_RESPONSE,
     BIT(HAIL_RESPONSE)},
    {"server, keyed", STAGE_REQUEST, true, HAIL_MLAPI_EXPECT_REQUEST, BIT(CONNECTION_REQUEST)},
    {"server, asked: a second request too is dropped", STAGE_DECISION, true,
     HAIL_MLAPI_EXPECT_DECISION, 0},
    {"server, connected", STAGE_CONNECTED, true, HAIL_MLAPI_CONNECTED, FROM_CLIENT},
    {"client, no hail yet", STAGE_HAIL, false, HAIL_MLAPI_EXPECT_HAIL, BIT(HAIL)},
    {"client, keyed: a second hail too is dropped", STAGE_GREETINGS, false,
     HAIL_MLAPI_EXPECT_GREETINGS, BIT(GREETINGS)},
    {"client, waiting to be approved", STAGE_APPROVED, false, HAIL_MLAPI_EXPECT_APPROVED,
     BIT(CONNECTION_APPROVED) | BIT(TIME_SYNC)},
    {"client, connected", STAGE_CONNECTED, false, HAIL_MLAPI_CONNECTED, FROM_SERVER},
};

START_TEST(test_types_by_state)
{
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_at(&network, states[_i].stage);
    struct hail_mlapi_session *to = states[_i].server ? &pair->server : &pair->client;
    const struct hail_mlapi_session before = *to;

    ck_assert_int_eq(to->state, states[_i].state);
    for (unsigned type = 0; type < 256; type++) {
        for (uint32_t flags = 0; flags <= HAIL_FLAGS_BOTH; flags++) {
            if ((flags == 0 && type > HAIL_MLAPI_TYPE_CLEAR_MAX) || (flags != 0 && !to->has_key))
                continue;
            enum hail_verdict got =
                session_pair_give_wrapped(pair, to, (uint8_t)type, flags, NULL, 0);
            if (type > HAIL_MLAPI_TYPE_LAST) {
                ck_assert_msg(got == HAIL_DROP_TYPE, "%s: %u", states[_i].why, type);
            } else if (states[_i].taken >> type & 1) { // an empty body is another matter
                ck_assert_msg(got != HAIL_DROP_UNEXPECTED && got != HAIL_DROP_TYPE, "%s: %u",
                              states[_i].why, type);
                *to = before;
                continue;
            } else {
                ck_assert_msg(got == HAIL_DROP_UNEXPECTED, "%s: %u", states[_i].why, type);
            }
            ck_assert(!pair->result.close && pair->result.reply_len == 0);
            ck_assert_int_eq(pair->result.event, HAIL_MLAPI_EVENT_NONE);
            ck_assert_mem_eq(to, &before, sizeof before);
        }
    }
    session_pair_free(pair);
}
END_TEST

// What is protected before there is a key cannot be read, and changes nothing.
START_TEST(test_protected_too_early)
{
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_at(&network, STAGE_HAIL);

    for (uint8_t flags = 1; flags <= HAIL_FLAGS_BOTH; flags++) {
        uint8_t message[65] = {flags};
        ck_assert_int_eq(session_pair_give(pair, &pair->client, message, sizeof message),
                         HAIL_DROP_NO_KEY);
        ck_assert_int_eq(session_pair_give(pair, &pair->server, message, sizeof message),
                         HAIL_DROP_NO_KEY);
    }
    while (pair->stage < STAGE_CONNECTED)
        session_pair_step(pair);
    session_pair_free(pair);
}
END_TEST

// Each message of the handshake cut at every byte: none is taken, and but for a hail, of which no
// other will come, the end still waits for the whole one. Of greetings and the time sync nothing
// but the type is read. Bit 0: signed; 1: encrypted.
START_TEST(test_cut_anywhere)
{
    struct hail_mlapi_network network;

    hail_mlapi_network_init(&network);
    network.enable_encryption = _i & 2;
    network.sign_key_exchange = _i & 1;
    network.connection_approval = true;
    struct pair *pair = session_pair_init(&network, 99);
    for (; pair->stage < STAGE_CONNECTED; session_pair_step(pair)) {
        struct hail_mlapi_session *to = session_pair_receiver(pair);
        const struct hail_mlapi_session before = *to;
        if (pair->stage == STAGE_DECISION)
            continue;
        for (size_t len = 0; len < pair->len; len++) {
            enum hail_verdict got = session_pair_give(pair, to, pair->message, len);
            if (pair->stage == STAGE_GREETINGS && len > 0)
                ck_assert_int_eq(got, HAIL_ACCEPT);
            else
                ck_assert_msg(got != HAIL_ACCEPT, "stage %d, length %zu", (int)pair->stage, len);
            if (pair->stage == STAGE_HAIL && len > 0)
                ck_assert(pair->result.close && to->state == HAIL_MLAPI_FAILED);
            else if (pair->stage != STAGE_GREETINGS)
                ck_assert_mem_eq(to, &before, sizeof before);
            *to = before;
        }
    }
    session_pair_free(pair);
}
END_TEST

// Public parts that a hail response, or a hail, must not get through with.
static const struct {
    const char *why;
    const char *part;
} bad_parts[] = {
    {"empty", ""},
    {"cut short", "20000000"},
    {"order 2", "010000000000"},
    {"order 4", "0100000001"
                "6be4f497f9a9c2afc21fa77ad7f4a6ef635a11c7284a9363e9a248ef9c884415"},
    {"off the curve", "010000000901"},
    {"on the twist", "010000000201"},
    {"X of 33 bytes", "21000000000000000000000000000000000000000000000000000000000000000000000000"
                      "0901"},
    {"a length of 2^31", "000000800901"},
};

START_TEST(test_bad_point)
{
    const struct hail_mlapi_network network = encrypted();
    struct vector_bytes part = test_unhex(bad_parts[_i].part);
    struct hail_mlapi_hail_body hail = {.public_part = {part.data, part.len}};
    uint8_t body[100];
    struct pair *pair = session_pair_at(&network, STAGE_HAIL);
    const struct hail_mlapi_session client = pair->client;

    size_t len = hail_mlapi_hail_write(body, sizeof body, &hail, false);
    ck_assert_int_eq(session_pair_give_wrapped(pair, &pair->client, HAIL_MLAPI_HAIL, 0, body, len),
                     HAIL_DROP_POINT);
    ck_assert(pair->result.close && !pair->client.has_key && pair->result.report.text[0] != 0);
    pair->client = client;

    session_pair_step(pair);
    const struct hail_mlapi_session server = pair->server;
    for (int tries = 0; tries < 3; tries++) {
        ck_assert_msg(session_pair_give_wrapped(pair, &pair->server, HAIL_MLAPI_HAIL_RESPONSE, 0,
                                                body, len) == HAIL_DROP_POINT,
                      "%s", bad_parts[_i].why);
        ck_assert(!pair->result.close && pair->result.reply_len == 0);
        ck_assert_mem_eq(&pair->server, &server, sizeof server);
    }
    while (pair->stage < STAGE_CONNECTED) // a right one still works
        session_pair_step(pair);
    session_pair_free(pair);
    free(part.data);
}
END_TEST

// What admits a peer carries both flags, or does not count.
START_TEST(test_admission_needs_both_flags)
{
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_at(&network, STAGE_REQUEST);
    uint8_t body[100];
    const struct hail_mlapi_request_body request = {.config_hash = pair->setup.config_hash};
    const struct hail_mlapi_approved_body approved = {.client_id = 1};

    size_t len = hail_mlapi_request_write(body, sizeof body, &request, false);
    for (uint32_t flags = 0; flags < HAIL_FLAGS_BOTH; flags++) {
        ck_assert_int_eq(session_pair_give_wrapped(pair, &pair->server,
                                                   HAIL_MLAPI_CONNECTION_REQUEST, flags, body, len),
                         HAIL_DROP_UNPROTECTED);
        ck_assert(!pair->result.close);
        ck_assert_int_eq(pair->server.state, HAIL_MLAPI_EXPECT_REQUEST);
    }
    session_pair_step(pair);
    session_pair_step(pair);
    len = hail_mlapi_approved_write(body, sizeof body, &approved, true);
    for (uint32_t flags = 0; flags < HAIL_FLAGS_BOTH; flags++) {
        ck_assert_int_eq(session_pair_give_wrapped(
                             pair, &pair->client, HAIL_MLAPI_CONNECTION_APPROVED, flags, body, len),
                         HAIL_DROP_UNPROTECTED);
        ck_assert_int_eq(pair->client.state, HAIL_MLAPI_EXPECT_APPROVED);
    }
    session_pair_step(pair);
    ck_assert_int_eq(pair->client.state, HAIL_MLAPI_CONNECTED);
    session_pair_free(pair);
}
END_TEST

START_TEST(test_other_config)
{
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_at(&network, STAGE_REQUEST);
    struct hail_mlapi_setup other = pair->setup;

    other.config_hash ^= 1;
    pair->server.setup = &other;
    ck_assert_int_eq(session_pair_give(pair, &pair->server, pair->message, pair->len),
                     HAIL_DROP_CONFIG);
    ck_assert(pair->result.close);
    ck_assert_int_eq(pair->server.state, HAIL_MLAPI_FAILED);
    pair->server.setup = &pair->setup;
    ck_assert_int_eq(session_pair_give(pair, &pair->server, pair->message, pair->len),
                     HAIL_DROP_UNEXPECTED);
    session_pair_free(pair);
}
END_TEST

START_TEST(test_conn_data_max)
{
    static const uint8_t data[HAIL_MLAPI_CONN_DATA_MAX] = {1};
    static uint8_t body[HAIL_MLAPI_CONN_DATA_MAX + 20];
    struct hail_mlapi_network network = encrypted();

    network.connection_approval = true;
    struct pair *pair = session_pair_at(&network, STAGE_REQUEST);
    struct hail_mlapi_request_body request = {pair->setup.config_hash, {data, 100}};
    pair->setup.conn_data_max = 99;
    size_t len = hail_mlapi_request_write(body, sizeof body, &request, true);
    ck_assert_int_eq(
        session_pair_give_wrapped(pair, &pair->server, HAIL_MLAPI_CONNECTION_REQUEST, 3, body, len),
        HAIL_DROP_TOO_LARGE);
    ck_assert_int_eq(pair->server.state, HAIL_MLAPI_EXPECT_REQUEST);
    pair->setup.conn_data_max = 100;
    ck_assert_int_eq(
        session_pair_give_wrapped(pair, &pair->server, HAIL_MLAPI_CONNECTION_REQUEST, 3, body, len),
        HAIL_ACCEPT);
    ck_assert_uint_eq(pair->result.data.len, 100);
    session_pair_free(pair);

    pair =
        session_pair_at(&network, STAGE_GREETINGS); // the most that a client sends fits its reply
    pair->client.conn_data = (struct hail_bytes){data, sizeof data};
    session_pair_step(pair);
    ck_assert_int_eq(session_pair_give(pair, &pair->server, pair->message, pair->len), HAIL_ACCEPT);
    ck_assert_uint_eq(pair->result.data.len, sizeof data);
    session_pair_free(pair);
}
END_TEST

// A second hail, right in itself, changes no key; nor does a second request ask again.
START_TEST(test_second_time)
{
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_at(&network, STAGE_REQUEST);
    static uint8_t request[HAIL_MLAPI_HAIL_MAX];
    size_t request_len = pair->len;
    uint8_t key[HAIL_MLAPI_KEY_LEN];

    memcpy(key, pair->client.key, sizeof key);
    memcpy(request, pair->message, request_len);
    while (pair->stage < STAGE_CONNECTED) {
        ck_assert_int_eq(session_pair_give(pair, &pair->client, pair->hail.message, pair->hail.len),
                         HAIL_DROP_UNEXPECTED);
        session_pair_step(pair);
        ck_assert_int_eq(session_pair_give(pair, &pair->server, request, request_len),
                         HAIL_DROP_UNEXPECTED);
    }
    ck_assert_mem_eq(key, pair->client.key, sizeof key);
    ck_assert_mem_eq(key, pair->server.key, sizeof key);
    session_pair_free(pair);
}
END_TEST

// Cases where MLAPI's unwrap lets through what the session then does not know; all others end the
// same there and here.
static const struct {
    const char *what;
    enum hail_verdict want;
} differences[] = {
    {"none: type 63, accepted by UnwrapMessage, then 'unrecognized messageType'", HAIL_DROP_TYPE},
    {"encrypted: ciphertext byte 0 xor 1: not noticed, first block garbled, body byte 15 changes",
     HAIL_DROP_TYPE}, // the garbled type is 178
};

START_TEST(test_rejects)
{
    const struct hail_mlapi_network network = encrypted();
    struct pair *pair = session_pair_at(&network, STAGE_CONNECTED);
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "message_reject"), "cases"), i, row)
    {
        const char *what = vector_text(row, "what");
        bool want = strcmp(vector_text(row, "result"), "accept") == 0;
        struct vector_bytes wire = vector_hex(row, "wire");
        struct vector_bytes key = vector_hex(row, "key");
        const struct hail_mlapi_session before = pair->server;

        pair->server.has_key = key.len > 0 && !strstr(what, "EnableEncryption=false");
        if (key.len > 0)
            inject(&pair->server, &key);
        const struct hail_mlapi_session keyed = pair->server;
        enum hail_verdict got = session_pair_give(pair, &pair->server, wire.data, wire.len);
        bool differs = false;
        for (size_t j = 0; j < HAIL_COUNTOF(differences); j++) {
            if (strcmp(differences[j].what, what) == 0) {
                differs = true;
                ck_assert_int_eq(got, differences[j].want);
            }
        }
        ck_assert_msg(differs || (got == HAIL_ACCEPT) == want, "%s: %s", what,
                      hail_verdict_name(got));
        ck_assert(!pair->result.close && pair->result.reply_len == 0); // no answer, and it stays
        ck_assert_mem_eq(&pair->server, &keyed, sizeof keyed);
        pair->server = before;
        free(wire.data);
        free(key.data);
    }
    ck_assert_uint_eq(i, 69);
    session_pair_free(pair);
    json_decref(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_types_by_state, 0, HAIL_COUNTOF(states));
    tcase_add_test(tests, test_protected_too_early);
    tcase_add_loop_test(tests, test_cut_anywhere, 0, 4);
    tcase_add_loop_test(tests, test_bad_point, 0, HAIL_COUNTOF(bad_parts));
    tcase_add_test(tests, test_admission_needs_both_flags);
    tcase_add_test(tests, test_other_config);
    tcase_add_test(tests, test_conn_data_max);
    tcase_add_test(tests, test_second_time);
    tcase_add_test(tests, test_rejects);
    tcase_add_loop_test(tests, test_pair, 0, 16);
    tcase_add_loop_test(tests, test_transcript, 0, HAIL_COUNTOF(transcripts));
    tcase_add_loop_test(tests, test_signed_hails, 0, 2);
    tcase_add_test(tests, test_mlapi_key);
    tcase_add_test(tests, test_short_secret);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
