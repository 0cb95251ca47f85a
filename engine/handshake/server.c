// server.c: a server and the strangers at its door (WIRE.md, sections 2.1 to 2.5). What costs the
// least is checked first, and nothing is kept for an address that has proven nothing, unless there
// is time for it.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "crypto/secret.h"
#include "crypto/siphash.h"
#include "crypto/time.h"
#include "engine/context/keys.h"
#include "engine/handshake/server.h"
#include "engine/native/datagrams.h"
#include "engine/native/native.h"
#include "engine/shard/conn.h"
#include "engine/shard/events.h"
#include "engine/shard/inbound.h"

enum {
    FINISH_AGAIN_MS = 100, // a finish is answered no more often
    WELCOME_SPARE = 16     // bytes
};

_Static_assert((int)HAIL_FINISHES_MAX <= (int)HAIL_PBKDF2_BATCH_MAX, "a turn's are one batch");
_Static_assert((int)HAIL_HELLOS_PER_TURN <= (int)HAIL_GREETINGS_MAX, "another");
_Static_assert((int)HAIL_STRETCHED_LEN == (int)HAIL_PBKDF2_BLOCK, "and one block each");

static uint32_t *bucket_of(struct hail_server_handshakes *server, const struct hail_path *from,
                           const uint8_t token[HAIL_CLIENT_TOKEN_LEN])
{
    uint8_t key[HAIL_PATH_KEY_LEN + HAIL_CLIENT_TOKEN_LEN];

    hail_path_key(key, from);
    memcpy(key + HAIL_PATH_KEY_LEN, token, HAIL_CLIENT_TOKEN_LEN);
    uint64_t hash = hail_siphash(server->greeted_key, key, sizeof key);
    return &server->greeted[hash & (server->greeted_count - 1)];
}

static bool is_of(const struct hail_native *conn, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                  const struct hail_path *from)
{
    return hail_equal(conn->agreement.token, token, HAIL_CLIENT_TOKEN_LEN) &&
           hail_path_equal(&conn->from, from);
}

// The handshake that this hello has begun already.
static uint32_t find_greeted(struct hail_shard *shard, const struct hail_path *from,
                             const uint8_t token[HAIL_CLIENT_TOKEN_LEN])
{
    uint32_t place = *bucket_of(shard->native->server, from, token); // a slot, plus 1; 0: none

    while (place != 0) {
        const struct hail_native *conn = &shard->native->conns[place - 1];
        if (is_of(conn, token, from))
            return place - 1;
        place = conn->lookup_next;
    }
    return HAIL_SLOT_NONE;
}

void hail_server_handshake_reserve_conns(struct hail_shard *shard,
                                         const struct hail_context *context)
{
    struct hail_server_handshakes *server = shard->native->server;
    uint32_t buckets = 1;

    while (context->is_server && buckets < context->slots &&
           buckets < context->config.handshakes_max)
        buckets *= 2;
    server->greeted_count = buckets;
    server->greeted = hail_arena_take(&shard->arena, buckets, sizeof(uint32_t));
    hail_handshake_queue_init(&server->hellos, &shard->arena, context->is_server);
    hail_handshake_queue_init(&server->finishes, &shard->arena, context->is_server);
}

void hail_server_handshake_init(struct hail_shard *shard)
{
    uint32_t per_s = shard->context->config.native.source_per_s;
    struct hail_server_handshakes *server = shard->native->server;

    hail_admission_init(&server->admission);
    hail_random_bytes(&shard->random, server->greeted_key, sizeof server->greeted_key);
    hail_limit_init(&server->unproven, per_s, &shard->random);
    hail_limit_init(&server->proven, per_s, &shard->random);
}

// Welcomes have a pool of their own, so that strangers take nothing from those who play: a block
// for each of the longest that the server sends. Its certificate may be made anew meanwhile, and an
// ECDSA signature is now and then a little longer.
void hail_server_handshake_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    uint32_t current = atomic_load_explicit(&context->keys.current, memory_order_relaxed);
    size_t keycert_len = context->keys.statics[current % HAIL_STATIC_KEYS].keycert_len;
    size_t block_size = HAIL_BLOCK_LINK + HAIL_WELCOME_HEAD_MAX + keycert_len + WELCOME_SPARE;

    hail_pool_init(&shard->native->server->welcomes, &shard->arena,
                   (uint32_t)(block_size + 63) / 64 * 64, // whole cache lines
                   context->is_server ? context->config.handshakes_max : 0);
}

