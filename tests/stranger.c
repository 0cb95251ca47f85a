// stranger.c: see stranger.h.
// SPDX-License-Identifier: MIT
#include "tests/stranger.h"

#include <string.h>

void stranger_init(struct stranger *stranger, const struct lone *server, const uint8_t *server_key,
                   uint64_t seed)
{
    struct hail_random dice;

    memset(stranger, 0, sizeof *stranger);
    hail_random_init_seeded(&dice, seed);
    stranger->setup.pattern = server_key ? HAIL_NOISE_NK : HAIL_NOISE_NN;
    stranger->setup.iterations_max = HAIL_ITERATIONS_MAX;
    stranger->setup.server_key = server_key;
    memcpy(stranger->setup.policy_hash, server->context.keys.policy_hash,
           sizeof stranger->setup.policy_hash);
    ck_assert(hail_client_init(&stranger->client, &stranger->setup, &dice));
    hail_hello_encode(stranger->hello, &stranger->client.hello);
}

void stranger_hello(struct lone *server, const struct stranger *stranger, uint16_t port)
{
    size_t sent = 0;

    lone_arrive(server, HAIL_SLOT_NONE, port, stranger->hello, HAIL_HELLO_LEN);
    for (size_t i = 0; i < server->sent_count; i++)
        sent += server->sent[i].len;
    ck_assert_uint_le(sent, 3 * (size_t)HAIL_HELLO_LEN);
}

uint8_t stranger_answer(const struct lone *server)
{
    ck_assert_uint_le(server->sent_count, 1);
    return server->sent_count > 0 ? server->sent[0].bytes[0] : 0;
}

void stranger_take_cookie(struct stranger *stranger, const struct lone *server)
{
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];

    ck_assert_int_eq(hail_retry_decode(token, stranger->client.hello.cookie, server->sent[0].bytes,
                                       server->sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_mem_eq(token, stranger->client.hello.token, sizeof token);
    stranger->client.hello.has_cookie = true;
    hail_hello_encode(stranger->hello, &stranger->client.hello);
}

size_t stranger_finish(const struct stranger *stranger, const struct lone *server,
                       uint8_t finish[HAIL_DATAGRAM_MAX])
{
    static struct stranger copy;
    static uint8_t payload[HAIL_WELCOME_MAX];
    struct hail_fault_report report;
    struct hail_agreement agreement;
    struct hail_welcome_terms terms;
    struct hail_welcome welcome;

    copy = *stranger;
    ck_assert_int_eq(hail_welcome_decode(&welcome, server->sent[0].bytes, server->sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_int_eq(hail_client_welcome(&copy.client, &agreement, &terms, &report, &copy.setup, "",
                                         0, welcome.fragment.data, welcome.fragment.len, payload),
                     HAIL_ACCEPT);
    return hail_client_finish(&agreement, finish, welcome.conn_id,
                              (struct hail_bytes){(const uint8_t *)"let me in", 9});
}
