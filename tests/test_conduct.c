// test_conduct.c: what a connected peer may do and what it may not: acknowledgements of packets
// that it has not got, packets of epochs that there are not, connections of which one kind of
// packet is all that is heard, and names of connections that nobody has been told. Two shards in
// one thread; the time is the test's.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "crypto/time.h"
#include "engine/native/native.h"
#include "engine/native/state.h"
#include "tests/turn.h"
#include "tests/vectors.h"
#include "tests/wired.h"

enum {
    SLOTS = 16,
    FLYING_MAX = 1 << 13, // datagrams under way in one direction
    IDLE_MS = 3000,
    MESSAGE = 20000
};

static struct wired wired;
static struct world {
    uint64_t dice;
    uint64_t delay_ms;
    uint64_t spread_ms; // beside the delay, at random: what comes later may arrive earlier
    uint32_t loss;      // in 1,000
    uint32_t doubling;  // likewise
    bool plain_only;    // of what the clients send from now on, nothing else arrives
} world;

static void post(struct wired_end *from, uint32_t client, const struct iovec *view)
{
    bool is_plain = *(const uint8_t *)view->iov_base >> 6 == HAIL_PROTECTION_PLAIN;

    for (int copies = 1 + (test_next(&world.dice) % 1000 < world.doubling); copies > 0; copies--) {
        uint64_t spread_ms = world.spread_ms == 0 ? 0 : test_next(&world.dice) % world.spread_ms;
        if (test_next(&world.dice) % 1000 < world.loss)
            continue;
        if (is_plain || !world.plain_only || from == &wired.server)
            wired_put(from, client, view,
                      wired.now_ns + (world.delay_ms + spread_ms) * HAIL_NS_PER_MS);
    }
}

static void run_ms(uint64_t ms)
{
    for (uint64_t until_ns = wired.now_ns + ms * HAIL_NS_PER_MS; wired.now_ns < until_ns;) {
        wired.now_ns += HAIL_NS_PER_MS;
        wired_turn(&wired);
    }
}

static void join(uint32_t count)
{
    uint32_t before = wired.client.connected;

    for (uint32_t i = 0; i < count; i++)
        wired_connect(&wired);
    wired_carry_out(&wired.client);
    for (int i = 0; i < 1000 && wired.client.connected < before + count; i++)
        run_ms(1);
    ck_assert_uint_eq(wired.client.connected, before + count);
    ck_assert_uint_eq(wired.server.connected, before + count);
}

static void world_begin(uint64_t seed, uint32_t clients)
{
    struct hail_config config = wired_config();

    config.native.source_per_s = 1000000;
    config.conns_max = SLOTS;
    config.handshakes_max = SLOTS;
    config.idle_timeout_ms = IDLE_MS;
    config.unsent_max = 16u << 20;
    world = (struct world){.dice = seed};
    wired_init(&wired, FLYING_MAX);
    wired.exact = true;
    wired.post = post;
    wired_begin(&wired.server, &config, test_next(&world.dice));
    wired_begin(&wired.client, &config, test_next(&world.dice));
    join(clients);
}

static void world_end(void)
{
    wired_finish(&wired);
}

static enum hail_status say(struct wired_end *end, uint32_t slot, uint8_t channel, uint32_t flags,
                            size_t len)
{
    static const uint8_t body[MESSAGE];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = flags,
                                           .channel = channel,
                                           .body = body,
                                           .body_len = len};

    return hail_conn_send(&end->shard, slot, &view);
}

static struct hail_native *native_of(const struct wired_end *end, uint32_t slot)
{
    return &end->shard.native->conns[slot];
}

static struct hail_sender *sender_of(const struct wired_end *end, uint32_t slot)
{
    return &end->shard.delivery.conns[slot].sender;
}

static uint64_t drops(const struct wired_end *end, enum hail_verdict verdict)
{
    return hail_stat_get(&end->shard.stats, HAIL_STAT_DROPPED_FIRST + (unsigned)verdict);
}

