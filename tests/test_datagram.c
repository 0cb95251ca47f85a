// test_datagram.c: handshake datagrams, cookies, limits and addresses.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <string.h>

#include "crypto/time.h"
#include "proto/cookie.h"
#include "proto/limit.h"
#include "proto/noise.h"
#include "tests/vectors.h"

enum {
    ROUNDS = 500
};

static struct hail_hello some_hello(uint64_t *seed, uint8_t pattern)
{
    struct hail_hello hello = {
        .version = HAIL_WIRE_VERSION,
        .pattern = pattern,
        .wanted = (uint8_t)(test_next(seed) % HAIL_FRAGMENTS_MAX),
        .has_cookie = test_next(seed) % 2,
    };

    for (size_t i = 0; i < HAIL_CLIENT_TOKEN_LEN; i++)
        hello.token[i] = (uint8_t)test_next(seed);
    for (size_t i = 0; i < HAIL_POLICY_HASH_LEN; i++)
        hello.policy_hash[i] = (uint8_t)test_next(seed);
    for (size_t i = 0; pattern == HAIL_NOISE_NK && i < HAIL_STATIC_ID_LEN; i++)
        hello.static_id[i] = (uint8_t)test_next(seed);
    for (size_t i = 0; hello.has_cookie && i < HAIL_COOKIE_LEN; i++)
        hello.cookie[i] = (uint8_t)test_next(seed);
    for (size_t i = 0; i < hail_noise_first_len(pattern); i++)
        hello.noise[i] = (uint8_t)test_next(seed);
    hello.ticket_len =
        pattern == HAIL_HELLO_RESUME ? (uint8_t)(1 + test_next(seed) % HAIL_TICKET_LEN_MAX) : 0;
    for (size_t i = 0; i < hello.ticket_len; i++)
        hello.ticket[i] = (uint8_t)test_next(seed);
    return hello;
}

START_TEST(test_hello_round_trip)
{
    uint64_t seed = test_seed();
    uint8_t datagram[HAIL_HELLO_LEN];
    uint8_t again[HAIL_HELLO_LEN];

    for (int round = 0; round < ROUNDS; round++) {
        struct hail_hello hello = some_hello(&seed, (uint8_t)(1 + test_next(&seed) % 4));
        struct hail_hello read;
        ck_assert_uint_eq(hail_hello_encode(datagram, &hello), HAIL_HELLO_LEN);
        ck_assert_int_eq(hail_hello_decode(&read, datagram, sizeof datagram), HAIL_ACCEPT);
        hail_hello_encode(again, &read);
        ck_assert_mem_eq(datagram, again, sizeof again);
    }
}
END_TEST

// One byte of a good NX hello without a cookie is changed.
static const struct {
    const char *why;
    size_t at;
    uint8_t to;
    enum hail_verdict want;
} hellos[] = {
    {"another version is for the server to refuse", 1, 2, HAIL_ACCEPT},
    {"an unknown pattern too", 2, 9, HAIL_ACCEPT},
    {"the reserved byte", 3, 1, HAIL_DROP_MALFORMED},
    {"a static key's id without NK", 44, 1, HAIL_DROP_MALFORMED},
    {"a fragment beyond the last", 52, HAIL_FRAGMENTS_MAX, HAIL_DROP_MALFORMED},
    {"the last fragment", 52, HAIL_FRAGMENTS_MAX - 1, HAIL_ACCEPT},
    {"half a cookie", 53, 12, HAIL_DROP_MALFORMED},
    {"a cookie without a length", 54, 1, HAIL_DROP_MALFORMED},
    {"the first byte of padding", 78 + 32, 1, HAIL_DROP_MALFORMED},
    {"the last byte of padding", HAIL_HELLO_LEN - 1, 1, HAIL_DROP_MALFORMED},
};

