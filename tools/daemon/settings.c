// settings.c: see settings.h. One table says what there is; reading, checking and help come from
// it.
// SPDX-License-Identifier: MIT
#include "tools/daemon/settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "engine/context/limits.h"
#include "tools/daemon/ini.h"

enum kind {
    KIND_U8,
    KIND_U16,
    KIND_U32,
    KIND_U64,
    KIND_BOOL,
    KIND_TEXT,
    KIND_PATH,
    KIND_ADDRESS,
    KIND_FLOOR,
    KIND_CHANNEL,
    KIND_GAME,
    KIND_LOG_LEVEL,
    KIND_PROFILE,
    KIND_IO,
    KIND_HASH_SIZE,
    KIND_EXCHANGE,
    KIND_COOKIES,
    KIND_NETWORKS,
    KIND_SCENES,
    KIND_PREFABS
};

struct option {
    const char *section;
    const char *key;
    enum kind kind;
    size_t offset; // of what it sets, in the settings or, of a channel's key, in the channel
    uint64_t min;  // of what is not 0: 0 is always taken, as the default or "none"
    uint64_t max;
    const char *help;
};

#define CONFIG(field) offsetof(struct settings, config.field)
#define OWN(field)    offsetof(struct settings, field)

static const struct option options[] = {
    {"haild", "game", KIND_GAME, OWN(game), 0, 0, "echo or relay"},
    {"haild", "drain_ms", KIND_U32, OWN(drain_ms), 0, 600000,
     "time to send what is queued at the end; 5000"},
    {"haild", "log_level", KIND_LOG_LEVEL, OWN(log_level), 0, 0,
     "debug, info, warn or error; info"},
    {"server", "profile", KIND_PROFILE, CONFIG(profile), 0, 0, "hail or mlapi; required"},
    {"server", "io", KIND_IO, CONFIG(io), 0, 0,
     "auto, uring or epoll; auto: io_uring, or epoll where it is refused"},
    {"server", "address", KIND_ADDRESS, CONFIG(address), 0, 0,
     "numeric address to listen on; every one"},
    {"server", "port", KIND_U16, CONFIG(port), 0, 65535, "0: the kernel chooses"},
    {"server", "identity_file", KIND_PATH, CONFIG(identity_file), 0, 0,
     "certificate and key: PFX, PFX in base64, or PEM"},
    {"server", "identity_key_file", KIND_PATH, CONFIG(identity_key_file), 0, 0,
     "PEM key, when it is in a file of its own"},
    {"server", "identity_password_file", KIND_PATH, OWN(identity_password_file), 0, 0,
     "file whose first line is the password"},
    {"server", "key_reuse_ms", KIND_U32, CONFIG(key_reuse_ms), 0, 86400000,
     "one key for all clients for so long; 0: a fresh one each"},
    {"server", "default_floor", KIND_FLOOR, CONFIG(default_floor), 0, 0,
     "least protection of what has no floor of its own"},
    {"server", "shard_count", KIND_U16, CONFIG(shard_count), 0, HAIL_SHARDS_MAX,
     "worker threads; 0: one for each CPU"},
    {"server", "conns_max", KIND_U32, CONFIG(conns_max), 1, HAIL_LIMIT_CONNS_MAX,
     "connections per shard, with those that await a decision; 16384"},
    {"server", "handshakes_max", KIND_U32, CONFIG(handshakes_max), 1, HAIL_LIMIT_CONNS_MAX,
     "per shard, of those who have proven nothing; 4096"},
    {"server", "conns_per_prefix", KIND_U32, CONFIG(conns_per_prefix), 0, HAIL_LIMIT_CONNS_MAX,
     "of conns_max, from one IPv4 address or IPv6 /56; 0: no limit"},
    {"server", "handshakes_per_prefix", KIND_U32, CONFIG(handshakes_per_prefix), 1,
     HAIL_LIMIT_CONNS_MAX, "of handshakes_max, likewise; half of them"},
    {"server", "trusted", KIND_NETWORKS, OWN(trusted), 0, 0,
     "networks without the limits on an address, such as 192.0.2.0/24; may be repeated"},
    {"server", "accepts_per_s", KIND_U32, CONFIG(accepts_per_s), 1, HAIL_LIMIT_PER_S_MAX,
     "mlapi: TCP connections of one IPv4 address or IPv6 /56; 1000"},
    {"server", "message_max", KIND_U32, CONFIG(message_max), HAIL_LIMIT_MESSAGE_MIN,
     HAIL_LIMIT_MESSAGE_MAX, "bytes of a message; 0: mlapi 65536, hail 524288"},
    {"server", "conn_data_max", KIND_U32, CONFIG(conn_data_max), 1, 4096,
     "bytes of connection data; 1024"},
    {"server", "unsent_max", KIND_U32, CONFIG(unsent_max), HAIL_LIMIT_UNSENT_MIN,
     HAIL_LIMIT_UNSENT_MAX, "bytes waiting for one connection; 1 MiB"},
    {"server", "buffers_max", KIND_U64, CONFIG(buffers_max), 0, HAIL_LIMIT_BUFFERS_MAX,
     "bytes waiting per shard; 64 MiB"},
    {"server", "calls_max", KIND_U32, CONFIG(calls_max), 1, HAIL_LIMIT_CALLS_MAX,
     "RPCs that await a response, per connection; 16"},
    {"server", "handshake_timeout_ms", KIND_U32, CONFIG(handshake_timeout_ms), 1, UINT32_MAX,
     "10000"},
    {"server", "idle_timeout_ms", KIND_U32, CONFIG(idle_timeout_ms), 0, UINT32_MAX,
     "0: mlapi never, hail 10000"},
    {"server", "stall_timeout_ms", KIND_U32, CONFIG(stall_timeout_ms), 1, UINT32_MAX, "30000"},
    {"server", "command_queue_bytes", KIND_U32, CONFIG(command_queue_bytes), HAIL_LIMIT_QUEUE_MIN,
     HAIL_LIMIT_QUEUE_MAX, "4 MiB"},
    {"server", "event_queue_bytes", KIND_U32, CONFIG(event_queue_bytes), HAIL_LIMIT_QUEUE_MIN,
     HAIL_LIMIT_QUEUE_MAX, "16 MiB"},
    {"hail", "exchange", KIND_EXCHANGE, CONFIG(native.exchange), 0, 0,
     "signed, unsigned or pinned; signed, which needs identity_file"},
    {"hail", "server_name", KIND_TEXT, CONFIG(native.server_name), 0, 0,
     "vouch for this name alone; all of the certificate's"},
    {"hail", "static_key_file", KIND_PATH, OWN(static_key_file), 0, 0,
     "file with the private X25519 key, 64 hex digits; one drawn at start"},
    {"hail", "iterations", KIND_U32, CONFIG(native.iterations), 1, 100000, "of PBKDF2; 1000"},
    {"hail", "cookies", KIND_COOKIES, CONFIG(native.cookies), 0, 0,
     "under_load, always or never; under_load"},
    {"hail", "handshakes_per_s", KIND_U32, CONFIG(native.handshakes_per_s), 1, UINT32_MAX,
     "of a shard, before it is under load; 1000"},
    {"hail", "source_per_s", KIND_U32, CONFIG(native.source_per_s), 1, HAIL_LIMIT_PER_S_MAX,
     "handshakes of one IPv4 address or IPv6 /56; 100"},
    {"hail", "send_rate", KIND_U32, CONFIG(native.send_rate), 0, UINT32_MAX,
     "bytes a second to a connection; 0: no limit"},
    {"hail", "receive_rate", KIND_U32, CONFIG(native.receive_rate), 0, UINT32_MAX,
     "bytes a second from a connection; 0: no limit"},
    {"hail", "coalesce_us", KIND_U32, CONFIG(native.coalesce_us), 0, HAIL_LIMIT_COALESCE_US_MAX,
     "how long a message may wait to share a packet; 0"},
    {"hail", "datagram_max", KIND_U32, CONFIG(native.datagram_max), 1200, 1452, "1452"},
    {"hail", "key_rotation_s", KIND_U32, CONFIG(native.key_rotation_s), 1, 1209600, "86400"},
    {"hail", "ticket_key_file", KIND_PATH, OWN(ticket_key_file), 0, 0,
     "file of hail-cert ticket-key; a key drawn at start"},
    {"hail", "ticket_life_s", KIND_U32, CONFIG(native.ticket_life_s), 1, 604800,
     "how long clients may come back with a ticket; 43200"},
    {"hail", "no_tickets", KIND_BOOL, CONFIG(native.no_tickets), 0, 0,
     "clients always do the whole handshake; false"},
    {"hail", "floor_closes", KIND_BOOL, CONFIG(native.floor_closes), 0, 0,
     "who sends below a floor is closed; false"},
    {"hail", "key_log_file", KIND_PATH, CONFIG(native.key_log_file), 0, 0,
     "for debugging: session keys go there"},
    {"mlapi", "protocol_version", KIND_U16, CONFIG(mlapi.protocol_version), 0, 65535, "0"},
    {"mlapi", "scenes", KIND_SCENES, OWN(scenes), 0, 0,
     "names, separated by commas; may be repeated"},
    {"mlapi", "scene", KIND_TEXT, CONFIG(mlapi.scene), 0, 0,
     "of scenes, the one that clients are sent to; the first in ordinal order"},
    {"mlapi", "prefab_hashes", KIND_PREFABS, OWN(prefab_hashes), 0, 0,
     "numbers, separated by commas; may be repeated"},
    {"mlapi", "allow_runtime_scene_changes", KIND_BOOL, CONFIG(mlapi.allow_runtime_scene_changes),
     0, 0, "false"},
    {"mlapi", "enable_networked_var", KIND_BOOL, CONFIG(mlapi.enable_networked_var), 0, 0, "true"},
    {"mlapi", "force_same_prefabs", KIND_BOOL, CONFIG(mlapi.force_same_prefabs), 0, 0, "true"},
    {"mlapi", "use_prefab_sync", KIND_BOOL, CONFIG(mlapi.use_prefab_sync), 0, 0, "false"},
    {"mlapi", "enable_scene_management", KIND_BOOL, CONFIG(mlapi.enable_scene_management), 0, 0,
     "true"},
    {"mlapi", "ensure_networked_var_length_safety", KIND_BOOL,
     CONFIG(mlapi.ensure_networked_var_length_safety), 0, 0, "false"},
    {"mlapi", "enable_encryption", KIND_BOOL, CONFIG(mlapi.enable_encryption), 0, 0, "true"},
    {"mlapi", "sign_key_exchange", KIND_BOOL, CONFIG(mlapi.sign_key_exchange), 0, 0, "false"},
    {"mlapi", "connection_approval", KIND_BOOL, CONFIG(mlapi.connection_approval), 0, 0,
     "clients send connection data; false"},
    {"mlapi", "rpc_hash_size", KIND_HASH_SIZE, CONFIG(mlapi.rpc_hash_size), 0, 0,
     "16, 32 or 64 bits; 16"},
};