// Seals frames of the test's as the client's, or the server's, next packet, which arrives at once.
static void inject(bool by_server, const uint8_t *frames, size_t len)
{
    struct wired_end *from = by_server ? &wired.server : &wired.client;
    struct wired_end *to = by_server ? &wired.client : &wired.server;
    uint8_t packet[HAIL_PACKET_MAX];

    memcpy(packet + hail_packet_frames_at(by_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER,
                                          HAIL_PROTECTION_ENCRYPTED),
           frames, len);
    len = hail_peer_seal(&native_of(from, 0)->peer, packet, len, HAIL_PROTECTION_ENCRYPTED,
                         wired.now_ns);
    wired_arrive(to, 0, packet, len);
}

// ---- Acknowledgements

static void acknowledge(bool by_server, const struct hail_ack *ack)
{
    uint8_t frames[1 + HAIL_ACK_LEN_MAX] = {HAIL_FRAME_ACK};

    inject(by_server, frames, 1 + hail_ack_encode(frames + 1, ack));
}

// Acknowledges all numbers from `first` on that the other end has used so far, and `beyond` that it
// has not.
static void acknowledge_from(bool by_server, uint64_t first, uint64_t beyond)
{
    const struct wired_end *other = by_server ? &wired.client : &wired.server;
    uint64_t last = native_of(other, 0)->peer.next_number - 1 + beyond;

    if (last >= first)
        acknowledge(by_server, &(struct hail_ack){.count = 1, .ranges = {{first, last}}});
}

// One that reads nothing and acknowledges everything, from the beginning or once an honest transfer
// has opened the window, is found out before it has got much; as server and as client.
START_TEST(test_optimist)
{
    bool by_server = _i % 2;
    bool late = _i / 2 % 2;
    uint64_t worst = 0;

    for (int round = 0; round < 20; round++) {
        world_begin(test_seed() + (uint64_t)round, 1);
        struct wired_end *sender = by_server ? &wired.client : &wired.server;
        struct wired_end *reader = by_server ? &wired.server : &wired.client;
        world.delay_ms = 10;
        for (int i = 0; i < 800; i++)
            ck_assert_int_eq(say(sender, 0, HAIL_RELIABLE_ORDERED, HAIL_FLAGS_BOTH, MESSAGE),
                             HAIL_OK);
        if (late)
            run_ms(60 + test_next(&world.dice) % 60);
        ck_assert_uint_eq(sender->closed, 0);
        uint64_t begun = sender->bytes;
        uint64_t honest = native_of(sender, 0)->peer.next_number;
        uint32_t window = sender_of(sender, 0)->congestion.window;
        for (int i = 0; i < 4000 && sender->closed == 0; i++) {
            reader->shard.now_ns = wired.now_ns;
            wired.now_ns += HAIL_NS_PER_MS;
            wired_lose(sender); // nobody reads it
            wired_lose(reader);
            test_turn(&sender->shard, wired.now_ns);
            wired_carry_out(sender);
            acknowledge_from(by_server, honest, 0);
            wired_carry_out(sender);
        }
        ck_assert_uint_eq(sender->closed, 1);
        ck_assert_int_eq(sender->reason, HAIL_CLOSED_PROTOCOL);
        ck_assert_uint_eq(drops(sender, HAIL_DROP_FALSE_ACK), 1);
        uint64_t got = sender->bytes - begun;
        uint64_t bound = late ? 2 * (uint64_t)window + 140 * HAIL_PACKET_MAX : 40 * 1200 + 1452;
        ck_assert_msg(got <= bound, "round %d: %llu bytes of %llu", round, (unsigned long long)got,
                      (unsigned long long)bound);
        worst = got > worst ? got : worst;
        world_end();
    }
    printf("%s, %s: at most %llu bytes\n", by_server ? "server" : "client",
           late ? "later on" : "from the beginning", (unsigned long long)worst);
}
END_TEST

