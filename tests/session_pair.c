// session_pair.c: see session_pair.h.
// SPDX-License-Identifier: MIT
#include "tests/session_pair.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

bool session_pair_believe(void *user, const struct hail_certificate *certificate, const char *host,
                          int64_t unix_s, struct hail_fault_report *report)
{
    int *asked = user;

    (void)certificate;
    (void)report;
    ck_assert_str_eq(host, "host.example");
    ck_assert_int_eq(unix_s, 1600000000);
    (*asked)++;
    return true;
}

static const uint8_t conn_data[] = "token-123";

// The first key and certificate of the vectors' PFX files.
static struct hail_identity *load_identity(void)
{
    json_t *root = vectors_mlapi();
    const json_t *pfx = json_array_get(json_object_get(root, "pfx"), 0);
    const char *text = vector_text(pfx, "base64");
    struct hail_bytes file = {(const uint8_t *)text, strlen(text)};
    struct hail_identity *identity = NULL;
    struct hail_fault_report report;

    ck_assert_msg(hail_identity_load(&identity, file, (struct hail_bytes){NULL, 0}, NULL, &report),
                  "%s", report.text);
    json_decref(root);
    return identity;
}

// Both ends begun on `network`, and the first message on its way.
struct pair *session_pair_init(const struct hail_mlapi_network *network, uint64_t seed)
{
    struct pair *pair = calloc(1, sizeof *pair);

    ck_assert_ptr_nonnull(pair);
    pair->network = *network;
    hail_random_init_seeded(&pair->random, seed);
    pair->ambient = (struct hail_mlapi_ambient){&pair->random, 637134336000000000, 1600000000};
    ck_assert(hail_mlapi_setup_init(&pair->setup, network));
    ck_assert_int_eq(pair->setup.signing, network->enable_encryption && network->sign_key_exchange);
    if (pair->setup.signing) {
        pair->identity = load_identity();
        pair->setup.identity = pair->identity;
        pair->setup.verifier = (struct hail_mlapi_verifier){session_pair_believe, &pair->asked};
    }
    struct hail_bytes data = {conn_data, network->connection_approval ? sizeof conn_data : 0};
    hail_mlapi_client_init(&pair->client, &pair->setup, "host.example", data);
    hail_mlapi_client_open(&pair->client, &pair->result, &pair->ambient);
    if (network->enable_encryption) {
        ck_assert_uint_eq(pair->result.reply_len, 0);
        struct hail_x25519_pair keys;
        hail_x25519_pair_init(&keys, &pair->random);
        ck_assert(hail_mlapi_hail_make(&pair->hail, &pair->setup, &keys));
        hail_mlapi_server_init(&pair->server, &pair->setup, &pair->hail);
        pair->len = pair->hail.len;
        memcpy(pair->message, pair->hail.message, pair->len);
    } else {
        hail_mlapi_server_init(&pair->server, &pair->setup, NULL);
        pair->stage = STAGE_REQUEST;
        pair->len = pair->result.reply_len;
        memcpy(pair->message, pair->result.reply, pair->len);
    }
    return pair;
}

void session_pair_free(struct pair *pair)
{
    hail_mlapi_session_cleanup(&pair->server);
    hail_mlapi_session_cleanup(&pair->client);
    hail_random_cleanup(&pair->random);
    hail_identity_free(pair->identity);
    free(pair);
}

// Gives `len` bytes to an end, in memory of exactly that length.
enum hail_verdict session_pair_give(struct pair *pair, struct hail_mlapi_session *to,
                                    const uint8_t *data, size_t len)
{
    static uint8_t *held; // what the last result points into
    free(held);
    held = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(held);
    memcpy(held, data, len);
    enum hail_verdict verdict =
        hail_mlapi_session_input(to, &pair->result, held, len, &pair->ambient);
    if (verdict == HAIL_ACCEPT && pair->result.event == HAIL_MLAPI_EVENT_ANSWERED) {
        hail_mlapi_server_agree(&to, 1);
        ck_assert(to->has_key);
        hail_mlapi_server_greet(&pair->result, &pair->ambient);
    }
    return verdict;
}

// Who takes the message that is on its way.
struct hail_mlapi_session *session_pair_receiver(struct pair *pair)
{
    return pair->stage == STAGE_RESPONSE || pair->stage == STAGE_REQUEST ? &pair->server
                                                                         : &pair->client;
}

// One step of a handshake in which nothing goes wrong.
void session_pair_step(struct pair *pair)
{
    static const enum hail_mlapi_event_type want[] = {
        [STAGE_HAIL] = HAIL_MLAPI_EVENT_KEYED,         [STAGE_RESPONSE] = HAIL_MLAPI_EVENT_KEYED,
        [STAGE_GREETINGS] = HAIL_MLAPI_EVENT_NONE,     [STAGE_REQUEST] = HAIL_MLAPI_EVENT_REQUEST,
        [STAGE_APPROVED] = HAIL_MLAPI_EVENT_CONNECTED,
    };
    bool approval = pair->network.connection_approval;

    if (pair->stage == STAGE_DECISION) {
        const struct hail_mlapi_approved_body approved = {.client_id = 7, .server_time_s = 1.5F};
        uint8_t sync[HAIL_MLAPI_SYNC_MAX];
        ck_assert_int_eq(
            session_pair_give(pair, &pair->client, sync, hail_mlapi_server_sync(sync, 1.5F)),
            HAIL_ACCEPT);
        pair->len = hail_mlapi_server_approve(&pair->server, pair->message, sizeof pair->message,
                                              &approved, &pair->random);
        ck_assert_uint_gt(pair->len, 0);
    } else {
        ck_assert_int_eq(
            session_pair_give(pair, session_pair_receiver(pair), pair->message, pair->len),
            HAIL_ACCEPT);
        ck_assert_int_eq(pair->result.event, want[pair->stage]);
        ck_assert(!pair->result.close);
        pair->len = pair->result.reply_len;
        memcpy(pair->message, pair->result.reply, pair->len);
    }
    if (pair->stage == STAGE_REQUEST) {
        ck_assert_uint_eq(pair->result.data.len, approval ? sizeof conn_data : 0);
        if (approval)
            ck_assert_mem_eq(pair->result.data.data, conn_data, sizeof conn_data);
    }
    if (pair->stage == STAGE_APPROVED)
        ck_assert_uint_eq(pair->result.client_id, 7);
    pair->stage++;
}

struct pair *session_pair_at(const struct hail_mlapi_network *network, enum stage stage)
{
    struct pair *pair = session_pair_init(network, 99);

    while (pair->stage < stage)
        session_pair_step(pair);
    return pair;
}

// Wraps a body with a session's key and hands it to an end.
enum hail_verdict session_pair_give_wrapped(struct pair *pair, struct hail_mlapi_session *to,
                                            uint8_t type, uint32_t flags, const uint8_t *body,
                                            size_t len)
{
    static const uint8_t iv[HAIL_CBC_BLOCK] = {1};
    static uint8_t out[HAIL_MLAPI_CONN_DATA_MAX + 200];

    if (len > 0)
        memcpy(out + hail_mlapi_body_offset(flags), body, len);
    return session_pair_give(pair, to, out, hail_mlapi_wrap(out, len, type, flags, &to->keys, iv));
}