#define CHANNEL(field) offsetof(struct hail_channel, field)

// What each [channel NAME] takes.
static const struct option channel_options[] = {
    {"channel NAME", "kind", KIND_CHANNEL, CHANNEL(kind), 0, 0,
     "reliable_ordered, reliable_unordered, sequenced or unreliable; required"},
    {"channel NAME", "floor", KIND_FLOOR, CHANNEL(floor), 0, 0,
     "least protection of all that it carries; none"},
    {"channel NAME", "priority", KIND_U8, CHANNEL(priority), 0, 255, "higher goes first; 0"},
    {"channel NAME", "weight", KIND_U8, CHANNEL(weight), 1, 255,
     "its share among those of its priority; 1"},
    {"channel NAME", "age_max_ms", KIND_U32, CHANNEL(age_max_ms), 1, UINT32_MAX,
     "sequenced, unreliable: what waited longer is not sent; 250"},
};

enum {
    OPTION_COUNT = sizeof options / sizeof *options,
    CHANNEL_OPTION_COUNT = sizeof channel_options / sizeof *channel_options,
    LINE_LEN = 199 // what the parser takes
};

// A file being read.
struct reading {
    struct settings *settings;
    const char *path;
    FILE *file;
    FILE *errors;
    unsigned line;
    bool bad;
    unsigned given[OPTION_COUNT]; // in which line; 0: not
    struct hail_channel *channel; // whose section it is; NULL: another section's
    bool channel_given[CHANNEL_OPTION_COUNT];
    unsigned channel_line;
};

