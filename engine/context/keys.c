// keys.c: see keys.h.
// SPDX-License-Identifier: MIT
#include "engine/context/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/context/context.h"

enum {
    ROTATION_DEFAULT_S = 86400,
    WINDOW_BEFORE_S = 3600, // clocks differ
    ITERATIONS_DEFAULT = 1000,
    TICKET_LIFE_DEFAULT_S = 43200,
    DATE_OFF_S = 600 // well below WINDOW_BEFORE_S
};

static const uint64_t DATE_LOOK_NS = 5 * HAIL_NS_PER_S;

static const uint64_t cookie_key_ns =
    HAIL_COOKIE_KEY_PERIODS * HAIL_COOKIE_PERIOD_MS * HAIL_NS_PER_MS;

static enum hail_status refuse(const struct hail_context *context, const char *what)
{
    hail_log_line(&context->log, HAIL_LOG_ERROR, "config field=native.%s", what);
    return HAIL_EINVAL;
}

static uint32_t rotation_s(const struct hail_context *context)
{
    uint32_t seconds = context->config.native.key_rotation_s;

    return seconds > 0 ? seconds : ROTATION_DEFAULT_S;
}

// Vouches for a static key that is about to be used from this date on, for two rotations.
static bool vouch(struct hail_context *context, struct hail_static_key *key, uint64_t now_ns,
                  uint64_t unix_s)
{
    const struct hail_native_config *native = &context->config.native;
    uint64_t not_before = unix_s - WINDOW_BEFORE_S;
    uint64_t not_after = unix_s + 2 * (uint64_t)rotation_s(context) + WINDOW_BEFORE_S;
    struct hail_fault_report report = {0};

    if (context->keys.is_given) // never rotated: as long as may be
        not_after = not_before + (uint64_t)HAIL_KEYCERT_DAYS_MAX * 86400;
    if (hail_keycert_make(key->keycert, &key->keycert_len, context->identity,
                          native->server_name ? native->server_name : "", not_before, not_after,
                          key->pair.public_key, &report)) {
        context->keys.vouched_ns = now_ns;
        context->keys.vouched_s = unix_s;
        return true;
    }
    hail_log_line(&context->log, HAIL_LOG_ERROR, "identity file=%s fault=%s: %s",
                  context->config.identity_file, hail_fault_name(report.fault), report.text);
    return false;
}

static void draw_ticket_key(struct hail_ticket_key *key, struct hail_random *random)
{
    uint8_t secret[HAIL_TICKET_SECRET_LEN];

    hail_random_bytes(random, secret, sizeof secret);
    hail_ticket_key_init(key, secret);
    hail_wipe(secret, sizeof secret);
}

// How long tickets are told to be good. A key that is drawn opens them for one rotation at least.
static uint32_t ticket_life_s(const struct hail_context *context)
{
    const struct hail_native_config *native = &context->config.native;
    uint32_t key_life_s = native->ticket_key ? HAIL_TICKET_LIFE_MAX_S : rotation_s(context);

    if (native->ticket_life_s == 0)
        return key_life_s < TICKET_LIFE_DEFAULT_S ? key_life_s : TICKET_LIFE_DEFAULT_S;
    if (native->ticket_life_s > key_life_s && !native->no_tickets)
        hail_log_line(
            &context->log, HAIL_LOG_WARN,
            "config field=native.ticket_life_s value=%u: above key_rotation_s=%u, so some "
            "tickets will be refused before their life is over; make it at most as long, "
            "or give a ticket_key, which is not rotated",
            native->ticket_life_s, key_life_s);
    return native->ticket_life_s;
}

static void init_tickets(struct hail_context *context, struct hail_random *random)
{
    const struct hail_native_config *native = &context->config.native;
    struct hail_keys *keys = &context->keys;

    keys->gives_tickets = !native->no_tickets;
    keys->tickets_given = native->ticket_key != NULL;
    keys->ticket_life_s = ticket_life_s(context);
    hail_ticket_server_scope(keys->ticket_scope, (enum hail_noise_pattern)keys->pattern,
                             keys->policy_hash, native->server_name ? native->server_name : "");
    if (native->ticket_key)
        hail_ticket_key_init(&keys->tickets[0], native->ticket_key);
    else
        draw_ticket_key(&keys->tickets[0], random);
}

static enum hail_status init_server(struct hail_context *context)
{
    const struct hail_native_config *native = &context->config.native;
    struct hail_keys *keys = &context->keys;
    struct hail_x25519_pair pair;
    struct hail_random random;

