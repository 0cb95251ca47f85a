// fuzz_hail_response.c: a client's hail response at a server.
// SPDX-License-Identifier: MIT
//
// Holds  a refusal leaves the session as it was, waiting; an acceptance gives a key and
//        greetings, and wipes the private key.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hail_mlapi_result result;
    static struct hail_mlapi_hail hail;
    static struct hail_x25519_pair pair;
    static const uint8_t zeroes[HAIL_X25519_LEN];
    const struct hail_mlapi_setup setup = fuzz_setup(false);
    struct hail_mlapi_session session;
    struct hail_mlapi_session *answered = &session;
    struct hail_mlapi_session before;
    struct hail_random random;
    const struct hail_mlapi_ambient ambient = {.random = &random, .ticks = 637000000000000000};
    uint8_t *message = malloc(size + 1);

    hail_random_init_seeded(&random, 1);
    if (hail.len == 0) {
        hail_x25519_pair_init(&pair, &random);
        fuzz_holds(hail_mlapi_hail_make(&hail, &setup, &pair));
    }
    hail_mlapi_server_init(&session, &setup, &hail);
    before = session;
    message[0] = HAIL_MLAPI_HAIL_RESPONSE << 2;
    memcpy(message + 1, data, size);
    if (hail_mlapi_session_input(&session, &result, message, size + 1, &ambient) == HAIL_ACCEPT) {
        hail_mlapi_server_agree(&answered, 1);
        hail_mlapi_server_greet(&result, &ambient);
        fuzz_holds(session.has_key && session.state == HAIL_MLAPI_EXPECT_REQUEST);
        fuzz_holds(memcmp(session.private_key, zeroes, sizeof zeroes) == 0);
        fuzz_holds(result.reply_len == 10 && result.reply[0] == HAIL_MLAPI_GREETINGS << 2);
    } else {
        fuzz_holds(session.state == before.state && !session.has_key && !result.close);
        fuzz_holds(memcmp(session.private_key, before.private_key, sizeof zeroes) == 0);
    }
    hail_mlapi_session_cleanup(&session);
    free(message);
    return 0;
}
