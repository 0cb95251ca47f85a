// dump.c: see dump.h. What lies where is WIRE.md's.
// SPDX-License-Identifier: MIT
#include "tools/load/dump.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "crypto/time.h"
#include "proto/datagram.h"
#include "proto/frames.h"
#include "proto/noise.h"
#include "proto/traffic.h"
#include "tools/load/hex.h"

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return hail_time_ns(&now);
}

bool dump_open(struct dump *dump, const char *path)
{
    *dump = (struct dump){.file = fopen(path, "we"), .begin_ns = clock_ns()};
    pthread_mutex_init(&dump->lock, NULL);
    if (!dump->file)
        fprintf(stderr, "hail-load: --dump %s: %s\n", path, strerror(errno));
    else
        fprintf(dump->file,
                "# seconds, > to the server or < from it, what, bytes: what is in it\n");
    return dump->file != NULL;
}

void dump_close(struct dump *dump)
{
    if (!dump->file)
        return;
    fclose(dump->file);
    pthread_mutex_destroy(&dump->lock);
}

static const char *pattern_name(uint8_t pattern)
{
    switch ((enum hail_noise_pattern)pattern) {
    case HAIL_NOISE_NX:
        return "NX";
    case HAIL_NOISE_NN:
        return "NN";
    case HAIL_NOISE_NK:
        return "NK";
    }
    return "unknown";
}

static void show_token(FILE *out, const uint8_t token[HAIL_CLIENT_TOKEN_LEN])
{
    char digits[2 * HAIL_CLIENT_TOKEN_LEN + 1];

    hex_write(digits, token, HAIL_CLIENT_TOKEN_LEN);
    fprintf(out, "token %s", digits);
}

static void show_handshake(FILE *out, enum hail_datagram_type type, const uint8_t *data, size_t len)
{
    struct hail_hello hello;
    struct hail_welcome welcome;
    struct hail_finish finish;
    struct hail_refuse refuse;
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t cookie[HAIL_COOKIE_LEN];

    if (type == HAIL_DATAGRAM_HELLO && hail_hello_decode(&hello, data, len) == HAIL_ACCEPT) {
        fprintf(out, "hello %zu: version %u, pattern %s, %s cookie, wants fragment %u, ", len,
                hello.version, pattern_name(hello.pattern), hello.has_cookie ? "with a" : "no",
                hello.wanted);
        show_token(out, hello.token);
    } else if (type == HAIL_DATAGRAM_RETRY &&
               hail_retry_decode(token, cookie, data, len) == HAIL_ACCEPT) {
        fprintf(out, "retry %zu: a cookie, ", len);
        show_token(out, token);
    } else if (type == HAIL_DATAGRAM_WELCOME &&
               hail_welcome_decode(&welcome, data, len) == HAIL_ACCEPT) {
        fprintf(out, "welcome %zu: connection %08x, fragment %u of %u, %zu bytes, ", len,
                welcome.conn_id, welcome.index, welcome.count, welcome.fragment.len);
        show_token(out, welcome.token);
    } else if (type == HAIL_DATAGRAM_FINISH &&
               hail_finish_decode(&finish, data, len) == HAIL_ACCEPT) {
        fprintf(out, "finish %zu: connection %08x, ", len, finish.conn_id);
        show_token(out, finish.token);
    } else if (type == HAIL_DATAGRAM_REFUSE &&
               hail_refuse_decode(&refuse, data, len) == HAIL_ACCEPT) {
        fprintf(out, "refuse %zu: reason %u, version %u, ", len, refuse.reason, refuse.version);
        show_token(out, refuse.token);
    } else {
        fprintf(out, "malformed %zu", len);
    }
}

static const char *frame_name(enum hail_frame_type type)
{
    switch (type) {
    case HAIL_FRAME_PADDING:
        return "padding";
    case HAIL_FRAME_MESSAGE:
        return "message";
    case HAIL_FRAME_NAMED:
        return "named message";
    case HAIL_FRAME_CALL:
        return "call";
    case HAIL_FRAME_REQUEST:
        return "request";
    case HAIL_FRAME_RESPONSE:
        return "response";
    case HAIL_FRAME_ERROR:
        return "error response";
    case HAIL_FRAME_CHANNEL:
        return "message on a channel";
    case HAIL_FRAME_RELIABLE:
        return "reliable message";
    case HAIL_FRAME_FRAGMENT:
        return "fragment";
    case HAIL_FRAME_PING:
        return "ping";
    case HAIL_FRAME_PONG:
        return "pong";
    case HAIL_FRAME_PATH_CHALLENGE:
        return "path challenge";
    case HAIL_FRAME_PATH_RESPONSE:
        return "path response";
    case HAIL_FRAME_CLOSE:
        return "close";
    case HAIL_FRAME_APPROVED:
        return "approved";
    case HAIL_FRAME_WAIT:
        return "wait";
    case HAIL_FRAME_UPDATE:
        return "update";
    case HAIL_FRAME_ACK:
        return "acknowledgement";
    case HAIL_FRAME_ASK:
        return "ask";
    case HAIL_FRAME_TICKET:
        return "ticket";
    case HAIL_FRAME_LIMITS:
        return "limits";
    }
    return "unknown frame";
}