    if (native->iterations > HAIL_ITERATIONS_MAX)
        return refuse(context, "iterations: at most 100000");
    if (rotation_s(context) > HAIL_KEY_ROTATION_MAX_S)
        return refuse(context, "key_rotation_s: at most 1209600, which is 14 days");
    if (native->ticket_life_s > HAIL_TICKET_LIFE_MAX_S)
        return refuse(context, "ticket_life_s: at most 604800, which is 7 days");
    keys->terms = (struct hail_welcome_terms){
        .iterations = native->iterations > 0 ? native->iterations : ITERATIONS_DEFAULT,
        .idle_timeout_ms = context->config.idle_timeout_ms,
        .conn_data_max = (uint16_t)(context->config.conn_data_max < HAIL_FINISH_DATA_MAX
                                        ? context->config.conn_data_max
                                        : HAIL_FINISH_DATA_MAX),
    };
    hail_random_init_system(&random);
    hail_cookie_key_init(&keys->cookies[0], 0, &random);
    init_tickets(context, &random);
    keys->is_given = native->static_key != NULL;
    if (keys->is_given)
        hail_x25519_pair_from(&pair, native->static_key);
    else
        hail_x25519_pair_init(&pair, &random);
    hail_random_cleanup(&random);
    hail_static_key_init(&keys->statics[0], &pair);
    hail_wipe(&pair, sizeof pair);
    // A key of the application's is vouched for anew, and stays.
    keys->rotate_ns = context->start_ns + rotation_s(context) * HAIL_NS_PER_S;
    if (native->exchange == HAIL_SIGNED && !vouch(context, &keys->statics[0], context->start_ns,
                                                  (uint64_t)(context->start_unix_ns / 1000000000)))
        return HAIL_EIDENTITY;
    return HAIL_OK;
}

static enum hail_status init_client(struct hail_context *context)
{
    const struct hail_native_config *native = &context->config.native;
    struct hail_keys *keys = &context->keys;

    if (native->iterations_max > HAIL_ITERATIONS_MAX)
        return refuse(context, "iterations_max: at most 100000");
    if (native->exchange == HAIL_PINNED && !native->static_key)
        return refuse(context, "static_key: HAIL_PINNED needs the server's public key");
    if (native->exchange == HAIL_PINNED) {
        memcpy(keys->server_key, native->static_key, sizeof keys->server_key);
        keys->client.server_key = keys->server_key;
    }
    keys->client.pattern = (enum hail_noise_pattern)keys->pattern;
    memcpy(keys->client.policy_hash, keys->policy_hash, sizeof keys->client.policy_hash);
    keys->client.iterations_max =
        native->iterations_max > 0 ? native->iterations_max : HAIL_ITERATIONS_MAX;
    return HAIL_OK;
}

// Why session keys must not be written to an open file; NULL: nothing is wrong with it. It may have
// been there before, made by whoever wants to read them.
static const char *fault_of_log(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return strerrordesc_np(errno);
    if (!S_ISREG(status.st_mode))
        return "is no regular file";
    if (status.st_uid != geteuid())
        return "belongs to another user; remove it";
    if (status.st_mode & (S_IRWXO | S_IWGRP))
        return "is there already, and others may open it; chmod 600 it";
    return NULL;
}

static enum hail_status open_log(struct hail_context *context)
{
    const char *path = context->config.native.key_log_file;

    context->keys.log_fd = -1;
    if (!path)
        return HAIL_OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    const char *fault = fd >= 0          ? fault_of_log(fd)
                        : errno == ELOOP ? "is a symbolic link, which is not followed"
                                         : strerrordesc_np(errno);
    if (fault) {
        hail_log_line(&context->log, HAIL_LOG_ERROR, "config field=native.key_log_file path=%s: %s",
                      path, fault);
        if (fd >= 0)
            close(fd);
        return HAIL_ESYS;
    }
    context->keys.log_fd = fd;
    hail_log_line(&context->log, HAIL_LOG_WARN,
                  "KEYS OF ALL SESSIONS ARE WRITTEN to %s: whoever reads it can read and forge "
                  "everything; for debugging only",
                  path);
    return HAIL_OK;
}

enum hail_status hail_keys_init(struct hail_context *context)
{
    static const uint8_t patterns[] = {
        [HAIL_SIGNED] = HAIL_NOISE_NX,
        [HAIL_UNSIGNED] = HAIL_NOISE_NN,
        [HAIL_PINNED] = HAIL_NOISE_NK,
    };
    const struct hail_native_config *native = &context->config.native;

