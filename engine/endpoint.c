// endpoint.c: starting and stopping servers and clients, and asking about them.
// SPDX-License-Identifier: MIT
#include "engine/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "crypto/kdf.h"
#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/context/keys.h"

struct hail_shard *hail_endpoint_shard(const struct hail_endpoint *endpoint, struct hail_conn conn)
{
    uint8_t index = hail_name_unpack(conn).shard;

    return index < endpoint->context.config.shard_count ? &endpoint->workers[index].shard : NULL;
}

// An IPv6 address may name its interface: fe80::1%eth0.
static bool read_v6(const char *text, struct sockaddr_in6 *v6)
{
    char address[INET6_ADDRSTRLEN];
    const char *scope = strchr(text, '%');
    size_t len = scope ? (size_t)(scope - text) : strlen(text);

    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = 0;
    if (scope && (v6->sin6_scope_id = if_nametoindex(scope + 1)) == 0)
        return false;
    return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
}

// Fills in where to listen. False: the address is not numeric, or its interface is not here.
static bool listen_at(const struct hail_config *config, struct hail_listen *listen)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&listen->address;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&listen->address;

    memset(listen, 0, sizeof *listen);
    if (config->address && inet_pton(AF_INET, config->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(config->port);
        listen->address_len = sizeof *v4;
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(config->port);
    listen->address_len = sizeof *v6;
    return !config->address || read_v6(config->address, v6);
}

// Every address: IPv6 takes IPv4 with it, where the machine has IPv6.
static void listen_without_ipv6(const struct hail_config *config, struct hail_listen *listen)
{
    int fd = config->address ? -1 : socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (config->address)
        return;
    if (fd >= 0) {
        close(fd);
        return;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)&listen->address;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(config->port)};
    listen->address_len = sizeof *v4;
}

static void destroy(struct hail_endpoint *endpoint)
{
    const struct hail_heap heap = endpoint->context.heap;
    size_t shard_count = endpoint->context.config.shard_count;

    for (size_t i = 0; endpoint->workers && i < shard_count; i++)
        hail_worker_close(&endpoint->workers[i]);
    hail_heap_give(&heap, endpoint->workers, shard_count * sizeof *endpoint->workers);
    hail_heap_give(&heap, endpoint->context.shards, shard_count * sizeof(struct hail_shard *));
    hail_context_cleanup(&endpoint->context);
    hail_heap_give(&heap, endpoint, sizeof *endpoint);
}

static enum hail_status open_workers(struct hail_endpoint *endpoint)
{
    const struct hail_config *config = &endpoint->context.config;
    struct hail_listen listen = {0};
    enum hail_status status = HAIL_OK;

    if (endpoint->context.is_server) {
        if (!listen_at(config, &listen)) {
            hail_log_line(&endpoint->context.log, HAIL_LOG_ERROR,
                          "config field=address value=%s: not a numeric IPv4 or IPv6 address, or "
                          "not one of an interface that is here",
                          config->address);
            return HAIL_EINVAL;
        }
        listen_without_ipv6(config, &listen);
        listen.shard_count = config->shard_count;
        if (getrandom(&listen.salt, sizeof listen.salt, 0) < 0)
            return HAIL_ESYS;
        listen.salt |= 1;
    }
    for (uint8_t i = 0; i < config->shard_count; i++)
        endpoint->context.shards[i] = &endpoint->workers[i].shard;
    for (uint8_t i = 0; status == HAIL_OK && i < config->shard_count; i++)
        status = hail_worker_open(&endpoint->workers[i], &endpoint->context, i, &listen);
    endpoint->listens = listen.address;
    for (uint8_t i = 0; status == HAIL_OK && i < config->shard_count; i++)
        status = hail_worker_start(&endpoint->workers[i]);
    return status;
}

// What an operator should know that he has chosen.
static void warn_of_weakness(const struct hail_endpoint *endpoint)
{
    const struct hail_config *config = &endpoint->context.config;

    if (config->profile == HAIL_PROFILE_MLAPI)
        hail_log_line(&endpoint->context.log, HAIL_LOG_WARN,
                      "profile=mlapi: for compatibility only; stock MLAPI clients use 8-bit "
                      "private keys, so whoever listens can find their session keys");
    else if (config->native.exchange == HAIL_UNSIGNED)
        hail_log_line(&endpoint->context.log, HAIL_LOG_WARN,
                      "profile=hail exchange=unsigned: no protection against a man in the middle; "
                      "give the server a certificate, or pin its key");
}