static void fault(struct reading *reading, const char *section, const char *key, const char *value,
                  const char *what)
{
    reading->bad = true;
    fprintf(reading->errors, "haild: %s:%u: [%s] %s = %s: %s\n", reading->path, reading->line,
            section, key, value, what);
}

static char *keep_text(struct reading *reading, const char *text)
{
    struct settings *settings = reading->settings;
    char *copy = settings->text_count < SETTINGS_TEXTS_MAX ? strdup(text) : NULL;

    if (copy) {
        settings->texts[settings->text_count++] = copy;
        return copy;
    }
    reading->bad = true;
    fprintf(reading->errors, "haild: %s:%u: too many strings\n", reading->path, reading->line);
    return NULL;
}

// A word's place in a list that ends with NULL, or -1.
static int place_of(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0)
            return i;
    }
    return -1;
}

static const char *const floor_words[] = {"none", "encrypted", "authenticated", "both", NULL};
static const char *const kind_words[] = {"reliable_ordered", "reliable_unordered", "sequenced",
                                         "unreliable", NULL};

// Lists: each part is trimmed and handed on. False: a part is not taken.
static bool each_part(struct reading *reading, const char *value,
                      bool (*take)(struct reading *, const char *))
{
    char *list = keep_text(reading, value);
    char *rest = NULL;

    if (!list)
        return true; // told already
    for (char *part = strtok_r(list, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        part += strspn(part, " \t");
        for (size_t len = strlen(part); len > 0 && isspace((unsigned char)part[len - 1]); len--)
            part[len - 1] = 0;
        if (*part == 0 || !take(reading, part))
            return false;
    }
    return true;
}

static bool take_scene(struct reading *reading, const char *part)
{
    struct settings *settings = reading->settings;

    if (settings->config.mlapi.scene_count == SETTINGS_SCENES_MAX)
        return false;
    settings->scenes[settings->config.mlapi.scene_count++] = part;
    return true;
}

static bool take_network(struct reading *reading, const char *part)
{
    struct settings *settings = reading->settings;

    if (settings->config.trusted_count == SETTINGS_NETWORKS_MAX)
        return false;
    settings->trusted[settings->config.trusted_count++] = part;
    return true;
}

static bool take_prefab(struct reading *reading, const char *part)
{
    struct settings *settings = reading->settings;
    uint64_t hash;

    if (settings->config.mlapi.prefab_count == SETTINGS_PREFABS_MAX || !ini_number(part, &hash))
        return false;
    settings->prefab_hashes[settings->config.mlapi.prefab_count++] = hash;
    return true;
}

static void set_number(struct reading *reading, const struct option *option, const char *value,
                       void *place)
{
    uint64_t number;
    char what[128];

    bool is_number = ini_number(value, &number);
    if (!is_number || (number != 0 && number < option->min) || number > option->max) {
        snprintf(what, sizeof what, "must be a number from %llu to %llu%s%s",
                 (unsigned long long)option->min, (unsigned long long)option->max,
                 option->min > 1 ? ", or 0 for the default" : "",
                 value[0] == '0' && value[1] >= '0' && value[1] <= '9' ? ", without a 0 in front"
                                                                       : "");
        fault(reading, option->section, option->key, value, what);
    } else if (option->kind == KIND_U8) {
        *(uint8_t *)place = (uint8_t)number;
    } else if (option->kind == KIND_U16) {
        *(uint16_t *)place = (uint16_t)number;
    } else if (option->kind == KIND_U32) {
        *(uint32_t *)place = (uint32_t)number;
    } else {
        *(uint64_t *)place = number;
    }
}

// One of a list of words, as its place in the list plus `first`.
static void set_word(struct reading *reading, const struct option *option, const char *value,
                     const char *const *words, unsigned first, unsigned *place)
{
    int found = place_of(words, value);
    char what[96];
    size_t len = 0;

    if (found >= 0) {
        *place = first + (unsigned)found;
        return;
    }
    for (int i = 0; words[i]; i++)
        len += (size_t)snprintf(what + len, sizeof what - len, "%s%s", i == 0 ? "must be " : " or ",
                                words[i]);
    fault(reading, option->section, option->key, value, what);
}

static void set_bool(struct reading *reading, const struct option *option, const char *value,
                     bool *place)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1", NULL};
    int found = place_of(words, value);

    if (found >= 0)
        *place = found % 2 == 1;
    else
        fault(reading, option->section, option->key, value, "must be true or false");
}

