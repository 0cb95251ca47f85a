// session.c: see session.h. One switch over the state, one handler a message; a handler works on
// copies and commits when nothing can fail any more.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/session.h"

#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"
#include "proto/mlapi/bits.h"

static const uint8_t stretch_salt[] = "P1sN0R4inb0wPl5P1sPls"; // MLAPI's, without the terminator
static const uint32_t stretch_iterations = 1000;

// The session's diagram: bit `to` of row `from` says that the step is legal.
static const uint16_t legal[HAIL_MLAPI_STATE_COUNT] = {
    [HAIL_MLAPI_EXPECT_HAIL_RESPONSE] = 1u << HAIL_MLAPI_EXPECT_AGREEMENT,
    [HAIL_MLAPI_EXPECT_AGREEMENT] =
        1u << HAIL_MLAPI_EXPECT_REQUEST | 1u << HAIL_MLAPI_EXPECT_HAIL_RESPONSE,
    [HAIL_MLAPI_EXPECT_REQUEST] = 1u << HAIL_MLAPI_EXPECT_DECISION | 1u << HAIL_MLAPI_FAILED,
    [HAIL_MLAPI_EXPECT_DECISION] = 1u << HAIL_MLAPI_CONNECTED,
    [HAIL_MLAPI_EXPECT_HAIL] = 1u << HAIL_MLAPI_EXPECT_GREETINGS | 1u << HAIL_MLAPI_FAILED,
    [HAIL_MLAPI_EXPECT_GREETINGS] = 1u << HAIL_MLAPI_EXPECT_APPROVED,
    [HAIL_MLAPI_EXPECT_APPROVED] = 1u << HAIL_MLAPI_CONNECTED,
};

// The only place where a begun session's state is written.
static void enter(struct hail_mlapi_session *session, enum hail_mlapi_state next)
{
    HAIL_ASSERT(legal[session->state] & 1u << next);
    session->state = next;
}

bool hail_mlapi_setup_init(struct hail_mlapi_setup *setup, const struct hail_mlapi_network *network)
{
    uint64_t hash;

    if (!hail_mlapi_network_hash(network, &hash))
        return false;
    *setup = (struct hail_mlapi_setup){
        .encryption = network->enable_encryption,
        .signing = network->enable_encryption && network->sign_key_exchange,
        .scene_management = network->enable_scene_management,
        .prefab_hashes = !network->enable_scene_management || network->use_prefab_sync,
        .networked_var = network->enable_networked_var,
        .connection_approval = network->connection_approval,
        .rpc_hash_size = network->rpc_hash_size,
        .config_hash = hash,
        .conn_data_max = HAIL_MLAPI_CONN_DATA_MAX,
    };
    return true;
}

bool hail_mlapi_hail_make(struct hail_mlapi_hail *hail, const struct hail_mlapi_setup *setup,
                          const struct hail_x25519_pair *pair)
{
    uint8_t part[HAIL_AFFINE_MAX];
    uint8_t signature[HAIL_SIGNATURE_MAX];
    struct hail_mlapi_hail_body body = {.public_part = {part, 0},
                                        .signature = {signature, 0},
                                        .signature_type = HAIL_SIGNATURE_RSA};

    hail->pair = *pair;
    body.public_part.len = hail_affine_write(part, hail->pair.public_key);
    if (body.public_part.len == 0)
        return false;
    if (setup->signing) {
        body.certificate = hail_identity_leaf(setup->identity);
        if (!hail_identity_sign_rsa(setup->identity, signature, &body.signature.len,
                                    body.public_part))
            return false;
    }
    size_t len =
        hail_mlapi_hail_write(hail->message + 1, sizeof hail->message - 1, &body, setup->signing);
    if (len == 0)
        return false;
    hail->len = hail_mlapi_wrap(hail->message, len, HAIL_MLAPI_HAIL, 0, NULL, NULL);
    return true;
}