static enum hail_status start(struct hail_endpoint **out, const struct hail_config *config,
                              bool is_server)
{
    struct hail_heap heap;
    enum hail_status status = hail_context_heap(&heap, config);

    if (status != HAIL_OK)
        return status;
    struct hail_endpoint *endpoint = hail_heap_take(&heap, sizeof *endpoint);
    if (!endpoint)
        return HAIL_ENOMEM;
    status = hail_context_init(&endpoint->context, config, is_server);
    if (status != HAIL_OK) {
        hail_heap_give(&heap, endpoint, sizeof *endpoint);
        return status;
    }
    endpoint->context.endpoint = endpoint;
    size_t shard_count = endpoint->context.config.shard_count;
    endpoint->workers = hail_heap_take(&heap, shard_count * sizeof *endpoint->workers);
    endpoint->context.shards = hail_heap_take(&heap, shard_count * sizeof(struct hail_shard *));
    if (!endpoint->workers || !endpoint->context.shards) {
        destroy(endpoint);
        return HAIL_ENOMEM;
    }
    status = open_workers(endpoint);
    if (status != HAIL_OK) {
        hail_stop(endpoint, 0);
        return status;
    }
    warn_of_weakness(endpoint);
    *out = endpoint;
    return HAIL_OK;
}

enum hail_status hail_server_start(struct hail_endpoint **out, const struct hail_config *config)
{
    return start(out, config, true);
}

enum hail_status hail_client_start(struct hail_endpoint **out, const struct hail_config *config)
{
    return start(out, config, false);
}

void hail_drain(struct hail_endpoint *endpoint, uint32_t drain_ms)
{
    struct timespec now;

    HAIL_ASSERT(!hail_shard_current());
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t stop_at_ns = hail_time_ns(&now) + drain_ms * HAIL_NS_PER_MS;
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++)
        hail_worker_stop(&endpoint->workers[i], stop_at_ns);
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++)
        hail_worker_join(&endpoint->workers[i]);
}

void hail_stop(struct hail_endpoint *endpoint, uint32_t drain_ms)
{
    hail_drain(endpoint, drain_ms);
    destroy(endpoint);
}

uint16_t hail_port(const struct hail_endpoint *endpoint)
{
    // It has the same place in both families.
    return ntohs(((const struct sockaddr_in *)&endpoint->listens)->sin_port);
}

void hail_local_address(const struct hail_endpoint *endpoint, struct sockaddr_storage *address)
{
    *address = endpoint->listens;
}

uint16_t hail_shard_count(const struct hail_endpoint *endpoint)
{
    return endpoint->context.config.shard_count;
}

enum hail_status hail_server_key(const struct hail_endpoint *endpoint,
                                 uint8_t key[HAIL_STATIC_KEY_LEN])
{
    const struct hail_keys *keys = &endpoint->context.keys;

    if (!endpoint->context.is_server || keys->pattern == 0 || keys->pattern == HAIL_NOISE_NN)
        return HAIL_ENOKEY;
    const uint8_t any_id[HAIL_STATIC_ID_LEN] = {0};
    const struct hail_static_key *current = hail_keys_current(keys, HAIL_NOISE_NX, any_id);
    memcpy(key, current->pair.public_key, HAIL_STATIC_KEY_LEN);
    return HAIL_OK;
}

int hail_fd(const struct hail_endpoint *endpoint)
{
    return endpoint->context.events_fd;
}

static size_t collect(struct hail_mailbox *box, struct hail_event *events, size_t events_max)
{
    size_t count = 0;

    while (count < events_max) {
        size_t len;
        const struct hail_event *event = hail_mailbox_next(box, &len);
        if (!event)
            break;
        events[count++] = *event;
    }
    return count;
}

// Room has been made: wake the shards that wait for it.
static void wake_waiters(struct hail_endpoint *endpoint)
{
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++) {
        struct hail_shard *shard = &endpoint->workers[i].shard;
        // Pairs with the exchange in hail_event_reserve.
        if (atomic_exchange_explicit(&shard->wants_room, false, memory_order_acq_rel))
            hail_shard_wake(shard);
    }
}

size_t hail_poll(struct hail_endpoint *endpoint, struct hail_event *events, size_t events_max)
{
    struct hail_mailbox *box = &endpoint->context.events;
    int fd = endpoint->context.events_fd;
    uint64_t wakes;

    if (endpoint->context.config.on_event || events_max == 0)
        return 0;
    for (;;) {
        hail_mailbox_release(box);
        wake_waiters(endpoint);
        size_t count = collect(box, events, events_max);
        if (count > 0)
            return count;
        // Records without an event may have been passed over: their room is given back as well.
        hail_mailbox_release(box);
        wake_waiters(endpoint);

        // Nothing: the fd becomes unreadable. Should something have come meanwhile, nobody writes
        // to the fd for it, since we were not asleep: so it is up to us.
        ssize_t done = read(fd, &wakes, sizeof wakes);
        if (hail_mailbox_sleep(box))
            return 0;
        wakes = 1;
        done = write(fd, &wakes, sizeof wakes);
        HAIL_ASSERT(done == sizeof wakes); // an eventfd whose reader is never 2^64 behind
    }
}

