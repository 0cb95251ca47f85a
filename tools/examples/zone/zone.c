// zone.c: see zone.h.
// SPDX-License-Identifier: MIT
#define _GNU_SOURCE // CPU_SET
#include "zone.h"

#include <sched.h>
#include <time.h>

static const char login_name[] = "Login";
static const char chat_name[] = "Chat";
static const char position_name[] = "Position";

void zone_config(struct hail_config *config)
{
    static const struct hail_channel channels[] = {
        [CHANNEL_CHAT] = {.name = "chat", .kind = HAIL_RELIABLE_ORDERED, .floor = HAIL_ENCRYPTED},
        [CHANNEL_POSITION] = {.name = "position",
                              .kind = HAIL_UNRELIABLE_SEQUENCED,
                              .floor = HAIL_AUTHENTICATED},
        [CHANNEL_OTHER] = {.name = "other", .kind = HAIL_UNRELIABLE}, // there has to be one
    };
    static const struct hail_handler handlers[] = {
        {.kind = HAIL_HANDLER_RPC,
         .name = login_name,
         .floor = HAIL_ENCRYPTED | HAIL_AUTHENTICATED},
        {.kind = HAIL_HANDLER_MESSAGE, .name = chat_name, .floor = HAIL_ENCRYPTED},
        {.kind = HAIL_HANDLER_MESSAGE, .name = position_name, .floor = HAIL_AUTHENTICATED},
    };

    config->profile = HAIL_PROFILE_HAIL;
    // No certificate, so that the example needs no files; but whoever sits between the ends could
    // pass for each to the other. A real server has HAIL_SIGNED and an identity_file.
    config->native.exchange = HAIL_UNSIGNED;
    config->shard_count = 1;
    config->channels = channels;
    config->channel_count = sizeof channels / sizeof *channels;
    config->handlers = handlers;
    config->handler_count = sizeof handlers / sizeof *handlers;
    config->default_floor = HAIL_ENCRYPTED | HAIL_AUTHENTICATED;
}

void zone_names(struct zone_names *names, const struct hail_endpoint *endpoint)
{
    names->login = hail_name_hash(endpoint, login_name);
    names->chat = hail_name_hash(endpoint, chat_name);
    names->position = hail_name_hash(endpoint, position_name);
}

uint64_t zone_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void zone_sleep_until(uint64_t at_us)
{
    const struct timespec at = {
        .tv_sec = (time_t)(at_us / 1000000),
        .tv_nsec = (long)(at_us % 1000000) * 1000,
    };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

bool zone_pin(int index)
{
    cpu_set_t allowed, one;

    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || index-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
}

uint64_t zone_chat_value(const uint8_t *chat)
{
    // Mixed, so that two wrong chats do not add up to two right ones.
    uint64_t value = get32(chat) | (uint64_t)get32(chat + 4) << 32;

    value *= UINT64_C(0x9e3779b97f4a7c15);
    return value ^ value >> 29;
}
