// datagram.c: see datagram.h.
// SPDX-License-Identifier: MIT
#include "proto/datagram.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/hash.h"
#include "proto/noise.h"

// Where things lie in a hello.
enum {
    WAIT_STEP_MS = 100, // of refuse 9
    AT_VERSION = 1,
    AT_PATTERN = 2,
    AT_RESERVED = 3,
    AT_TOKEN = 4,
    AT_POLICY = 12,
    AT_STATIC = 44,
    AT_WANTED = 52,
    AT_COOKIE = 54,
    AT_NOISE = 78,
    AT_TICKET_LEN = AT_NOISE + HAIL_NOISE_FIRST_MAX,
    AT_TICKET = AT_TICKET_LEN + 1,
    PROLOGUE_LEN = 4 + AT_WANTED - AT_VERSION // without a ticket
};
_Static_assert((int)PROLOGUE_LEN + (int)HAIL_SHA256_LEN == (int)HAIL_PROLOGUE_MAX,
               "WIRE.md, section 2.1");
_Static_assert((int)HAIL_HELLO_NX == (int)HAIL_NOISE_NX &&
                   (int)HAIL_HELLO_NN == (int)HAIL_NOISE_NN &&
                   (int)HAIL_HELLO_NK == (int)HAIL_NOISE_NK,
               "Noise's patterns are named by the hello's numbers");
_Static_assert(AT_COOKIE + HAIL_COOKIE_LEN == AT_NOISE, "WIRE.md, section 2.1");

static bool all_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

enum hail_verdict hail_datagram_type_of(enum hail_datagram_type *type, const uint8_t *datagram,
                                        size_t len)
{
    if (len == 0)
        return HAIL_DROP_SHORT;
    if (datagram[0] >> 6 != 0) {
        *type = HAIL_DATAGRAM_PACKET;
        return HAIL_ACCEPT;
    }
    if (datagram[0] < HAIL_DATAGRAM_HELLO || datagram[0] > HAIL_DATAGRAM_REFUSE)
        return HAIL_DROP_TYPE;
    *type = (enum hail_datagram_type)datagram[0];
    return HAIL_ACCEPT;
}

size_t hail_noise_first_len(uint8_t pattern)
{
    return pattern == HAIL_HELLO_NK || pattern == HAIL_HELLO_RESUME ? HAIL_NOISE_FIRST_MAX
                                                                    : HAIL_X25519_LEN;
}

// Whether a hello of this version, with a known pattern, has the form that these have.
static bool has_form(const uint8_t *datagram)
{
    uint8_t pattern = datagram[AT_PATTERN];
    uint8_t cookie_len = datagram[HAIL_HELLO_COOKIE_LEN_AT];
    size_t end = AT_NOISE + hail_noise_first_len(pattern);

    if (datagram[AT_RESERVED] != 0 || (cookie_len != 0 && cookie_len != HAIL_COOKIE_LEN) ||
        datagram[AT_WANTED] >= HAIL_FRAGMENTS_MAX)
        return false;
    if (pattern != HAIL_HELLO_NK && !all_zero(datagram + AT_STATIC, HAIL_STATIC_ID_LEN))
        return false;
    if (cookie_len == 0 && !all_zero(datagram + AT_COOKIE, HAIL_COOKIE_LEN))
        return false;
    if (pattern == HAIL_HELLO_RESUME) {
        if (datagram[AT_TICKET_LEN] == 0)
            return false;
        end = (size_t)AT_TICKET + datagram[AT_TICKET_LEN];
    }
    return all_zero(datagram + end, HAIL_HELLO_LEN - end);
}

enum hail_verdict hail_hello_decode(struct hail_hello *hello, const uint8_t *datagram, size_t len)
{
    if (len < HAIL_HELLO_LEN)
        return HAIL_DROP_SHORT;
    if (len > HAIL_HELLO_LEN)
        return HAIL_DROP_MALFORMED;
    size_t noise_len = hail_noise_first_len(datagram[AT_PATTERN]);
    bool same_version = datagram[AT_VERSION] == HAIL_WIRE_VERSION;
    uint8_t cookie_len = datagram[HAIL_HELLO_COOKIE_LEN_AT];
    bool known = datagram[AT_PATTERN] >= HAIL_HELLO_NX && datagram[AT_PATTERN] <= HAIL_HELLO_RESUME;

