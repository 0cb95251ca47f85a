// context.c: a config from an application, of any age, made into what shards run on.
// SPDX-License-Identifier: MIT
#include "engine/context/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/context/cpus.h"
#include "engine/context/keys.h"
#include "engine/context/limits.h"
#include "engine/context/simulation.h"
#include "engine/memory/pool.h"
#include "proto/mlapi/frame.h"

// The first released layout. Never changes; a later field is optional to older callers.
#define CONFIG_SIZE_V1 (offsetof(struct hail_config, event_queue_bytes) + sizeof(uint32_t))

enum {
    CONFIG_SIZE_MAX = 4096,
    HANDLERS_MAX = 512,
    FILE_MAX = 1 << 20
};

_Static_assert(HAIL_LIMIT_BUFFERS_MAX / HAIL_BLOCK_MESSAGE <= UINT32_MAX / 2,
               "blocks have indices");
_Static_assert(2 * HAIL_LIMIT_CONNS_MAX <= HAIL_SLOTS_MAX,
               "players and those who want to be have slots");
_Static_assert(HANDLERS_MAX * 2 <= HAIL_POLICY_NAMES_MAX, "every handler can have two names");

// hail_config_import's rule is that of Linux's openat2: what is short is old, and what is longer
// must be zero.
static enum hail_status import(struct hail_config *own, const struct hail_config *given)
{
    const unsigned char *bytes = (const unsigned char *)given;

    if (given->size < CONFIG_SIZE_V1 || given->size > CONFIG_SIZE_MAX)
        return HAIL_EINVAL;
    for (size_t i = sizeof *own; i < given->size; i++) {
        if (bytes[i] != 0)
            return HAIL_EABI;
    }
    memset(own, 0, sizeof *own);
    memcpy(own, given, given->size < sizeof *own ? given->size : sizeof *own);
    own->size = sizeof *own;
    return HAIL_OK;
}

enum hail_status hail_context_heap(struct hail_heap *heap, const struct hail_config *given)
{
    struct hail_config config;
    enum hail_status status = import(&config, given);

    if (status != HAIL_OK)
        return status;
    *heap = (struct hail_heap){config.allocate, config.release, config.memory_user};
    if (!heap->allocate == !heap->release)
        return HAIL_OK;
    const struct hail_log log = {config.on_log, config.user};
    hail_log_line(&log, HAIL_LOG_ERROR,
                  "config field=%s: not without the other: memory that comes from the application "
                  "goes back to it",
                  heap->allocate ? "allocate" : "release");
    return HAIL_EINVAL;
}

static uint16_t shards_by_default(bool is_server)
{
    size_t count = is_server ? hail_cpus_usable() : 1;

    return (uint16_t)(count < HAIL_SHARDS_MAX ? count : HAIL_SHARDS_MAX);
}

static bool is_native(const struct hail_config *config)
{
    return config->profile == HAIL_PROFILE_HAIL;
}

// A limit's default and bounds.
struct limit {
    const char *name;
    uint32_t *value;
    uint32_t fallback;
    uint32_t min;
    uint32_t max;
};

