// send.c: what an application tells connections to do, checked, and carried out on this thread or
// handed to the shard it concerns.
// SPDX-License-Identifier: MIT
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"
#include "engine/context/config.h"
#include "engine/context/simulation.h"
#include "engine/delivery/send_messages.h"
#include "engine/endpoint.h"
#include "engine/native/simulate.h"
#include "engine/shard/command.h"
#include "proto/mlapi/names.h"

enum {
    CLOSE_TEXT_MAX = 253 // a frame's, beside the code
};

_Static_assert(HAIL_UNRELIABLE == (unsigned)HAIL_GUARANTEE_NONE &&
                   HAIL_UNRELIABLE_SEQUENCED == (unsigned)HAIL_GUARANTEE_SEQUENCED &&
                   HAIL_CHANNELS_MAX == (unsigned)HAIL_POLICY_CHANNELS_MAX,
               "the public channels are the policy's");
_Static_assert(HAIL_ENCRYPTED == (unsigned)HAIL_FLAG_ENCRYPTED, "the public flags are the wire's");
_Static_assert(HAIL_AUTHENTICATED == (unsigned)HAIL_FLAG_AUTHENTICATED,
               "the public flags are the wire's");

// Hands a command to its shard. Room for a reliable message is set aside at once: that it is taken
// is a promise.
static enum hail_status post(struct hail_shard *shard, const struct hail_command *command)
{
    const struct hail_context *context = shard->context;
    uint32_t slot = hail_name_unpack(command->conn).slot;
    struct hail_command claiming = *command;

    if (command->op != HAIL_COMMAND_SEND || context->config.profile != HAIL_PROFILE_HAIL ||
        !hail_policy_is_reliable(&context->policy, command->view.channel))
        return hail_command_post(shard, command);
    claiming.view.claimed =
        hail_send_messages_claim(&shard->delivery, slot, command->view.body_len);
    if (claiming.view.claimed == 0)
        return HAIL_EFULL;
    enum hail_status status = hail_command_post(shard, &claiming);
    if (status != HAIL_OK)
        hail_send_messages_unclaim(&shard->delivery, slot, claiming.view.claimed);
    return status;
}

// Carries out a command about one connection. What can be answered at once is, from any thread.
static enum hail_status dispatch(struct hail_endpoint *endpoint, const struct hail_command *command)
{
    struct hail_shard *shard = hail_endpoint_shard(endpoint, command->conn);
    uint32_t facts;
    size_t done;

    if (!shard)
        return HAIL_EGONE;
    if (shard == hail_shard_current())
        return hail_command_run(shard, command, &done);
    if (!hail_table_facts(&shard->table, command->conn, &facts))
        return HAIL_EGONE;
    if (command->op == HAIL_COMMAND_SEND) {
        if (!(facts & HAIL_FACT_CONNECTED))
            return HAIL_ESTATE;
        if (command->view.flags != 0 && !(facts & HAIL_FACT_KEY))
            return HAIL_ENOKEY;
        uint64_t most =
            hail_table_figure(&shard->table, command->conn, HAIL_CONN_FIGURE_MESSAGE_MAX);
        if (most > 0 && command->view.body_len > most)
            return HAIL_ETOOLONG;
    }
    return post(shard, command);
}

static enum hail_status check_view(const struct hail_endpoint *endpoint,
                                   const struct hail_message_view *view)
{
    if (view->flags > HAIL_FLAGS_BOTH ||
        view->channel >= hail_policy_channel_count(&endpoint->context.policy))
        return HAIL_EINVAL;
    if (view->body_len > endpoint->context.config.message_max ||
        (view->body_len > 0 && !view->body))
        return HAIL_EINVAL;
    bool native = endpoint->context.config.profile == HAIL_PROFILE_HAIL;
    if (view->kind == HAIL_MESSAGE_SCENE &&
        (native || !hail_mlapi_scene_type(view->scene_type, endpoint->context.is_server)))
        return HAIL_EINVAL;
    if (!native && view->flags != 0 && !endpoint->context.setup.encryption)
        return HAIL_ENOKEY;
    return HAIL_OK;
}