static void set_address(struct reading *reading, const struct option *option, const char *value,
                        const char **place)
{
    uint8_t address[sizeof(struct in6_addr)];
    char bare[INET6_ADDRSTRLEN]; // without its interface

    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(value, "%"), value);
    if (inet_pton(AF_INET, value, address) == 1 || inet_pton(AF_INET6, bare, address) == 1)
        *place = keep_text(reading, value);
    else
        fault(reading, option->section, option->key, value,
              "must be a numeric IPv4 or IPv6 address, such as 127.0.0.1 or ::");
}

// A path that does not begin at the root begins where the configuration lies.
static void set_path(struct reading *reading, const char *value, const char **place)
{
    const char *slash = strrchr(reading->path, '/');
    char *path = NULL;

    if (value[0] == '/' || value[0] == 0 || !slash) {
        *place = keep_text(reading, value);
    } else if (asprintf(&path, "%.*s/%s", (int)(slash - reading->path), reading->path, value) > 0) {
        *place = keep_text(reading, path);
        free(path);
    }
}

static void set_option(struct reading *reading, const struct option *option, const char *value,
                       void *place)
{
    static const char *const games[] = {"echo", "relay", NULL};
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    static const char *const profiles[] = {"mlapi", "hail", NULL};
    static const char *const exchanges[] = {"signed", "unsigned", "pinned", NULL};
    static const char *const cookies[] = {"under_load", "always", "never", NULL};
    static const char *const ios[] = {"auto", "uring", "epoll", NULL};
    static const char *const sizes[] = {"16", "32", "64", NULL};

    switch (option->kind) {
    case KIND_U8:
    case KIND_U16:
    case KIND_U32:
    case KIND_U64:
        set_number(reading, option, value, place);
        return;
    case KIND_BOOL:
        set_bool(reading, option, value, place);
        return;
    case KIND_TEXT:
        *(const char **)place = keep_text(reading, value);
        return;
    case KIND_PATH:
        set_path(reading, value, place);
        return;
    case KIND_ADDRESS:
        set_address(reading, option, value, place);
        return;
    case KIND_FLOOR:
        set_word(reading, option, value, floor_words, 0, place);
        return;
    case KIND_CHANNEL:
        set_word(reading, option, value, kind_words, HAIL_RELIABLE_ORDERED, place);
        return;
    case KIND_GAME:
        set_word(reading, option, value, games, 0, place);
        return;
    case KIND_LOG_LEVEL:
        set_word(reading, option, value, levels, 0, place);
        return;
    case KIND_PROFILE:
        set_word(reading, option, value, profiles, HAIL_PROFILE_MLAPI, place);
        return;
    case KIND_IO:
        set_word(reading, option, value, ios, HAIL_IO_AUTO, place);
        return;
    case KIND_HASH_SIZE:
        set_word(reading, option, value, sizes, 0, place);
        return;
    case KIND_EXCHANGE:
        set_word(reading, option, value, exchanges, 0, place);
        return;
    case KIND_COOKIES:
        set_word(reading, option, value, cookies, 0, place);
        return;
    case KIND_NETWORKS:
        if (!each_part(reading, value, take_network))
            fault(reading, option->section, option->key, value, "must be up to 64 networks");
        return;
    case KIND_SCENES:
        if (!each_part(reading, value, take_scene))
            fault(reading, option->section, option->key, value, "must be up to 256 names");
        return;
    case KIND_PREFABS:
        if (!each_part(reading, value, take_prefab))
            fault(reading, option->section, option->key, value, "must be up to 4096 numbers");
        return;
    }
}

