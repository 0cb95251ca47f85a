// test_peer.c: two joined peers: packets that must not be taken, keys that change, addresses that
// change.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "crypto/time.h"
#include "tests/peer_pair.h"
#include "tests/vectors.h"

enum {
    KEPT = 2000 // packets under way in the property test
};

// ---- What must not be taken

// Every bit and every length of a packet of each protection, in each direction.
START_TEST(test_tampered)
{
    enum hail_protection protection = (enum hail_protection)(1 + _i / 2);
    bool by_server = _i % 2;
    struct packet packet;
    struct pair pair;

    pair_init(&pair);
    pair_seal(&pair, by_server, protection, &packet);
    struct hail_peer *receiver = by_server ? &pair.client : &pair.server;
    struct hail_peer before = *receiver;
    size_t header_len = hail_packet_header_len(by_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER);
    for (size_t bit = 0; bit < 8 * packet.len; bit++) {
        bool plain = protection == HAIL_PROTECTION_PLAIN;
        bool in_token = bit / 8 >= header_len && bit / 8 < header_len + HAIL_TOKEN_LEN;
        if (plain && bit >= 8 && !in_token)
            continue; // neither number nor frames of a plain packet prove anything
        packet.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum hail_verdict verdict = pair_deliver(&pair, !by_server, &packet);
        ck_assert_msg(verdict != HAIL_ACCEPT, "bit %zu", bit);
        ck_assert_mem_eq(receiver, &before, sizeof before);
        packet.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    size_t enough = protection == HAIL_PROTECTION_PLAIN
                        ? packet.len - 2 // a plain packet can be cut, up to its last frame byte
                        : packet.len;
    for (size_t len = 0; len < packet.len && len < enough; len++)
        ck_assert_msg(pair_arrive(&pair, !by_server, packet.bytes, len, &pair.home) != HAIL_ACCEPT,
                      "%zu bytes", len);
    ck_assert_mem_eq(receiver, &before, sizeof before);
    ck_assert_int_eq(pair_deliver(&pair, !by_server, &packet), HAIL_ACCEPT);
    ck_assert_int_eq(pair_deliver(&pair, !by_server, &packet), HAIL_DROP_REPLAY);
    pair_cleanup(&pair);
}
END_TEST

// A packet comes back to whoever sent it, or ends up in another connection.
START_TEST(test_misdirected)
{
    static const uint8_t other_stretched[HAIL_STRETCHED_LEN] = {1, 2, 4};
    enum hail_protection protection = (enum hail_protection)_i;
    struct packet packet;
    struct pair other;
    struct pair pair;

    pair_init(&pair);
    pair_from(&other, other_stretched, 1);
    for (int by_server = 0; by_server < 2; by_server++) {
        pair_seal(&pair, by_server, protection, &packet);
        ck_assert_int_ne(pair_deliver(&pair, by_server, &packet), HAIL_ACCEPT);
        ck_assert_int_eq(pair_deliver(&other, !by_server, &packet), HAIL_DROP_FORGED);
        ck_assert_int_eq(pair_deliver(&pair, !by_server, &packet), HAIL_ACCEPT);
    }
    pair_cleanup(&other);
    pair_cleanup(&pair);
}
END_TEST

// The slow model of what is taken: every number ever, by account.
struct model {
    uint8_t taken[1 << 16];
    uint64_t largest; // plus one; 0: none
};

static bool model_takes(struct model *model, uint64_t number)
{
    if (model->taken[number] || number + HAIL_REPLAY_WINDOW < model->largest)
        return false;
    model->taken[number] = 1;
    if (number >= model->largest)
        model->largest = number + 1;
    return true;
}

// A network that loses, doubles and reorders, by up to KEPT packets; what is taken is what the
// model takes. The epoch stays.
START_TEST(test_reordered)
{
    static struct packet packets[KEPT];
    static struct model models[2];
    uint64_t dice = test_seed();
    size_t reach = _i == 0 ? 100 : KEPT;
    struct pair pair;
    size_t taken = 0;

    memset(models, 0, sizeof models);
    pair_init(&pair);
    for (int round = 0; round < 6 * KEPT; round++) {
        size_t place = (size_t)pair.client.next_number % reach;
        enum hail_protection protection = (enum hail_protection)(1 + test_next(&dice) % 3);
        pair_seal(&pair, false, protection, &packets[place]);
        ck_assert_uint_eq(packets[place].epoch, 0);
        for (uint64_t times = test_next(&dice) % 3; times > 0; times--) {
            const struct packet *packet = &packets[test_next(&dice) % reach];
            if (packet->len == 0)
                continue;
            bool plain = packet->protection == HAIL_PROTECTION_PLAIN;
            enum hail_verdict verdict = pair_deliver(&pair, true, packet);
            bool want = model_takes(&models[plain], packet->number);
            ck_assert_msg(verdict == (want ? HAIL_ACCEPT : HAIL_DROP_REPLAY),
                          "round %d, number %llu of %llu: %s", round,
                          (unsigned long long)packet->number,
                          (unsigned long long)models[plain].largest, hail_verdict_name(verdict));
            taken += want;
        }
    }
    ck_assert_uint_gt(taken, KEPT);
    memset(packets, 0, sizeof packets);
    pair_cleanup(&pair);
}
END_TEST

START_TEST(test_last_number)
{
    struct packet packet;
    struct pair pair;

    pair_init(&pair);
    pair.client.next_number = UINT64_MAX - 1;
    pair.server.protected_seen.next = UINT64_MAX - 1;
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_int_eq(pair_deliver(&pair, true, &packet), HAIL_ACCEPT);
    struct hail_peer before = pair.client;
    ck_assert_uint_eq(
        hail_peer_seal(&pair.client, packet.bytes, 3, HAIL_PROTECTION_ENCRYPTED, pair.now_ns), 0);
    ck_assert_mem_eq(&pair.client, &before, sizeof before);
    pair_cleanup(&pair);
}
END_TEST

// ---- Epochs

static const struct {
    const char *why;
    uint64_t packets; // protected, under this epoch
    uint64_t bytes;
    uint64_t age_ms;
    bool asked;
    uint32_t want; // the epoch of the next packet
    uint32_t then; // and of the one after it
} updates[] = {
    {"nothing has happened", 0, 0, 0, false, 0, 0},
    {"asked at once", 0, 0, 0, true, 0, 0},
    {"asked a packet too early", HAIL_EPOCH_PACKETS_MIN - 1, 0, 0, true, 0, 1},
    {"asked after so many packets", HAIL_EPOCH_PACKETS_MIN, 0, 0, true, 1, 1},
    {"asked a moment too early", 0, 0, HAIL_EPOCH_MIN_MS - 1, true, 0, 0},
    {"asked after a while", 0, 0, HAIL_EPOCH_MIN_MS, true, 1, 1},
    {"not asked after a while", HAIL_EPOCH_PACKETS_MIN, 0, HAIL_EPOCH_MIN_MS, false, 0, 0},
    {"the last packet", HAIL_EPOCH_PACKETS_MAX - 1, 0, 0, false, 0, 1},
    {"the last packet was", HAIL_EPOCH_PACKETS_MAX, 0, 0, false, 1, 1},
    {"the last bytes", HAIL_EPOCH_PACKETS_MIN, (UINT64_C(1) << 36) - 1, 0, false, 0, 1},
    {"the last bytes were", HAIL_EPOCH_PACKETS_MIN, UINT64_C(1) << 36, 0, false, 1, 1},
    {"the last moment", 0, 0, HAIL_EPOCH_MAX_MS - 1, false, 0, 0},
    {"the last moment was", 0, 0, HAIL_EPOCH_MAX_MS, false, 1, 1},
};

START_TEST(test_update)
{
    struct packet packet;
    struct pair pair;

    for (int by_server = 0; by_server < 2; by_server++) {
        pair_init(&pair);
        struct hail_peer *peer = by_server ? &pair.server : &pair.client;
        const struct hail_peer *other = by_server ? &pair.client : &pair.server;
        peer->epoch_packets = updates[_i].packets;
        peer->epoch_bytes = updates[_i].bytes;
        pair.now_ns += updates[_i].age_ms * HAIL_NS_PER_MS;
        if (updates[_i].asked)
            hail_peer_update(peer);
        pair_seal(&pair, by_server, HAIL_PROTECTION_ENCRYPTED, &packet);
        ck_assert_msg(packet.epoch == updates[_i].want, "%s: %u", updates[_i].why, packet.epoch);
        ck_assert_uint_eq(peer->epoch_packets, packet.epoch == 0 ? updates[_i].packets + 1 : 1);
        ck_assert_int_eq(pair_deliver(&pair, !by_server, &packet), HAIL_ACCEPT);
        ck_assert_uint_eq(other->receive.epoch, packet.epoch);
        ck_assert_msg(other->send.epoch == 0, "the other direction has its own");
        pair_seal(&pair, by_server, HAIL_PROTECTION_AUTHENTICATED, &packet);
        ck_assert_msg(packet.epoch == updates[_i].then, "%s, and then %u", updates[_i].why,
                      packet.epoch);
        ck_assert_int_eq(pair_deliver(&pair, !by_server, &packet), HAIL_ACCEPT);
        pair_cleanup(&pair);
    }
}
END_TEST

// Plain packets have no keys to wear out.
START_TEST(test_plain_does_not_count)
{
    struct packet packet;
    struct pair pair;

    pair_init(&pair);
    for (int i = 0; i < 3; i++)
        pair_seal(&pair, true, HAIL_PROTECTION_PLAIN, &packet);
    ck_assert_uint_eq(pair.server.epoch_packets, 0);
    ck_assert_uint_eq(pair.server.epoch_bytes, 0);
    pair_cleanup(&pair);
}
END_TEST

// Has the client's sending epoch advance, and seals a packet in it.
static void advance(struct pair *pair, struct packet *packet)
{
    pair->client.epoch_packets = HAIL_EPOCH_PACKETS_MAX;
    pair_seal(pair, false, HAIL_PROTECTION_ENCRYPTED, packet);
}

static const struct {
    const char *why;
    int first;        // the epoch whose packet arrives first
    int then;         // and the one after it
    uint64_t late_ms; // in between
    enum hail_verdict want;
} lates[] = {
    {"one behind", 1, 0, 0, HAIL_ACCEPT},
    {"one behind, at the last moment", 1, 0, HAIL_EPOCH_KEPT_MS - 1, HAIL_ACCEPT},
    {"one behind, too late", 1, 0, HAIL_EPOCH_KEPT_MS, HAIL_DROP_EPOCH},
    {"two behind cannot be two ahead, with its number", 2, 0, 0, HAIL_DROP_EPOCH},
    {"three behind cannot be one ahead, with its number", 3, 0, 0, HAIL_DROP_EPOCH},
    {"one ahead", 0, 1, 0, HAIL_ACCEPT},
    {"two ahead, and its own before", 0, 2, 0, HAIL_ACCEPT},
    {"three ahead is taken for one behind", 0, 3, 0, HAIL_DROP_EPOCH},
    {"one behind after two at once", 2, 1, 0, HAIL_ACCEPT},
    {"one behind after two at once, too late", 2, 1, HAIL_EPOCH_KEPT_MS, HAIL_DROP_EPOCH},
};

START_TEST(test_late)
{
    static struct packet packets[4][2];
    struct pair pair;

    pair_init(&pair);
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packets[0][0]);
    pair_seal(&pair, false, HAIL_PROTECTION_AUTHENTICATED, &packets[0][1]);
    for (int epoch = 1; epoch < 4; epoch++) {
        advance(&pair, &packets[epoch][0]);
        pair_seal(&pair, false, HAIL_PROTECTION_AUTHENTICATED, &packets[epoch][1]);
        ck_assert_uint_eq(packets[epoch][1].epoch, (uint32_t)epoch);
    }
    if (lates[_i].first == 3) // by steps that can be taken
        ck_assert_int_eq(pair_deliver(&pair, true, &packets[2][0]), HAIL_ACCEPT);
    ck_assert_int_eq(pair_deliver(&pair, true, &packets[lates[_i].first][0]), HAIL_ACCEPT);
    pair.now_ns += lates[_i].late_ms * HAIL_NS_PER_MS;
    for (int i = lates[_i].first == 0; i < 2; i++) {
        enum hail_verdict verdict = pair_deliver(&pair, true, &packets[lates[_i].then][i]);
        ck_assert_msg(verdict == lates[_i].want, "%s: %s", lates[_i].why,
                      hail_verdict_name(verdict));
    }
    int newest = lates[_i].want == HAIL_ACCEPT && lates[_i].then > lates[_i].first
                     ? lates[_i].then
                     : lates[_i].first;
    ck_assert_uint_eq(pair.server.receive.epoch, (uint32_t)newest);
    pair_cleanup(&pair);
}
END_TEST