static struct hail_message_view view_of(const struct hail_message *message)
{
    return (struct hail_message_view){
        .kind = message->scene_type != 0 ? HAIL_MESSAGE_SCENE
                : message->named         ? HAIL_MESSAGE_NAMED
                                         : HAIL_MESSAGE_UNNAMED,
        .flags = message->flags,
        .name_hash = message->name_hash,
        .scene_type = message->scene_type,
        .channel = message->channel,
        .body = message->data,
        .body_len = message->len,
    };
}

enum hail_status hail_approve(struct hail_endpoint *endpoint, struct hail_conn conn, uint64_t tag)
{
    const struct hail_command command = {.op = HAIL_COMMAND_APPROVE, .conn = conn, .tag = tag};

    return dispatch(endpoint, &command);
}

enum hail_status hail_approve_into(struct hail_endpoint *endpoint, struct hail_conn conn,
                                   uint64_t tag, const struct hail_scene *scene)
{
    const struct hail_writer *objects = scene->objects;
    struct hail_command command = {
        .op = HAIL_COMMAND_APPROVE,
        .conn = conn,
        .tag = tag,
        .scene = {.index = scene->index, .object_count = scene->object_count},
        .has_scene = true,
    };

    if (objects && !objects->failed) {
        command.view.body = objects->data;
        command.view.body_len = hail_writer_len(objects);
    }
    if (endpoint->context.config.profile != HAIL_PROFILE_MLAPI || (objects && objects->failed) ||
        command.view.body_len > endpoint->context.config.message_max)
        return HAIL_EINVAL;
    return dispatch(endpoint, &command);
}

enum hail_status hail_deny(struct hail_endpoint *endpoint, struct hail_conn conn,
                           const char *reason)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_DENY,
        .conn = conn,
        .view = {.body = (const uint8_t *)reason, .body_len = reason ? strnlen(reason, 200) : 0},
    };

    return dispatch(endpoint, &command);
}

enum hail_status hail_close(struct hail_endpoint *endpoint, struct hail_conn conn, uint16_t code,
                            const char *text)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_CLOSE,
        .conn = conn,
        .tag = code,
        .view = {.body = (const uint8_t *)text,
                 .body_len = text ? strnlen(text, CLOSE_TEXT_MAX) : 0},
    };

    return dispatch(endpoint, &command);
}

enum hail_status hail_set_tag(struct hail_endpoint *endpoint, struct hail_conn conn, uint64_t tag)
{
    const struct hail_command command = {.op = HAIL_COMMAND_SET_TAG, .conn = conn, .tag = tag};

    return dispatch(endpoint, &command);
}

enum hail_status hail_update_keys(struct hail_endpoint *endpoint, struct hail_conn conn)
{
    const struct hail_command command = {.op = HAIL_COMMAND_UPDATE_KEYS, .conn = conn};

    if (endpoint->context.config.profile != HAIL_PROFILE_HAIL)
        return HAIL_EINVAL;
    return dispatch(endpoint, &command);
}

enum hail_status hail_flush(struct hail_endpoint *endpoint, struct hail_conn conn)
{
    const struct hail_command command = {.op = HAIL_COMMAND_FLUSH, .conn = conn};

    if (endpoint->context.config.profile != HAIL_PROFILE_HAIL)
        return HAIL_EINVAL;
    return dispatch(endpoint, &command);
}

enum hail_status hail_simulate(struct hail_endpoint *endpoint, struct hail_conn conn,
                               const struct hail_simulation *incoming,
                               const struct hail_simulation *outgoing)
{
    struct hail_simulate_order order = {{false}, {{0}}};
    const struct hail_command command = {
        .op = HAIL_COMMAND_SIMULATE,
        .conn = conn,
        .view = {.body = (const uint8_t *)&order, .body_len = sizeof order},
    };

    if (endpoint->context.config.profile != HAIL_PROFILE_HAIL ||
        (incoming && !hail_simulation_check(incoming)) ||
        (outgoing && !hail_simulation_check(outgoing)))
        return HAIL_EINVAL;
    if (endpoint->context.config.native.simulated_max == 0)
        return HAIL_ESTATE;
    if (incoming) {
        order.on[HAIL_NETSIM_IN] = true;
        order.how[HAIL_NETSIM_IN] = *incoming;
    }
    if (outgoing) {
        order.on[HAIL_NETSIM_OUT] = true;
        order.how[HAIL_NETSIM_OUT] = *outgoing;
    }
    return dispatch(endpoint, &command);
}

