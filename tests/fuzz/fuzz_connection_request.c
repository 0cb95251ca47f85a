// fuzz_connection_request.c: a connection request, sealed as a client with the key would.
// SPDX-License-Identifier: MIT
//
// Once with connection data, once without.
//
// Holds  only the right config hash is asked about; the data handed on lies in the message and is
//        within its maximum; any other request is refused, and closes only for another config.
#include "tests/fuzz/fuzz.h"

static void request(const uint8_t *data, size_t size, bool approval)
{
    static struct hail_mlapi_result result;
    const struct hail_mlapi_setup setup = fuzz_setup(approval);
    struct hail_mlapi_session session = {.setup = &setup, .is_server = true};
    struct hail_random random;
    const struct hail_mlapi_ambient ambient = {.random = &random};
    uint8_t *message = malloc(size + HAIL_MLAPI_OVERHEAD_MAX);
    size_t len = fuzz_seal(message, HAIL_MLAPI_CONNECTION_REQUEST, data, size);

    hail_random_init_seeded(&random, 1);
    fuzz_key_session(&session, HAIL_MLAPI_EXPECT_REQUEST);
    enum hail_verdict verdict = hail_mlapi_session_input(&session, &result, message, len, &ambient);
    if (verdict == HAIL_ACCEPT) {
        fuzz_holds(session.state == HAIL_MLAPI_EXPECT_DECISION);
        fuzz_holds(result.event == HAIL_MLAPI_EVENT_REQUEST && result.data.len <= 1024);
        fuzz_holds(result.data.len == 0 || (result.data.data > message &&
                                            result.data.data + result.data.len <= message + len));
    } else {
        fuzz_holds(result.close == (verdict == HAIL_DROP_CONFIG));
        fuzz_holds(session.state == (result.close ? HAIL_MLAPI_FAILED : HAIL_MLAPI_EXPECT_REQUEST));
    }
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    request(data, size, false);
    request(data, size, true);
    return 0;
}