// Numbers that have not been sent yet are no better, however far ahead; nor are all numbers there
// are, and packets that were sent by then are not settled.
START_TEST(test_beyond)
{
    static const uint64_t beyond[] = {1, 2, 1000, (UINT64_C(1) << 23) - 1};
    bool by_server = _i % 2;

    world_begin(test_seed(), 1);
    struct wired_end *sender = by_server ? &wired.client : &wired.server;
    ck_assert_int_eq(say(sender, 0, HAIL_RELIABLE_ORDERED, HAIL_FLAGS_BOTH, 10), HAIL_OK);
    wired_carry_out(sender);
    acknowledge_from(by_server, 0, beyond[_i / 2]);
    wired_carry_out(sender);
    ck_assert_uint_eq(sender->closed, 1);
    ck_assert_int_eq(sender->reason, HAIL_CLOSED_PROTOCOL);
    ck_assert_uint_eq(drops(sender, HAIL_DROP_FALSE_ACK), 1);
    world_end();
}
END_TEST

// Honest ends, over a network that loses, doubles and reorders, are never taken for liars, though
// numbers are left out in both directions; everything comes. Where nothing is lost on the way,
// nothing is taken for lost.
START_TEST(test_honest)
{
    static const struct {
        uint32_t loss;
        uint32_t doubling;
        uint64_t spread_ms;
    } rows[] = {{0, 0, 0}, {20, 0, 0}, {0, 300, 0}, {0, 0, 30}, {50, 50, 15}};
    enum {
        MESSAGES = 100
    };
    uint64_t left_out = 0;
    uint64_t before[2] = {0, 0};

    world_begin(test_seed(), 1);
    world.delay_ms = 10;
    world.loss = rows[_i].loss;
    world.doubling = rows[_i].doubling;
    world.spread_ms = rows[_i].spread_ms;
    for (int i = 0; i < MESSAGES; i++) {
        ck_assert_int_eq(say(&wired.client, 0, HAIL_RELIABLE_ORDERED, HAIL_FLAGS_BOTH, MESSAGE),
                         HAIL_OK);
        ck_assert_int_eq(
            say(&wired.server, 0, HAIL_RELIABLE_UNORDERED, HAIL_AUTHENTICATED, MESSAGE), HAIL_OK);
    }
    for (int i = 0; i < 60000 && wired.client.messages + wired.server.messages < 2 * MESSAGES;
         i++) {
        run_ms(1);
        uint64_t now[2] = {sender_of(&wired.client, 0)->skipped,
                           sender_of(&wired.server, 0)->skipped};
        left_out += now[0] != before[0];
        left_out += now[1] != before[1];
        memcpy(before, now, sizeof before);
    }
    ck_assert_uint_eq(wired.client.messages, MESSAGES);
    ck_assert_uint_eq(wired.server.messages, MESSAGES);
    ck_assert_uint_eq(wired.client.closed + wired.server.closed, 0);
    ck_assert_uint_gt(left_out, 6);
    if (rows[_i].loss + rows[_i].spread_ms == 0) {
        ck_assert_uint_eq(hail_stat_get(&wired.server.shard.stats, HAIL_STAT_PACKETS_LOST), 0);
        ck_assert_uint_eq(hail_stat_get(&wired.client.shard.stats, HAIL_STAT_PACKETS_LOST), 0);
    }
    world_end();
}
END_TEST