// ---- What is owed, and paths

static unsigned type_bit(enum hail_frame_type type)
{
    return 1u << (type - HAIL_FRAME_PING);
}

START_TEST(test_owed)
{
    struct hail_path to;
    struct packet packet;
    struct pair pair;

    pair_init(&pair);
    ck_assert_msg(!pair_say_owed(&pair, false, &packet, &to), "nothing yet");
    ck_assert_uint_eq(hail_peer_next_ns(&pair.server), UINT64_MAX);
    ck_assert_uint_eq(hail_peer_next_ns(&pair.client), pair_start_ns + 5000 * HAIL_NS_PER_MS);
    pair.now_ns = pair_start_ns + 5000 * HAIL_NS_PER_MS - 1;
    hail_peer_tick(&pair.client, pair.now_ns);
    ck_assert_msg(!pair_say_owed(&pair, false, &packet, &to), "a moment too early");
    pair.now_ns++;
    hail_peer_tick(&pair.client, pair.now_ns);
    hail_peer_update(&pair.client);
    ck_assert(pair_say_owed(&pair, false, &packet, &to));
    ck_assert(hail_path_equal(&to, &pair.there));
    ck_assert_msg(!pair_say_owed(&pair, false, &packet, &to), "said once");
    ck_assert_uint_eq(pair_hear(&pair, true, &packet, &pair.home),
                      type_bit(HAIL_FRAME_PING) | type_bit(HAIL_FRAME_UPDATE));
    ck_assert_msg(pair.server.update_pending, "the other end is asked for an epoch as well");

    pair.server.client_id = 77;
    pair.server.owed |= HAIL_OWED_WAIT | HAIL_OWED_APPROVED;
    ck_assert(pair_say_owed(&pair, true, &packet, &to));
    ck_assert(hail_path_equal(&to, &pair.home));
    ck_assert_uint_eq(pair_hear(&pair, false, &packet, &pair.there),
                      type_bit(HAIL_FRAME_PONG) | type_bit(HAIL_FRAME_WAIT) |
                          type_bit(HAIL_FRAME_APPROVED));
    ck_assert_msg(!pair_say_owed(&pair, false, &packet, &to), "a pong is not answered");
    pair_cleanup(&pair);
}
END_TEST