void hail_mlapi_server_init(struct hail_mlapi_session *session,
                            const struct hail_mlapi_setup *setup,
                            const struct hail_mlapi_hail *hail)
{
    HAIL_ASSERT(setup->encryption == (hail != NULL));
    *session = (struct hail_mlapi_session){
        .setup = setup,
        .state = hail ? HAIL_MLAPI_EXPECT_HAIL_RESPONSE : HAIL_MLAPI_EXPECT_REQUEST,
        .is_server = true,
    };
    if (hail)
        memcpy(session->private_key, hail->pair.private_key, sizeof session->private_key);
}

void hail_mlapi_client_init(struct hail_mlapi_session *session,
                            const struct hail_mlapi_setup *setup, const char *host,
                            struct hail_bytes conn_data)
{
    HAIL_ASSERT(conn_data.len <= HAIL_MLAPI_CONN_DATA_MAX);
    *session = (struct hail_mlapi_session){
        .setup = setup,
        .host = host,
        .conn_data = conn_data,
        .state = setup->encryption ? HAIL_MLAPI_EXPECT_HAIL : HAIL_MLAPI_EXPECT_APPROVED,
    };
}

void hail_mlapi_session_cleanup(struct hail_mlapi_session *session)
{
    hail_wipe(session, sizeof *session);
}

static void begin_result(struct hail_mlapi_result *result)
{
    result->event = HAIL_MLAPI_EVENT_NONE;
    result->close = false;
    result->data = (struct hail_bytes){NULL, 0};
    result->message = (struct hail_message_view){.kind = HAIL_MESSAGE_UNNAMED};
    result->report.fault = HAIL_FAULT_NONE;
    result->report.text[0] = 0;
    result->reply_len = 0;
}

// X of a shared point as MLAPI stretches it: big-endian, without leading zero bytes.
static struct hail_bytes password_of(uint8_t password[HAIL_X25519_LEN],
                                     const uint8_t shared[HAIL_X25519_LEN])
{
    size_t zeroes = 0;

    for (size_t i = 0; i < HAIL_X25519_LEN; i++)
        password[i] = shared[HAIL_X25519_LEN - 1 - i];
    while (zeroes < HAIL_X25519_LEN - 1 && password[zeroes] == 0)
        zeroes++;
    return (struct hail_bytes){password + zeroes, HAIL_X25519_LEN - zeroes};
}

// Agrees on the key with ends whose public keys lie where the keys will be. Who fails has none.
static void agree(struct hail_mlapi_session *const *sessions, size_t count)
{
    const struct hail_bytes salt = {stretch_salt, sizeof stretch_salt - 1};
    struct hail_x25519_job exchanges[HAIL_MLAPI_AGREEMENTS_MAX];
    struct hail_pbkdf2_job jobs[HAIL_MLAPI_AGREEMENTS_MAX];
    uint8_t passwords[HAIL_MLAPI_AGREEMENTS_MAX][HAIL_X25519_LEN];

    HAIL_ASSERT(count <= HAIL_MLAPI_AGREEMENTS_MAX);
    for (size_t i = 0; i < count; i++)
        exchanges[i] = (struct hail_x25519_job){.private_key = sessions[i]->private_key,
                                                .public_key = sessions[i]->key};
    hail_x25519_batch(exchanges, count);
    for (size_t i = 0; i < count; i++)
        jobs[i] = (struct hail_pbkdf2_job){
            .password = password_of(passwords[i], exchanges[i].shared), .salt = salt};
    bool good = hail_pbkdf2_sha1_batch(jobs, count, stretch_iterations);
    for (size_t i = 0; i < count; i++) {
        struct hail_mlapi_session *session = sessions[i];
        if (!good || !exchanges[i].good)
            continue;
        memcpy(session->key, jobs[i].out, sizeof session->key);
        hail_mlapi_keys_init(&session->keys, session->key);
        hail_wipe(session->private_key, sizeof session->private_key);
        session->has_key = true;
    }
    hail_wipe(exchanges, sizeof exchanges);
    hail_wipe(jobs, sizeof jobs);
    hail_wipe(passwords, sizeof passwords);
}