// [floors] NAME = FLOOR, and [rpc_floors] METHOD or METHOD/SIGNATURE = FLOOR.
static void add_handler(struct reading *reading, bool is_rpc, const char *section, const char *name,
                        const char *value)
{
    struct hail_config *config = &reading->settings->config;
    int floor = place_of(floor_words, value);
    char *own = keep_text(reading, name);

    if (!own)
        return;
    if (floor < 0) {
        fault(reading, section, name, value, "must be none, encrypted, authenticated or both");
        return;
    }
    if (config->handler_count == SETTINGS_HANDLERS_MAX) {
        fault(reading, section, name, value, "is one too many: 512 names at most");
        return;
    }
    char *slash = is_rpc ? strchr(own, '/') : NULL;
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < config->handler_count; i++) {
        const struct hail_handler *other = &reading->settings->handlers[i];
        if ((other->kind == HAIL_HANDLER_RPC) == is_rpc && strcmp(other->name, own) == 0)
            fault(reading, section, name, value, "is given twice");
    }
    reading->settings->handlers[config->handler_count++] = (struct hail_handler){
        .kind = is_rpc ? HAIL_HANDLER_RPC : HAIL_HANDLER_MESSAGE,
        .name = own,
        .signature = slash ? slash + 1 : NULL,
        .floor = (uint32_t)floor,
    };
}