// The client moves, and the server follows when the response has come from there; from nowhere
// else, and for nothing less.
START_TEST(test_path)
{
    const struct hail_path away = pair_address(9, 9);
    const struct hail_path third = pair_address(10, 9);
    struct packet early;
    struct packet packet;
    struct packet response;
    struct hail_path to;
    struct pair pair;

    pair_init(&pair);
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &early);
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_int_eq(pair_deliver(&pair, true, &packet), HAIL_ACCEPT);
    ck_assert_int_eq(pair_arrive(&pair, true, early.bytes, early.len, &away), HAIL_ACCEPT);
    ck_assert_msg(!pair.server.has_candidate, "one that is not the newest");
    pair_seal(&pair, false, HAIL_PROTECTION_PLAIN, &packet);
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away), HAIL_ACCEPT);
    ck_assert_msg(!pair.server.has_candidate, "a plain one");
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    packet.bytes[packet.len - 1] ^= 1;
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away), HAIL_DROP_FORGED);
    ck_assert_msg(!pair.server.has_candidate, "a forged one");
    packet.bytes[packet.len - 1] ^= 1;
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away), HAIL_ACCEPT);
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &third), HAIL_DROP_REPLAY);

    ck_assert(pair.server.has_candidate);
    ck_assert_msg(hail_path_equal(&pair.server.address, &pair.home), "not yet");
    ck_assert(pair_say_owed(&pair, true, &packet, &to));
    ck_assert(hail_path_equal(&to, &away));
    ck_assert_uint_eq(pair_hear(&pair, false, &packet, &pair.there),
                      type_bit(HAIL_FRAME_PATH_CHALLENGE));
    ck_assert(pair_say_owed(&pair, false, &response, &to));
    ck_assert_msg(hail_path_equal(&to, &pair.there), "to where the challenge came from");

    struct hail_peer before = pair.server;
    (void)pair_hear(&pair, true, &response, &pair.home);
    ck_assert_msg(hail_path_equal(&pair.server.address, &pair.home), "from the old address");
    pair.server = before;
    struct hail_native_frame wrong = {.type = HAIL_FRAME_PATH_RESPONSE, .echo = {1}};
    hail_peer_control(&pair.server, &wrong, &away);
    ck_assert_msg(hail_path_equal(&pair.server.address, &pair.home), "another's response");
    ck_assert_uint_eq(pair_hear(&pair, true, &response, &away), type_bit(HAIL_FRAME_PATH_RESPONSE));
    ck_assert(hail_path_equal(&pair.server.address, &away));
    ck_assert(!pair.server.has_candidate);
    pair.now_ns += 3600 * 1000 * HAIL_NS_PER_MS;
    hail_peer_tick(&pair.server, pair.now_ns);
    ck_assert_msg(!pair_say_owed(&pair, true, &packet, &to), "all is said");
    pair_cleanup(&pair);
}
END_TEST