// A number that was left out has overtaken nothing: of three numbers that lie behind a packet, and
// are acknowledged, all three must have been packets.
START_TEST(test_gap_is_no_packet)
{
    bool has_gap = _i;

    world_begin(test_seed(), 1);
    const struct hail_native *native = native_of(&wired.server, 0);
    struct hail_sender *sender = sender_of(&wired.server, 0);
    sender->skipped = 0;
    sender->skip_in = 0xffff; // none by itself
    uint64_t first = native->peer.next_number;
    for (uint64_t i = 0; i < 4; i++) {
        if (has_gap && i == 2)
            sender->skip_in = 1;
        ck_assert_int_eq(say(&wired.server, 0, HAIL_RELIABLE_ORDERED, HAIL_FLAGS_BOTH, 10),
                         HAIL_OK);
        wired_carry_out(&wired.server);
    }
    uint64_t last = native->peer.next_number - 1;
    ck_assert_uint_eq(last - first, has_gap ? 4 : 3);
    wired.server.shard.now_ns = wired.now_ns;
    struct hail_ack ack = {.count = 1, .ranges = {{first + 1, first + 3}}};
    if (has_gap) // first, first + 1, a gap, first + 3, first + 4
        ack = (struct hail_ack){.count = 2,
                                .ranges = {{first + 3, first + 3}, {first + 1, first + 1}}};
    acknowledge(false, &ack);
    ck_assert_uint_eq(hail_stat_get(&wired.server.shard.stats, HAIL_STAT_PACKETS_LOST), !has_gap);
    ck_assert_uint_eq(wired.server.closed, 0);
    if (has_gap) {
        ack = (struct hail_ack){.count = 1, .ranges = {{first + 4, first + 4}}};
        acknowledge(false, &ack);
        ck_assert_uint_eq(hail_stat_get(&wired.server.shard.stats, HAIL_STAT_PACKETS_LOST), 1);
    }
    world_end();
}
END_TEST

// ---- Keeping alive

static const struct {
    const char *why;
    uint32_t by_client; // flags of what it sends, or none
    uint32_t by_server;
    bool client_speaks;
    bool server_speaks;
} talks[] = {
    {"nobody says anything", 0, 0, false, false},
    {"the client, plain", 0, 0, true, false},
    {"the client, authenticated", HAIL_AUTHENTICATED, 0, true, false},
    {"the client, encrypted", HAIL_ENCRYPTED, 0, true, false},
    {"the server, plain", 0, 0, false, true},
    {"the server, authenticated", 0, HAIL_AUTHENTICATED, false, true},
    {"the server, encrypted", 0, HAIL_ENCRYPTED, false, true},
    {"both, plain", 0, 0, true, true},
    {"both, authenticated", HAIL_AUTHENTICATED, HAIL_AUTHENTICATED, true, true},
    {"the client plain, the server encrypted", 0, HAIL_ENCRYPTED, true, true},
    {"the client encrypted, the server plain", HAIL_ENCRYPTED, 0, true, true},
};

// Whatever is said, and however it is protected, keeps both ends for longer than their patience.
START_TEST(test_alive)
{
    world_begin(test_seed(), 1);
    for (int i = 0; i < 4 * IDLE_MS / 25; i++) {
        if (talks[_i].client_speaks)
            ck_assert_int_eq(say(&wired.client, 0, HAIL_UNRELIABLE, talks[_i].by_client, 20),
                             HAIL_OK);
        if (talks[_i].server_speaks)
            ck_assert_int_eq(say(&wired.server, 0, HAIL_UNRELIABLE, talks[_i].by_server, 20),
                             HAIL_OK);
        run_ms(25);
        ck_assert_msg(wired.client.closed + wired.server.closed == 0, "%s: gone after %d ms",
                      talks[_i].why, i * 25);
    }
    if (talks[_i].client_speaks)
        ck_assert_uint_gt(wired.server.messages, IDLE_MS / 25);
    if (talks[_i].server_speaks)
        ck_assert_uint_gt(wired.client.messages, IDLE_MS / 25);
    world_end();
}
END_TEST

// What is plain proves nothing: a client whose plain packets alone arrive is gone in time.
START_TEST(test_plain_is_no_life)
{
    world_begin(test_seed(), 1);
    world.plain_only = true;
    for (int i = 0; i < 2 * IDLE_MS / 25 && wired.server.closed == 0; i++) {
        (void)say(&wired.client, 0, HAIL_UNRELIABLE, 0, 20);
        run_ms(25);
    }
    ck_assert_uint_gt(wired.server.messages, IDLE_MS / 25 / 2);
    ck_assert_uint_eq(wired.server.closed, 1);
    ck_assert_int_eq(wired.server.reason, HAIL_CLOSED_IDLE);
    world_end();
}
END_TEST

// ---- Epochs