static void unknown_key(struct reading *reading, const char *section, const char *key,
                        const char *value)
{
    bool known_section = false;

    for (size_t i = 0; i < OPTION_COUNT; i++)
        known_section |= strcmp(options[i].section, section) == 0;
    fault(reading, section, key, value,
          known_section ? "no such key in this section; haild --help lists them"
                        : "no such section; there are haild, server, hail, mlapi, channel NAME, "
                          "floors and rpc_floors");
}

static void channel_fault(struct reading *reading, const char *name, const char *what)
{
    reading->bad = true;
    fprintf(reading->errors, "haild: %s:%u: [channel %s]: %s\n", reading->path,
            reading->channel_line, name, what);
}

// What is wrong with a channel's name, or NULL.
static const char *channel_name_fault(const struct settings *settings, const char *name)
{
    if (*name == 0)
        return "a channel needs a name, as in [channel chat]";
    if (strlen(name) > SETTINGS_CHANNEL_NAME_MAX)
        return "the name has more than 31 bytes; give it a shorter one";
    for (size_t i = 0; i < settings->config.channel_count; i++) {
        if (strcmp(settings->channels[i].name, name) == 0)
            return "is given twice; put all its keys into one section";
    }
    if (settings->config.channel_count == HAIL_CHANNELS_MAX)
        return "is one too many: 64 channels at most; leave one out";
    return NULL;
}

// What a channel lacks can be told only when its section ends.
static void end_channel(struct reading *reading)
{
    const struct hail_channel *channel = reading->channel;

    reading->channel = NULL;
    if (!channel)
        return;
    if (!reading->channel_given[0])
        channel_fault(reading, channel->name,
                      "kind is missing; write kind = reliable_ordered, reliable_unordered, "
                      "sequenced or unreliable");
    else if (channel->age_max_ms > 0 && channel->kind <= HAIL_RELIABLE_UNORDERED)
        channel_fault(reading, channel->name,
                      "age_max_ms: what is reliable is sent however old it is; leave it out, or "
                      "write kind = sequenced or unreliable");
}

// A line that begins a section. The parser tells of sections only by their keys, and a channel
// without any would have no number.
static void begin_section(struct reading *reading, const char *header)
{
    static const char word[] = "channel";
    size_t len = strcspn(header, "]");
    char name[LINE_LEN + 1];

    end_channel(reading);
    if (header[len] != ']' || strncmp(header, word, sizeof word - 1) != 0)
        return;
    header += sizeof word - 1;
    len -= sizeof word - 1;
    if (len > 0 && !isspace((unsigned char)header[0]))
        return; // a section that there is not
    for (; len > 0 && isspace((unsigned char)header[0]); len--)
        header++;
    while (len > 0 && isspace((unsigned char)header[len - 1]))
        len--;
    snprintf(name, sizeof name, "%.*s", (int)len, header);
    reading->channel_line = reading->line;
    const char *what = channel_name_fault(reading->settings, name);
    if (what) {
        channel_fault(reading, name, what);
        return;
    }
    const char *own = keep_text(reading, name);
    if (!own)
        return;
    memset(reading->channel_given, 0, sizeof reading->channel_given);
    reading->channel = &reading->settings->channels[reading->settings->config.channel_count++];
    reading->channel->name = own;
}