static bool check_limits(struct hail_context *context)
{
    struct hail_config *config = &context->config;
    const struct limit limits[] = {
        {"conns_max", &config->conns_max, 16384, 1, HAIL_LIMIT_CONNS_MAX},
        {"handshakes_max", &config->handshakes_max, 4096, 1, HAIL_LIMIT_CONNS_MAX},
        {"conns_per_prefix", &config->conns_per_prefix, 0, 0, HAIL_LIMIT_CONNS_MAX},
        {"handshakes_per_prefix", &config->handshakes_per_prefix, 0, 0, HAIL_LIMIT_CONNS_MAX},
        {"accepts_per_s", &config->accepts_per_s, 1000, 1, HAIL_LIMIT_PER_S_MAX},
        {"message_max", &config->message_max, is_native(config) ? 512u << 10 : 64u << 10,
         HAIL_LIMIT_MESSAGE_MIN, HAIL_LIMIT_MESSAGE_MAX},
        {"conn_data_max", &config->conn_data_max, 1024, 1, HAIL_MLAPI_CONN_DATA_MAX},
        {"unsent_max", &config->unsent_max, 1u << 20, HAIL_LIMIT_UNSENT_MIN, HAIL_LIMIT_UNSENT_MAX},
        {"calls_max", &config->calls_max, 16, 1, HAIL_LIMIT_CALLS_MAX},
        {"handshake_timeout_ms", &config->handshake_timeout_ms, 10000, 1, UINT32_MAX},
        {"stall_timeout_ms", &config->stall_timeout_ms, 30000, 1, UINT32_MAX},
        {"command_queue_bytes", &config->command_queue_bytes, 4u << 20, HAIL_LIMIT_QUEUE_MIN,
         HAIL_LIMIT_QUEUE_MAX},
        {"event_queue_bytes", &config->event_queue_bytes, 16u << 20, HAIL_LIMIT_QUEUE_MIN,
         HAIL_LIMIT_QUEUE_MAX},
        {"call_timeout_ms", &config->call_timeout_ms, 10000, 1, UINT32_MAX},
        {"groups_max", &config->groups_max, 4096, 1, 1u << 24},
        {"memberships_max", &config->memberships_max, 65536, 1, 1u << 24},
        {"stretch_wait_us", &config->stretch_wait_us, 2000, 1, 1000000},
        {"native.handshakes_per_s", &config->native.handshakes_per_s, 1000, 1, UINT32_MAX},
        {"native.source_per_s", &config->native.source_per_s, 100, 1, HAIL_LIMIT_PER_S_MAX},
        {"native.simulated_max", &config->native.simulated_max,
         config->native.simulation ? 4096 : 0, 0, 1u << 20},
        {"native.keepalive_ms", &config->native.keepalive_ms, 20000, 1, UINT32_MAX},
        {"native.send_rate", &config->native.send_rate, 0, 0, UINT32_MAX},
        {"native.receive_rate", &config->native.receive_rate, 0, 0, UINT32_MAX},
        {"native.coalesce_us", &config->native.coalesce_us, 0, 0, HAIL_LIMIT_COALESCE_US_MAX},
        {"native.datagram_max", &config->native.datagram_max, HAIL_PACKET_MAX, HAIL_DATAGRAM_MAX,
         HAIL_PACKET_MAX},
        {"idle_timeout_ms", &config->idle_timeout_ms, is_native(config) ? 10000 : 0, 0, UINT32_MAX},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(limits); i++) {
        if (*limits[i].value == 0)
            *limits[i].value = limits[i].fallback;
        if (*limits[i].value < limits[i].min || *limits[i].value > limits[i].max) {
            hail_log_line(&context->log, HAIL_LOG_ERROR,
                          "config field=%s value=%u: must be from %u to %u", limits[i].name,
                          *limits[i].value, limits[i].min, limits[i].max);
            return false;
        }
    }
    if (config->buffers_max == 0)
        config->buffers_max = 64u << 20;
    if (config->handshakes_per_prefix == 0 || !context->is_server) // a client's are all its own
        config->handshakes_per_prefix =
            context->is_server ? (config->handshakes_max + 1) / 2 : config->handshakes_max;
    context->slots = config->conns_max + (context->is_server ? config->handshakes_max : 0);
    if (config->shard_count == 0)
        config->shard_count = shards_by_default(context->is_server);
    return true;
}