    if (same_version && known && !has_form(datagram))
        return HAIL_DROP_MALFORMED;
    *hello = (struct hail_hello){
        .version = datagram[AT_VERSION],
        .pattern = datagram[AT_PATTERN],
        .wanted = datagram[AT_WANTED],
        .has_cookie = cookie_len == HAIL_COOKIE_LEN,
    };
    memcpy(hello->token, datagram + AT_TOKEN, sizeof hello->token);
    memcpy(hello->policy_hash, datagram + AT_POLICY, sizeof hello->policy_hash);
    memcpy(hello->static_id, datagram + AT_STATIC, sizeof hello->static_id);
    memcpy(hello->cookie, datagram + AT_COOKIE, sizeof hello->cookie);
    memcpy(hello->noise, datagram + AT_NOISE, noise_len);
    if (same_version && hello->pattern == HAIL_HELLO_RESUME) {
        hello->ticket_len = datagram[AT_TICKET_LEN];
        memcpy(hello->ticket, datagram + AT_TICKET, hello->ticket_len);
    }
    return HAIL_ACCEPT;
}

size_t hail_hello_encode(uint8_t datagram[HAIL_HELLO_LEN], const struct hail_hello *hello)
{
    memset(datagram, 0, HAIL_HELLO_LEN);
    datagram[0] = HAIL_DATAGRAM_HELLO;
    datagram[AT_VERSION] = hello->version;
    datagram[AT_PATTERN] = hello->pattern;
    memcpy(datagram + AT_TOKEN, hello->token, sizeof hello->token);
    memcpy(datagram + AT_POLICY, hello->policy_hash, sizeof hello->policy_hash);
    memcpy(datagram + AT_STATIC, hello->static_id, sizeof hello->static_id);
    datagram[AT_WANTED] = hello->wanted;
    if (hello->has_cookie) {
        datagram[HAIL_HELLO_COOKIE_LEN_AT] = HAIL_COOKIE_LEN;
        memcpy(datagram + AT_COOKIE, hello->cookie, sizeof hello->cookie);
    }
    memcpy(datagram + AT_NOISE, hello->noise, hail_noise_first_len(hello->pattern));
    if (hello->pattern == HAIL_HELLO_RESUME) {
        datagram[AT_TICKET_LEN] = hello->ticket_len;
        memcpy(datagram + AT_TICKET, hello->ticket, hello->ticket_len);
    }
    return HAIL_HELLO_LEN;
}

size_t hail_prologue_write(uint8_t prologue[HAIL_PROLOGUE_MAX], const struct hail_hello *hello)
{
    uint8_t *at = prologue + 4 - AT_VERSION; // from here on as in the hello

    memcpy(prologue, "hail", 4);
    at[AT_VERSION] = hello->version;
    at[AT_PATTERN] = hello->pattern;
    at[AT_RESERVED] = 0;
    memcpy(at + AT_TOKEN, hello->token, sizeof hello->token);
    memcpy(at + AT_POLICY, hello->policy_hash, sizeof hello->policy_hash);
    memcpy(at + AT_STATIC, hello->static_id, sizeof hello->static_id);
    if (hello->pattern != HAIL_HELLO_RESUME)
        return PROLOGUE_LEN;
    hail_sha256(at + AT_WANTED, hello->ticket, hello->ticket_len);
    return HAIL_PROLOGUE_MAX;
}

enum hail_verdict hail_retry_decode(uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                                    uint8_t cookie[HAIL_COOKIE_LEN], const uint8_t *datagram,
                                    size_t len)
{
    if (len < HAIL_RETRY_LEN)
        return HAIL_DROP_SHORT;
    if (len > HAIL_RETRY_LEN)
        return HAIL_DROP_MALFORMED;
    memcpy(token, datagram + 1, HAIL_CLIENT_TOKEN_LEN);
    memcpy(cookie, datagram + 1 + HAIL_CLIENT_TOKEN_LEN, HAIL_COOKIE_LEN);
    return HAIL_ACCEPT;
}

size_t hail_retry_encode(uint8_t datagram[HAIL_RETRY_LEN],
                         const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                         const uint8_t cookie[HAIL_COOKIE_LEN])
{
    datagram[0] = HAIL_DATAGRAM_RETRY;
    memcpy(datagram + 1, token, HAIL_CLIENT_TOKEN_LEN);
    memcpy(datagram + 1 + HAIL_CLIENT_TOKEN_LEN, cookie, HAIL_COOKIE_LEN);
    return HAIL_RETRY_LEN;
}

