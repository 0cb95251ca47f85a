// settings.h: haild's INI file, read and checked: every fault is told with its line, the key, and
// what is allowed there.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_DAEMON_SETTINGS_H
#define HAIL_TOOLS_DAEMON_SETTINGS_H

#include <stdio.h>

#include "engine/hail.h"

enum {
    SETTINGS_HANDLERS_MAX = 512,
    SETTINGS_CHANNEL_NAME_MAX = 31, // hail.h
    SETTINGS_NETWORKS_MAX = 64,
    SETTINGS_SCENES_MAX = 256,
    SETTINGS_PREFABS_MAX = 4096,
    SETTINGS_TEXTS_MAX = 2048
};

enum settings_game {
    SETTINGS_GAME_ECHO, // every message back to its sender
    SETTINGS_GAME_RELAY // every message to everybody else in the sender's room
};

// What the file says. `config` points into the rest.
struct settings {
    struct hail_config config;
    enum settings_game game;
    uint32_t drain_ms;
    enum hail_log_level log_level;
    const char *identity_password_file;
    const char *static_key_file;
    const char *ticket_key_file;
    struct hail_handler handlers[SETTINGS_HANDLERS_MAX];
    struct hail_channel channels[HAIL_CHANNELS_MAX];
    const char *trusted[SETTINGS_NETWORKS_MAX];
    const char *scenes[SETTINGS_SCENES_MAX];
    uint64_t prefab_hashes[SETTINGS_PREFABS_MAX];
    char *texts[SETTINGS_TEXTS_MAX]; // copies of the file's strings
    size_t text_count;
};

// settings_read reads a file. Returns false when anything in it is wrong; every fault has then been
// written to `errors`, a line each. Either way settings_cleanup frees.
bool settings_read(struct settings *settings, const char *path, FILE *errors);
void settings_cleanup(struct settings *settings);

// settings_channel_name returns a channel's name, by its number; of the four that are there when
// none is declared, the kind's. NULL: there is no such channel.
const char *settings_channel_name(const struct settings *settings, size_t channel);

// settings_help writes every section and key, with what is allowed.
void settings_help(FILE *out);

#endif