// The limits must leave room for one of the longest messages, a request to join among them: what
// never fits would wait for ever.
static bool check_room(struct hail_context *context)
{
    const struct hail_config *config = &context->config;
    bool has_data = context->is_server && config->mlapi.connection_approval;
    uint32_t data_max = has_data ? config->conn_data_max : 0;
    uint64_t longest = data_max > config->message_max ? data_max : config->message_max;
    uint64_t wire = (uint64_t)config->message_max + HAIL_WIRE_EXTRA;
    uint64_t wire_in = longest + HAIL_WIRE_EXTRA;
    const struct {
        const char *name;
        uint64_t value;
        uint64_t min;
    } rooms[] = {
        {"unsent_max", config->unsent_max, wire},
        {"buffers_max", config->buffers_max, 3 * wire_in + 2 * HAIL_BLOCK_STREAM},
        {"command_queue_bytes", config->command_queue_bytes, 4 * wire},
        {"event_queue_bytes", config->on_event ? UINT64_MAX : config->event_queue_bytes,
         4 * wire_in},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rooms); i++) {
        if (rooms[i].value < rooms[i].min) {
            hail_log_line(&context->log, HAIL_LOG_ERROR,
                          "config field=%s value=%llu: too small for message_max=%u and "
                          "conn_data_max=%u, which need at least %llu",
                          rooms[i].name, (unsigned long long)rooms[i].value, config->message_max,
                          config->conn_data_max, (unsigned long long)rooms[i].min);
            return false;
        }
    }
    if (config->buffers_max > HAIL_LIMIT_BUFFERS_MAX) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "config field=buffers_max: above 512 GiB");
        return false;
    }
    return true;
}

static bool refuse(const struct hail_context *context, const char *what)
{
    hail_log_line(&context->log, HAIL_LOG_ERROR, "config %s", what);
    return false;
}

// Whether connections will have keys, and so anything can be protected.
static bool has_keys(const struct hail_config *config)
{
    return is_native(config) || config->mlapi.enable_encryption;
}

static bool signs(const struct hail_config *config)
{
    return is_native(config) ? config->native.exchange == HAIL_SIGNED
                             : config->mlapi.sign_key_exchange;
}

static bool read_trusted(struct hail_context *context, const struct hail_config *given)
{
    for (size_t i = 0; i < context->config.trusted_count; i++) {
        if (given->trusted && given->trusted[i] &&
            hail_prefixes_add(&context->trusted, given->trusted[i]))
            continue;
        hail_log_line(&context->log, HAIL_LOG_ERROR,
                      "config field=trusted value=%s: must be a network such as 192.0.2.0/24 or "
                      "2001:db8::/32, with zeros behind its length; %d at most",
                      given->trusted && given->trusted[i] ? given->trusted[i] : "NULL",
                      HAIL_PREFIXES_MAX);
        return false;
    }
    return true;
}

static bool check_fields(struct hail_context *context)
{
    const struct hail_config *config = &context->config;

    if (config->profile != HAIL_PROFILE_MLAPI && config->profile != HAIL_PROFILE_HAIL)
        return refuse(context, "field=profile: choose HAIL_PROFILE_MLAPI or HAIL_PROFILE_HAIL");
    if ((unsigned)config->io > HAIL_IO_EPOLL)
        return refuse(context, "field=io: not one of HAIL_IO_*");
    if (config->mlapi.sign_key_exchange && !config->mlapi.enable_encryption)
        return refuse(context, "field=mlapi.sign_key_exchange: needs mlapi.enable_encryption");
    if ((unsigned)config->mlapi.rpc_hash_size > HAIL_HASH_64)
        return refuse(context, "field=mlapi.rpc_hash_size: not one of HAIL_HASH_*");
    if (config->native.simulation && !hail_simulation_check(config->native.simulation))
        return refuse(context, "field=native.simulation: size is not set, or a value out of range");
    if (config->channel_count > HAIL_CHANNELS_MAX)
        return refuse(context, "field=channel_count: at most 64");
    if (config->default_floor > HAIL_FLAGS_BOTH)
        return refuse(context, "field=default_floor: only HAIL_ENCRYPTED and HAIL_AUTHENTICATED");
    if (config->default_floor != 0 && !has_keys(config))
        return refuse(context, "field=default_floor: nothing can meet it without encryption");
    if (config->shard_count > HAIL_SHARDS_MAX)
        return refuse(context, "field=shard_count: at most 255");
    if (context->is_server && signs(config) && !config->identity_file)
        return refuse(context, "field=identity_file: a signed key exchange needs a certificate and "
                               "key; hail-cert dev makes some for development");
    return true;
}