enum hail_verdict hail_welcome_decode(struct hail_welcome *welcome, const uint8_t *datagram,
                                      size_t len)
{
    if (len <= HAIL_WELCOME_HEADER_LEN)
        return HAIL_DROP_SHORT;
    uint8_t index = datagram[13];
    uint8_t count = datagram[14];
    size_t fragment_len = len - HAIL_WELCOME_HEADER_LEN;

    if (count == 0 || count > HAIL_FRAGMENTS_MAX || index >= count ||
        fragment_len > HAIL_FRAGMENT_LEN)
        return HAIL_DROP_MALFORMED;
    if (index + 1 < count && fragment_len != HAIL_FRAGMENT_LEN)
        return HAIL_DROP_MALFORMED;
    memcpy(welcome->token, datagram + 1, sizeof welcome->token);
    welcome->conn_id = (uint32_t)hail_get_be(datagram + 9, 4);
    welcome->index = index;
    welcome->count = count;
    welcome->fragment = (struct hail_bytes){datagram + HAIL_WELCOME_HEADER_LEN, fragment_len};
    return HAIL_ACCEPT;
}

size_t hail_welcome_encode(uint8_t datagram[HAIL_DATAGRAM_MAX], const struct hail_welcome *welcome)
{
    datagram[0] = HAIL_DATAGRAM_WELCOME;
    memcpy(datagram + 1, welcome->token, sizeof welcome->token);
    hail_put_be(datagram + 9, welcome->conn_id, 4);
    datagram[13] = welcome->index;
    datagram[14] = welcome->count;
    memcpy(datagram + HAIL_WELCOME_HEADER_LEN, welcome->fragment.data, welcome->fragment.len);
    return HAIL_WELCOME_HEADER_LEN + welcome->fragment.len;
}

enum hail_verdict hail_finish_decode(struct hail_finish *finish, const uint8_t *datagram,
                                     size_t len)
{
    if (len < HAIL_FINISH_HEADER_LEN + HAIL_AEAD_TAG_LEN)
        return HAIL_DROP_SHORT;
    if (len > HAIL_DATAGRAM_MAX)
        return HAIL_DROP_MALFORMED;
    finish->conn_id = (uint32_t)hail_get_be(datagram + 1, 4);
    memcpy(finish->token, datagram + 5, sizeof finish->token);
    finish->sealed_at = HAIL_FINISH_HEADER_LEN;
    return HAIL_ACCEPT;
}

size_t hail_finish_encode(uint8_t datagram[HAIL_FINISH_HEADER_LEN],
                          const struct hail_finish *finish)
{
    datagram[0] = HAIL_DATAGRAM_FINISH;
    hail_put_be(datagram + 1, finish->conn_id, 4);
    memcpy(datagram + 5, finish->token, sizeof finish->token);
    return HAIL_FINISH_HEADER_LEN;
}

enum hail_verdict hail_refuse_decode(struct hail_refuse *refuse, const uint8_t *datagram,
                                     size_t len)
{
    if (len < HAIL_REFUSE_LEN)
        return HAIL_DROP_SHORT;
    if (len > HAIL_REFUSE_LEN)
        return HAIL_DROP_MALFORMED;
    *refuse = (struct hail_refuse){.reason = datagram[9]};
    memcpy(refuse->token, datagram + 1, sizeof refuse->token);
    if (refuse->reason == HAIL_REFUSAL_RATE)
        refuse->wait_ms = datagram[10] * (uint32_t)WAIT_STEP_MS;
    else
        refuse->version = datagram[10];
    return HAIL_ACCEPT;
}

size_t hail_refuse_encode(uint8_t datagram[HAIL_REFUSE_LEN], const struct hail_refuse *refuse)
{
    datagram[0] = HAIL_DATAGRAM_REFUSE;
    memcpy(datagram + 1, refuse->token, sizeof refuse->token);
    datagram[9] = refuse->reason;
    uint32_t steps = (refuse->wait_ms + WAIT_STEP_MS - 1) / WAIT_STEP_MS;
    datagram[10] = refuse->reason != HAIL_REFUSAL_RATE ? refuse->version
                   : steps < UINT8_MAX                 ? (uint8_t)steps
                                                       : UINT8_MAX;
    return HAIL_REFUSE_LEN;
}