static void forget_welcome(struct hail_shard *shard, uint32_t slot)
{
    struct hail_chain *welcome = &shard->native->conns[slot].welcome;

    hail_chain_consume(welcome, &shard->native->server->welcomes, welcome->len);
}

void hail_server_handshake_forget(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *conn = &shard->native->conns[slot];
    uint32_t *place = bucket_of(shard->native->server, &conn->from, conn->agreement.token);

    HAIL_ASSERT(shard->context->is_server);
    forget_welcome(shard, slot);
    while (*place != 0 && *place != slot + 1)
        place = &shard->native->conns[*place - 1].lookup_next;
    if (*place != 0)
        *place = conn->lookup_next;
}

static void refuse(struct hail_shard *shard, const struct hail_path *from,
                   const struct hail_hello *hello, enum hail_refusal reason,
                   enum hail_verdict verdict)
{
    struct hail_refuse refusal = {.reason = (uint8_t)reason, .version = HAIL_WIRE_VERSION};
    uint8_t datagram[HAIL_REFUSE_LEN];

    hail_stat_add(&shard->stats, HAIL_STAT_DROPPED_FIRST + verdict, 1);
    memcpy(refusal.token, hello->token, sizeof refusal.token);
    hail_datagrams_whole(shard, HAIL_SLOT_NONE, from, datagram,
                         hail_refuse_encode(datagram, &refusal));
}

// Asks too often: told when to come back. The answer is a hundredth of what asked.
static void refuse_for_now(struct hail_shard *shard, const struct hail_path *from,
                           const struct hail_hello *hello, uint64_t wait_ns)
{
    struct hail_refuse refusal = {.reason = HAIL_REFUSAL_RATE,
                                  .wait_ms = (uint32_t)(wait_ns / HAIL_NS_PER_MS)};
    uint8_t datagram[HAIL_REFUSE_LEN];

    hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_RATE);
    hail_conn_limited(shard, from, "source_per_s");
    memcpy(refusal.token, hello->token, sizeof refusal.token);
    hail_datagrams_whole(shard, HAIL_SLOT_NONE, from, datagram,
                         hail_refuse_encode(datagram, &refusal));
}

// Sends up to three fragments of a welcome, from the one that is wanted.
static void send_welcome(struct hail_shard *shard, uint32_t slot, uint8_t wanted)
{
    struct hail_native *native = &shard->native->conns[slot];
    const struct hail_chain *message = &shard->native->conns[slot].welcome;
    struct hail_welcome welcome = {.conn_id = native->conn_id, .count = native->fragment_count};
    uint8_t datagram[HAIL_DATAGRAM_MAX];

    memcpy(welcome.token, native->agreement.token, sizeof welcome.token);
    hail_chain_copy(message, &shard->native->server->welcomes, shard->native->welcome,
                    message->len);
    for (int i = 0; i < HAIL_FRAGMENTS_PER_REPLY && wanted < native->fragment_count; i++) {
        size_t at = (size_t)wanted * HAIL_FRAGMENT_LEN;
        size_t left = message->len - at;
        welcome.index = wanted++;
        welcome.fragment = (struct hail_bytes){shard->native->welcome + at,
                                               left < HAIL_FRAGMENT_LEN ? left : HAIL_FRAGMENT_LEN};
        hail_datagrams_whole(shard, HAIL_SLOT_NONE, &native->from, datagram,
                             hail_welcome_encode(datagram, &welcome));
    }
}