static char *copy_text(const struct hail_heap *heap, const char *text, bool *failed)
{
    char *copy = text ? hail_heap_take(heap, strlen(text) + 1) : NULL;

    *failed |= text && !copy;
    return copy ? memcpy(copy, text, strlen(text) + 1) : NULL;
}

static void drop_text(const struct hail_heap *heap, const char *text)
{
    hail_heap_give(heap, (void *)(uintptr_t)text, text ? strlen(text) + 1 : 0);
}

static size_t handlers_len(const struct hail_config *config)
{
    return (config->handler_count + 1) * sizeof(struct hail_handler);
}

// Replaces every borrowed pointer by a copy. On failure all are ours or NULL, for the cleanup.
static bool own_pointers(struct hail_context *context, const struct hail_config *given)
{
    struct hail_config *config = &context->config;
    const struct hail_heap *heap = &context->heap;
    bool failed = false;

    config->address = copy_text(heap, given->address, &failed);
    config->trusted = NULL; // they are read, and not kept
    config->identity_file = copy_text(heap, given->identity_file, &failed);
    config->identity_key_file = copy_text(heap, given->identity_key_file, &failed);
    config->identity_password = NULL; // read once, and not kept
    config->trust_file = copy_text(heap, given->trust_file, &failed);
    config->native.server_name = copy_text(heap, given->native.server_name, &failed);
    config->native.key_log_file = copy_text(heap, given->native.key_log_file, &failed);
    config->mlapi.scenes = NULL; // they enter the config hash, and are not kept
    config->mlapi.scene = NULL;
    config->mlapi.prefab_hashes = NULL;
    if (given->native.simulation) {
        context->simulation = *given->native.simulation;
        config->native.simulation = &context->simulation;
    }
    config->native.floor_closes = config->native.floor_closes && is_native(config);
    config->channels = NULL; // they are in the policy
    context->handlers = hail_heap_take(heap, handlers_len(config));
    config->handlers = context->handlers;
    if (!context->handlers)
        return false;
    for (size_t i = 0; i < given->handler_count; i++) {
        context->handlers[i] = given->handlers[i];
        context->handlers[i].name = copy_text(heap, given->handlers[i].name, &failed);
        context->handlers[i].signature = copy_text(heap, given->handlers[i].signature, &failed);
    }
    return !failed;
}

bool hail_context_name_hash(const struct hail_context *context, uint64_t *hash, const char *name)
{
    const char *rest = name;
    uint32_t character;

    if (!is_native(&context->config))
        return hail_mlapi_name_hash(hash, name, context->setup.rpc_hash_size);
    while ((character = hail_utf8_next(&rest)) != 0) {
        if (character == UINT32_MAX)
            return false;
    }
    *hash = hail_fnv1_64((const uint8_t *)name, strlen(name));
    return true;
}

static enum hail_status add_rule(struct hail_context *context, size_t handler, const char *name)
{
    const struct hail_handler *entry = &context->handlers[handler];
    struct hail_policy_rule rule = {
        .is_rpc = entry->kind == HAIL_HANDLER_RPC,
        .floor = (uint8_t)entry->floor,
        .handler = (uint16_t)handler,
    };
    uint16_t clash;

    if (!hail_context_name_hash(context, &rule.hash, name)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "config handler=%zu: name is not UTF-8",
                      handler);
        return HAIL_EINVAL;
    }
    if (hail_policy_add(&context->policy, &rule, &clash))
        return HAIL_OK;
    hail_log_line(&context->log, HAIL_LOG_ERROR,
                  "config handlers \"%s\" and \"%s\" have the same hash: rename one, or use a "
                  "larger mlapi.rpc_hash_size",
                  name,
                  clash < context->config.handler_count ? context->handlers[clash].name : "?");
    return HAIL_ENAME;
}

