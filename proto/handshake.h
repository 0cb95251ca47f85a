// handshake.h: agreeing on a stretched key (WIRE.md, sections 2.1 to 2.6), both ends. Sans-IO: what
// comes in and goes out are the contents of handshake datagrams; when to send them again is the
// caller's affair.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_HANDSHAKE_H
#define HAIL_PROTO_HANDSHAKE_H

#include "proto/datagram.h"
#include "proto/keycert.h"
#include "proto/noise.h"

enum {
    HAIL_ITERATIONS_MAX = 100000,
    HAIL_GREETINGS_MAX = 8,
    HAIL_WELCOME_FIXED_LEN = 10, // of the welcome's payload, before the key certificate
    // All that its fragments can hold, which is a little more than any honest one has: a client
    // puts a welcome together before it knows whose it is.
    HAIL_WELCOME_MAX = HAIL_FRAGMENTS_MAX * HAIL_FRAGMENT_LEN,
    // e, s and its tag, the payload and its tag; but for the key certificate in it
    HAIL_WELCOME_HEAD_MAX = 32 + 48 + HAIL_WELCOME_FIXED_LEN + 16
};
_Static_assert(HAIL_WELCOME_HEAD_MAX + HAIL_KEYCERT_MAX <= HAIL_WELCOME_MAX,
               "every key certificate can be sent");

// A server's static key and, if it signs, what vouches for it. Secret; hail_static_key_cleanup.
struct hail_static_key {
    struct hail_x25519_pair pair;
    uint8_t id[HAIL_STATIC_ID_LEN];
    size_t keycert_len; // 0: none
    uint8_t keycert[HAIL_KEYCERT_MAX];
};

// hail_static_key_init takes over `pair` and computes its id; there is no key certificate yet.
void hail_static_key_init(struct hail_static_key *key, const struct hail_x25519_pair *pair);
void hail_static_key_cleanup(struct hail_static_key *key);

// What the server tells in its welcome.
struct hail_welcome_terms {
    uint32_t iterations;      // 1 to HAIL_ITERATIONS_MAX
    uint32_t idle_timeout_ms; // 0: never
    uint16_t conn_data_max;
};

// What is left of a handshake once Noise is through. Secret: hail_agreement_cleanup.
struct hail_agreement {
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t ck[HAIL_NOISE_HASH_LEN];
    uint8_t h[HAIL_NOISE_HASH_LEN];
    uint8_t finish_key[HAIL_AEAD_KEY_LEN];
};
void hail_agreement_cleanup(struct hail_agreement *agreement);

// hail_agreement_job returns what hail_pbkdf2_sha256_batch makes the stretched key from, for
// several agreements at once; it borrows from `agreement`.
struct hail_pbkdf2_job hail_agreement_job(const struct hail_agreement *agreement);

// hail_agreement_stretch computes the stretched key (WIRE.md, section 2.6).
// Cost     The iterations: 0.1 ms for 1000.
HAIL_MUST_USE bool hail_agreement_stretch(const struct hail_agreement *agreement,
                                          uint8_t stretched[HAIL_STRETCHED_LEN],
                                          uint32_t iterations);

// ---- Server

// A hello of this version, with a pattern and policy that the server takes, and what the server has
// for it. Secret: hail_wipe.
struct hail_greeting {
    const struct hail_hello *hello;
    const struct hail_static_key *key; // NX and NK; NN and a resumption: NULL
    uint8_t psk[HAIL_NOISE_PSK_LEN];   // a resumption: what its ticket holds
    struct hail_x25519_pair e;         // from here on hail_server_exchange's
    struct hail_noise_shared shared;
};

// hail_server_resumes says whether whoever made a resumption's hello had the key in its ticket,
// which costs no key exchange. He need not be who sent it: a hello can be sent again by anybody.
HAIL_MUST_USE bool hail_server_resumes(const struct hail_greeting *greeting);

// hail_server_exchange draws a fresh pair for each of up to HAIL_GREETINGS_MAX greetings, and does
// their key exchanges side by side.
void hail_server_exchange(struct hail_greeting *greetings, size_t count,
                          struct hail_random *random);

