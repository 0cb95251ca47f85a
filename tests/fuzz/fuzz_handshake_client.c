// fuzz_handshake_client.c: a welcome as a client takes it, in front of the tag and behind it.
// SPDX-License-Identifier: MIT
//
// The first byte of an input chooses the pattern, the rest is a payload, as a server might send it
// that has the key but means ill.
//
// Holds  unsealed, it is never taken, and leaves the client as it was. Sealed, it is taken only if
//        it tells at least one iteration and no more than the client likes, and brings nothing
//        behind that (NN, NK, NNpsk0), or a key certificate whose signed parts are the honest ones
//        (NX); what the client makes of it is what it says.
// Seeds  made from WIRE.md by tests/fuzz/make_handshake_seeds.
#include "tests/fuzz/signed.h"

enum {
    ITERATIONS_MAX = 5000
};

static bool believe(void *user, const struct hail_keycert *keycert,
                    const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                    struct hail_fault_report *report)
{
    (void)user;
    return hail_keycert_check_names(keycert, leaf, signed_trust(), host, unix_s, report);
}

// Both ends after the first message, for each pattern; made once.
struct ends {
    struct hail_client_setup setup;
    struct hail_client_handshake client;
    struct hail_noise server;
};

static struct ends *session_pair_of(uint8_t pattern)
{
    static const uint8_t psk[HAIL_NOISE_PSK_LEN] = {5, 4, 3};
    static struct ends all[HAIL_HELLO_RESUME + 1];
    bool resumes = pattern == HAIL_HELLO_RESUME;
    struct ends *ends = &all[pattern];
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    uint8_t nothing[HAIL_NOISE_FIRST_MAX];
    struct hail_x25519_pair fresh;
    struct hail_random dice;

    if (ends->setup.iterations_max > 0)
        return ends;
    hail_random_init_seeded(&dice, pattern);
    ends->setup = (struct hail_client_setup){
        .pattern = resumes ? HAIL_NOISE_NX : (enum hail_noise_pattern)pattern,
        .iterations_max = ITERATIONS_MAX,
        .server_key = signed_key()->pair.public_key,
        .verifier = {believe, NULL},
    };
    if (resumes)
        hail_client_resume(&ends->client, &ends->setup,
                           (struct hail_bytes){(const uint8_t *)"a ticket", 8}, psk, &dice);
    else
        fuzz_holds(hail_client_init(&ends->client, &ends->setup, &dice));
    hail_x25519_pair_init(&fresh, &dice);
    size_t prologue_len = hail_prologue_write(prologue, &ends->client.hello);
    hail_noise_init(&ends->server, &(struct hail_noise_setup){
                                       .pattern = resumes ? HAIL_NOISE_NN : ends->setup.pattern,
                                       .psk = resumes ? psk : NULL,
                                       .prologue = {prologue, prologue_len},
                                       .e = &fresh,
                                       .s = &signed_key()->pair,
                                   });
    fuzz_holds(hail_noise_read(&ends->server, nothing, ends->client.hello.noise,
                               hail_noise_first_len(pattern)));
    return ends;
}

// The client takes a message, in memory of exactly its length.
static enum hail_verdict take(struct ends *ends, struct hail_welcome_terms *terms,
                              const uint8_t *message, size_t len)
{
    static struct hail_client_handshake before;
    uint8_t *exact = malloc(len > 0 ? len : 1);
    uint8_t *payload = malloc(len > 0 ? len : 1);
    struct hail_agreement agreement;
    struct hail_fault_report report;

    if (len > 0)
        memcpy(exact, message, len);
    before = ends->client;
    enum hail_verdict verdict =
        hail_client_welcome(&ends->client, &agreement, terms, &report, &ends->setup, "play.test",
                            signed_from_s, exact, len, payload);
    fuzz_holds(memcmp(&before, &ends->client, sizeof before) == 0);
    free(exact);
    free(payload);
    return verdict;
}

static bool same(struct hail_bytes a, struct hail_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

// Whether a key certificate says what the honest one says, wherever that is signed.
static bool is_honest(struct hail_bytes bytes)
{
    struct hail_keycert keycert;
    struct hail_keycert right;

    fuzz_holds(hail_keycert_parse(
        &right, (struct hail_bytes){signed_key()->keycert, signed_key()->keycert_len}));
    return hail_keycert_parse(&keycert, bytes) && keycert.not_before == right.not_before &&
           keycert.not_after == right.not_after && keycert.scheme == right.scheme &&
           same(keycert.name, right.name) && same(keycert.chain[0], right.chain[0]) &&
           same(keycert.signature, right.signature);
}

static uint32_t be(const uint8_t *bytes, int len)
{
    uint32_t value = 0;

    for (int i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    struct hail_welcome_terms terms;

    if (size == 0)
        return 0;
    struct ends *ends = session_pair_of((uint8_t)(HAIL_HELLO_NX + data[0] % 4));
    struct hail_noise server = ends->server;
    size_t overhead = hail_noise_overhead(&server);
    struct hail_bytes payload = {data + 1, size - 1};

    if (payload.len > sizeof message - overhead)
        payload.len = sizeof message - overhead;
    fuzz_holds(take(ends, &terms, payload.data, payload.len) != HAIL_ACCEPT);
    fuzz_holds(hail_noise_write(&server, message, payload));
    if (take(ends, &terms, message, overhead + payload.len) != HAIL_ACCEPT)
        return 0;
    uint32_t data_max = be(payload.data + 8, 2);
    fuzz_holds(payload.len >= 10);
    fuzz_holds(terms.iterations == be(payload.data, 4));
    fuzz_holds(terms.iterations >= 1 && terms.iterations <= ITERATIONS_MAX);
    fuzz_holds(terms.idle_timeout_ms == be(payload.data + 4, 4));
    fuzz_holds(terms.conn_data_max ==
               (data_max < HAIL_FINISH_DATA_MAX ? data_max : HAIL_FINISH_DATA_MAX));
    if (ends->client.hello.pattern == HAIL_HELLO_NX)
        fuzz_holds(is_honest((struct hail_bytes){payload.data + 10, payload.len - 10}));
    else
        fuzz_holds(payload.len == 10);
    return 0;
}