static enum hail_status build_policy(struct hail_context *context)
{
    const struct hail_config *config = &context->config;

    context->policy.default_floor = (uint8_t)config->default_floor;
    context->policy.takes_unknown = config->takes_unknown_names;
    context->policy.takes_scenes_plain = config->mlapi.takes_scenes_plain;
    for (size_t i = 0; i < config->handler_count; i++) {
        const struct hail_handler *handler = &context->handlers[i];
        bool unmet = handler->floor != 0 && !has_keys(config);
        if (!handler->name || handler->floor > HAIL_FLAGS_BOTH || unmet ||
            (unsigned)handler->kind > HAIL_HANDLER_RPC ||
            (handler->on_event && !config->on_event)) {
            hail_log_line(&context->log, HAIL_LOG_ERROR, "config handler=%zu name=%s: %s", i,
                          handler->name ? handler->name : "NULL",
                          unmet ? "nothing can meet its floor without encryption"
                                : "needs a name, a floor of HAIL_* flags, a kind, and on_event "
                                  "only with config.on_event");
            return HAIL_EINVAL;
        }
        enum hail_status status = add_rule(context, i, handler->name);
        if (status == HAIL_OK && handler->kind == HAIL_HANDLER_RPC && handler->signature)
            status = add_rule(context, i, handler->signature);
        if (status != HAIL_OK)
            return status;
    }
    return HAIL_OK;
}

// What is wrong with a channel, or NULL.
static const char *channel_fault(const struct hail_context *context,
                                 const struct hail_channel *channel)
{
    const struct hail_policy *policy = &context->policy;
    size_t len = channel->name ? strnlen(channel->name, HAIL_POLICY_CHANNEL_NAME_MAX + 1) : 0;
    uint64_t hash;

    if (len == 0 || len > HAIL_POLICY_CHANNEL_NAME_MAX ||
        !hail_context_name_hash(context, &hash, channel->name))
        return "needs a name of 1 to 31 bytes in UTF-8";
    if ((unsigned)channel->kind > HAIL_UNRELIABLE)
        return "its kind is none of enum hail_channel_kind";
    if (channel->floor > HAIL_FLAGS_BOTH)
        return "its floor is not of HAIL_ENCRYPTED and HAIL_AUTHENTICATED";
    if (channel->floor != 0 && !is_native(&context->config))
        return "the mlapi wire has no channels, so none can have a floor; give it to the names";
    for (size_t i = 0; i < policy->channel_count; i++) {
        if (policy->channels[i].name_len == len &&
            hail_equal(policy->channels[i].name, channel->name, len))
            return "another channel has its name";
    }
    return NULL;
}

static enum hail_status build_channels(struct hail_context *context,
                                       const struct hail_config *given)
{
    struct hail_policy *policy = &context->policy;

    for (size_t i = 0; i < context->config.channel_count; i++) {
        const struct hail_channel *channel = &given->channels[i];
        const char *fault = channel_fault(context, channel);
        if (fault) {
            hail_log_line(&context->log, HAIL_LOG_ERROR, "config channel=%zu: %s", i, fault);
            return HAIL_EINVAL;
        }
        struct hail_policy_channel *own = &policy->channels[policy->channel_count++];
        own->guarantee = (enum hail_guarantee)channel->kind;
        own->floor = (uint8_t)channel->floor;
        own->name_len = (uint8_t)strlen(channel->name);
        memcpy(own->name, channel->name, own->name_len);
        own->priority = channel->priority;
        own->weight = channel->weight > 0 ? channel->weight : 1;
        own->age_max_ms = channel->age_max_ms > 0 ? channel->age_max_ms : HAIL_POLICY_AGE_MAX_MS;
    }
    hail_policy_keep_bare(policy);
    if (is_native(&context->config) && !hail_policy_bare(policy)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR,
                      "config field=channels: declare a HAIL_UNRELIABLE one, which the wire needs "
                      "for messages that name none");
        return HAIL_EINVAL;
    }
    return HAIL_OK;
}

