// session.h: one end of one MLAPI connection, from the server's hail to its last message; server
// and client (MLAPI.md, "A session"). Sans-IO: messages come in without their frame, replies and
// events go out, dice and clocks are handed in.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_SESSION_H
#define HAIL_PROTO_MLAPI_SESSION_H

#include "crypto/identity.h"
#include "crypto/kex.h"
#include "proto/mlapi/body.h"
#include "proto/mlapi/network.h"
#include "proto/mlapi/packer.h"

enum {
    HAIL_MLAPI_KEY_LEN = 32,
    HAIL_MLAPI_CONN_DATA_MAX = 4096, // the most a configuration may allow
    HAIL_MLAPI_HAIL_MAX =
        1 + 9 + HAIL_CERTIFICATE_MAX + 9 + HAIL_AFFINE_MAX + 1 + 9 + HAIL_SIGNATURE_MAX,
    HAIL_MLAPI_REPLY_MAX = 8192 // the longest message a session writes by itself, a hail apart
};

// What decides whether a client believes a server; the default is hail_trust_check. Returns true to
// go on. `report` says why not.
struct hail_mlapi_verifier {
    bool (*check)(void *user, const struct hail_certificate *certificate, const char *host,
                  int64_t unix_s, struct hail_fault_report *report);
    void *user;
};

// What all sessions of an endpoint share. Constant while one lives.
struct hail_mlapi_setup {
    bool encryption;          // else no hail, no key, everything in the clear
    bool signing;             // the hail carries a certificate and a signature
    bool scene_management;    // shapes the approved message
    bool prefab_hashes;       // objects are known by their prefab's hash, those of a scene as well
    bool networked_var;       // objects carry their variables
    bool connection_approval; // a connection request carries data
    enum hail_mlapi_hash_size rpc_hash_size;
    uint64_t config_hash;
    uint32_t conn_data_max;               // bytes of connection data a server takes
    const struct hail_identity *identity; // server, signing: an RSA key
    struct hail_mlapi_verifier verifier;  // client, signing
};

// hail_mlapi_setup_init derives a setup from the switches both ends agreed on. Returns false as
// hail_mlapi_network_hash does.
HAIL_MUST_USE bool hail_mlapi_setup_init(struct hail_mlapi_setup *setup,
                                         const struct hail_mlapi_network *network);

// A server's hail: a fresh key pair and the whole message that announces it. Made for one session,
// or reused for a while where the configuration allows that, at a cost in forward secrecy.
struct hail_mlapi_hail {
    struct hail_x25519_pair pair;
    size_t len;
    uint8_t message[HAIL_MLAPI_HAIL_MAX];
};

// hail_mlapi_hail_make announces a fresh pair, which is copied, and signs it if `setup` says so.
// Fails only when signing does.
// Cost     10 us unsigned; 0.5 ms with RSA-2048.
HAIL_MUST_USE bool hail_mlapi_hail_make(struct hail_mlapi_hail *hail,
                                        const struct hail_mlapi_setup *setup,
                                        const struct hail_x25519_pair *pair);

// Each state is named for what it waits for.
enum hail_mlapi_state {
    HAIL_MLAPI_EXPECT_HAIL_RESPONSE, // server
    HAIL_MLAPI_EXPECT_AGREEMENT,     // server: of its owner, hail_mlapi_server_agree
    HAIL_MLAPI_EXPECT_REQUEST,       // server
    HAIL_MLAPI_EXPECT_DECISION,      // server: of the application
    HAIL_MLAPI_EXPECT_HAIL,          // client
    HAIL_MLAPI_EXPECT_GREETINGS,     // client
    HAIL_MLAPI_EXPECT_APPROVED,      // client
    HAIL_MLAPI_CONNECTED,
    HAIL_MLAPI_FAILED, // the connection is to be closed
    HAIL_MLAPI_STATE_COUNT
};

// One end of a connection. Holds secrets: hail_mlapi_session_cleanup.
struct hail_mlapi_session {
    const struct hail_mlapi_setup *setup; // borrowed
    const char *host;                     // client: the name to check; borrowed
    struct hail_bytes conn_data;          // client: to send along with the request; borrowed
    enum hail_mlapi_state state;
    bool is_server;
    bool has_key;
    uint8_t private_key[HAIL_X25519_LEN]; // until the key is agreed on
    uint8_t key[HAIL_MLAPI_KEY_LEN];      // the stretched key, once has_key; until then the
                                          // other end's public key
    struct hail_mlapi_keys keys;
};

// hail_mlapi_server_init begins the server's end. `hail` is the message its owner sends first; NULL
// when encryption is off.
void hail_mlapi_server_init(struct hail_mlapi_session *session,
                            const struct hail_mlapi_setup *setup,
                            const struct hail_mlapi_hail *hail);