static void reply_clear(struct hail_mlapi_result *result, uint8_t type, size_t body_len)
{
    result->reply_len = hail_mlapi_wrap(result->reply, body_len, type, 0, NULL, NULL);
}

// The key can wait, the point cannot: who sent a bad one may send another.
static enum hail_verdict on_hail_response(struct hail_mlapi_session *session,
                                          struct hail_mlapi_result *result,
                                          const struct hail_mlapi_packet *packet)
{
    struct hail_bytes part;

    if (!hail_mlapi_hail_response_read(&part, (struct hail_bytes){packet->body, packet->body_len}))
        return HAIL_DROP_MALFORMED;
    if (!hail_affine_parse(session->key, part.data, part.len))
        return HAIL_DROP_POINT;
    enter(session, HAIL_MLAPI_EXPECT_AGREEMENT);
    result->event = HAIL_MLAPI_EVENT_ANSWERED;
    return HAIL_ACCEPT;
}

void hail_mlapi_server_agree(struct hail_mlapi_session *const *sessions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        HAIL_ASSERT(sessions[i]->state == HAIL_MLAPI_EXPECT_AGREEMENT);
    agree(sessions, count);
    for (size_t i = 0; i < count; i++)
        enter(sessions[i],
              sessions[i]->has_key ? HAIL_MLAPI_EXPECT_REQUEST : HAIL_MLAPI_EXPECT_HAIL_RESPONSE);
}

void hail_mlapi_server_greet(struct hail_mlapi_result *result,
                             const struct hail_mlapi_ambient *ambient)
{
    begin_result(result);
    struct hail_bits_writer writer = hail_bits_writer(result->reply + 1, sizeof result->reply - 1);
    hail_bits_write_zigzag(&writer, ambient->ticks);
    reply_clear(result, HAIL_MLAPI_GREETINGS, hail_bits_len(&writer));
    result->event = HAIL_MLAPI_EVENT_KEYED;
}

// With encryption on, what admits a peer has to carry both flags: MLAPI takes it in the clear.
static bool protected_enough(const struct hail_mlapi_session *session,
                             const struct hail_mlapi_packet *packet)
{
    return !session->setup->encryption || packet->flags == HAIL_FLAGS_BOTH;
}

static enum hail_verdict on_request(struct hail_mlapi_session *session,
                                    struct hail_mlapi_result *result,
                                    const struct hail_mlapi_packet *packet)
{
    const struct hail_mlapi_setup *setup = session->setup;
    struct hail_mlapi_request_body request;

    if (!protected_enough(session, packet))
        return HAIL_DROP_UNPROTECTED;
    if (!hail_mlapi_request_read(&request, setup->connection_approval,
                                 (struct hail_bytes){packet->body, packet->body_len}))
        return HAIL_DROP_MALFORMED;
    if (request.config_hash != setup->config_hash) {
        enter(session, HAIL_MLAPI_FAILED);
        result->close = true;
        return HAIL_DROP_CONFIG;
    }
    if (request.data.len > setup->conn_data_max)
        return HAIL_DROP_TOO_LARGE;
    enter(session, HAIL_MLAPI_EXPECT_DECISION);
    result->event = HAIL_MLAPI_EVENT_REQUEST;
    result->data = request.data;
    result->message.flags = packet->flags;
    return HAIL_ACCEPT;
}

size_t hail_mlapi_server_sync(uint8_t out[HAIL_MLAPI_SYNC_MAX], float server_time_s)
{
    struct hail_bits_writer writer = hail_bits_writer(out + 1, HAIL_MLAPI_SYNC_MAX - 1);

    hail_bits_write_float(&writer, server_time_s);
    return hail_mlapi_wrap(out, hail_bits_len(&writer), HAIL_MLAPI_TIME_SYNC, 0, NULL, NULL);
}