static enum hail_status build_setup(struct hail_context *context, const struct hail_config *given)
{
    const struct hail_mlapi_config *mlapi = &given->mlapi;
    const struct hail_mlapi_network network = {
        .protocol_version = mlapi->protocol_version,
        .scenes = mlapi->scenes,
        .scene_count = mlapi->scene_count,
        .prefab_hashes = mlapi->prefab_hashes,
        .prefab_count = mlapi->prefab_count,
        .allow_runtime_scene_changes = mlapi->allow_runtime_scene_changes,
        .enable_networked_var = mlapi->enable_networked_var,
        .force_same_prefabs = mlapi->force_same_prefabs,
        .use_prefab_sync = mlapi->use_prefab_sync,
        .enable_scene_management = mlapi->enable_scene_management,
        .ensure_networked_var_length_safety = mlapi->ensure_networked_var_length_safety,
        .enable_encryption = mlapi->enable_encryption,
        .sign_key_exchange = mlapi->sign_key_exchange,
        .connection_approval = mlapi->connection_approval,
        .rpc_hash_size = (enum hail_mlapi_hash_size)mlapi->rpc_hash_size,
    };

    if (!hail_mlapi_setup_init(&context->setup, &network)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR,
                      "config field=mlapi.scenes or mlapi.prefab_hashes: more than %d scenes or %d "
                      "prefabs, or a scene's name is not UTF-8",
                      HAIL_MLAPI_SCENES_MAX, HAIL_MLAPI_PREFABS_MAX);
        return HAIL_EINVAL;
    }
    context->setup.conn_data_max = context->config.conn_data_max;
    uint32_t scene = 0;
    if (mlapi->scene && !hail_mlapi_scene_index(&scene, &network, mlapi->scene)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR,
                      "config field=mlapi.scene: \"%s\" is not one of mlapi.scenes", mlapi->scene);
        return HAIL_EINVAL;
    }
    context->scene = scene;
    return HAIL_OK;
}

// Reads a file that may hold a key; the caller wipes and frees.
static bool read_file(const struct hail_context *context, const char *path,
                      struct hail_bytes *bytes)
{
    struct hail_fault_report report;
    uint8_t *data;

    *bytes = (struct hail_bytes){0};
    if (!path)
        return true;
    if (!hail_file_read(path, FILE_MAX, &data, &bytes->len, &report)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "file path=%s: %s", path, report.text);
        return false;
    }
    bytes->data = data;
    return true;
}

static void wipe_file(struct hail_bytes *bytes)
{
    if (bytes->data)
        hail_wipe((void *)(uintptr_t)bytes->data, bytes->len);
    free((void *)(uintptr_t)bytes->data);
}

// What clients will say of the certificate. A name that it lacks does not come with time; a date
// may be the clock's fault, which is then mended while we run, so it is said and no more.
static enum hail_status check_certificate(const struct hail_context *context)
{
    const struct hail_config *config = &context->config;
    struct hail_fault_report report;
    struct hail_certificate *leaf;
    enum hail_status status = HAIL_OK;

    if (!hail_certificate_parse(&leaf, hail_identity_leaf(context->identity), &report))
        return HAIL_EIDENTITY;
    if (is_native(config) && config->native.server_name &&
        !hail_certificate_carries(leaf, config->native.server_name, &report)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "config field=native.server_name value=%s: %s",
                      config->native.server_name, report.text);
        status = HAIL_EIDENTITY;
    } else if (!hail_certificate_is_current(leaf, context->start_unix_ns / 1000000000, &report)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "identity file=%s fault=%s: %s",
                      config->identity_file, hail_fault_name(report.fault), report.text);
    }
    hail_certificate_free(leaf);
    return status;
}

static enum hail_status load_identity(struct hail_context *context, const char *password)
{
    const struct hail_config *config = &context->config;
    const char *secret =
        config->identity_key_file ? config->identity_key_file : config->identity_file;
    struct hail_fault_report report;
    struct hail_bytes file = {0};
    struct hail_bytes key = {0};
    enum hail_status status = HAIL_EIDENTITY;