// A client sends to the address it was given, wherever answers come from.
START_TEST(test_client_stays)
{
    const struct hail_path away = pair_address(9, 9);
    struct packet packet;
    struct pair pair;

    pair_init(&pair);
    pair_seal(&pair, true, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_int_eq(pair_arrive(&pair, false, packet.bytes, packet.len, &away), HAIL_ACCEPT);
    ck_assert(!pair.client.has_candidate);
    ck_assert(hail_path_equal(&pair.client.address, &pair.there));
    pair_cleanup(&pair);
}
END_TEST

// Nobody answers there: some challenges, at intervals, and never more than three times the bytes
// that came from there. What comes anew begins anew.
START_TEST(test_path_unanswered)
{
    const struct hail_path away = pair_address(9, 9);
    size_t packets_each_time = _i == 0 ? 0 : 10;
    struct packet packet;
    struct hail_path to;
    struct pair pair;
    uint8_t first[HAIL_FRAME_ECHO_LEN];

    pair_init(&pair);
    pair_seal(&pair, false, HAIL_PROTECTION_AUTHENTICATED, &packet);
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away), HAIL_ACCEPT);
    memcpy(first, pair.server.challenge, sizeof first);
    size_t came = packet.len;
    size_t sent = 0;
    int challenges = 0;
    for (int round = 0; pair.server.has_candidate; round++) {
        ck_assert_int_le(round, HAIL_CHALLENGES_MAX);
        ck_assert_uint_eq(hail_peer_next_ns(&pair.server),
                          pair.now_ns + HAIL_CHALLENGE_RESEND_MS * HAIL_NS_PER_MS);
        while (pair_say_owed(&pair, true, &packet, &to)) {
            ck_assert(hail_path_equal(&to, &away));
            sent += packet.len;
            challenges++;
        }
        ck_assert_msg(sent <= 3 * came, "%zu bytes for %zu", sent, came);
        for (size_t i = 0; i < packets_each_time; i++) {
            pair_seal(&pair, false, HAIL_PROTECTION_AUTHENTICATED, &packet);
            ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away),
                             HAIL_ACCEPT);
            came += packet.len;
        }
        pair.now_ns += HAIL_CHALLENGE_RESEND_MS * HAIL_NS_PER_MS;
        hail_peer_tick(&pair.server, pair.now_ns);
    }
    ck_assert_int_eq(challenges, packets_each_time > 0 ? HAIL_CHALLENGES_MAX : 2);
    ck_assert(hail_path_equal(&pair.server.address, &pair.home));
    ck_assert_uint_eq(hail_peer_next_ns(&pair.server), UINT64_MAX);
    pair_seal(&pair, false, HAIL_PROTECTION_AUTHENTICATED, &packet);
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away), HAIL_ACCEPT);
    ck_assert(pair.server.has_candidate);
    ck_assert_mem_ne(first, pair.server.challenge, sizeof first);
    pair_cleanup(&pair);
}
END_TEST