// Whether the sender has to prove his address first, and then whether he asks too often.
static enum hail_verdict admit(struct hail_shard *shard, const struct hail_path *from,
                               const struct hail_hello *hello, bool *retry, uint64_t *wait_ns)
{
    const struct hail_native_config *config = &shard->context->config.native;
    bool proven = hello->has_cookie &&
                  hail_cookie_check(hello->cookie, hail_keys_cookies(&shard->context->keys), from,
                                    hello->token, shard->now_ns);

    if (shard->now_ns - shard->native->server->load_ns >= HAIL_NS_PER_S) {
        shard->native->server->load_ns = shard->now_ns;
        shard->native->server->load = 0;
    }
    bool loaded = shard->native->server->load >= config->handshakes_per_s ||
                  shard->handshake_count >= shard->context->config.handshakes_max / 2;
    *retry = false;
    bool trusted = hail_prefixes_has(&shard->context->trusted, from);
    if (proven)
        return trusted ||
                       hail_limit_take(&shard->native->server->proven, from, shard->now_ns, wait_ns)
                   ? HAIL_ACCEPT
                   : HAIL_DROP_RATE;
    if (config->cookies == HAIL_COOKIE_ALWAYS || (config->cookies != HAIL_COOKIE_NEVER && loaded))
        *retry = true;
    else if (!trusted &&
             !hail_limit_take(&shard->native->server->unproven, from, shard->now_ns, wait_ns)) {
        // Somebody may be using this address. Whoever receives at it can say so.
        *retry = config->cookies != HAIL_COOKIE_NEVER;
        return *retry ? HAIL_ACCEPT : HAIL_DROP_RATE;
    }
    return hello->has_cookie && *retry ? HAIL_DROP_COOKIE : HAIL_ACCEPT;
}

// Agrees on a key with a client that may have one, and keeps the welcome until his finish is here.
static void greet(struct hail_shard *shard, const struct hail_path *from,
                  const struct hail_greeting *greeting)
{
    const struct hail_hello *hello = greeting->hello;
    uint32_t slot;
    enum hail_verdict room = hail_conn_take(shard, &slot, from);

    if (room != HAIL_ACCEPT) {
        hail_conn_limited(shard, from, room == HAIL_DROP_PREFIX ? "conns_per_prefix" : "conns_max");
        refuse(shard, from, hello,
               room == HAIL_DROP_PREFIX ? HAIL_REFUSAL_PREFIX : HAIL_REFUSAL_FULL, room);
        return;
    }
    hail_stat_add(&shard->stats, HAIL_STAT_CONNS_ACCEPTED, 1);
    hail_table_publish_peer(&shard->table, slot, &from->any, hail_path_len(from));
    hail_conn_begin(shard, slot, HAIL_CONN_OPEN, from);

    struct hail_native *conn = &shard->native->conns[slot];
    size_t len;
    conn->from = *from;
    enum hail_verdict verdict = hail_server_welcome(&conn->agreement, shard->native->welcome, &len,
                                                    greeting, &shard->context->keys.terms);
    if (verdict != HAIL_ACCEPT) {
        hail_stat_add(&shard->stats, HAIL_STAT_DROPPED_FIRST + verdict, 1);
        hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false, NULL);
        return;
    }
    if (!hail_chain_append(&shard->native->conns[slot].welcome, &shard->native->server->welcomes,
                           shard->native->welcome, len)) {
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
        return;
    }
    uint32_t *bucket = bucket_of(shard->native->server, from, hello->token);
    conn->lookup_next = *bucket;
    *bucket = slot + 1;
    shard->conns[slot].resumed = hello->pattern == HAIL_HELLO_RESUME;
    conn->fragment_count = (uint8_t)((len + HAIL_FRAGMENT_LEN - 1) / HAIL_FRAGMENT_LEN);
    send_welcome(shard, slot, hello->wanted);
}

// What the server is not set up for, in words that the client can report.
static bool refuse_setup(struct hail_shard *shard, const struct hail_path *from,
                         const struct hail_hello *hello, const struct hail_static_key **key)
{
    const struct hail_keys *keys = &shard->context->keys;
    bool resumes = hello->pattern == HAIL_HELLO_RESUME;
    bool takes = hello->pattern == keys->pattern || resumes ||
                 (hello->pattern == HAIL_NOISE_NK && keys->pattern == HAIL_NOISE_NX);

    *key = hail_keys_current(keys, hello->pattern, hello->static_id);
    if (hello->version != HAIL_WIRE_VERSION)
        refuse(shard, from, hello, HAIL_REFUSAL_VERSION, HAIL_DROP_VERSION);
    else if (!takes)
        refuse(shard, from, hello, HAIL_REFUSAL_PATTERN, HAIL_DROP_PATTERN);
    else if (resumes && !keys->gives_tickets)
        refuse(shard, from, hello, HAIL_REFUSAL_TICKET, HAIL_DROP_PATTERN);
    else if (!hail_equal(hello->policy_hash, keys->policy_hash, sizeof keys->policy_hash))
        refuse(shard, from, hello, HAIL_REFUSAL_POLICY, HAIL_DROP_POLICY);
    else if (hello->pattern == HAIL_NOISE_NK && !*key)
        refuse(shard, from, hello, HAIL_REFUSAL_STATIC, HAIL_DROP_STATIC);
    else if (shard->stopping)
        refuse(shard, from, hello, HAIL_REFUSAL_GOING_DOWN, HAIL_DROP_UNEXPECTED);
    else
        return false;
    return true;
}