START_TEST(test_hello_byte)
{
    uint64_t seed = test_seed();
    struct hail_hello hello = some_hello(&seed, HAIL_NOISE_NX);
    uint8_t datagram[HAIL_HELLO_LEN + 1];
    struct hail_hello read;

    hello.has_cookie = false;
    hail_hello_encode(datagram, &hello);
    datagram[hellos[_i].at] = hellos[_i].to;
    ck_assert_msg(hail_hello_decode(&read, datagram, HAIL_HELLO_LEN) == hellos[_i].want, "%s",
                  hellos[_i].why);
}
END_TEST

// The same of one with a ticket of ten bytes.
static const struct {
    const char *why;
    size_t at;
    uint8_t to;
    enum hail_verdict want;
} tickets[] = {
    {"no ticket", 126, 0, HAIL_DROP_MALFORMED},
    {"a shorter one, and a byte behind it", 126, 9, HAIL_DROP_MALFORMED},
    {"a longer one, by a zero", 126, 11, HAIL_ACCEPT},
    {"a byte behind it", 137, 1, HAIL_DROP_MALFORMED},
    {"the last byte of padding", HAIL_HELLO_LEN - 1, 1, HAIL_DROP_MALFORMED},
    {"a static key's id", 44, 1, HAIL_DROP_MALFORMED},
    {"as NK, which has none", 2, HAIL_HELLO_NK, HAIL_DROP_MALFORMED},
    {"of another version", 1, 2, HAIL_ACCEPT},
};

START_TEST(test_ticket_byte)
{
    uint64_t seed = test_seed();
    struct hail_hello hello = some_hello(&seed, HAIL_HELLO_RESUME);
    uint8_t datagram[HAIL_HELLO_LEN];
    struct hail_hello read;

    hello.has_cookie = false;
    memset(hello.cookie, 0, sizeof hello.cookie);
    hello.ticket_len = 10;
    memset(hello.ticket, 0xff, 10);
    hail_hello_encode(datagram, &hello);
    ck_assert_int_eq(hail_hello_decode(&read, datagram, sizeof datagram), HAIL_ACCEPT);
    ck_assert_uint_eq(read.ticket_len, 10);
    datagram[tickets[_i].at] = tickets[_i].to;
    ck_assert_msg(hail_hello_decode(&read, datagram, sizeof datagram) == tickets[_i].want, "%s",
                  tickets[_i].why);
}
END_TEST

START_TEST(test_hello_length)
{
    uint64_t seed = test_seed();
    struct hail_hello hello = some_hello(&seed, HAIL_NOISE_NK);
    uint8_t datagram[HAIL_HELLO_LEN + 1] = {0};

    hail_hello_encode(datagram, &hello);
    for (size_t len = 0; len < HAIL_HELLO_LEN; len++)
        ck_assert_int_eq(hail_hello_decode(&hello, datagram, len), HAIL_DROP_SHORT);
    ck_assert_int_eq(hail_hello_decode(&hello, datagram, sizeof datagram), HAIL_DROP_MALFORMED);
}
END_TEST

static const struct {
    const char *why;
    size_t len;
    uint8_t index;
    uint8_t count;
    enum hail_verdict want;
} welcomes[] = {
    {"header only", 15, 0, 1, HAIL_DROP_SHORT},
    {"one byte of the only fragment", 16, 0, 1, HAIL_ACCEPT},
    {"a whole fragment", 15 + HAIL_FRAGMENT_LEN, 0, 2, HAIL_ACCEPT},
    {"a short one that is not the last", 15 + HAIL_FRAGMENT_LEN - 1, 0, 2, HAIL_DROP_MALFORMED},
    {"a short one that is the last", 16, 1, 2, HAIL_ACCEPT},
    {"too long", 16 + HAIL_FRAGMENT_LEN, 0, 1, HAIL_DROP_MALFORMED},
    {"none", 16, 0, 0, HAIL_DROP_MALFORMED},
    {"more than there can be", 16, 0, HAIL_FRAGMENTS_MAX + 1, HAIL_DROP_MALFORMED},
    {"beyond the last", 16, 2, 2, HAIL_DROP_MALFORMED},
};