enum hail_status hail_client_key(const struct hail_endpoint *endpoint, struct hail_conn conn,
                                 uint8_t key[HAIL_KEY_LEN])
{
    const struct hail_shard *shard = hail_endpoint_shard(endpoint, conn);
    struct hail_slot_view view;

    if (!shard || !hail_table_read(&shard->table, conn, &view))
        return HAIL_EGONE;
    enum hail_status status = view.facts & HAIL_FACT_KEY ? HAIL_OK : HAIL_ENOKEY;
    if (status == HAIL_OK)
        memcpy(key, view.key, sizeof view.key);
    hail_wipe(&view, sizeof view);
    return status;
}

enum hail_status hail_export_key(const struct hail_endpoint *endpoint, struct hail_conn conn,
                                 const char *label, const void *context, size_t context_len,
                                 uint8_t *out, size_t len)
{
    static const char prefix[] = "hail export"; // its terminator separates it from the label
    uint8_t info[sizeof prefix + 256 + 1024];
    uint8_t key[HAIL_KEY_LEN];
    size_t label_len = label ? strnlen(label, 256) : 256;

    if (label_len > 255 || context_len > 1024 || len > 8160 || (context_len > 0 && !context))
        return HAIL_EINVAL;
    enum hail_status status = hail_client_key(endpoint, conn, key);
    if (status != HAIL_OK)
        return status;

    memcpy(info, prefix, sizeof prefix);
    memcpy(info + sizeof prefix, label, label_len + 1);
    size_t info_len = sizeof prefix + label_len + 1;
    if (context_len > 0)
        memcpy(info + info_len, context, context_len);
    bool derived = hail_hkdf_sha256(out, len, (struct hail_bytes){key, sizeof key},
                                    (struct hail_bytes){NULL, 0},
                                    (struct hail_bytes){info, info_len + context_len});
    hail_wipe(key, sizeof key);
    return derived ? HAIL_OK : HAIL_ENOMEM;
}

enum hail_status hail_ticket(const struct hail_endpoint *endpoint, struct hail_conn conn,
                             void *ticket, size_t *len)
{
    const struct hail_shard *shard = hail_endpoint_shard(endpoint, conn);
    enum hail_status status = HAIL_OK;
    uint8_t own[HAIL_TICKET_MAX];
    size_t own_len;

    if (!shard || !hail_table_read_ticket(&shard->table, conn, own, &own_len))
        return HAIL_EGONE;
    if (own_len == 0)
        status = HAIL_ENOKEY;
    else if (own_len > *len)
        status = HAIL_EINVAL;
    if (status == HAIL_OK) {
        memcpy(ticket, own, own_len);
        *len = own_len;
    }
    hail_wipe(own, sizeof own);
    return status;
}

enum hail_status hail_get_conn_info(const struct hail_endpoint *endpoint, struct hail_conn conn,
                                    struct hail_conn_info *info)
{
    const struct hail_shard *shard = hail_endpoint_shard(endpoint, conn);
    struct hail_slot_view view;
    const uint64_t *traffic = view.traffic;

