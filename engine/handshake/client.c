// client.c: a client and the server's answers to it (WIRE.md, sections 2.1 to 2.5).
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/context/refusal.h"
#include "engine/handshake/client.h"
#include "engine/native/datagrams.h"
#include "engine/native/native.h"
#include "engine/shard/conn.h"

enum {
    COME_BACK_MS = 1000, // and so much later at most, by dice
    RETRIES_MAX = 4      // cookies that a client takes in one attempt
};

static void say_hello(struct hail_shard *shard, uint32_t slot)
{
    uint8_t datagram[HAIL_HELLO_LEN];
    const struct hail_hello *hello = &shard->native->clients[slot].handshake.hello;

    hail_datagrams_whole(shard, slot, NULL, datagram, hail_hello_encode(datagram, hello));
}

static void forget_fragments(struct hail_shard *shard, uint32_t slot)
{
    struct hail_chain *in = &shard->native->conns[slot].welcome;

    hail_conn_consume(shard, slot, in, in->len);
    shard->native->conns[slot].fragments = 0;
    shard->native->conns[slot].fragments_then = 0;
    shard->native->clients[slot].handshake.hello.wanted = 0;
}

void hail_client_handshake_resend(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];
    const struct hail_native_client *client = &shard->native->clients[slot];

    if (native->state == HAIL_NATIVE_EXPECT_WELCOME) {
        // Nothing fits behind what has come: the first may have been somebody else's.
        if (native->fragments > 0 && native->fragments == native->fragments_then)
            forget_fragments(shard, slot);
        native->fragments_then = native->fragments;
        say_hello(shard, slot);
    } else if (native->state == HAIL_NATIVE_EXPECT_ANSWER) {
        hail_datagrams_whole(shard, slot, NULL, client->finish, client->finish_len);
    }
    if (native->resend_ms < HAIL_RESEND_MAX_MS)
        native->resend_ms = (uint16_t)(native->resend_ms * 2);
    native->resend_ns = shard->now_ns + native->resend_ms * HAIL_NS_PER_MS;
}

static void begin_resends(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];

    native->resend_ms = HAIL_RESEND_FIRST_MS;
    native->resend_ns = shard->now_ns + HAIL_RESEND_FIRST_MS * HAIL_NS_PER_MS;
    hail_conn_arm(shard, slot);
}

// Begins with the target's ticket. False: it has none that is good.
static bool resume(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native_client *client = &shard->native->clients[slot];
    const struct hail_addresses *target = &shard->targets[slot].addresses;
    uint8_t scope[HAIL_TICKET_SCOPE_LEN];
    struct hail_resumption resumption;

    if (!hail_resumption_read(&resumption, (struct hail_bytes){target->ticket, target->ticket_len}))
        return false;
    hail_native_ticket_scope(shard, slot, scope);
    bool good = hail_resumption_good(&resumption, scope, hail_shard_unix_s(shard));
    if (good) {
        client->proven_s = resumption.proven_s;
        hail_client_resume(&client->handshake, &shard->context->keys.client,
                           (struct hail_bytes){resumption.ticket, resumption.ticket_len},
                           resumption.psk, &shard->random);
    }
    hail_wipe(&resumption, sizeof resumption);
    return good;
}

void hail_client_handshake_open(struct hail_shard *shard, uint32_t slot)
{
    HAIL_ASSERT(shard->native->conns[slot].state == HAIL_NATIVE_EXPECT_WELCOME);
    if (!resume(shard, slot) && !hail_client_init(&shard->native->clients[slot].handshake,
                                                  &shard->context->keys.client, &shard->random)) {
        hail_conn_end(shard, slot, HAIL_CLOSED_CONFIG, false,
                      "the server's static key in the configuration is no usable key");
        return;
    }
    hail_conn_explain(shard, slot,
                      "nothing came from the server: is it up at this address and port, and does a "
                      "firewall let UDP through?");
    say_hello(shard, slot);
    begin_resends(shard, slot);
}

static void forget_ticket(struct hail_shard *shard, uint32_t slot)
{
    struct hail_addresses *target = &shard->targets[slot].addresses;

    hail_wipe(target->ticket, sizeof target->ticket);
    target->ticket_len = 0;
}

// The server will not have the ticket: an attempt of its own, as if there had been none.
static void begin_in_full(struct hail_shard *shard, uint32_t slot)
{
    forget_fragments(shard, slot);
    forget_ticket(shard, slot);
    hail_client_cleanup(&shard->native->clients[slot].handshake);
    shard->native->conns[slot].retries = 0;
    hail_client_handshake_open(shard, slot);
}