// hail_server_welcome answers a hello: it writes the second Noise message, to be sent in fragments.
//
// Returns  HAIL_ACCEPT, HAIL_DROP_POINT (a key of low order) or HAIL_DROP_FORGED (NK: made for
//          another static key, or a key of low order; resumption: not by the ticket's owner).
enum hail_verdict hail_server_welcome(struct hail_agreement *agreement,
                                      uint8_t message[HAIL_WELCOME_MAX], size_t *message_len,
                                      const struct hail_greeting *greeting,
                                      const struct hail_welcome_terms *terms);

// hail_server_finish opens a finish in place. HAIL_ACCEPT, and `data` views the connection data; or
// HAIL_DROP_FORGED or HAIL_DROP_TOO_LARGE.
enum hail_verdict hail_server_finish(const struct hail_agreement *agreement,
                                     struct hail_bytes *data, uint8_t *datagram, size_t len,
                                     size_t conn_data_max);

// hail_finish_data views the connection data of a finish that has been opened.
struct hail_bytes hail_finish_data(const uint8_t *datagram, size_t len);

// ---- Client

// Decides instead of hail_keycert_check's second half, the chain and the names: window and
// signature have been checked when it is asked. Returns true to go on. `report` says why not.
struct hail_keycert_verifier {
    bool (*check)(void *user, const struct hail_keycert *keycert,
                  const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                  struct hail_fault_report *report);
    void *user;
};

struct hail_client_setup {
    enum hail_noise_pattern pattern;
    uint8_t policy_hash[HAIL_POLICY_HASH_LEN];
    uint32_t iterations_max;
    const uint8_t *server_key;             // NK: the server's static public key; else NULL
    struct hail_keycert_verifier verifier; // NX
};

// A client's handshake from its hello to its finish. Secret: hail_client_cleanup.
struct hail_client_handshake {
    struct hail_hello hello;
    struct hail_noise noise;
};

// hail_client_init begins: draws token and key, and writes the first Noise message.
//
// Returns  false when the server's key is of low order.
HAIL_MUST_USE bool hail_client_init(struct hail_client_handshake *client,
                                    const struct hail_client_setup *setup,
                                    struct hail_random *random);

// hail_client_resume begins with a ticket instead of the setup's pattern, which `ticket` stands
// for: 1 to HAIL_TICKET_LEN_MAX bytes, and the key that goes with it.
void hail_client_resume(struct hail_client_handshake *client, const struct hail_client_setup *setup,
                        struct hail_bytes ticket, const uint8_t psk[HAIL_NOISE_PSK_LEN],
                        struct hail_random *random);
void hail_client_cleanup(struct hail_client_handshake *client);

// hail_client_welcome takes the whole second Noise message.
//
// payload  Scratch of at least message_len bytes.
//
// Returns  HAIL_ACCEPT, and `agreement` and `terms` are set (conn_data_max at most to what a finish
//          holds); HAIL_DROP_SHORT; HAIL_DROP_FORGED; HAIL_DROP_MALFORMED; HAIL_DROP_TOO_LARGE
//          (more iterations than the client likes); or HAIL_DROP_CERTIFICATE or
//          HAIL_DROP_SIGNATURE, with a report. But for HAIL_ACCEPT nothing changes.
enum hail_verdict
hail_client_welcome(struct hail_client_handshake *client, struct hail_agreement *agreement,
                    struct hail_welcome_terms *terms, struct hail_fault_report *report,
                    const struct hail_client_setup *setup, const char *host, int64_t unix_s,
                    const uint8_t *message, size_t message_len, uint8_t *payload);

// hail_client_finish writes the finish datagram: at most HAIL_FINISH_DATA_MAX bytes of data.
// Returns its length; 0: no memory.
size_t hail_client_finish(const struct hail_agreement *agreement,
                          uint8_t datagram[HAIL_DATAGRAM_MAX], uint32_t conn_id,
                          struct hail_bytes data);

#endif