size_t hail_mlapi_server_approve(struct hail_mlapi_session *session, uint8_t *out, size_t capacity,
                                 const struct hail_mlapi_approved_body *approved,
                                 struct hail_random *random)
{
    uint32_t flags = session->setup->encryption ? HAIL_FLAGS_BOTH : 0;
    size_t offset = hail_mlapi_body_offset(flags);
    uint8_t iv[HAIL_CBC_BLOCK];

    HAIL_ASSERT(session->state == HAIL_MLAPI_EXPECT_DECISION);
    HAIL_ASSERT(capacity >= HAIL_MLAPI_OVERHEAD_MAX);
    size_t len = hail_mlapi_approved_write(out + offset, capacity - offset, approved,
                                           session->setup->scene_management);
    if (len == 0 || hail_mlapi_wrapped_len(flags, len) > capacity)
        return 0;
    hail_random_bytes(random, iv, sizeof iv);
    enter(session, HAIL_MLAPI_CONNECTED);
    return hail_mlapi_wrap(out, len, HAIL_MLAPI_CONNECTION_APPROVED, flags, &session->keys, iv);
}

// Something is wrong with the server's hail, and no other will come.
static enum hail_verdict give_up(struct hail_mlapi_session *session,
                                 struct hail_mlapi_result *result, enum hail_verdict verdict,
                                 const char *text)
{
    if (text)
        snprintf(result->report.text, sizeof result->report.text, "%s", text);
    enter(session, HAIL_MLAPI_FAILED);
    result->close = true;
    return verdict;
}

// Whether the client believes the hail: the kind of its key first, then in order of cost.
static enum hail_verdict check_hail(const struct hail_mlapi_session *session,
                                    struct hail_mlapi_result *result,
                                    const struct hail_mlapi_hail_body *hail,
                                    const struct hail_mlapi_ambient *ambient)
{
    const struct hail_mlapi_verifier *verifier = &session->setup->verifier;
    struct hail_certificate *certificate = NULL;
    enum hail_verdict verdict = HAIL_DROP_SIGNATURE;

    if (hail->signature_type > HAIL_SIGNATURE_DSA)
        return HAIL_DROP_MALFORMED;
    if (!hail_certificate_parse(&certificate, hail->certificate, &result->report))
        return HAIL_DROP_CERTIFICATE;
    if (!hail_certificate_suits(certificate, (enum hail_signature_kind)hail->signature_type,
                                &result->report))
        goto out;
    verdict = HAIL_DROP_CERTIFICATE;
    if (!verifier->check(verifier->user, certificate, session->host, ambient->unix_s,
                         &result->report))
        goto out;
    verdict = HAIL_DROP_SIGNATURE;
    if (!hail_certificate_signed(certificate, (enum hail_signature_kind)hail->signature_type,
                                 hail->public_part, hail->signature, &result->report))
        goto out;
    result->report.fault = HAIL_FAULT_NONE;
    verdict = HAIL_ACCEPT;
out:
    hail_certificate_free(certificate);
    return verdict;
}

static enum hail_verdict on_hail(struct hail_mlapi_session *session,
                                 struct hail_mlapi_result *result,
                                 const struct hail_mlapi_packet *packet,
                                 const struct hail_mlapi_ambient *ambient)
{
    struct hail_mlapi_hail_body hail;
    struct hail_x25519_pair pair;
    uint8_t part[HAIL_AFFINE_MAX];
    enum hail_verdict verdict = HAIL_ACCEPT;

    if (!hail_mlapi_hail_read(&hail, session->setup->signing,
                              (struct hail_bytes){packet->body, packet->body_len}))
        return give_up(session, result, HAIL_DROP_MALFORMED,
                       "the server's hail cannot be read: is sign_key_exchange the same at both "
                       "ends?");
    if (session->setup->signing)
        verdict = check_hail(session, result, &hail, ambient);
    if (verdict != HAIL_ACCEPT)
        return give_up(session, result, verdict, NULL);

    hail_x25519_pair_init(&pair, ambient->random);
    memcpy(session->private_key, pair.private_key, sizeof session->private_key);
    size_t part_len = hail_affine_write(part, pair.public_key);
    hail_wipe(&pair, sizeof pair);
    if (hail_affine_parse(session->key, hail.public_part.data, hail.public_part.len))
        agree(&session, 1);
    if (!session->has_key)
        return give_up(session, result, HAIL_DROP_POINT,
                       "the server's public part is no usable point");
    HAIL_ASSERT(part_len > 0);
    size_t len = hail_mlapi_hail_response_write(result->reply + 1, sizeof result->reply - 1,
                                                (struct hail_bytes){part, part_len});
    reply_clear(result, HAIL_MLAPI_HAIL_RESPONSE, len);
    enter(session, HAIL_MLAPI_EXPECT_GREETINGS);
    result->event = HAIL_MLAPI_EVENT_KEYED;
    return HAIL_ACCEPT;
}