static void show_frames(FILE *out, const uint8_t *frames, size_t len)
{
    static const struct hail_policy nobodys; // numbers of names stay numbers
    struct hail_native_frame frame;
    size_t at = 0;

    while (at < len) {
        size_t from = at;
        enum hail_verdict verdict = hail_frames_next(&frame, &nobodys, frames, len, &at);
        fputs(from == 0 ? " " : ", ", out);
        if (verdict == HAIL_DROP_NAME) {
            fprintf(out, "to a name with a floor (%zu bytes)", at - from);
            continue;
        }
        if (verdict != HAIL_ACCEPT) {
            fprintf(out, "what cannot be read (%zu bytes)", len - from);
            return;
        }
        fputs(frame_name(frame.type), out);
        if (frame.type == HAIL_FRAME_RELIABLE || frame.type == HAIL_FRAME_FRAGMENT)
            fprintf(out, " (%zu bytes at %u of %u, number %u)", frame.bytes.len, frame.part.offset,
                    frame.part.total, frame.part.id);
        else if (!hail_frames_is_control(frame.type))
            fprintf(out, " (%zu bytes)", frame.message.body_len);
        else if (frame.type == HAIL_FRAME_CLOSE)
            fprintf(out, " (reason %u: %.*s)", frame.reason, (int)frame.text.len,
                    frame.text.len > 0 ? (const char *)frame.text.data : "");
        else if (frame.type == HAIL_FRAME_APPROVED)
            fprintf(out, " (client %llu)", (unsigned long long)frame.client_id);
    }
}

// Opens a copy, and shows its frames.
static void open_packet(FILE *out, struct dump_way *way, enum hail_direction direction,
                        const struct hail_packet_header *header, const uint8_t *key,
                        const uint8_t *data, size_t len)
{
    uint8_t copy[HAIL_PACKET_MAX];
    bool is_plain = header->protection == HAIL_PROTECTION_PLAIN;
    struct hail_replay *seen = is_plain ? &way->plain_seen : &way->protected_seen;
    uint64_t number = hail_replay_expand(seen, header->low24);
    uint32_t epoch = way->epoch + (((uint32_t)header->epoch_low - way->epoch) & 3);
    struct hail_traffic_keys keys;
    size_t frames_len = 0;

    memcpy(copy, data, len);
    if (!is_plain)
        fprintf(out, ", epoch %u", epoch);
    fprintf(out, ", number %llu:", (unsigned long long)number);
    if (!hail_traffic_derive(&keys, key, direction, is_plain ? way->epoch : epoch))
        return;
    enum hail_verdict verdict =
        hail_packet_open(copy, len, &frames_len, direction, header, number, &keys);
    hail_traffic_cleanup(&keys);
    if (verdict != HAIL_ACCEPT) {
        fputs(" forged, or of keys gone by", out);
        return;
    }
    if (!is_plain)
        way->epoch = epoch;
    if (hail_replay_fresh(seen, number))
        hail_replay_mark(seen, number);
    show_frames(out, copy + hail_packet_frames_at(direction, header->protection), frames_len);
}

static void show_packet(struct dump *dump, struct hail_endpoint *endpoint, bool sent,
                        const uint8_t *data, size_t len)
{
    static const char *const protections[] = {"", "plain", "authenticated", "encrypted"};
    enum hail_direction direction = sent ? HAIL_TO_SERVER : HAIL_TO_CLIENT;
    struct hail_packet_header header;
    uint8_t key[HAIL_KEY_LEN];

    if (hail_packet_decode(&header, direction, data, len) != HAIL_ACCEPT) {
        fprintf(dump->file, "malformed %zu", len);
        return;
    }
    fprintf(dump->file, "packet %zu: %s", len, protections[header.protection]);
    if (sent)
        fprintf(dump->file, ", connection %08x", header.conn_id);
    if (hail_client_key(endpoint, dump->conn, key) == HAIL_OK)
        open_packet(dump->file, &dump->ways[!sent], direction, &header, key, data, len);
    explicit_bzero(key, sizeof key);
}

void dump_datagram(struct dump *dump, struct hail_endpoint *endpoint, struct hail_conn conn,
                   bool sent, const uint8_t *data, size_t len)
{
    enum hail_datagram_type type;

    pthread_mutex_lock(&dump->lock);
    if (dump->conn.id == 0)
        dump->conn = conn;
    if (dump->conn.id == conn.id) {
        fprintf(dump->file, "%.6f %c ", (double)(clock_ns() - dump->begin_ns) / 1e9,
                sent ? '>' : '<');
        if (hail_datagram_type_of(&type, data, len) != HAIL_ACCEPT)
            fprintf(dump->file, "malformed %zu", len);
        else if (type == HAIL_DATAGRAM_PACKET)
            show_packet(dump, endpoint, sent, data, len);
        else
            show_handshake(dump->file, type, data, len);
        fputc('\n', dump->file);
    }
    pthread_mutex_unlock(&dump->lock);
}
