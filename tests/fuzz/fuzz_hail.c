// fuzz_hail.c: a server's hail at a client.
// SPDX-License-Identifier: MIT
//
// Unsigned and, with a client that believes any certificate, signed.
//
// Holds  the client ends with a key and a response, or without either; a hail that is not accepted
//        ends the connection; none is taken twice.
#include "tests/fuzz/fuzz.h"

static bool believe(void *user, const struct hail_certificate *certificate, const char *host,
                    int64_t unix_s, struct hail_fault_report *report)
{
    (void)user, (void)certificate, (void)host, (void)unix_s, (void)report;
    return true;
}

static void hail(const uint8_t *data, size_t size, bool signing)
{
    static struct hail_mlapi_result result;
    struct hail_mlapi_setup setup = fuzz_setup(false);
    struct hail_mlapi_session session;
    struct hail_random random;
    const struct hail_mlapi_ambient ambient = {.random = &random, .unix_s = 1750000000};
    uint8_t *message = malloc(size + 1);

    hail_random_init_seeded(&random, 1);
    setup.signing = signing;
    setup.verifier.check = believe;
    hail_mlapi_client_init(&session, &setup, "server.test", (struct hail_bytes){NULL, 0});
    message[0] = HAIL_MLAPI_HAIL << 2;
    memcpy(message + 1, data, size);
    enum hail_verdict verdict =
        hail_mlapi_session_input(&session, &result, message, size + 1, &ambient);
    if (verdict == HAIL_ACCEPT) {
        fuzz_holds(session.has_key && session.state == HAIL_MLAPI_EXPECT_GREETINGS);
        fuzz_holds(result.reply_len > 1 && result.reply[0] == HAIL_MLAPI_HAIL_RESPONSE << 2);
        message[0] = HAIL_MLAPI_HAIL << 2;
        fuzz_holds(hail_mlapi_session_input(&session, &result, message, size + 1, &ambient) ==
                   HAIL_DROP_UNEXPECTED);
    } else {
        fuzz_holds(!session.has_key && result.close && session.state == HAIL_MLAPI_FAILED);
        fuzz_holds(result.reply_len == 0);
    }
    hail_mlapi_session_cleanup(&session);
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hail(data, size, false);
    hail(data, size, true);
    return 0;
}