// A forged packet for a client's connection, as one who sees its packets would make it.
static void forge(uint32_t slot, enum hail_protection protection, unsigned epoch, uint32_t number)
{
    uint32_t conn_id = native_of(&wired.server, slot)->conn_id;
    uint8_t packet[60] = {(uint8_t)((unsigned)protection << 6 | (epoch & 3) << 4),
                          (uint8_t)(conn_id >> 24),
                          (uint8_t)(conn_id >> 16),
                          (uint8_t)(conn_id >> 8),
                          (uint8_t)conn_id,
                          (uint8_t)(number >> 16),
                          (uint8_t)(number >> 8),
                          (uint8_t)number};

    wired_arrive(&wired.server, slot, packet, sizeof packet);
}

// Forged packets of all epochs for all connections, in turns: keys are derived once for each.
START_TEST(test_forged_epochs)
{
    uint64_t forged = 0;

    world_begin(test_seed(), 8);
    struct hail_epochs *epochs = &wired.server.shard.native->epochs;
    epochs->derived = 0;
    for (int round = 0; round < 100; round++) {
        for (uint32_t slot = 0; slot < 8; slot++) {
            for (unsigned epoch = 0; epoch < 4; epoch++) {
                forge(slot, HAIL_PROTECTION_ENCRYPTED, epoch, 1000 + (uint32_t)round);
                forge(slot, HAIL_PROTECTION_AUTHENTICATED, epoch, 1000 + (uint32_t)round);
                forged += 2;
            }
        }
    }
    ck_assert_msg(epochs->derived >= 16 && epochs->derived < 400, "%u derived for %llu packets",
                  epochs->derived, (unsigned long long)forged);
    ck_assert_uint_eq(drops(&wired.server, HAIL_DROP_FORGED), forged / 4 * 3);
    ck_assert_uint_eq(drops(&wired.server, HAIL_DROP_EPOCH), forged / 4); // there is none behind
    ck_assert_int_eq(say(&wired.client, 0, HAIL_UNRELIABLE, HAIL_FLAGS_BOTH, 20), HAIL_OK);
    run_ms(5);
    ck_assert_uint_eq(wired.server.messages, 1);
    world_end();
}
END_TEST

// What cannot be of a later epoch, by its number, is not even tried.
START_TEST(test_epoch_by_number)
{
    world_begin(test_seed(), 1);
    struct hail_epochs *epochs = &wired.server.shard.native->epochs;
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(say(&wired.client, 0, HAIL_UNRELIABLE, HAIL_FLAGS_BOTH, 800), HAIL_OK);
    run_ms(200);
    uint64_t next = native_of(&wired.server, 0)->peer.protected_seen.next;
    ck_assert_uint_gt(next, 20);
    native_of(&wired.server, 0)->peer.protected_seen.seen[0] &=
        ~UINT64_C(0x100); // as if 8 were late
    epochs->derived = 0;
    forge(0, HAIL_PROTECTION_ENCRYPTED, 1, 8);
    forge(0, HAIL_PROTECTION_AUTHENTICATED, 2, 8);
    ck_assert_uint_eq(epochs->derived, 0);
    forge(0, HAIL_PROTECTION_ENCRYPTED, 1, (uint32_t)next);
    ck_assert_uint_eq(epochs->derived, 1);
    world_end();
}
END_TEST

// A flood over more connections and epochs than are kept is bounded, and counted; who truly begins
// an epoch gets through in the next second at the latest.
START_TEST(test_epoch_flood)
{
    world_begin(test_seed(), 2);
    struct hail_epochs *epochs = &wired.server.shard.native->epochs;
    test_turn(&wired.server.shard, wired.now_ns);
    forge(0, HAIL_PROTECTION_ENCRYPTED, 1, 1000);
    uint64_t before = drops(&wired.server, HAIL_DROP_EPOCH);
    epochs->derived = HAIL_EPOCHS_PER_S; // as if it had been so many
    forge(0, HAIL_PROTECTION_ENCRYPTED, 1, 1001);
    ck_assert_msg(drops(&wired.server, HAIL_DROP_EPOCH) == before, "there already");
    forge(1, HAIL_PROTECTION_ENCRYPTED, 1, 1000);
    ck_assert_uint_eq(drops(&wired.server, HAIL_DROP_EPOCH), before + 1);
    native_of(&wired.client, 1)->peer.epoch_packets = HAIL_EPOCH_PACKETS_MAX;
    ck_assert_int_eq(say(&wired.client, 1, HAIL_RELIABLE_ORDERED, HAIL_FLAGS_BOTH, 20), HAIL_OK);
    run_ms(1200);
    ck_assert_uint_eq(native_of(&wired.server, 1)->peer.receive.epoch, 1);
    ck_assert_uint_eq(wired.server.messages, 1);
    world_end();
}
END_TEST