static enum hail_verdict on_retry(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                                  size_t len)
{
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_hello *hello = &shard->native->clients[slot].handshake.hello;
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t cookie[HAIL_COOKIE_LEN];
    enum hail_verdict verdict = hail_retry_decode(token, cookie, data, len);

    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!hail_equal(token, hello->token, sizeof token))
        return HAIL_DROP_CONNECTION;
    if (native->state != HAIL_NATIVE_EXPECT_WELCOME || native->retries == RETRIES_MAX)
        return HAIL_DROP_UNEXPECTED;
    native->retries++;
    hello->has_cookie = true;
    memcpy(hello->cookie, cookie, sizeof hello->cookie);
    hail_conn_explain(shard, slot, "the server had us prove our address, and then did not answer");
    say_hello(shard, slot);
    begin_resends(shard, slot);
    return HAIL_ACCEPT;
}

// Too many ask from here. They come back when they are told to, and not all at once; should the
// time to join be over by then, the reason is known.
static void come_back(struct hail_shard *shard, uint32_t slot, uint32_t wait_ms)
{
    struct hail_native *native = &shard->native->conns[slot];
    uint32_t dice;

    hail_random_bytes(&shard->random, (uint8_t *)&dice, sizeof dice);
    native->resend_ns = shard->now_ns + (wait_ms + dice % COME_BACK_MS) * HAIL_NS_PER_MS;
    hail_conn_explain(shard, slot, hail_refusal_text(HAIL_REFUSAL_RATE));
    hail_conn_arm(shard, slot);
}

static enum hail_verdict on_refuse(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                                   size_t len)
{
    const struct hail_hello *hello = &shard->native->clients[slot].handshake.hello;
    struct hail_refuse refuse;
    enum hail_verdict verdict = hail_refuse_decode(&refuse, data, len);

    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!hail_equal(refuse.token, hello->token, sizeof refuse.token))
        return HAIL_DROP_CONNECTION;
    if (shard->native->conns[slot].state != HAIL_NATIVE_EXPECT_WELCOME)
        return HAIL_DROP_UNEXPECTED;
    if (hello->pattern == HAIL_HELLO_RESUME &&
        (refuse.reason == HAIL_REFUSAL_TICKET || refuse.reason == HAIL_REFUSAL_PATTERN)) {
        begin_in_full(shard, slot);
        return HAIL_DROP_REFUSED;
    }
    if (refuse.reason == HAIL_REFUSAL_RATE) {
        come_back(shard, slot, refuse.wait_ms);
        return HAIL_DROP_REFUSED;
    }
    shard->conns[slot].server_gone = refuse.reason == HAIL_REFUSAL_FULL ||
                                     refuse.reason == HAIL_REFUSAL_GOING_DOWN ||
                                     refuse.reason == HAIL_REFUSAL_PREFIX;
    bool unlike = refuse.reason <= HAIL_REFUSAL_STATIC || refuse.reason == HAIL_REFUSAL_TICKET;
    hail_conn_end(shard, slot, unlike ? HAIL_CLOSED_CONFIG : HAIL_CLOSED_DENIED, false,
                  hail_refusal_text(refuse.reason));
    return HAIL_DROP_REFUSED;
}

static void end_for(struct hail_shard *shard, uint32_t slot, enum hail_verdict verdict,
                    const struct hail_fault_report *report)
{
    char text[HAIL_FAULT_TEXT_MAX + 32]; // and the fault's name

    snprintf(text, sizeof text, "%s: %s", hail_fault_name(report->fault), report->text);
    if (verdict == HAIL_DROP_CERTIFICATE || verdict == HAIL_DROP_SIGNATURE)
        hail_conn_end(shard, slot, HAIL_CLOSED_CERTIFICATE, false, text);
    else if (verdict == HAIL_DROP_TOO_LARGE)
        hail_conn_end(shard, slot, HAIL_CLOSED_CONFIG, false,
                      "the server wants more iterations than native.iterations_max allows");
    else
        hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false, "the server's welcome is damaged");
}

static bool make_key(struct hail_shard *shard, uint32_t slot, uint32_t iterations,
                     const struct hail_path *address)
{
    uint8_t stretched[HAIL_STRETCHED_LEN];

    bool good =
        hail_agreement_stretch(&shard->native->conns[slot].agreement, stretched, iterations) &&
        hail_native_key(shard, slot, stretched, address);
    hail_wipe(stretched, sizeof stretched);
    return good;
}

