// joining.c: see joining.h.
// SPDX-License-Identifier: MIT
#include "tools/load/joining.h"

#include <string.h>

// The kind that a word names, or -1.
static int kind_of(const char *word)
{
    static const char *const names[] = {
        [HAIL_RELIABLE_ORDERED] = "ordered",
        [HAIL_RELIABLE_UNORDERED] = "reliable",
        [HAIL_UNRELIABLE_SEQUENCED] = "sequenced",
        [HAIL_UNRELIABLE] = "unreliable",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(word, names[i]) == 0)
            return (int)i;
    }
    return -1;
}

// Where the server's file declares no channels, or there is none: one of each kind.
static bool choose_default_channel(struct plan *plan, FILE *errors)
{
    int kind = plan->channel_name ? kind_of(plan->channel_name) : HAIL_UNRELIABLE;

    if (kind < 0)
        return plan_wrong(errors, "--channel", plan->channel_name,
                          plan->config_file
                              ? "must be unreliable, sequenced, reliable or ordered: the "
                                "file of --config has no channels"
                              : "must be unreliable, sequenced, reliable or ordered, or "
                                "with --config a channel's name");
    plan->channel_kind = (enum hail_channel_kind)kind;
    plan->channel = (uint8_t)kind;
    return true;
}

// A channel of the server's file: the one with this name, or else the first of this kind.
static bool choose_channel(struct plan *plan, FILE *errors, const struct hail_config *server)
{
    int kind = plan->channel_name ? kind_of(plan->channel_name) : HAIL_UNRELIABLE;
    size_t found = server->channel_count;

    if (server->channel_count == 0)
        return choose_default_channel(plan, errors);
    for (size_t i = server->channel_count; i-- > 0;) {
        if ((int)server->channels[i].kind == kind)
            found = i;
    }
    for (size_t i = 0; plan->channel_name && i < server->channel_count; i++) {
        if (strcmp(server->channels[i].name, plan->channel_name) == 0)
            found = i;
    }
    if (found == server->channel_count)
        return plan_wrong(errors, "--channel",
                          plan->channel_name ? plan->channel_name : "unreliable",
                          "is neither the name nor the kind of a channel in the file of --config");
    plan->channel = (uint8_t)found;
    plan->channel_kind = server->channels[found].kind;
    return true;
}

// What the two ends must share, and the command line would say otherwise.
static bool take_server(struct plan *plan, FILE *errors, const struct hail_config *server)
{
    bool native = server->profile == HAIL_PROFILE_HAIL;
    bool encryption = native || server->mlapi.enable_encryption;
    bool scene_management = native || server->mlapi.enable_scene_management;
    bool sign = native ? server->native.exchange == HAIL_SIGNED : server->mlapi.sign_key_exchange;

    if ((plan->profile_is_given && plan->profile != server->profile) || (plan->sign && !sign) ||
        (!plan->encryption && encryption) || (!plan->scene_management && scene_management))
        return plan_wrong(errors, "--config", plan->config_file,
                          "it says otherwise than --profile, --sign, --no-encryption or "
                          "--no-scene-management, which may be left out");
    plan->profile = server->profile;
    plan->encryption = encryption;
    plan->scene_management = scene_management;
    plan->sign = sign;
    if (native && server->native.exchange == HAIL_PINNED && !plan->pins)
        return plan_wrong(errors, "--config", plan->config_file,
                          "its exchange is pinned: give the server's key with --pin");
    if (!native && server->mlapi.connection_approval && !plan->has_data)
        return plan_wrong(errors, "--config", plan->config_file,
                          "it has connection_approval: give connection data with --data or "
                          "--data-file, --data \"\" for none");
    return choose_channel(plan, errors, server);
}

bool joining_read(struct plan *plan, FILE *errors)
{
    static struct settings settings; // large, and one thread reads command lines

    if (!plan->config_file)
        return choose_default_channel(plan, errors);
    bool good = settings_read(&settings, plan->config_file, errors) &&
                take_server(plan, errors, &settings.config);
    settings_cleanup(&settings);
    return good;
}

bool joining_apply(const struct plan *plan, struct settings *settings, struct hail_config *config)
{
    config->profile = plan->profile;
    config->native.exchange = plan->sign ? HAIL_SIGNED : plan->pins ? HAIL_PINNED : HAIL_UNSIGNED;
    config->native.static_key = plan->pins ? plan->server_key : NULL;
    if (plan->config_file) {
        if (!settings_read(settings, plan->config_file, stderr))
            return false;
        config->mlapi = settings->config.mlapi;
        config->channels = settings->config.channels;
        config->channel_count = settings->config.channel_count;
        config->handlers = settings->config.handlers;
        config->handler_count = settings->config.handler_count;
        config->default_floor = settings->config.default_floor;
    }
    config->mlapi.enable_encryption = plan->encryption;
    config->mlapi.sign_key_exchange = plan->sign;
    config->mlapi.enable_scene_management = plan->scene_management;
    config->mlapi.connection_approval = plan->has_data;
    config->trust_file = plan->trust_file;
    config->takes_unknown_names = true;
    return true;
}