    hail_aead_prepare();
    context->keys.log_fd = -1;
    if ((unsigned)native->exchange > HAIL_PINNED)
        return refuse(context, "exchange: not one of HAIL_SIGNED, HAIL_UNSIGNED, HAIL_PINNED");
    if ((unsigned)native->cookies > HAIL_COOKIE_NEVER)
        return refuse(context, "cookies: not one of HAIL_COOKIE_*");
    context->keys.pattern = patterns[native->exchange];
    hail_policy_hash(&context->policy, context->keys.policy_hash);
    enum hail_status status = context->is_server ? init_server(context) : init_client(context);
    context->config.native.static_key = NULL; // the application's, and not kept
    context->config.native.ticket_key = NULL;
    return status == HAIL_OK ? open_log(context) : status;
}

void hail_keys_cleanup(struct hail_keys *keys)
{
    for (size_t i = 0; i < HAIL_STATIC_KEYS; i++)
        hail_static_key_cleanup(&keys->statics[i]);
    hail_wipe(keys->cookies, sizeof keys->cookies);
    hail_wipe(keys->tickets, sizeof keys->tickets);
    if (keys->log_fd > 0)
        close(keys->log_fd);
}

const struct hail_static_key *hail_keys_current(const struct hail_keys *keys, uint8_t pattern,
                                                const uint8_t id[HAIL_STATIC_ID_LEN])
{
    // Acquire: pairs with the release in hail_keys_rotate.
    uint32_t current = atomic_load_explicit(&keys->current, memory_order_acquire);

    if (pattern != HAIL_HELLO_NX && pattern != HAIL_HELLO_NK)
        return NULL;
    for (uint32_t age = 0; age <= 1 && age <= current; age++) {
        const struct hail_static_key *key = &keys->statics[(current - age) % HAIL_STATIC_KEYS];
        if (pattern == HAIL_NOISE_NX || hail_equal(key->id, id, sizeof key->id))
            return key;
    }
    return NULL;
}

static void rotate_tickets(struct hail_keys *keys, struct hail_random *random)
{
    uint32_t current = atomic_load_explicit(&keys->ticket_current, memory_order_relaxed);

    if (keys->tickets_given)
        return;
    draw_ticket_key(&keys->tickets[(current + 1) % HAIL_STATIC_KEYS], random);
    // Release: pairs with the acquire in whoever seals or opens a ticket.
    atomic_store_explicit(&keys->ticket_current, current + 1, memory_order_release);
}

struct hail_cookie_keys hail_keys_cookies(const struct hail_keys *keys)
{
    // Acquire: pairs with the release in rotate_cookies.
    uint32_t current = atomic_load_explicit(&keys->cookie_current, memory_order_acquire);

    return (struct hail_cookie_keys){
        .newest = &keys->cookies[current % HAIL_STATIC_KEYS],
        .before = &keys->cookies[(current > 0 ? current - 1 : 0) % HAIL_STATIC_KEYS],
    };
}

// The next key is used from the period after the next on: until then every shard has seen it, so
// that all have the same for each period, and the words of the next do not change any more.
static void rotate_cookies(struct hail_keys *keys, struct hail_random *random, uint64_t now_ns)
{
    uint32_t current = atomic_load_explicit(&keys->cookie_current, memory_order_relaxed);
    bool is_first = keys->cookie_rotate_ns == 0;

    if (now_ns < keys->cookie_rotate_ns)
        return;
    keys->cookie_rotate_ns = now_ns + cookie_key_ns;
    if (is_first)
        return; // the key that was drawn at start
    hail_cookie_key_init(&keys->cookies[(current + 1) % HAIL_STATIC_KEYS],
                         hail_cookie_period(now_ns) + 2, random);
    // Release: pairs with the acquire in hail_keys_cookies.
    atomic_store_explicit(&keys->cookie_current, current + 1, memory_order_release);
}

uint64_t hail_keys_next_ns(const struct hail_keys *keys)
{
    uint64_t next =
        keys->rotate_ns < keys->cookie_rotate_ns ? keys->rotate_ns : keys->cookie_rotate_ns;

    // The date is looked at from time to time: nobody tells when it is set.
    return keys->look_ns > 0 && keys->look_ns < next ? keys->look_ns : next;
}