START_TEST(test_welcome)
{
    uint8_t datagram[HAIL_DATAGRAM_MAX] = {HAIL_DATAGRAM_WELCOME};
    struct hail_welcome welcome;

    datagram[13] = welcomes[_i].index;
    datagram[14] = welcomes[_i].count;
    ck_assert_msg(hail_welcome_decode(&welcome, datagram, welcomes[_i].len) == welcomes[_i].want,
                  "%s", welcomes[_i].why);
}
END_TEST

START_TEST(test_small_ones)
{
    uint64_t seed = test_seed();
    struct hail_hello source = some_hello(&seed, HAIL_NOISE_NX);
    uint8_t datagram[HAIL_DATAGRAM_MAX];
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t cookie[HAIL_COOKIE_LEN];
    struct hail_finish finish = {.conn_id = 0x01020304};
    struct hail_refuse refuse = {.reason = HAIL_REFUSAL_POLICY, .version = 1};
    enum hail_datagram_type type;

    size_t len = hail_retry_encode(datagram, source.token, source.policy_hash);
    ck_assert_int_eq(hail_retry_decode(token, cookie, datagram, len), HAIL_ACCEPT);
    ck_assert_mem_eq(token, source.token, sizeof token);
    ck_assert_mem_eq(cookie, source.policy_hash, sizeof cookie);
    ck_assert_int_eq(hail_retry_decode(token, cookie, datagram, len - 1), HAIL_DROP_SHORT);
    ck_assert_int_eq(hail_retry_decode(token, cookie, datagram, len + 1), HAIL_DROP_MALFORMED);

    memcpy(finish.token, source.token, sizeof finish.token);
    len = hail_finish_encode(datagram, &finish);
    ck_assert_uint_eq(datagram[1], 1); // the shard, where the kernel looks for it
    ck_assert_int_eq(hail_finish_decode(&finish, datagram, len + 15), HAIL_DROP_SHORT);
    ck_assert_int_eq(hail_finish_decode(&finish, datagram, len + 16), HAIL_ACCEPT);
    ck_assert_uint_eq(finish.conn_id, 0x01020304);

    memcpy(refuse.token, source.token, sizeof refuse.token);
    len = hail_refuse_encode(datagram, &refuse);
    ck_assert_int_eq(hail_refuse_decode(&refuse, datagram, len), HAIL_ACCEPT);
    ck_assert_uint_eq(refuse.reason, HAIL_REFUSAL_POLICY);
    ck_assert_int_eq(hail_refuse_decode(&refuse, datagram, len - 1), HAIL_DROP_SHORT);

    ck_assert_int_eq(hail_datagram_type_of(&type, datagram, 0), HAIL_DROP_SHORT);
    datagram[0] = 6;
    ck_assert_int_eq(hail_datagram_type_of(&type, datagram, 1), HAIL_DROP_TYPE);
    datagram[0] = 0x40;
    ck_assert_int_eq(hail_datagram_type_of(&type, datagram, 1), HAIL_ACCEPT);
    ck_assert_int_eq(type, HAIL_DATAGRAM_PACKET);
}
END_TEST

static struct hail_path address_of(const char *text, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct hail_path address;

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        hail_path_set(&address, (struct sockaddr *)&v4);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        hail_path_set(&address, (struct sockaddr *)&v6);
    }
    return address;
}

static const struct {
    const char *why;
    const char *address;
    uint16_t port;
    uint8_t token;
    uint64_t age_ms;
    bool want;
} cookies[] = {
    {"the same again", "192.0.2.1", 7, 1, 0, true},
    {"the same, through a dual stack socket", "::ffff:192.0.2.1", 7, 1, 0, true},
    {"just in time", "192.0.2.1", 7, 1, HAIL_COOKIE_LIFE_MS - 1, true},
    {"too late", "192.0.2.1", 7, 1, HAIL_COOKIE_LIFE_MS, false},
    {"another port", "192.0.2.1", 8, 1, 0, false},
    {"another address", "192.0.2.2", 7, 1, 0, false},
    {"another attempt", "192.0.2.1", 7, 2, 0, false},
};

