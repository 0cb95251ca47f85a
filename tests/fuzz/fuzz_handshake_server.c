// fuzz_handshake_server.c: a server's side of a handshake, with real keys.
// SPDX-License-Identifier: MIT
//
// An input is a hello from its byte 1 on (what is missing is zeros), and behind it the connection
// data. As it comes, NK's and NNpsk0's do not get past the tag; so the Noise message is made again
// by a client with the hello's own fields, whose private key is what lay where the public one
// should.
//
// Holds  a hello that no client made agrees with nobody: NK and NNpsk0 are refused, and NX and NN
//        open no finish. One that a client made is welcomed, the client takes the welcome, both
//        agree on all, and the finish brings the connection data. With any one bit of welcome or
//        finish changed, neither is taken.
// Seeds  made from WIRE.md by tests/fuzz/make_handshake_seeds.
#include "tests/fuzz/signed.h"

static const struct hail_welcome_terms terms = {1, 15000, 300};
static const uint8_t psk[HAIL_NOISE_PSK_LEN] = {5, 4, 3}; // in every ticket

static bool believe(void *user, const struct hail_keycert *keycert,
                    const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                    struct hail_fault_report *report)
{
    (void)user;
    return hail_keycert_check_names(keycert, leaf, signed_trust(), host, unix_s, report);
}

static enum hail_verdict welcome(struct hail_agreement *agreement, uint8_t *message, size_t *len,
                                 const struct hail_hello *hello)
{
    bool resumes = hello->pattern == HAIL_HELLO_RESUME;
    struct hail_greeting greeting = {.hello = hello, .key = resumes ? NULL : signed_key()};
    struct hail_random dice;

    memcpy(greeting.psk, psk, sizeof greeting.psk);
    hail_random_init_seeded(&dice, 1);
    bool is_owner = !resumes || hail_server_resumes(&greeting);
    hail_server_exchange(&greeting, 1, &dice);
    enum hail_verdict verdict = hail_server_welcome(agreement, message, len, &greeting, &terms);
    fuzz_holds(is_owner || verdict == HAIL_DROP_FORGED);
    return verdict;
}

// The client that says this hello. False: it has a use for no such key.
static bool client_of(struct hail_client_handshake *client, const struct hail_hello *hello)
{
    bool resumes = hello->pattern == HAIL_HELLO_RESUME;
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    struct hail_x25519_pair fresh;

    client->hello = *hello;
    hail_x25519_pair_from(&fresh, hello->noise);
    size_t prologue_len = hail_prologue_write(prologue, hello);
    hail_noise_init(
        &client->noise,
        &(struct hail_noise_setup){
            .pattern = resumes ? HAIL_NOISE_NN : (enum hail_noise_pattern)hello->pattern,
            .initiator = true,
            .psk = resumes ? psk : NULL,
            .prologue = {prologue, prologue_len},
            .e = &fresh,
            .rs = signed_key()->pair.public_key,
        });
    return hail_noise_write(&client->noise, client->hello.noise, (struct hail_bytes){NULL, 0});
}

static void join(const struct hail_agreement *servers, const struct hail_agreement *clients,
                 struct hail_bytes data)
{
    uint8_t finish[HAIL_DATAGRAM_MAX];
    uint8_t changed[HAIL_DATAGRAM_MAX];
    struct hail_bytes got = {NULL, 0};

    size_t len = hail_client_finish(clients, finish, 7, data);
    memcpy(changed, finish, len);
    changed[(data.len > 0 ? data.data[0] * 7u : 0) % len] ^= 1;
    fuzz_holds(hail_server_finish(servers, &got, changed, len, terms.conn_data_max) ==
               (data.len > terms.conn_data_max ? HAIL_DROP_TOO_LARGE : HAIL_DROP_FORGED));
    enum hail_verdict verdict = hail_server_finish(servers, &got, finish, len, terms.conn_data_max);
    if (data.len > terms.conn_data_max) {
        fuzz_holds(verdict == HAIL_DROP_TOO_LARGE);
        return;
    }
    fuzz_holds(verdict == HAIL_ACCEPT && got.len == data.len);
    fuzz_holds(data.len == 0 || memcmp(got.data, data.data, data.len) == 0);
}