// Nothing of a connection's keys is kept when it has ended, or come to the epoch.
START_TEST(test_epochs_forgotten)
{
    uint32_t used = 0;

    world_begin(test_seed(), 2);
    struct hail_epochs *epochs = &wired.server.shard.native->epochs;
    for (unsigned epoch = 1; epoch < 3; epoch++) {
        forge(0, HAIL_PROTECTION_ENCRYPTED, epoch, 1000);
        forge(1, HAIL_PROTECTION_ENCRYPTED, epoch, 1000);
    }
    native_of(&wired.client, 1)->peer.epoch_packets = HAIL_EPOCH_PACKETS_MAX;
    ck_assert_int_eq(say(&wired.client, 1, HAIL_RELIABLE_ORDERED, HAIL_FLAGS_BOTH, 20), HAIL_OK);
    run_ms(5);
    ck_assert_uint_eq(native_of(&wired.server, 1)->peer.receive.epoch, 1);
    hail_conn_end(&wired.server.shard, 0, HAIL_CLOSED_BY_APPLICATION, false, NULL);
    for (uint32_t i = 0; i < epochs->count; i++)
        used += epochs->list[i].used;
    ck_assert_uint_eq(used, 0);
    world_end();
}
END_TEST

// ---- Connection ids

START_TEST(test_permutation)
{
    struct hail_permutation permutation;
    struct hail_random random;
    static uint8_t seen[1 << HAIL_PERMUTATION_BITS];
    uint32_t near = 0;
    uint32_t last = 0;

    memset(seen, 0, sizeof seen);
    hail_random_init_seeded(&random, test_seed());
    hail_permutation_init(&permutation, &random);
    for (uint32_t i = 0; i < 1u << HAIL_PERMUTATION_BITS; i++) {
        uint32_t id = hail_permutation_of(&permutation, i);
        if (id >> HAIL_PERMUTATION_BITS != 0 || seen[id] ||
            hail_permutation_back(&permutation, id) != i)
            ck_abort_msg("%u becomes %u", i, id);
        seen[id] = 1;
        near += id - last + 128 < 256;
        last = id;
    }
    // Neighbours are as far apart as by chance: 256 of 2^24 places, 2^24 times.
    ck_assert_uint_gt(near, 100);
    ck_assert_uint_lt(near, 600);
}
END_TEST

// No two connections that live have one id, nor has a slot's next connection that of the last ones;
// and one's ids do not tell the next.
START_TEST(test_conn_ids)
{
    enum {
        ROUNDS = 40
    };
    uint32_t ids[ROUNDS];
    uint32_t steps = 0;

    world_begin(test_seed(), 0);
    for (int round = 0; round < ROUNDS; round++) {
        join(1);
        ids[round] = native_of(&wired.server, 0)->conn_id;
        ck_assert_uint_eq(hail_native_find(&wired.server.shard, ids[round]), 0);
        for (int i = 0; i < round; i++) {
            ck_assert_uint_ne(ids[i], ids[round]);
            ck_assert_uint_eq(hail_native_find(&wired.server.shard, ids[i]), HAIL_SLOT_NONE);
        }
        steps += round > 0 && ids[round] - ids[round - 1] + 512 < 1024;
        hail_conn_end(&wired.client.shard, 0, HAIL_CLOSED_BY_APPLICATION, false, NULL);
        run_ms(5);
        ck_assert_uint_eq(wired.server.closed, (uint32_t)round + 1);
    }
    ck_assert_uint_lt(steps, 3);
    world_end();
}
END_TEST