START_TEST(test_cookie)
{
    const struct hail_path maker = address_of("192.0.2.1", 7);
    const struct hail_path user = address_of(cookies[_i].address, cookies[_i].port);
    const uint8_t token[HAIL_CLIENT_TOKEN_LEN] = {1};
    const uint8_t shown[HAIL_CLIENT_TOKEN_LEN] = {cookies[_i].token};
    uint64_t made_ns = 5000 * HAIL_NS_PER_MS;
    uint8_t cookie[HAIL_COOKIE_LEN];
    struct hail_cookie_key key;
    struct hail_random random;
    const struct hail_cookie_keys keys = {&key, &key};

    hail_random_init_seeded(&random, 1);
    hail_cookie_key_init(&key, 0, &random);
    hail_cookie_make(cookie, keys, &maker, token, made_ns);
    uint64_t now_ns = made_ns + cookies[_i].age_ms * HAIL_NS_PER_MS;
    ck_assert_msg(hail_cookie_check(cookie, keys, &user, shown, now_ns) == cookies[_i].want, "%s",
                  cookies[_i].why);
    for (size_t i = 0; i < sizeof cookie; i++) {
        cookie[i] ^= 1;
        ck_assert_msg(!hail_cookie_check(cookie, keys, &user, shown, now_ns), "byte %zu", i);
        cookie[i] ^= 1;
    }
}
END_TEST

static bool has_word(const uint32_t words[HAIL_COOKIE_WORDS], const uint8_t *cookie)
{
    bool found = false;

    for (size_t i = 0; i < HAIL_COOKIE_WORDS; i++)
        found |= words[i] == hail_cookie_word(cookie);
    return found;
}

// For three minutes, in which a fresh key is drawn: a cookie has a word that those know who looked
// up the words before or after, for as long as it is good; and no other.
START_TEST(test_cookie_words)
{
    const struct hail_path from = address_of("192.0.2.1", 7);
    const uint8_t token[HAIL_CLIENT_TOKEN_LEN] = {1};
    const uint64_t drawn_ms = 61234;
    uint8_t cookie[HAIL_COOKIE_LEN];
    uint32_t words[HAIL_COOKIE_WORDS];
    struct hail_cookie_key key_list[2];
    struct hail_random random;

    hail_random_init_seeded(&random, 1);
    hail_cookie_key_init(&key_list[0], 0, &random);
    hail_cookie_key_init(&key_list[1], hail_cookie_period(drawn_ms * HAIL_NS_PER_MS) + 2, &random);
    for (uint64_t made_ms = 0; made_ms < 180000; made_ms += 617) {
        struct hail_cookie_keys early = {&key_list[0], &key_list[0]};
        struct hail_cookie_keys late = {&key_list[1], &key_list[0]};
        // A shard may see the fresh key late, as long as it does before it is used.
        struct hail_cookie_keys maker = made_ms < drawn_ms + 5000 ? early : late;
        hail_cookie_make(cookie, maker, &from, token, made_ms * HAIL_NS_PER_MS);
        for (uint64_t age_ms = 0; age_ms < HAIL_COOKIE_LIFE_MS; age_ms += 333) {
            uint64_t now_ms = made_ms + age_ms;
            struct hail_cookie_keys checker = now_ms < drawn_ms ? early : late;
            ck_assert_msg(hail_cookie_check(cookie, checker, &from, token, now_ms * HAIL_NS_PER_MS),
                          "made at %llu, %llu later", (unsigned long long)made_ms,
                          (unsigned long long)age_ms);
            hail_cookie_words(words, checker, now_ms * HAIL_NS_PER_MS);
            ck_assert_msg(has_word(words, cookie), "made at %llu, %llu later",
                          (unsigned long long)made_ms, (unsigned long long)age_ms);
        }
        // What the kernel was told up to a period ago is good as well.
        uint64_t told_ms = made_ms > HAIL_COOKIE_PERIOD_MS ? made_ms - HAIL_COOKIE_PERIOD_MS : 0;
        hail_cookie_words(words, told_ms < drawn_ms ? early : late, told_ms * HAIL_NS_PER_MS);
        ck_assert_msg(has_word(words, cookie), "made at %llu", (unsigned long long)made_ms);
        hail_cookie_words(words, late, (made_ms + 16000) * HAIL_NS_PER_MS);
        ck_assert_msg(!has_word(words, cookie), "made at %llu", (unsigned long long)made_ms);
    }
}
END_TEST