// Those who have been let in wait in a handshake queue. False: there is no room, which has been
// counted.
static bool let_in(struct hail_shard *shard, struct hail_handshake_queue *queue,
                   const struct hail_path *from, const uint8_t *data, size_t len)
{
    bool added = hail_handshake_queue_add(queue, from, data, len);

    if (!added)
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_BUDGET);
    return added;
}

static void send_retry(struct hail_shard *shard, const struct hail_path *from,
                       const struct hail_hello *hello)
{
    uint8_t cookie[HAIL_COOKIE_LEN];
    uint8_t datagram[HAIL_RETRY_LEN];

    hail_cookie_make(cookie, hail_keys_cookies(&shard->context->keys), from, hello->token,
                     shard->now_ns);
    hail_stat_add(&shard->stats, HAIL_STAT_RETRIES, 1);
    hail_datagrams_whole(shard, HAIL_SLOT_NONE, from, datagram,
                         hail_retry_encode(datagram, hello->token, cookie));
}

// A hello that has been answered is so again while its welcome is there: until a finish has come.
static void welcome_again(struct hail_shard *shard, uint32_t slot, uint8_t wanted)
{
    const struct hail_native *native = &shard->native->conns[slot];

    if (native->state == HAIL_NATIVE_EXPECT_FINISH && wanted < native->fragment_count)
        send_welcome(shard, slot, wanted);
    else
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_UNEXPECTED);
}

void hail_server_handshake_hello(struct hail_shard *shard, const struct hail_path *from,
                                 const uint8_t *data, size_t len)
{
    const struct hail_static_key *key;
    struct hail_hello hello;
    bool retry;
    enum hail_verdict verdict = hail_hello_decode(&hello, data, len);

    hail_admission_count(&shard->native->server->admission,
                         verdict == HAIL_ACCEPT && hello.has_cookie ? hello.cookie : NULL);
    if (verdict != HAIL_ACCEPT) {
        hail_shard_drop(shard, HAIL_SLOT_NONE, verdict);
        return;
    }
    uint32_t slot = find_greeted(shard, from, hello.token);
    if (slot != HAIL_SLOT_NONE) {
        welcome_again(shard, slot, hello.wanted);
        return;
    }
    if (refuse_setup(shard, from, &hello, &key))
        return;
    uint64_t wait_ns = 0;
    verdict = admit(shard, from, &hello, &retry, &wait_ns);
    if (retry)
        send_retry(shard, from, &hello);
    if (verdict == HAIL_DROP_RATE)
        refuse_for_now(shard, from, &hello, wait_ns);
    else if (verdict != HAIL_ACCEPT)
        hail_shard_drop(shard, HAIL_SLOT_NONE, verdict);
    if (verdict != HAIL_ACCEPT || retry)
        return;
    shard->native->server->load++;
    (void)let_in(shard, &shard->native->server->hellos, from, data, len);
}

// Whether a resumption's ticket is ours and good, and its owner made the hello. Everything before
// the key exchange costs little, so that strangers with stale or made-up tickets do.
static bool resumes(struct hail_shard *shard, const struct hail_path *from,
                    struct hail_greeting *greeting)
{
    const struct hail_hello *hello = greeting->hello;
    enum hail_verdict verdict = hail_keys_ticket_open(
        &shard->context->keys, greeting->psk, (struct hail_bytes){hello->ticket, hello->ticket_len},
        hail_shard_unix_s(shard));

    if (verdict == HAIL_ACCEPT && !hail_server_resumes(greeting))
        verdict = HAIL_DROP_TICKET_FORGED;
    if (verdict != HAIL_ACCEPT)
        refuse(shard, from, hello, HAIL_REFUSAL_TICKET, verdict);
    return verdict == HAIL_ACCEPT;
}

