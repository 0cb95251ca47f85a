// fuzz_message.c: an application message of any type, sealed.
// SPDX-License-Identifier: MIT
//
// At a server and at a client that are connected.
//
// Holds  the session stays connected; what is taken is written by the other end to the same body.
#include "proto/mlapi/body.h"
#include "tests/fuzz/fuzz.h"

// Varints may be longer than they need to be; written again they are not.
static void check(const struct hail_message_view *message, size_t body_len)
{
    size_t len = hail_mlapi_message_body_len(message);
    uint8_t *body = malloc(len + 1);
    struct hail_message_view again = {.kind = message->kind};

    fuzz_holds(len <= body_len);
    hail_mlapi_message_body_write(body, message);
    fuzz_holds(hail_mlapi_message_read(&again, (struct hail_bytes){body, len}));
    fuzz_holds(again.name_hash == message->name_hash && again.network_id == message->network_id &&
               again.behaviour == message->behaviour && again.call_id == message->call_id);
    fuzz_holds(again.body_len == message->body_len &&
               (again.body_len == 0 || memcmp(again.body, message->body, again.body_len) == 0));
    free(body);
}

static void receive(const uint8_t *data, size_t size, bool is_server)
{
    static struct hail_mlapi_result result;
    const struct hail_mlapi_setup setup = fuzz_setup(false);
    struct hail_mlapi_session session = {.setup = &setup, .is_server = is_server};
    struct hail_random random;
    const struct hail_mlapi_ambient ambient = {.random = &random};
    uint8_t *message = malloc(size + HAIL_MLAPI_OVERHEAD_MAX);
    size_t len = fuzz_seal(message, data[0], data + 1, size - 1);

    hail_random_init_seeded(&random, 1);
    fuzz_key_session(&session, HAIL_MLAPI_CONNECTED);
    if (hail_mlapi_session_input(&session, &result, message, len, &ambient) == HAIL_ACCEPT &&
        result.event == HAIL_MLAPI_EVENT_MESSAGE)
        check(&result.message, size - 1);
    fuzz_holds(session.state == HAIL_MLAPI_CONNECTED && !result.close);
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    receive(data, size, true);
    receive(data, size, false);
    return 0;
}