// A key of the channel whose section it is.
static void set_channel(struct reading *reading, const char *section, const char *key,
                        const char *value)
{
    for (size_t i = 0; i < CHANNEL_OPTION_COUNT; i++) {
        struct option option = channel_options[i];
        if (strcmp(option.key, key) != 0)
            continue;
        if (reading->channel_given[i])
            fault(reading, section, key, value, "is given twice");
        reading->channel_given[i] = true;
        option.section = section;
        set_option(reading, &option, value, (char *)reading->channel + option.offset);
        return;
    }
    fault(reading, section, key, value,
          "no such key in this section; there are kind, floor, priority, weight and age_max_ms");
}

static int on_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;

    if (reading->channel) {
        set_channel(reading, section, key, value);
        return 1;
    }
    if (strncmp(section, "channel", 7) == 0 &&
        (section[7] == 0 || isspace((unsigned char)section[7])))
        return 1; // of one whose name is wrong, which has been told
    if (strcmp(section, "floors") == 0 || strcmp(section, "rpc_floors") == 0) {
        add_handler(reading, section[0] == 'r', section, key, value);
        return 1;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].section, section) != 0 || strcmp(options[i].key, key) != 0)
            continue;
        bool repeats = options[i].kind == KIND_NETWORKS || options[i].kind == KIND_SCENES ||
                       options[i].kind == KIND_PREFABS;
        if (reading->given[i] && !repeats)
            fault(reading, section, key, value, "is given twice");
        reading->given[i] = reading->line;
        set_option(reading, &options[i], value, (char *)reading->settings + options[i].offset);
        return 1;
    }
    unknown_key(reading, section, key, value);
    return 1;
}

// The parser's way to get a line; it does not count them, so we do.
static char *next_line(char *line, int size, void *stream)
{
    struct reading *reading = stream;
    char *got = fgets(line, size, reading->file);

    if (!got)
        return NULL;
    reading->line++;
    const char *what = ini_line_fault(got);
    bool is_cut = strchr(got, '\n') == NULL && strlen(got) < LINE_LEN && !feof(reading->file);
    if (is_cut)
        what = "has a byte of zero in it: is it a text file, in UTF-8?";
    if (what) {
        reading->bad = true;
        fprintf(reading->errors, "haild: %s:%u: %s\n", reading->path, reading->line, what);
    }
    const char *text = got + strspn(got, "\xef\xbb\xbf"); // also behind a byte order mark
    if (*text == '[' && !what)
        begin_section(reading, text + 1);
    if (strlen(got) >= LINE_LEN && got[strlen(got) - 1] != '\n') {
        reading->bad = true;
        fprintf(reading->errors,
                "haild: %s:%u: line is longer than %d bytes; scenes and prefab_hashes may be "
                "repeated\n",
                reading->path, reading->line, LINE_LEN - 1);
        int byte;
        while ((byte = fgetc(reading->file)) != EOF && byte != '\n')
            continue;
    }
    if (what) // told; the parser has no use for it
        memcpy(got, "\n", 2);
    return got;
}

// Keys of the profile that it is not: whoever wrote them expects them to do something.
static void check_profile(struct reading *reading)
{
    const struct hail_config *config = &reading->settings->config;
    bool is_native = config->profile == HAIL_PROFILE_HAIL;
    const char *other = is_native ? "mlapi" : "hail";

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (reading->given[i] == 0 || strcmp(options[i].section, other) != 0)
            continue;
        reading->bad = true;
        fprintf(reading->errors,
                "haild: %s:%u: [%s] %s: the profile is %s, which has no such thing; leave it out, "
                "or write profile = %s\n",
                reading->path, reading->given[i], other, options[i].key,
                is_native ? "hail" : "mlapi", other);
    }
}