uint64_t hail_name_hash(const struct hail_endpoint *endpoint, const char *name)
{
    uint64_t hash;

    return hail_context_name_hash(&endpoint->context, &hash, name) ? hash : 0;
}

enum hail_status hail_send(struct hail_endpoint *endpoint, struct hail_conn conn,
                           const struct hail_message *message)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_SEND, .conn = conn, .view = view_of(message)};
    enum hail_status status = check_view(endpoint, &command.view);

    return status == HAIL_OK ? dispatch(endpoint, &command) : status;
}

// How many of the connections are the shard's.
static size_t count_of(const struct hail_shard *shard, const struct hail_conn *conns, size_t count)
{
    size_t own = 0;

    for (size_t i = 0; i < count; i++)
        own += hail_name_unpack(conns[i]).shard == shard->index;
    return own;
}

enum hail_status hail_send_many(struct hail_endpoint *endpoint, const struct hail_conn *conns,
                                size_t conn_count, const struct hail_message *message, size_t *sent)
{
    const struct hail_command command = {.op = HAIL_COMMAND_SEND_MANY,
                                         .conns = conns,
                                         .conn_count = conn_count,
                                         .view = view_of(message)};
    enum hail_status first_failure = check_view(endpoint, &command.view);
    size_t total = 0;
    size_t known = 0;

    if (sent)
        *sent = 0;
    if (first_failure != HAIL_OK)
        return first_failure;
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++) {
        struct hail_shard *shard = &endpoint->workers[i].shard;
        size_t own = count_of(shard, conns, conn_count);
        size_t done = 0;
        enum hail_status status = HAIL_OK;

        known += own;
        if (own > 0 && shard == hail_shard_current()) {
            status = hail_command_run(shard, &command, &done);
        } else if (own > 0) {
            status = hail_command_post(shard, &command);
            done = status == HAIL_OK ? own : 0;
        }
        total += done;
        if (status != HAIL_OK && first_failure == HAIL_OK)
            first_failure = status;
    }
    if (sent)
        *sent = total;
    return first_failure == HAIL_OK && known < conn_count ? HAIL_EGONE : first_failure;
}

// Has every shard carry out a command, whether or not it has anybody whom it is for: what others
// have posted to it before may change that.
static enum hail_status to_shards(struct hail_endpoint *endpoint,
                                  const struct hail_command *command)
{
    enum hail_status first_failure = check_view(endpoint, &command->view);

    if (first_failure != HAIL_OK)
        return first_failure;
    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++) {
        struct hail_shard *shard = &endpoint->workers[i].shard;
        size_t done;
        enum hail_status status = shard == hail_shard_current()
                                      ? hail_command_run(shard, command, &done)
                                      : hail_command_post(shard, command);
        if (status != HAIL_OK && first_failure == HAIL_OK)
            first_failure = status;
    }
    return first_failure;
}

static enum hail_status to_all_but(struct hail_endpoint *endpoint, struct hail_conn but,
                                   struct hail_message_view view, uint32_t timeout_ms)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_SEND_ALL_BUT, .conn = but, .view = view, .timeout_ms = timeout_ms};

    return to_shards(endpoint, &command);
}

static enum hail_status to_group_but(struct hail_endpoint *endpoint, struct hail_group group,
                                     struct hail_conn but, struct hail_message_view view,
                                     uint32_t timeout_ms)
{
    const struct hail_command command = {.op = HAIL_COMMAND_SEND_GROUP_BUT,
                                         .conn = but,
                                         .group = group,
                                         .view = view,
                                         .timeout_ms = timeout_ms};

    return to_shards(endpoint, &command);
}

enum hail_status hail_send_all_but(struct hail_endpoint *endpoint, struct hail_conn but,
                                   const struct hail_message *message)
{
    return to_all_but(endpoint, but, view_of(message), 0);
}

enum hail_status hail_send_all(struct hail_endpoint *endpoint, const struct hail_message *message)
{
    return hail_send_all_but(endpoint, (struct hail_conn){0}, message);
}

struct hail_group hail_group_named(const char *name)
{
    return (struct hail_group){hail_fnv1_64((const uint8_t *)name, strlen(name))};
}

enum hail_status hail_group_join(struct hail_endpoint *endpoint, struct hail_group group,
                                 struct hail_conn conn)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_JOIN_GROUP, .conn = conn, .group = group};

    return dispatch(endpoint, &command);
}

