// ends.h: two ends of a session of ours, wired by hand, a step of the handshake at a time.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_ENDS_H
#define HAIL_TESTS_ENDS_H

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
struct ends {
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

// ends_believe is a verifier that believes everybody; `user` is an int that counts.
bool ends_believe(void *user, const struct hail_certificate *certificate, const char *host,
                  int64_t unix_s, struct hail_fault_report *report);

// ends_init begins both ends on `network`, and puts the first message on its way. ends_free frees.
struct ends *ends_init(const struct hail_mlapi_network *network, uint64_t seed);
void ends_free(struct ends *ends);

// ends_at begins and steps up to `stage`.
struct ends *ends_at(const struct hail_mlapi_network *network, enum stage stage);

// ends_step takes one step of a handshake in which nothing goes wrong.
void ends_step(struct ends *ends);

// ends_receiver returns who takes the message that is on its way.
struct hail_mlapi_session *ends_receiver(struct ends *ends);

// ends_give gives `len` bytes to an end, in memory of exactly that length; ends_give_wrapped wraps
// a body with the receiver's key first.
enum hail_verdict ends_give(struct ends *ends, struct hail_mlapi_session *to, const uint8_t *data,
                            size_t len);
enum hail_verdict ends_give_wrapped(struct ends *ends, struct hail_mlapi_session *to, uint8_t type,
                                    uint32_t flags, const uint8_t *body, size_t len);

#endif