// hail_mlapi_client_init begins the client's end. With encryption off the client speaks first: see
// hail_mlapi_client_open.
void hail_mlapi_client_init(struct hail_mlapi_session *session,
                            const struct hail_mlapi_setup *setup, const char *host,
                            struct hail_bytes conn_data);

// hail_mlapi_session_cleanup wipes; the zero state is allowed.
void hail_mlapi_session_cleanup(struct hail_mlapi_session *session);

// The dice and clocks of the moment.
struct hail_mlapi_ambient {
    struct hail_random *random;
    int64_t ticks;  // for greetings: 100 ns since year 1, as .NET counts
    int64_t unix_s; // for certificates
};

enum hail_mlapi_event_type {
    HAIL_MLAPI_EVENT_NONE,
    HAIL_MLAPI_EVENT_ANSWERED,  // server: hail_mlapi_server_agree is due
    HAIL_MLAPI_EVENT_KEYED,     // the key is there (both ends)
    HAIL_MLAPI_EVENT_REQUEST,   // server: a client asks to join; `data` is its connection data
    HAIL_MLAPI_EVENT_CONNECTED, // client: approved; `client_id` is the number the server gave
    HAIL_MLAPI_EVENT_MESSAGE    // connected: an application message
};

// What one message led to. Pointers are into the message's buffer.
struct hail_mlapi_result {
    enum hail_mlapi_event_type event;
    bool close; // the connection is to be closed: the verdict says why
    struct hail_bytes data;
    uint64_t client_id;
    struct hail_message_view message;
    struct hail_fault_report report; // with HAIL_DROP_CERTIFICATE and HAIL_DROP_SIGNATURE
    size_t reply_len;                // a message to send back; 0: none
    uint8_t reply[HAIL_MLAPI_REPLY_MAX];
};

// hail_mlapi_client_open writes the client's first message when encryption is off (the connection
// request) into result->reply; with encryption on there is none.
void hail_mlapi_client_open(struct hail_mlapi_session *session, struct hail_mlapi_result *result,
                            const struct hail_mlapi_ambient *ambient);

// hail_mlapi_session_input takes in one message and decrypts it in place. Any verdict but
// HAIL_ACCEPT leaves the session as it was, unless result->close is set.
enum hail_verdict hail_mlapi_session_input(struct hail_mlapi_session *session,
                                           struct hail_mlapi_result *result, uint8_t *message,
                                           size_t message_len,
                                           const struct hail_mlapi_ambient *ambient);

// hail_mlapi_server_agree computes the keys of up to HAIL_MLAPI_AGREEMENTS_MAX sessions in
// HAIL_MLAPI_EXPECT_AGREEMENT side by side, since many cost little more than one. A session then
// has_key and is to be greeted, or waits for another hail response: its point was of no use, or
// there was no memory.
enum {
    HAIL_MLAPI_AGREEMENTS_MAX = HAIL_PBKDF2_BATCH_MAX
};
void hail_mlapi_server_agree(struct hail_mlapi_session *const *sessions, size_t count);

// hail_mlapi_server_greet writes the greetings of a session that has just got its key into
// result->reply. The event is HAIL_MLAPI_EVENT_KEYED.
void hail_mlapi_server_greet(struct hail_mlapi_result *result,
                             const struct hail_mlapi_ambient *ambient);

// hail_mlapi_server_sync writes a time sync, which goes before "approved"; returns its length.
enum {
    HAIL_MLAPI_SYNC_MAX = 16
};
size_t hail_mlapi_server_sync(uint8_t out[HAIL_MLAPI_SYNC_MAX], float server_time_s);

// hail_mlapi_server_approve answers a request: the session is in HAIL_MLAPI_EXPECT_DECISION and
// then connected. Returns the message's length, or 0: it does not fit into `capacity` bytes, and
// the session is as it was.
size_t hail_mlapi_server_approve(struct hail_mlapi_session *session, uint8_t *out, size_t capacity,
                                 const struct hail_mlapi_approved_body *approved,
                                 struct hail_random *random);

// hail_mlapi_message_len returns the length of `message` on the wire, frame not counted: the room
// that hail_mlapi_session_prepare needs.
size_t hail_mlapi_message_len(const struct hail_message_view *message);

// hail_mlapi_session_prepare writes an application message to `out`, all but its protection, which
// hail_mlapi_protect adds to `*bare`: before the session is cleaned up. The session is connected,
// or protected messages have a key (the caller has checked: session->has_key).
//
// Returns  The length, as hail_mlapi_message_len says.
// Cost     One copy of the body. No allocation.
size_t hail_mlapi_session_prepare(struct hail_mlapi_session *session, struct hail_mlapi_bare *bare,
                                  uint8_t *out, const struct hail_message_view *message,
                                  struct hail_random *random);

#endif
