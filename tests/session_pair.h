// session_pair.h: two ends of a session of ours, wired by hand, a step of the handshake at a time.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_SESSION_PAIR_H
#define HAIL_TESTS_SESSION_PAIR_H

#include "proto/mlapi/session.h"

// What is to happen next. Up to APPROVED a message of the handshake is on its way: `message`.
enum stage {
    STAGE_HAIL,
    STAGE_RESPONSE,
    STAGE_GREETINGS,
    STAGE_REQUEST,
    STAGE_DECISION,
    STAGE_APPROVED,
    STAGE_CONNECTED
};

// Two ends of ours, wired by hand.
struct pair {
    struct hail_mlapi_network network;
    struct hail_mlapi_setup setup;
    struct hail_random random;
    struct hail_mlapi_ambient ambient;
    struct hail_mlapi_session server;
    struct hail_mlapi_session client;
    struct hail_mlapi_hail hail;
    struct hail_mlapi_result result; // of the last input
    struct hail_identity *identity;
    int asked; // how often the verifier was
    enum stage stage;
    size_t len;
    uint8_t message[HAIL_MLAPI_HAIL_MAX];
};

// session_pair_believe is a verifier that believes everybody; `user` is an int that counts.
bool session_pair_believe(void *user, const struct hail_certificate *certificate, const char *host,
                          int64_t unix_s, struct hail_fault_report *report);

// session_pair_init begins both ends on `network`, and puts the first message on its way.
// session_pair_free frees.
struct pair *session_pair_init(const struct hail_mlapi_network *network, uint64_t seed);
void session_pair_free(struct pair *pair);

// session_pair_at begins and steps up to `stage`.
struct pair *session_pair_at(const struct hail_mlapi_network *network, enum stage stage);

// session_pair_step takes one step of a handshake in which nothing goes wrong.
void session_pair_step(struct pair *pair);

// session_pair_receiver returns who takes the message that is on its way.
struct hail_mlapi_session *session_pair_receiver(struct pair *pair);

// session_pair_give gives `len` bytes to an end, in memory of exactly that length;
// session_pair_give_wrapped wraps a body with the receiver's key first.
enum hail_verdict session_pair_give(struct pair *pair, struct hail_mlapi_session *to,
                                    const uint8_t *data, size_t len);
enum hail_verdict session_pair_give_wrapped(struct pair *pair, struct hail_mlapi_session *to,
                                            uint8_t type, uint32_t flags, const uint8_t *body,
                                            size_t len);

#endif