// Whether nobody has been greeted for a hello yet; counted if so: it was said again as it waited.
static bool is_first(struct hail_shard *shard, const struct hail_path *from,
                     const struct hail_hello *hello)
{
    bool first = find_greeted(shard, from, hello->token) == HAIL_SLOT_NONE;

    if (!first)
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_REPLAY);
    return first;
}

// Hellos whose turn has come. They were looked at before; since then things may have changed. The
// key exchanges are done side by side.
static void serve_hellos(struct hail_shard *shard)
{
    struct hail_hello hellos[HAIL_HELLOS_PER_TURN];
    struct hail_path from[HAIL_HELLOS_PER_TURN];
    struct hail_greeting greetings[HAIL_HELLOS_PER_TURN];
    struct hail_queued_handshake *queued;
    size_t count = 0;

    if (shard->native->server->hellos.count == 0)
        return;
    while (count < HAIL_HELLOS_PER_TURN &&
           (queued = hail_handshake_queue_next(&shard->native->server->hellos))) {
        struct hail_hello *hello = &hellos[count];
        enum hail_verdict verdict = hail_hello_decode(hello, queued->data, queued->len);
        HAIL_ASSERT(verdict == HAIL_ACCEPT);
        greetings[count] = (struct hail_greeting){.hello = hello};
        if (!is_first(shard, &queued->from, hello) ||
            refuse_setup(shard, &queued->from, hello, &greetings[count].key))
            continue;
        if (hello->pattern == HAIL_HELLO_RESUME &&
            !resumes(shard, &queued->from, &greetings[count]))
            continue;
        from[count++] = queued->from;
    }
    if (count > 0)
        hail_server_exchange(greetings, count, &shard->random);
    for (size_t i = 0; i < count; i++) {
        if (is_first(shard, &from[i], &hellos[i]))
            greet(shard, &from[i], &greetings[i]);
    }
    hail_wipe(greetings, sizeof greetings); // those of tickets that were refused among them
}

// The finish that has opened came again: the answer to it may have been lost. It gets no ticket,
// which would be many times as long; the next comes soon.
static void answer_again(struct hail_shard *shard, uint32_t slot, const struct hail_path *from)
{
    struct hail_native *native = &shard->native->conns[slot];

    // A client that has not been heard of since may have moved as it waited. Later its packets
    // tell.
    if (!hail_peer_heard(&native->peer) && !hail_path_equal(&native->peer.address, from)) {
        native->peer.address = *from;
        hail_table_publish_peer(&shard->table, slot, &from->any, hail_path_len(from));
        hail_stat_add(&shard->stats, HAIL_STAT_PATHS_CHANGED, 1);
    }
    uint32_t soon_s = (uint32_t)(shard->now_ns / HAIL_NS_PER_S) + HAIL_TICKET_AGAIN_S;

    if (native->ticket_s > soon_s)
        native->ticket_s = soon_s;
    native->resend_ns = shard->now_ns + FINISH_AGAIN_MS * HAIL_NS_PER_MS;
    native->peer.owed |=
        native->state == HAIL_NATIVE_CONNECTED ? HAIL_OWED_APPROVED : HAIL_OWED_WAIT;
    hail_native_flush(shard, slot);
}

// Whose finish it is, wherever it comes from: it has a name, and its seal is the proof.
// HAIL_SLOT_NONE: nobody's, which has been counted.
static uint32_t find_finisher(struct hail_shard *shard, const uint8_t *data, size_t len)
{
    struct hail_finish finish;
    enum hail_verdict verdict = hail_finish_decode(&finish, data, len);

    if (verdict == HAIL_ACCEPT) {
        uint32_t slot = hail_native_find(shard, finish.conn_id);
        if (slot != HAIL_SLOT_NONE && hail_equal(shard->native->conns[slot].agreement.token,
                                                 finish.token, sizeof finish.token))
            return slot;
        verdict = HAIL_DROP_CONNECTION;
    }
    hail_shard_drop(shard, HAIL_SLOT_NONE, verdict);
    return HAIL_SLOT_NONE;
}