// All of a handshake with this hello's fields.
static void agree(const struct hail_hello *hello, struct hail_bytes data)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static uint8_t payload[HAIL_WELCOME_MAX];
    const struct hail_client_setup setup = {
        .pattern = hello->pattern == HAIL_HELLO_RESUME ? HAIL_NOISE_NX
                                                       : (enum hail_noise_pattern)hello->pattern,
        .iterations_max = 1,
        .server_key = signed_key()->pair.public_key,
        .verifier = {believe, NULL},
    };
    struct hail_client_handshake client;
    struct hail_agreement servers;
    struct hail_agreement clients;
    struct hail_welcome_terms told;
    struct hail_fault_report report;
    size_t len;

    if (!client_of(&client, hello))
        return;
    fuzz_holds(welcome(&servers, message, &len, &client.hello) == HAIL_ACCEPT);
    size_t at = (size_t)(hello->token[0] << 8 | hello->token[1]) % len;
    message[at] ^= (uint8_t)(1 << hello->token[2] % 8);
    fuzz_holds(hail_client_welcome(&client, &clients, &told, &report, &setup, "play.test",
                                   signed_from_s, message, len, payload) == HAIL_DROP_FORGED);
    message[at] ^= (uint8_t)(1 << hello->token[2] % 8);
    fuzz_holds(hail_client_welcome(&client, &clients, &told, &report, &setup, "play.test",
                                   signed_from_s, message, len, payload) == HAIL_ACCEPT);
    fuzz_holds(memcmp(&servers, &clients, sizeof servers) == 0);
    fuzz_holds(told.iterations == terms.iterations &&
               told.idle_timeout_ms == terms.idle_timeout_ms &&
               told.conn_data_max == terms.conn_data_max);
    join(&servers, &clients, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    uint8_t datagram[HAIL_HELLO_LEN] = {HAIL_DATAGRAM_HELLO};
    uint8_t finish[HAIL_HELLO_LEN] = {HAIL_DATAGRAM_FINISH};
    size_t hello_len = size < HAIL_HELLO_LEN - 1 ? size : HAIL_HELLO_LEN - 1;
    struct hail_bytes conn_data = {data + hello_len, size - hello_len};
    struct hail_agreement agreement;
    struct hail_hello hello;
    size_t len = 0;

    if (hello_len > 0)
        memcpy(datagram + 1, data, hello_len);
    if (hail_hello_decode(&hello, datagram, sizeof datagram) != HAIL_ACCEPT ||
        hello.version != HAIL_WIRE_VERSION || hello.pattern < HAIL_NOISE_NX ||
        hello.pattern > HAIL_HELLO_RESUME)
        return 0;
    enum hail_verdict verdict = welcome(&agreement, message, &len, &hello);
    fuzz_holds(hello.pattern < HAIL_HELLO_NK || verdict == HAIL_DROP_FORGED);
    fuzz_holds(verdict == HAIL_DROP_FORGED || verdict == HAIL_DROP_POINT || verdict == HAIL_ACCEPT);
    if (verdict == HAIL_ACCEPT) {
        memcpy(finish + 1, datagram + 1, sizeof finish - 1);
        fuzz_holds(hail_server_finish(&agreement, &conn_data, finish, 13 + 16 + 100, 300) ==
                   HAIL_DROP_FORGED);
    }
    conn_data = (struct hail_bytes){data + hello_len, size - hello_len};
    if (conn_data.len > HAIL_FINISH_DATA_MAX)
        conn_data.len = HAIL_FINISH_DATA_MAX;
    agree(&hello, conn_data);
    return 0;
}