// Whether somebody has set the clock since the key's certificate was made, so far that clients may
// find it not yet valid, or no longer.
static bool date_has_moved(struct hail_context *context, uint64_t now_ns, uint64_t unix_s)
{
    struct hail_keys *keys = &context->keys;

    if (context->config.native.exchange != HAIL_SIGNED || now_ns < keys->look_ns)
        return false;
    keys->look_ns = now_ns + DATE_LOOK_NS;
    uint64_t expected_s = keys->vouched_s + (now_ns - keys->vouched_ns) / HAIL_NS_PER_S;
    uint64_t off_s = expected_s > unix_s ? expected_s - unix_s : unix_s - expected_s;
    if (off_s < DATE_OFF_S)
        return false;
    hail_log_line(&context->log, HAIL_LOG_WARN,
                  "the clock was set by %llu s since the key's certificate was made: another is "
                  "made",
                  (unsigned long long)off_s);
    return true;
}

void hail_keys_rotate(struct hail_context *context, struct hail_random *random, uint64_t now_ns,
                      uint64_t unix_s)
{
    struct hail_keys *keys = &context->keys;
    uint32_t current = atomic_load_explicit(&keys->current, memory_order_relaxed);
    struct hail_static_key *next = &keys->statics[(current + 1) % HAIL_STATIC_KEYS];
    struct hail_x25519_pair pair;
    bool is_due = now_ns >= keys->rotate_ns;

    rotate_cookies(keys, random, now_ns);
    if (!is_due && !date_has_moved(context, now_ns, unix_s))
        return;
    if (is_due) {
        keys->rotate_ns = now_ns + rotation_s(context) * HAIL_NS_PER_S;
        rotate_tickets(keys, random);
    }
    if (keys->is_given || !is_due)
        pair = keys->statics[current % HAIL_STATIC_KEYS].pair;
    else
        hail_x25519_pair_init(&pair, random);
    hail_static_key_init(next, &pair);
    hail_wipe(&pair, sizeof pair);
    // Without a fresh certificate the old key goes on, for as long as its own is good.
    if (context->config.native.exchange == HAIL_SIGNED && !vouch(context, next, now_ns, unix_s)) {
        hail_static_key_cleanup(next);
        return;
    }
    // Release: pairs with the acquire in hail_keys_current, so the key is whole before it is used.
    atomic_store_explicit(&keys->current, current + 1, memory_order_release);
    if (is_due)
        hail_log_line(&context->log, HAIL_LOG_INFO, "static key rotated");
}

void hail_keys_ticket_seal(const struct hail_keys *keys, uint8_t ticket[HAIL_TICKET_LEN],
                           const uint8_t stretched[HAIL_STRETCHED_LEN], uint64_t unix_s,
                           struct hail_random *random)
{
    // Acquire: pairs with the release in rotate_tickets, here and below.
    uint32_t current = atomic_load_explicit(&keys->ticket_current, memory_order_acquire);
    uint8_t psk[HAIL_NOISE_PSK_LEN];

    hail_ticket_psk(psk, stretched);
    hail_ticket_seal(ticket, &keys->tickets[current % HAIL_STATIC_KEYS], keys->ticket_scope, psk,
                     unix_s + keys->ticket_life_s, random);
    hail_wipe(psk, sizeof psk);
}

enum hail_verdict hail_keys_ticket_open(const struct hail_keys *keys,
                                        uint8_t psk[HAIL_NOISE_PSK_LEN], struct hail_bytes ticket,
                                        uint64_t unix_s)
{
    uint32_t current = atomic_load_explicit(&keys->ticket_current, memory_order_acquire);

    for (uint32_t age = 0; age <= 1 && age <= current; age++) {
        const struct hail_ticket_key *key = &keys->tickets[(current - age) % HAIL_STATIC_KEYS];
        if (hail_ticket_is_by(ticket, key))
            return hail_ticket_open(psk, ticket, key, keys->ticket_scope, unix_s);
    }
    return HAIL_DROP_TICKET_KEY;
}

void hail_keys_log(const struct hail_keys *keys, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                   const uint8_t stretched[HAIL_STRETCHED_LEN])
{
    char line[5 + 2 * HAIL_CLIENT_TOKEN_LEN + 1 + 2 * HAIL_STRETCHED_LEN + 2];
    int at = snprintf(line, sizeof line, "HAIL ");

    if (keys->log_fd < 0)
        return;
    for (int i = 0; i < HAIL_CLIENT_TOKEN_LEN; i++)
        at += snprintf(line + at, sizeof line - (size_t)at, "%02x", token[i]);
    line[at++] = ' ';
    for (int i = 0; i < HAIL_STRETCHED_LEN; i++)
        at += snprintf(line + at, sizeof line - (size_t)at, "%02x", stretched[i]);
    line[at++] = '\n';
    ssize_t written = write(keys->log_fd, line, (size_t)at);
    (void)written; // a full disk must not end a session
    hail_wipe(line, sizeof line);
}