// With a fresh key there is nothing left of the one before, as soon as its cookies are too old.
START_TEST(test_cookie_key_goes)
{
    const struct hail_path from = address_of("192.0.2.1", 7);
    const uint8_t token[HAIL_CLIENT_TOKEN_LEN] = {1};
    uint8_t cookie[HAIL_COOKIE_LEN];
    struct hail_cookie_key key_list[2];
    struct hail_random random;
    const struct hail_cookie_keys before = {&key_list[0], &key_list[0]};
    const struct hail_cookie_keys after = {&key_list[1], &key_list[0]};

    hail_random_init_seeded(&random, 1);
    hail_cookie_key_init(&key_list[0], 0, &random);
    hail_cookie_key_init(&key_list[1], 10, &random);
    hail_cookie_make(cookie, before, &from, token, 49999 * HAIL_NS_PER_MS);
    ck_assert(hail_cookie_check(cookie, after, &from, token, 50001 * HAIL_NS_PER_MS));
    hail_cookie_make(cookie, before, &from, token, 50000 * HAIL_NS_PER_MS);
    ck_assert_msg(!hail_cookie_check(cookie, after, &from, token, 50001 * HAIL_NS_PER_MS),
                  "made with the old key when the fresh one was to be used");
}
END_TEST

START_TEST(test_limit)
{
    const struct hail_path one = address_of("192.0.2.1", 7);
    const struct hail_path other_port = address_of("192.0.2.1", 8);
    static struct hail_limit limit;
    struct hail_random random;
    uint64_t now_ns = 1000 * HAIL_NS_PER_MS;
    int taken = 0;

    hail_random_init_seeded(&random, 1);
    hail_limit_init(&limit, 10, &random);
    while (hail_limit_take(&limit, taken % 2 ? &one : &other_port, now_ns, NULL))
        ck_assert_int_le(++taken, 10);
    ck_assert_msg(taken == 10, "a second's worth at once, ports do not matter: %d", taken);
    ck_assert(!hail_limit_take(&limit, &one, now_ns + 99 * HAIL_NS_PER_MS, NULL));
    ck_assert_msg(hail_limit_take(&limit, &one, now_ns + 100 * HAIL_NS_PER_MS, NULL),
                  "one in 100 ms");
    ck_assert(!hail_limit_take(&limit, &one, now_ns + 100 * HAIL_NS_PER_MS, NULL));
    const struct hail_path far = address_of("2001:db8:1::1", 7);
    const struct hail_path same_56 = address_of("2001:db8:1:ff::ffff:2", 9);
    const struct hail_path next_56 = address_of("2001:db8:1:100::1", 7);
    for (taken = 0; hail_limit_take(&limit, taken % 2 ? &far : &same_56, now_ns, NULL); taken++)
        continue;
    ck_assert_msg(taken == 10, "a /56 is one source, and not the first: %d", taken);
    ck_assert_msg(hail_limit_take(&limit, &next_56, now_ns, NULL), "the next /56 is another");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("datagram");
    TCase *tests = tcase_create("datagram");

    tcase_add_test(tests, test_hello_round_trip);
    tcase_add_loop_test(tests, test_hello_byte, 0, HAIL_COUNTOF(hellos));
    tcase_add_loop_test(tests, test_ticket_byte, 0, HAIL_COUNTOF(tickets));
    tcase_add_test(tests, test_hello_length);
    tcase_add_loop_test(tests, test_welcome, 0, HAIL_COUNTOF(welcomes));
    tcase_add_test(tests, test_small_ones);
    tcase_add_loop_test(tests, test_cookie, 0, HAIL_COUNTOF(cookies));
    tcase_add_test(tests, test_cookie_words);
    tcase_add_test(tests, test_cookie_key_goes);
    tcase_add_test(tests, test_limit);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