enum hail_status hail_group_leave(struct hail_endpoint *endpoint, struct hail_group group,
                                  struct hail_conn conn)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_LEAVE_GROUP, .conn = conn, .group = group};

    return dispatch(endpoint, &command);
}

enum hail_status hail_group_send_but(struct hail_endpoint *endpoint, struct hail_group group,
                                     struct hail_conn but, const struct hail_message *message)
{
    return to_group_but(endpoint, group, but, view_of(message), 0);
}

enum hail_status hail_group_send(struct hail_endpoint *endpoint, struct hail_group group,
                                 const struct hail_message *message)
{
    return hail_group_send_but(endpoint, group, (struct hail_conn){0}, message);
}

size_t hail_group_count(const struct hail_endpoint *endpoint, struct hail_group group)
{
    size_t count = 0;

    for (uint32_t i = 0; i < endpoint->context.config.shard_count; i++)
        count += hail_groups_count(&endpoint->workers[i].shard.groups, group);
    return count;
}

static struct hail_message_view view_of_call(const struct hail_rpc *call)
{
    return (struct hail_message_view){
        .kind = call->wants_response ? HAIL_MESSAGE_REQUEST : HAIL_MESSAGE_CALL,
        .flags = call->flags,
        .name_hash = call->name_hash,
        .network_id = call->network_id,
        .behaviour = call->behaviour,
        .call_id = call->wants_response ? call->call_id : 0,
        .channel = call->channel,
        .body = call->args,
        .body_len = call->len,
    };
}

enum hail_status hail_call(struct hail_endpoint *endpoint, struct hail_conn conn,
                           const struct hail_rpc *call)
{
    const struct hail_command command = {.op = HAIL_COMMAND_SEND,
                                         .conn = conn,
                                         .view = view_of_call(call),
                                         .timeout_ms = call->timeout_ms};
    enum hail_status status = check_view(endpoint, &command.view);

    return status == HAIL_OK ? dispatch(endpoint, &command) : status;
}

enum hail_status hail_call_many(struct hail_endpoint *endpoint, const struct hail_conn *conns,
                                size_t conn_count, const struct hail_rpc *call, size_t *sent)
{
    enum hail_status first_failure = HAIL_OK;
    size_t done = 0;

    for (size_t i = 0; i < conn_count; i++) {
        enum hail_status status = hail_call(endpoint, conns[i], call);
        done += status == HAIL_OK;
        if (status != HAIL_OK && first_failure == HAIL_OK)
            first_failure = status;
    }
    if (sent)
        *sent = done;
    return first_failure;
}

enum hail_status hail_call_all_but(struct hail_endpoint *endpoint, struct hail_conn but,
                                   const struct hail_rpc *call)
{
    return to_all_but(endpoint, but, view_of_call(call), call->timeout_ms);
}

enum hail_status hail_call_all(struct hail_endpoint *endpoint, const struct hail_rpc *call)
{
    return hail_call_all_but(endpoint, (struct hail_conn){0}, call);
}

enum hail_status hail_group_call(struct hail_endpoint *endpoint, struct hail_group group,
                                 const struct hail_rpc *call)
{
    return to_group_but(endpoint, group, (struct hail_conn){0}, view_of_call(call),
                        call->timeout_ms);
}

// What an error is called on the wire; false: it is none that can be told.
static bool error_of(uint8_t *error, enum hail_status status)
{
    if (status == HAIL_EUNKNOWN)
        *error = HAIL_CALL_UNKNOWN;
    else if (status == HAIL_EARGUMENTS)
        *error = HAIL_CALL_ARGUMENTS;
    else if (status == HAIL_EREFUSED)
        *error = HAIL_CALL_REFUSED;
    else
        return false;
    return true;
}

enum hail_status hail_respond(struct hail_endpoint *endpoint, struct hail_conn conn,
                              const struct hail_response *response)
{
    bool is_error = response->status != HAIL_OK;
    struct hail_command command = {
        .op = HAIL_COMMAND_SEND,
        .conn = conn,
        .view = {.kind = is_error ? HAIL_MESSAGE_ERROR : HAIL_MESSAGE_RESPONSE,
                 .flags = response->flags,
                 .call_id = response->call_id,
                 .channel = response->channel,
                 .body = response->result,
                 .body_len = response->len},
    };
    enum hail_status status = check_view(endpoint, &command.view);

    if (is_error && (endpoint->context.config.profile != HAIL_PROFILE_HAIL ||
                     !error_of(&command.view.error, response->status)))
        return HAIL_EINVAL;
    return status == HAIL_OK ? dispatch(endpoint, &command) : status;
}