    if (!read_file(context, config->identity_file, &file) ||
        !read_file(context, config->identity_key_file, &key))
        goto out;
    if (secret && hail_file_is_public(secret))
        hail_log_line(&context->log, HAIL_LOG_WARN,
                      "identity file=%s: everybody may read the key; chmod o-r it", secret);
    if (!hail_identity_load(&context->identity, file, key, password, &report)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "identity file=%s fault=%s: %s",
                      config->identity_file, hail_fault_name(report.fault), report.text);
        goto out;
    }
    if (!is_native(config) && !hail_identity_is_rsa(context->identity)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR,
                      "identity file=%s: the mlapi profile signs with RSA and this key is another "
                      "kind; use an RSA certificate",
                      config->identity_file);
        goto out;
    }
    // The hail has the certificate in it, and a connection that cannot be sent it would be closed.
    uint64_t hail_max = HAIL_MLAPI_HAIL_MAX - HAIL_CERTIFICATE_MAX + HAIL_MLAPI_FRAME_HEADER_LEN +
                        hail_identity_leaf(context->identity).len;
    if (!is_native(config) && config->unsent_max < hail_max) {
        hail_log_line(
            &context->log, HAIL_LOG_ERROR,
            "config field=unsent_max value=%u: too small for the certificate of %s, which "
            "needs %llu",
            config->unsent_max, config->identity_file, (unsigned long long)hail_max);
        status = HAIL_EINVAL;
        goto out;
    }
    status = check_certificate(context);
    if (status != HAIL_OK)
        goto out;
    context->setup.identity = context->identity;
out:
    wipe_file(&file);
    wipe_file(&key);
    return status;
}

// What the default check said, and the application's word over it.
static bool decide(const struct hail_context *context, const struct hail_certificate *certificate,
                   const char *host, bool believed, struct hail_fault_report *report)
{
    const struct hail_config *config = &context->config;
    char description[2048];

    if (!context->trust) {
        report->fault = HAIL_FAULT_NO_TRUST;
        memcpy(report->text, context->trust_fault, sizeof report->text);
    }
    if (!config->verify)
        return believed;

    hail_certificate_describe(certificate, description, sizeof description);
    struct hail_bytes der = hail_certificate_der(certificate);
    const struct hail_peer_certificate shown = {
        .der = der.data,
        .der_len = der.len,
        .host = host,
        .believed = believed,
        .description = description,
        .fault = believed ? "" : report->text,
    };
    if (config->verify(config->user, &shown))
        return true;
    if (believed) {
        report->fault = HAIL_FAULT_CHAIN;
        snprintf(report->text, sizeof report->text, "%s",
                 "the application's own check refused the server's certificate");
    }
    return false;
}

static bool believe(void *user, const struct hail_certificate *certificate, const char *host,
                    int64_t unix_s, struct hail_fault_report *report)
{
    const struct hail_context *context = user;
    bool believed =
        context->trust && hail_trust_check(context->trust, certificate, host, unix_s, report);

    return decide(context, certificate, host, believed, report);
}

bool hail_context_believe_keycert(void *user, const struct hail_keycert *keycert,
                                  const struct hail_certificate *leaf, const char *host,
                                  int64_t unix_s, struct hail_fault_report *report)
{
    const struct hail_context *context = user;
    bool believed = context->trust &&
                    hail_keycert_check_names(keycert, leaf, context->trust, host, unix_s, report);

    return decide(context, leaf, host, believed, report);
}

static enum hail_status load_trust(struct hail_context *context)
{
    struct hail_fault_report report = {0};
    struct hail_bytes pem;
    bool loaded = read_file(context, context->config.trust_file, &pem);