// On the way to one new address the client turns up at another: only that one counts.
START_TEST(test_path_overtaken)
{
    const struct hail_path away = pair_address(9, 9);
    const struct hail_path third = pair_address(10, 9);
    struct hail_native_frame response = {.type = HAIL_FRAME_PATH_RESPONSE};
    struct packet packet;
    struct hail_path to;
    struct pair pair;

    pair_init(&pair);
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &away), HAIL_ACCEPT);
    memcpy(response.echo, pair.server.challenge, sizeof response.echo);
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_int_eq(pair_arrive(&pair, true, packet.bytes, packet.len, &third), HAIL_ACCEPT);
    ck_assert(pair_say_owed(&pair, true, &packet, &to));
    ck_assert(hail_path_equal(&to, &third));
    hail_peer_control(&pair.server, &response, &away);
    hail_peer_control(&pair.server, &response, &third);
    ck_assert(hail_path_equal(&pair.server.address, &pair.home));
    memcpy(response.echo, pair.server.challenge, sizeof response.echo);
    hail_peer_control(&pair.server, &response, &third);
    ck_assert(hail_path_equal(&pair.server.address, &third));
    pair_cleanup(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer");
    TCase *tests = tcase_create("peer");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_tampered, 0, 6);
    tcase_add_loop_test(tests, test_misdirected, HAIL_PROTECTION_PLAIN,
                        HAIL_PROTECTION_ENCRYPTED + 1);
    tcase_add_loop_test(tests, test_reordered, 0, 2);
    tcase_add_test(tests, test_last_number);
    tcase_add_loop_test(tests, test_update, 0, HAIL_COUNTOF(updates));
    tcase_add_test(tests, test_plain_does_not_count);
    tcase_add_loop_test(tests, test_late, 0, HAIL_COUNTOF(lates));
    tcase_add_test(tests, test_owed);
    tcase_add_test(tests, test_path);
    tcase_add_test(tests, test_client_stays);
    tcase_add_loop_test(tests, test_path_unanswered, 0, 2);
    tcase_add_test(tests, test_path_overtaken);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