// What the channels lack as a whole.
static void check_channels(struct reading *reading)
{
    const struct hail_config *config = &reading->settings->config;
    bool is_native = config->profile == HAIL_PROFILE_HAIL;
    bool has_unreliable = false;

    for (size_t i = 0; i < config->channel_count; i++) {
        const struct hail_channel *channel = &config->channels[i];
        has_unreliable |= channel->kind == HAIL_UNRELIABLE;
        if (!is_native && channel->floor != 0) {
            reading->bad = true;
            fprintf(reading->errors,
                    "haild: %s: [channel %s] floor: on the profile mlapi the wire has no channels; "
                    "give it to the names, in [floors] and [rpc_floors]\n",
                    reading->path, channel->name);
        }
    }
    if (!is_native || config->channel_count == 0 || has_unreliable)
        return;
    reading->bad = true;
    fprintf(reading->errors,
            "haild: %s: the profile hail needs a channel of kind = unreliable; add [channel state] "
            "with it, or leave all channels out\n",
            reading->path);
}

bool settings_read(struct settings *settings, const char *path, FILE *errors)
{
    struct reading reading = {.settings = settings, .path = path, .errors = errors};

    memset(settings, 0, sizeof *settings);
    settings->config = (struct hail_config)HAIL_CONFIG_INIT;
    settings->config.handlers = settings->handlers;
    settings->config.channels = settings->channels;
    settings->config.trusted = settings->trusted;
    settings->config.mlapi.scenes = settings->scenes;
    settings->config.mlapi.prefab_hashes = settings->prefab_hashes;
    settings->drain_ms = 5000;
    settings->log_level = HAIL_LOG_INFO;

    reading.file = fopen(path, "r");
    if (!reading.file) {
        fprintf(errors, "haild: %s: %s; give a readable file with --config\n", path,
                strerror(errno));
        return false;
    }
    int first_bad_line = ini_parse_stream(next_line, &reading, on_pair, &reading);
    fclose(reading.file);
    if (first_bad_line != 0) {
        fprintf(errors, "haild: %s:%d: neither a [section], a comment, nor KEY = VALUE\n", path,
                first_bad_line);
        return false;
    }
    end_channel(&reading);
    if (settings->config.profile != HAIL_PROFILE_NONE && !reading.bad) {
        check_channels(&reading);
        check_profile(&reading);
    }
    if (settings->config.profile == HAIL_PROFILE_NONE && !reading.bad) {
        fprintf(errors, "haild: %s: [server] profile is missing; write profile = hail, or mlapi\n",
                path);
        return false;
    }
    return !reading.bad;
}

void settings_cleanup(struct settings *settings)
{
    for (size_t i = 0; i < settings->text_count; i++)
        free(settings->texts[i]);
    memset(settings, 0, sizeof *settings);
}

static void help_options(FILE *out, const struct option *list, size_t count)
{
    const char *section = "";

    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, list[i].section) != 0)
            fprintf(out, "  [%s]\n", list[i].section);
        section = list[i].section;
        fprintf(out, "    %-36s %s\n", list[i].key, list[i].help);
    }
}

const char *settings_channel_name(const struct settings *settings, size_t channel)
{
    if (channel < settings->config.channel_count)
        return settings->channels[channel].name;
    bool is_default = settings->config.channel_count == 0 && channel <= HAIL_UNRELIABLE;
    return is_default ? kind_words[channel] : NULL;
}

void settings_help(FILE *out)
{
    help_options(out, options, OPTION_COUNT);
    help_options(out, channel_options, CHANNEL_OPTION_COUNT);
    fprintf(out, "    (a section for each, in the order of their numbers, and one of them\n"
                 "    unreliable; without any: one for each kind)\n");
    fprintf(
        out,
        "  [floors]\n    NAME = none, encrypted, authenticated or both\n"
        "  [rpc_floors]\n    METHOD = the same; or METHOD/SIGNATURE, as Move/MoveInt32Single\n");
}