    if (!loaded)
        return HAIL_EIDENTITY;
    loaded = hail_trust_load(&context->trust, pem, &report);
    wipe_file(&pem);
    if (!loaded && (context->config.trust_file || !context->config.verify)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "trust file=%s fault=%s: %s",
                      context->config.trust_file ? context->config.trust_file : "(the system's)",
                      hail_fault_name(report.fault), report.text);
        return HAIL_EIDENTITY;
    }
    memcpy(context->trust_fault, report.text, sizeof context->trust_fault);
    context->setup.verifier = (struct hail_mlapi_verifier){believe, context};
    return HAIL_OK;
}

static enum hail_status open_events(struct hail_context *context)
{
    size_t capacity = 4096;

    context->events_fd = -1;
    if (context->config.on_event)
        return HAIL_OK;
    while (capacity < context->config.event_queue_bytes)
        capacity *= 2;
    hail_mailbox_init(&context->events, &context->events_arena, capacity);
    if (!hail_arena_reserve_from(&context->events_arena, &context->heap)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "config field=event_queue_bytes: %s",
                      strerrordesc_np(errno));
        return HAIL_ENOMEM;
    }
    hail_mailbox_init(&context->events, &context->events_arena, capacity);
    // The reader is asleep until its first hail_poll, so the first event makes the fd readable.
    atomic_store_explicit(&context->events.state, HAIL_MAILBOX_ASLEEP, memory_order_relaxed);
    context->events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (context->events_fd < 0) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "eventfd: %s", strerrordesc_np(errno));
        return HAIL_ESYS;
    }
    return HAIL_OK;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return hail_time_ns(&now);
}

enum hail_status hail_context_init(struct hail_context *context, const struct hail_config *given,
                                   bool is_server)
{
    enum hail_status status = import(&context->config, given);

    if (status == HAIL_OK)
        status = hail_context_heap(&context->heap, given);
    if (status != HAIL_OK)
        return status;
    context->is_server = is_server;
    context->log = (struct hail_log){context->config.on_log, context->config.user};
    context->start_ns = clock_ns(CLOCK_BOOTTIME);
    context->start_unix_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    context->events_fd = -1;
    status = HAIL_EINVAL;
    if (given->handler_count > HANDLERS_MAX) { // before as many are copied
        refuse(context, "field=handler_count: at most 512");
        return status;
    }
    bool owned = own_pointers(context, given);
    if (!owned)
        status = HAIL_ENOMEM;
    if (owned && read_trusted(context, given) && check_fields(context) && check_limits(context) &&
        check_room(context))
        status = build_setup(context, given);
    if (status == HAIL_OK)
        status = build_policy(context);
    if (status == HAIL_OK)
        status = build_channels(context, given);
    if (status == HAIL_OK && signs(&context->config))
        status = is_server ? load_identity(context, given->identity_password) : load_trust(context);
    if (status == HAIL_OK && is_native(&context->config))
        status = hail_keys_init(context);
    if (!is_server)
        context->keys.client.verifier =
            (struct hail_keycert_verifier){hail_context_believe_keycert, context};
    if (status == HAIL_OK)
        status = open_events(context);
    if (status != HAIL_OK)
        hail_context_cleanup(context);
    return status;
}

void hail_context_cleanup(struct hail_context *context)
{
    const struct hail_config *config = &context->config;
    const struct hail_heap *heap = &context->heap;

    for (size_t i = 0; context->handlers && i < config->handler_count; i++) {
        drop_text(heap, context->handlers[i].name);
        drop_text(heap, context->handlers[i].signature);
    }
    hail_heap_give(heap, context->handlers, handlers_len(config));
    drop_text(heap, config->address);
    drop_text(heap, config->identity_file);
    drop_text(heap, config->identity_key_file);
    drop_text(heap, config->trust_file);
    drop_text(heap, config->native.server_name);
    drop_text(heap, config->native.key_log_file);
    if (is_native(config))
        hail_keys_cleanup(&context->keys);
    hail_identity_free(context->identity);
    hail_trust_free(context->trust);
    hail_arena_cleanup(&context->events_arena);
    if (context->events_fd >= 0)
        close(context->events_fd);
    memset(context, 0, sizeof *context);
    context->events_fd = -1;
}