    if (info->size < offsetof(struct hail_conn_info, peer) || info->size > sizeof *info)
        return HAIL_EABI;
    if (!shard || !hail_table_read(&shard->table, conn, &view))
        return HAIL_EGONE;
    struct hail_conn_info own = {
        .size = info->size,
        .peer = view.peer,
        .connected = view.facts & HAIL_FACT_CONNECTED,
        .has_key = view.facts & HAIL_FACT_KEY,
        .bytes_in = traffic[HAIL_CONN_FIGURE_BYTES_IN],
        .bytes_out = traffic[HAIL_CONN_FIGURE_BYTES_OUT],
        .bytes_unsent = traffic[HAIL_CONN_FIGURE_UNSENT],
        .handshake_us = traffic[HAIL_CONN_FIGURE_HANDSHAKE_US],
        .rtt_us = (uint32_t)traffic[HAIL_CONN_FIGURE_RTT_US],
        .jitter_us = (uint32_t)traffic[HAIL_CONN_FIGURE_JITTER_US],
        .waited_us = traffic[HAIL_CONN_FIGURE_WAITED_US],
        .packets_in = traffic[HAIL_CONN_FIGURE_PACKETS_IN],
        .packets_out = traffic[HAIL_CONN_FIGURE_PACKETS_OUT],
        .packets_lost = traffic[HAIL_CONN_FIGURE_PACKETS_LOST],
        .bytes_resent = traffic[HAIL_CONN_FIGURE_BYTES_RESENT],
        .dropped = traffic[HAIL_CONN_FIGURE_DROPPED],
        .datagram_max = (uint32_t)traffic[HAIL_CONN_FIGURE_DATAGRAM_MAX],
        .message_max = (uint32_t)traffic[HAIL_CONN_FIGURE_MESSAGE_MAX],
    };
    for (unsigned flags = 0; flags < 4; flags++) {
        own.messages_in_by[flags] = traffic[HAIL_CONN_FIGURE_MESSAGES_IN + flags];
        own.messages_out_by[flags] = traffic[HAIL_CONN_FIGURE_MESSAGES_OUT + flags];
        own.messages_in += own.messages_in_by[flags];
        own.messages_out += own.messages_out_by[flags];
    }
    memcpy(info, &own, info->size); // what a caller with an older header has room for
    hail_wipe(&view, sizeof view);
    return HAIL_OK;
}

static void add_channel(struct hail_channel_info *sum, const struct hail_channel_stats *stats)
{
    const struct {
        uint64_t *to;
        const _Atomic uint64_t *from;
    } parts[] = {
        {&sum->messages_in, &stats->messages[0]}, {&sum->messages_out, &stats->messages[1]},
        {&sum->bytes_in, &stats->bytes[0]},       {&sum->bytes_out, &stats->bytes[1]},
        {&sum->messages_late, &stats->late},      {&sum->below_floor, &stats->below_floor},
        {&sum->messages_waited, &stats->waited},  {&sum->waited_us, &stats->waited_us},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(parts); i++)
        *parts[i].to += atomic_load_explicit(parts[i].from, memory_order_relaxed);
    uint64_t most_us = atomic_load_explicit(&stats->waited_max_us, memory_order_relaxed);
    if (most_us > sum->waited_max_us)
        sum->waited_max_us = most_us;
}

enum hail_status hail_get_channel_info(const struct hail_endpoint *endpoint, uint8_t channel,
                                       struct hail_channel_info *info)
{
    struct hail_channel_info own = {.size = info->size};

    if (info->size < offsetof(struct hail_channel_info, messages_in) || info->size > sizeof *info)
        return HAIL_EABI;
    if (channel >= hail_policy_channel_count(&endpoint->context.policy))
        return HAIL_EINVAL;
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++)
        add_channel(&own, &endpoint->workers[i].shard.channels[channel]);
    memcpy(info, &own, info->size); // as in hail_get_conn_info
    return HAIL_OK;
}

size_t hail_stats(const struct hail_endpoint *endpoint, struct hail_counter *counters,
                  size_t counters_max)
{
    for (unsigned stat = 0; stat < HAIL_STAT_COUNT && stat < counters_max; stat++) {
        counters[stat] = (struct hail_counter){.name = hail_stat_name(stat)};
        for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++)
            counters[stat].value += hail_stat_get(&endpoint->workers[i].shard.stats, stat);
    }
    return HAIL_STAT_COUNT;
}

uint64_t hail_handler_drops(const struct hail_endpoint *endpoint, size_t handler)
{
    uint64_t drops = 0;

    if (handler >= endpoint->context.config.handler_count)
        return 0;
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++)
        drops += atomic_load_explicit(&endpoint->workers[i].shard.handler_drops[handler],
                                      memory_order_relaxed);
    return drops;
}

void hail_get_memory(const struct hail_endpoint *endpoint, struct hail_memory *memory)
{
    const struct hail_config *config = &endpoint->context.config;
    const struct hail_worker *worker = &endpoint->workers[0];
    uint64_t shard_len = worker->shard.arena.size + hail_io_memory(worker->io) + sizeof *worker +
                         worker->shard.profile->state_len;
    uint64_t conns_len = (uint64_t)worker->shard.per_conn_len * endpoint->context.slots;

    if (memory->size != sizeof *memory)
        return;
    *memory = (struct hail_memory){
        .size = sizeof *memory,
        .per_conn = worker->shard.per_conn_len,
        .per_shard = shard_len - conns_len,
        .total = shard_len * config->shard_count + endpoint->context.events_arena.size +
                 sizeof *endpoint,
    };
}