static void reply_request(const struct hail_mlapi_session *session,
                          struct hail_mlapi_result *result, struct hail_random *random)
{
    const struct hail_mlapi_setup *setup = session->setup;
    const struct hail_mlapi_request_body request = {setup->config_hash, session->conn_data};
    uint32_t flags = setup->encryption ? HAIL_FLAGS_BOTH : 0;
    size_t offset = hail_mlapi_body_offset(flags);
    uint8_t iv[HAIL_CBC_BLOCK];
    size_t len = hail_mlapi_request_write(result->reply + offset, sizeof result->reply - offset,
                                          &request, setup->connection_approval);

    HAIL_ASSERT(len > 0);
    hail_random_bytes(random, iv, sizeof iv);
    result->reply_len = hail_mlapi_wrap(result->reply, len, HAIL_MLAPI_CONNECTION_REQUEST, flags,
                                        &session->keys, iv);
}

static enum hail_verdict on_greetings(struct hail_mlapi_session *session,
                                      struct hail_mlapi_result *result,
                                      const struct hail_mlapi_ambient *ambient)
{
    reply_request(session, result, ambient->random); // the greetings' body says nothing of use
    enter(session, HAIL_MLAPI_EXPECT_APPROVED);
    return HAIL_ACCEPT;
}

void hail_mlapi_client_open(struct hail_mlapi_session *session, struct hail_mlapi_result *result,
                            const struct hail_mlapi_ambient *ambient)
{
    begin_result(result);
    if (!session->setup->encryption)
        reply_request(session, result, ambient->random);
}

static enum hail_verdict on_approved(struct hail_mlapi_session *session,
                                     struct hail_mlapi_result *result,
                                     const struct hail_mlapi_packet *packet)
{
    struct hail_mlapi_approved_body approved;

    if (!protected_enough(session, packet))
        return HAIL_DROP_UNPROTECTED;
    if (!hail_mlapi_approved_read(&approved, session->setup->scene_management,
                                  (struct hail_bytes){packet->body, packet->body_len}))
        return HAIL_DROP_MALFORMED;
    enter(session, HAIL_MLAPI_CONNECTED);
    result->event = HAIL_MLAPI_EVENT_CONNECTED;
    result->client_id = approved.client_id;
    return HAIL_ACCEPT;
}

static enum hail_verdict on_message(const struct hail_mlapi_session *session,
                                    struct hail_mlapi_result *result,
                                    const struct hail_mlapi_packet *packet)
{
    struct hail_message_view message = {.flags = packet->flags};

    if (hail_mlapi_scene_type(packet->type, !session->is_server)) {
        message.kind = HAIL_MESSAGE_SCENE;
        message.scene_type = packet->type;
    } else if (!hail_mlapi_message_kind(&message.kind, packet->type, !session->is_server)) {
        return HAIL_DROP_UNEXPECTED;
    }
    if (!hail_mlapi_message_read(&message, (struct hail_bytes){packet->body, packet->body_len}))
        return HAIL_DROP_MALFORMED;
    result->event = HAIL_MLAPI_EVENT_MESSAGE;
    result->message = message;
    return HAIL_ACCEPT;
}

