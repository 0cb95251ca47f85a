// ends.c: see ends.h.
// SPDX-License-Identifier: MIT
#include "tests/ends.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

bool ends_believe(void *user, const struct hail_certificate *certificate, const char *host,
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
struct ends *ends_init(const struct hail_mlapi_network *network, uint64_t seed)
{
    struct ends *ends = calloc(1, sizeof *ends);

    ck_assert_ptr_nonnull(ends);
    ends->network = *network;
    hail_random_init_seeded(&ends->random, seed);
    ends->ambient = (struct hail_mlapi_ambient){&ends->random, 637134336000000000, 1600000000};
    ck_assert(hail_mlapi_setup_init(&ends->setup, network));
    ck_assert_int_eq(ends->setup.signing, network->enable_encryption && network->sign_key_exchange);
    if (ends->setup.signing) {
        ends->identity = load_identity();
        ends->setup.identity = ends->identity;
        ends->setup.verifier = (struct hail_mlapi_verifier){ends_believe, &ends->asked};
    }
    struct hail_bytes data = {conn_data, network->connection_approval ? sizeof conn_data : 0};
    hail_mlapi_client_init(&ends->client, &ends->setup, "host.example", data);
    hail_mlapi_client_open(&ends->client, &ends->result, &ends->ambient);
    if (network->enable_encryption) {
        ck_assert_uint_eq(ends->result.reply_len, 0);
        struct hail_x25519_pair pair;
        hail_x25519_pair_init(&pair, &ends->random);
        ck_assert(hail_mlapi_hail_make(&ends->hail, &ends->setup, &pair));
        hail_mlapi_server_init(&ends->server, &ends->setup, &ends->hail);
        ends->len = ends->hail.len;
        memcpy(ends->message, ends->hail.message, ends->len);
    } else {
        hail_mlapi_server_init(&ends->server, &ends->setup, NULL);
        ends->stage = STAGE_REQUEST;
        ends->len = ends->result.reply_len;
        memcpy(ends->message, ends->result.reply, ends->len);
    }
    return ends;
}

void ends_free(struct ends *ends)
{
    hail_mlapi_session_cleanup(&ends->server);
    hail_mlapi_session_cleanup(&ends->client);
    hail_random_cleanup(&ends->random);
    hail_identity_free(ends->identity);
    free(ends);
}

// Gives `len` bytes to an end, in memory of exactly that length.
enum hail_verdict ends_give(struct ends *ends, struct hail_mlapi_session *to, const uint8_t *data,
                            size_t len)
{
    static uint8_t *held; // what the last result points into
    free(held);
    held = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(held);
    memcpy(held, data, len);
    enum hail_verdict verdict =
        hail_mlapi_session_input(to, &ends->result, held, len, &ends->ambient);
    if (verdict == HAIL_ACCEPT && ends->result.event == HAIL_MLAPI_EVENT_ANSWERED) {
        hail_mlapi_server_agree(&to, 1);
        ck_assert(to->has_key);
        hail_mlapi_server_greet(&ends->result, &ends->ambient);
    }
    return verdict;
}

// Who takes the message that is on its way.
struct hail_mlapi_session *ends_receiver(struct ends *ends)
{
    return ends->stage == STAGE_RESPONSE || ends->stage == STAGE_REQUEST ? &ends->server
                                                                         : &ends->client;
}

// One step of a handshake in which nothing goes wrong.
void ends_step(struct ends *ends)
{
    static const enum hail_mlapi_event_type want[] = {
        [STAGE_HAIL] = HAIL_MLAPI_EVENT_KEYED,         [STAGE_RESPONSE] = HAIL_MLAPI_EVENT_KEYED,
        [STAGE_GREETINGS] = HAIL_MLAPI_EVENT_NONE,     [STAGE_REQUEST] = HAIL_MLAPI_EVENT_REQUEST,
        [STAGE_APPROVED] = HAIL_MLAPI_EVENT_CONNECTED,
    };
    bool approval = ends->network.connection_approval;

    if (ends->stage == STAGE_DECISION) {
        struct hail_mlapi_approval out;
        hail_mlapi_server_approve(&ends->server, &out, 7, 1.5F, &ends->random);
        ck_assert_int_eq(ends_give(ends, &ends->client, out.time_sync, out.time_sync_len),
                         HAIL_ACCEPT);
        ends->len = out.approved_len;
        memcpy(ends->message, out.approved, ends->len);
    } else {
        ck_assert_int_eq(ends_give(ends, ends_receiver(ends), ends->message, ends->len),
                         HAIL_ACCEPT);
        ck_assert_int_eq(ends->result.event, want[ends->stage]);
        ck_assert(!ends->result.close);
        ends->len = ends->result.reply_len;
        memcpy(ends->message, ends->result.reply, ends->len);
    }
    if (ends->stage == STAGE_REQUEST) {
        ck_assert_uint_eq(ends->result.data.len, approval ? sizeof conn_data : 0);
        if (approval)
            ck_assert_mem_eq(ends->result.data.data, conn_data, sizeof conn_data);
    }
    if (ends->stage == STAGE_APPROVED)
        ck_assert_uint_eq(ends->result.client_id, 7);
    ends->stage++;
}

struct ends *ends_at(const struct hail_mlapi_network *network, enum stage stage)
{
    struct ends *ends = ends_init(network, 99);

    while (ends->stage < stage)
        ends_step(ends);
    return ends;
}

// Wraps a body with a session's key and hands it to an end.
enum hail_verdict ends_give_wrapped(struct ends *ends, struct hail_mlapi_session *to, uint8_t type,
                                    uint32_t flags, const uint8_t *body, size_t len)
{
    static const uint8_t iv[HAIL_CBC_BLOCK] = {1};
    static uint8_t out[HAIL_MLAPI_CONN_DATA_MAX + 200];

    if (len > 0)
        memcpy(out + hail_mlapi_body_offset(flags), body, len);
    return ends_give(ends, to, out, hail_mlapi_wrap(out, len, type, flags, &to->keys, iv));
}
