// lone.c: see lone.h.
// SPDX-License-Identifier: MIT
#include "tests/lone.h"
#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/native/state.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/shard.h"
#include "tests/paths.h"
#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct lone *end = user;

    (void)endpoint;
    end->events[event->type]++;
    end->conn = event->conn;
    if (event->type == HAIL_EVENT_REQUEST) {
        ck_assert_uint_le(event->len, sizeof end->conn_data);
        end->conn_data_len = event->len;
        memcpy(end->conn_data, event->data, event->len);
    }
    if (event->type == HAIL_EVENT_CLOSED && event->text)
        snprintf(end->text, sizeof end->text, "%s", event->text);
}

static bool verify(void *user, const struct hail_peer_certificate *certificate)
{
    (void)user;
    (void)certificate;
    return true;
}

void lone_init(struct lone *end, const struct hail_native_config *native, bool is_server,
               uint64_t seed)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_random random;

    memset(end, 0, sizeof *end);
    config.profile = HAIL_PROFILE_HAIL;
    config.on_event = on_event;
    config.user = end;
    config.verify = is_server ? NULL : verify;
    config.conns_max = 8;
    config.handshakes_max = 128; // welcomes that are kept: enough for a long one
    config.message_max = 16;     // the least: a welcome is longer than any message
    config.native = *native;
    ck_assert_int_eq(hail_context_init(&end->context, &config, is_server), HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, seed);
    ck_assert(hail_shard_init(&end->shard, &end->context,
                              hail_profile_of(end->context.config.profile), 0, &random));
    end->now_ns = 1000 * HAIL_NS_PER_MS;
    test_turn(&end->shard, end->now_ns);
}

void lone_run(struct lone *end)
{
    struct hail_task task;
    bool again = true;

    while (again) {
        test_turn(&end->shard, end->now_ns);
        again = false;
        while (hail_shard_output(&end->shard, &task)) {
            again = true;
            if (task.op == HAIL_TASK_CONNECT)
                hail_shard_connected(&end->shard, task.slot, 0);
            if (task.op == HAIL_TASK_CLOSE)
                hail_shard_closed(&end->shard, task.slot);
            for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++) {
                ck_assert_uint_lt(end->sent_count, LONE_SENT_MAX);
                struct lone_sent *sent = &end->sent[end->sent_count++];
                sent->len = task.views[i].iov_len;
                memcpy(sent->bytes, task.views[i].iov_base, sent->len);
            }
        }
        again |= hail_shard_next_ns(&end->shard) <= end->now_ns;
    }
}

void lone_cleanup(struct lone *end)
{
    hail_shard_stop(&end->shard, 0);
    lone_run(end);
    ck_assert(hail_shard_stopped(&end->shard));
    ck_assert_uint_eq(end->shard.pool.used_count, 0);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
}

void lone_arrive(struct lone *end, uint32_t slot, uint16_t port, const uint8_t *bytes, size_t len)
{
    const struct hail_path path = path_from(PATHS_CLIENT, port);
    uint8_t *exact = malloc(len > 0 ? len : 1);

    ck_assert_ptr_nonnull(exact);
    if (len > 0)
        memcpy(exact, bytes, len);
    end->sent_count = 0;
    end->shard.now_ns = end->now_ns; // as a backend has it
    hail_shard_datagram(&end->shard, slot, &path, exact, len);
    lone_run(end);
    free(exact);
}

uint64_t lone_drops(const struct lone *end, enum hail_verdict verdict)
{
    return hail_stat_get(&end->shard.stats, HAIL_STAT_DROPPED_FIRST + verdict);
}