// Has the server send what it owes its client 0, and reads that packet as the client would.
static void read_owed(struct hail_unpack *unpack)
{
    static uint8_t bytes[HAIL_PACKET_MAX];
    static struct hail_peer peer; // the client's, which is not told
    const struct hail_path from = {0};
    struct hail_opened opened;
    struct wired_end *server = &wired.server;

    hail_native_flush(&server->shard, 0);
    wired_carry_out(server);
    ck_assert_uint_eq(server->out_count, 1);
    size_t len = server->out[server->out_first].len;
    memcpy(bytes, server->out[server->out_first].bytes, len);
    peer = native_of(&wired.client, 0)->peer;
    ck_assert_int_eq(hail_peer_open(&peer, &opened, bytes, len, &from,
                                    &wired.client.shard.native->epochs, &wired.client.shard.random,
                                    wired.now_ns),
                     HAIL_ACCEPT);
    ck_assert_int_eq(hail_unpack_begin(unpack, &wired.client.context.policy, opened.frames,
                                       opened.frames_len, peer.next_number),
                     HAIL_ACCEPT);
}

// Clients of before read a packet up to the first frame whose type they do not know, so limits come
// behind all that they need (WIRE.md, section 8).
START_TEST(test_limits_come_last)
{
    struct hail_unpack unpack;

    world_begin(test_seed(), 1);
    run_ms(500); // so that nothing else is owed
    native_of(&wired.server, 0)->peer.owed = HAIL_OWED_APPROVED | HAIL_OWED_TICKET;
    read_owed(&unpack);
    ck_assert_int_eq(hail_unpack_next(&unpack)->frame.type, HAIL_FRAME_APPROVED);
    ck_assert_int_eq(hail_unpack_next(&unpack)->frame.type, HAIL_FRAME_TICKET);
    const struct hail_unpacked_frame *last = hail_unpack_next(&unpack);
    ck_assert_int_eq(last->frame.type, HAIL_FRAME_LIMITS);
    ck_assert_uint_eq(last->frame.message_max, wired.server.context.config.message_max);
    ck_assert_ptr_null(hail_unpack_next(&unpack));
    world_end();
}
END_TEST

// Of two pings in a packet the last is answered.
START_TEST(test_last_ping)
{
    static const uint8_t pings[] = {0x90, 8, 1, 1, 1, 1, 1, 1, 1, 1,
                                    0x90, 8, 2, 2, 2, 2, 2, 2, 2, 2};
    struct hail_unpack unpack;

    world_begin(test_seed(), 1);
    run_ms(500);
    inject(false, pings, sizeof pings);
    read_owed(&unpack);
    const struct hail_unpacked_frame *pong = hail_unpack_next(&unpack);
    ck_assert_int_eq(pong->frame.type, HAIL_FRAME_PONG);
    ck_assert_mem_eq(pong->frame.echo, pings + 12, HAIL_FRAME_ECHO_LEN);
    ck_assert_ptr_null(hail_unpack_next(&unpack));
    world_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conduct");
    TCase *tests = tcase_create("conduct");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_optimist, 0, 4);
    tcase_add_loop_test(tests, test_beyond, 0, 8);
    tcase_add_loop_test(tests, test_honest, 0, 5);
    tcase_add_loop_test(tests, test_gap_is_no_packet, 0, 2);
    tcase_add_loop_test(tests, test_alive, 0, HAIL_COUNTOF(talks));
    tcase_add_test(tests, test_plain_is_no_life);
    tcase_add_test(tests, test_forged_epochs);
    tcase_add_test(tests, test_epoch_by_number);
    tcase_add_test(tests, test_epoch_flood);
    tcase_add_test(tests, test_epochs_forgotten);
    tcase_add_test(tests, test_permutation);
    tcase_add_test(tests, test_conn_ids);
    tcase_add_test(tests, test_limits_come_last);
    tcase_add_test(tests, test_last_ping);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