// What the server's certificate must say.
static const char *name_of(const struct hail_target *target)
{
    return target->server_name ? target->server_name : target->host;
}

// Looks up a host; numeric addresses without asking anybody.
static enum hail_status resolve(const struct hail_endpoint *endpoint,
                                const struct hail_target *target, struct hail_addresses *addresses)
{
    bool native = endpoint->context.config.profile == HAIL_PROFILE_HAIL;
    struct addrinfo hints = {.ai_socktype = native ? SOCK_DGRAM : SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char port[8];

    snprintf(port, sizeof port, "%u", target->port);
    int error = getaddrinfo(target->host, port, &hints, &found);
    if (error == EAI_NONAME) {
        hints.ai_flags = 0;
        error = getaddrinfo(target->host, port, &hints, &found);
    }
    if (error != 0) {
        hail_log_line(&endpoint->context.log, HAIL_LOG_ERROR, "host=%s: %s", target->host,
                      gai_strerror(error));
        return HAIL_ESYS;
    }
    snprintf(addresses->host, sizeof addresses->host, "%s", name_of(target));
    addresses->count = 0;
    for (const struct addrinfo *one = found; one && addresses->count < HAIL_ADDRESSES_MAX;
         one = one->ai_next)
        memcpy(&addresses->list[addresses->count++], one->ai_addr, one->ai_addrlen);
    freeaddrinfo(found);
    return HAIL_OK;
}

// False: it is no ticket.
static bool take_ticket(struct hail_addresses *addresses, const struct hail_endpoint *endpoint,
                        const struct hail_target *target)
{
    struct hail_resumption resumption;

    if (target->ticket_len == 0)
        return true;
    if (!target->ticket || endpoint->context.config.profile != HAIL_PROFILE_HAIL)
        return false;
    const struct hail_bytes bytes = {target->ticket, target->ticket_len};
    bool good = hail_resumption_read(&resumption, bytes);
    hail_wipe(&resumption, sizeof resumption);
    if (!good)
        return false;
    memcpy(addresses->ticket, bytes.data, bytes.len);
    addresses->ticket_len = (uint16_t)bytes.len;
    return true;
}

enum hail_status hail_connect(struct hail_endpoint *endpoint, const struct hail_target *target)
{
    const struct hail_config *config = &endpoint->context.config;
    struct hail_addresses addresses = {0};
    const struct hail_command command = {
        .op = HAIL_COMMAND_CONNECT,
        .tag = target->tag,
        .view = {.body = target->conn_data, .body_len = target->conn_data_len},
        .addresses = &addresses,
    };
    size_t done;

    if (endpoint->context.is_server || !target->host || strlen(name_of(target)) >= HAIL_HOST_MAX ||
        target->conn_data_len > HAIL_MLAPI_CONN_DATA_MAX ||
        (target->conn_data_len > 0 && !target->conn_data) ||
        (target->conn_data_len > 0 && config->profile == HAIL_PROFILE_MLAPI &&
         !config->mlapi.connection_approval))
        return HAIL_EINVAL;
    if (target->reconnect_ms > 0 && config->profile != HAIL_PROFILE_HAIL)
        return HAIL_EINVAL;
    addresses.reconnect_ms = target->reconnect_ms;
    if (!take_ticket(&addresses, endpoint, target))
        return HAIL_EINVAL;
    enum hail_status status = resolve(endpoint, target, &addresses);
    if (status != HAIL_OK)
        return status;

    uint32_t turn = atomic_fetch_add_explicit(&endpoint->next_shard, 1, memory_order_relaxed);
    struct hail_shard *shard = &endpoint->workers[turn % config->shard_count].shard;
    if (atomic_fetch_add_explicit(&shard->conns_promised, 1, memory_order_relaxed) >=
        config->conns_max)
        status = HAIL_EFULL;
    else if (shard == hail_shard_current())
        status = hail_command_run(shard, &command, &done);
    else
        status = hail_command_post(shard, &command);
    if (status != HAIL_OK)
        atomic_fetch_sub_explicit(&shard->conns_promised, 1, memory_order_relaxed);
    return status;
}