// Opens a finish in place, and has it wait if it is genuine. One that is not costs no more.
static void open_finish(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                        uint8_t *data, size_t len, uint32_t mark)
{
    struct hail_handshake_queue *hellos = &shard->native->server->finishes;
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_bytes conn_data;
    enum hail_verdict verdict = hail_server_finish(&native->agreement, &conn_data, data, len,
                                                   shard->context->keys.terms.conn_data_max);

    if (verdict != HAIL_ACCEPT) {
        hail_shard_drop(shard, slot, verdict);
        return;
    }
    if (hellos->count == 0)
        shard->native->server->finishes_ns = shard->now_ns;
    if (let_in(shard, hellos, from, data, len)) {
        hail_native_enter(native, HAIL_NATIVE_EXPECT_TURN);
        native->finish_mark = mark;
    }
    hail_wipe(data, len); // it may have a password in it
}

void hail_server_handshake_finish(struct hail_shard *shard, const struct hail_path *from,
                                  uint8_t *data, size_t len)
{
    uint32_t slot = find_finisher(shard, data, len);

    if (slot == HAIL_SLOT_NONE)
        return;
    const struct hail_native *native = &shard->native->conns[slot];
    uint32_t mark = (uint32_t)hail_siphash(shard->native->server->greeted_key, data, len);
    if (native->state == HAIL_NATIVE_EXPECT_FINISH)
        open_finish(shard, slot, from, data, len, mark);
    else if (native->finish_mark != mark)
        hail_shard_drop(shard, slot, HAIL_DROP_FORGED);
    else if (native->state == HAIL_NATIVE_EXPECT_TURN || shard->now_ns < native->resend_ns)
        hail_shard_drop(shard, slot, HAIL_DROP_REPLAY);
    else
        answer_again(shard, slot, from);
}

// Clients that have proven their keys in this turn: these are stretched side by side.
struct finishers {
    size_t count;
    struct hail_conn conns[HAIL_FINISHES_MAX]; // whose they are; they may end meanwhile
    struct hail_queued_handshake *list[HAIL_FINISHES_MAX];
    struct hail_bytes conn_data[HAIL_FINISHES_MAX]; // in their queued handshakes' datagrams
    struct hail_event_room deliveries[HAIL_FINISHES_MAX];
};

// The client asks to join.
static void ask(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                struct hail_bytes conn_data, const uint8_t stretched[HAIL_STRETCHED_LEN],
                struct hail_event_room *reserved)
{
    struct hail_native *native = &shard->native->conns[slot];

    forget_welcome(shard, slot);
    if (!hail_native_key(shard, slot, stretched, from)) {
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
        return;
    }
    hail_native_enter(native, HAIL_NATIVE_EXPECT_DECISION);
    native->resend_ns = shard->now_ns + FINISH_AGAIN_MS * HAIL_NS_PER_MS;
    shard->conns[slot].heard_ns = shard->now_ns;
    hail_inbound_request(shard, slot, reserved, conn_data, HAIL_FLAGS_BOTH);
    if (shard->conns[slot].state == HAIL_CONN_OPEN &&
        native->state == HAIL_NATIVE_EXPECT_DECISION) {
        native->peer.owed |= HAIL_OWED_WAIT;
        hail_native_flush(shard, slot);
    }
}

// Whether the connection whose finish has come is still there, and has not been served.
static bool still_asks(const struct hail_shard *shard, struct hail_conn conn, uint32_t *slot)
{
    *slot = hail_table_find(&shard->table, conn);
    return *slot != HAIL_SLOT_NONE && shard->conns[*slot].state == HAIL_CONN_OPEN &&
           shard->native->conns[*slot].state == HAIL_NATIVE_EXPECT_TURN;
}

// Puts whose a finish is among the finishers, if there is room among the events to tell of him.
static bool add_finisher(struct hail_shard *shard, struct hail_queued_handshake *queued,
                         struct finishers *finishers)
{
    size_t i = finishers->count;
    uint32_t slot = find_finisher(shard, queued->data, queued->len);

    if (slot == HAIL_SLOT_NONE)
        return false; // he has ended
    if (!hail_event_reserve(shard, &finishers->deliveries[i], queued->len)) {
        hail_stat_add(&shard->stats, HAIL_STAT_EVENTS_HELD, 1);
        // The client says it again.
        hail_native_enter(&shard->native->conns[slot], HAIL_NATIVE_EXPECT_FINISH);
        return false;
    }
    finishers->conns[i] = hail_table_name(&shard->table, slot);
    finishers->list[i] = queued;
    finishers->conn_data[i] = hail_finish_data(queued->data, queued->len);
    finishers->count++;
    return true;
}