static enum hail_verdict dispatch(struct hail_mlapi_session *session,
                                  struct hail_mlapi_result *result,
                                  const struct hail_mlapi_packet *packet,
                                  const struct hail_mlapi_ambient *ambient)
{
    uint8_t type = packet->type;

    switch (session->state) {
    case HAIL_MLAPI_EXPECT_HAIL_RESPONSE:
        if (type == HAIL_MLAPI_HAIL_RESPONSE)
            return on_hail_response(session, result, packet);
        return HAIL_DROP_UNEXPECTED;
    case HAIL_MLAPI_EXPECT_REQUEST:
        if (type == HAIL_MLAPI_CONNECTION_REQUEST)
            return on_request(session, result, packet);
        return HAIL_DROP_UNEXPECTED;
    case HAIL_MLAPI_EXPECT_HAIL:
        if (type == HAIL_MLAPI_HAIL)
            return on_hail(session, result, packet, ambient);
        return HAIL_DROP_UNEXPECTED;
    case HAIL_MLAPI_EXPECT_GREETINGS:
        if (type == HAIL_MLAPI_GREETINGS)
            return on_greetings(session, result, ambient);
        return HAIL_DROP_UNEXPECTED;
    case HAIL_MLAPI_EXPECT_APPROVED:
        if (type == HAIL_MLAPI_CONNECTION_APPROVED)
            return on_approved(session, result, packet);
        return type == HAIL_MLAPI_TIME_SYNC ? HAIL_ACCEPT : HAIL_DROP_UNEXPECTED;
    case HAIL_MLAPI_CONNECTED:
        if (type == HAIL_MLAPI_TIME_SYNC && !session->is_server)
            return HAIL_ACCEPT; // a real server sends one whenever somebody joins
        return on_message(session, result, packet);
    case HAIL_MLAPI_EXPECT_AGREEMENT:
    case HAIL_MLAPI_EXPECT_DECISION:
    case HAIL_MLAPI_FAILED:
        return HAIL_DROP_UNEXPECTED;
    case HAIL_MLAPI_STATE_COUNT:
        break;
    }
    HAIL_UNREACHABLE("session->state is written by init and enter alone");
}

enum hail_verdict hail_mlapi_session_input(struct hail_mlapi_session *session,
                                           struct hail_mlapi_result *result, uint8_t *message,
                                           size_t message_len,
                                           const struct hail_mlapi_ambient *ambient)
{
    struct hail_mlapi_packet packet;

    begin_result(result);
    enum hail_verdict verdict =
        hail_mlapi_unwrap(&packet, message, message_len, session->has_key ? &session->keys : NULL);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (packet.type > HAIL_MLAPI_TYPE_LAST)
        return HAIL_DROP_TYPE;
    return dispatch(session, result, &packet, ambient);
}

size_t hail_mlapi_message_len(const struct hail_message_view *message)
{
    return hail_mlapi_wrapped_len(message->flags, hail_mlapi_message_body_len(message));
}

size_t hail_mlapi_session_prepare(struct hail_mlapi_session *session, struct hail_mlapi_bare *bare,
                                  uint8_t *out, const struct hail_message_view *message,
                                  struct hail_random *random)
{
    uint8_t iv[HAIL_CBC_BLOCK];

    HAIL_ASSERT(message->flags == 0 || session->has_key);
    hail_mlapi_message_body_write(out + hail_mlapi_body_offset(message->flags), message);
    if (message->flags & HAIL_FLAG_ENCRYPTED)
        hail_random_bytes(random, iv, sizeof iv);
    *bare = (struct hail_mlapi_bare){
        .buffer = out,
        .body_len = hail_mlapi_message_body_len(message),
        .flags = message->flags,
        .keys = &session->keys,
    };
    uint8_t type = message->kind == HAIL_MESSAGE_SCENE
                       ? message->scene_type
                       : (uint8_t)hail_mlapi_message_type(message->kind, session->is_server);
    return hail_mlapi_prepare(bare, type, iv);
}