// The whole welcome is here: whom do we talk to, and with which key?
static enum hail_verdict finish(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_native_client *client = &shard->native->clients[slot];
    struct hail_shard_target *target = &shard->targets[slot];
    struct hail_chain *in = &shard->native->conns[slot].welcome;
    struct hail_fault_report report = {0};
    struct hail_welcome_terms terms;
    struct hail_path address;
    uint64_t unix_s = hail_shard_unix_s(shard);
    size_t len = in->len;

    hail_chain_copy(in, &shard->pool, shard->native->assembled, len);
    forget_fragments(shard, slot);
    enum hail_verdict verdict =
        hail_client_welcome(&client->handshake, &native->agreement, &terms, &report,
                            &shard->context->keys.client, target->addresses.host, (int64_t)unix_s,
                            shard->native->assembled, len, shard->native->welcome);
    if (verdict == HAIL_DROP_FORGED || verdict == HAIL_DROP_SHORT)
        return verdict; // not from whom we asked, perhaps: ask again
    if (verdict != HAIL_ACCEPT) {
        end_for(shard, slot, verdict, &report);
        return verdict;
    }
    struct hail_bytes data = {target->conn_data, target->conn_data_len};
    if (data.len > terms.conn_data_max) {
        hail_conn_end(shard, slot, HAIL_CLOSED_CONFIG, false,
                      "the connection data are longer than the server takes");
        return HAIL_DROP_TOO_LARGE;
    }
    native->idle_timeout_ms = terms.idle_timeout_ms;
    shard->conns[slot].resumed = client->handshake.hello.pattern == HAIL_HELLO_RESUME;
    if (!shard->conns[slot].resumed)
        client->proven_s = unix_s;
    hail_path_set(&address, (const struct sockaddr *)&target->addresses.list[target->tried]);
    client->finish_len =
        (uint16_t)hail_client_finish(&native->agreement, client->finish, native->conn_id, data);
    if (client->finish_len == 0 || !make_key(shard, slot, terms.iterations, &address)) {
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
        return HAIL_ACCEPT;
    }
    hail_client_cleanup(&client->handshake);
    hail_conn_explain(shard, slot,
                      "the server agreed on a key, and then neither approved nor denied");
    hail_native_enter(native, HAIL_NATIVE_EXPECT_ANSWER);
    hail_datagrams_whole(shard, slot, NULL, client->finish, client->finish_len);
    begin_resends(shard, slot);
    return HAIL_ACCEPT;
}

static enum hail_verdict on_welcome(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                                    size_t len)
{
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_hello *hello = &shard->native->clients[slot].handshake.hello;
    struct hail_welcome welcome;
    enum hail_verdict verdict = hail_welcome_decode(&welcome, data, len);

    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!hail_equal(welcome.token, hello->token, sizeof welcome.token))
        return HAIL_DROP_CONNECTION;
    // Fragments are taken in order; one that comes too early will be asked for again.
    if (native->state != HAIL_NATIVE_EXPECT_WELCOME || welcome.index != native->fragments)
        return HAIL_DROP_UNEXPECTED;
    if (native->fragments > 0 &&
        (welcome.conn_id != native->conn_id || welcome.count != native->fragment_count))
        return HAIL_DROP_MALFORMED;
    if (!hail_conn_append(shard, slot, &shard->native->conns[slot].welcome, welcome.fragment.data,
                          welcome.fragment.len)) {
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
        return HAIL_ACCEPT;
    }
    native->conn_id = welcome.conn_id;
    native->fragment_count = welcome.count;
    native->fragments++;
    hello->wanted = native->fragments;
    if (native->fragments == native->fragment_count)
        return finish(shard, slot);
    if (native->fragments % HAIL_FRAGMENTS_PER_REPLY == 0) { // all that one hello brings
        say_hello(shard, slot);
        begin_resends(shard, slot);
    }
    return HAIL_ACCEPT;
}

void hail_client_handshake_input(struct hail_shard *shard, uint32_t slot,
                                 enum hail_datagram_type type, const uint8_t *data, size_t len)
{
    enum hail_verdict verdict = HAIL_DROP_UNEXPECTED;

    switch (type) {
    case HAIL_DATAGRAM_RETRY:
        verdict = on_retry(shard, slot, data, len);
        break;
    case HAIL_DATAGRAM_WELCOME:
        verdict = on_welcome(shard, slot, data, len);
        break;
    case HAIL_DATAGRAM_REFUSE:
        verdict = on_refuse(shard, slot, data, len);
        break;
    case HAIL_DATAGRAM_HELLO:
    case HAIL_DATAGRAM_FINISH:
    case HAIL_DATAGRAM_PACKET:
        break;
    }
    if (verdict != HAIL_ACCEPT)
        hail_shard_drop(shard, slot, verdict);
}