// Takes those whose turn it is.
static void take_finishers(struct hail_shard *shard, struct finishers *finishers)
{
    struct hail_queued_handshake *queued;

    while (finishers->count < HAIL_FINISHES_MAX &&
           (queued = hail_handshake_queue_next(&shard->native->server->finishes))) {
        if (!add_finisher(shard, queued, finishers))
            hail_wipe(queued->data, queued->len);
    }
}

static void serve_finishers(struct hail_shard *shard, struct finishers *finishers)
{
    struct hail_pbkdf2_job jobs[HAIL_FINISHES_MAX];
    size_t job_of[HAIL_FINISHES_MAX];
    size_t count = 0;
    uint32_t slot;

    for (size_t i = 0; i < finishers->count; i++) {
        job_of[i] = count;
        if (still_asks(shard, finishers->conns[i], &slot))
            jobs[count++] = hail_agreement_job(&shard->native->conns[slot].agreement);
    }
    bool good = hail_pbkdf2_sha256_batch(jobs, count, shard->context->keys.terms.iterations);
    for (size_t i = 0; i < finishers->count; i++) {
        struct hail_queued_handshake *queued = finishers->list[i];
        // Whoever has ended since then has been asked about before, or was not stretched.
        if (still_asks(shard, finishers->conns[i], &slot) && good)
            ask(shard, slot, &queued->from, finishers->conn_data[i], jobs[job_of[i]].out,
                &finishers->deliveries[i]);
        else if (!good && slot != HAIL_SLOT_NONE)
            hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
        hail_event_abandon(&finishers->deliveries[i]);
        hail_wipe(queued->data, queued->len); // it may have a password in it
    }
    hail_wipe(jobs, sizeof jobs);
}

// When the finishes that wait are to be served. They wait for each other, since many are stretched
// in little more time than one, but not when everybody who is joining is there.
static uint64_t finishes_due(const struct hail_shard *shard)
{

    if (shard->native->server->finishes.count == 0)
        return UINT64_MAX;
    if (shard->native->server->finishes.count >= HAIL_FINISHES_MAX ||
        shard->native->server->finishes.count >= shard->handshake_count)
        return 0;
    return shard->native->server->finishes_ns +
           shard->context->config.stretch_wait_us * UINT64_C(1000);
}

uint64_t hail_server_handshake_next_ns(const struct hail_shard *shard)
{
    return shard->native->server->hellos.count > 0 ? 0 : finishes_due(shard);
}

void hail_server_handshake_turn(struct hail_shard *shard)
{
    struct finishers finishers = {.count = 0};

    if (shard->now_ns >= finishes_due(shard)) {
        take_finishers(shard, &finishers);
        shard->native->server->finishes_ns = shard->now_ns;
        serve_finishers(shard, &finishers);
    }
    serve_hellos(shard);
}

static void publish_lot(struct hail_shard *shard, enum hail_stat stat, uint32_t lot)
{
    hail_stat_set(&shard->stats, stat, ((uint64_t)lot + 1) * 1000 >> 32);
}

bool hail_server_handshake_admit(struct hail_shard *shard, uint64_t cpu_ns)
{
    struct hail_admission *admission = &shard->native->server->admission;
    const struct hail_admission_spent spent = {
        .cpu_ns = cpu_ns,
        .datagrams = hail_stat_get(&shard->stats, HAIL_STAT_DATAGRAMS_IN),
    };
    uint32_t words[HAIL_COOKIE_WORDS];

    hail_cookie_words(words, hail_keys_cookies(&shard->context->keys), shard->now_ns);
    bool changed = hail_admission_turn(admission, words, &spent, shard->now_ns);
    publish_lot(shard, HAIL_STAT_HELLOS_ADMITTED, admission->filter.lots[HAIL_ADMISSION_UNPROVEN]);
    publish_lot(shard, HAIL_STAT_COOKIES_ADMITTED, admission->filter.lots[HAIL_ADMISSION_PROVEN]);
    return changed;
}
