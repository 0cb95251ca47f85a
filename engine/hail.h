// hail.h: an encrypted game-server core for Linux. The one public header, for servers and clients.
// SPDX-License-Identifier: MIT
//
// An endpoint is a server (it listens) or a client (it connects, as often as it likes). It owns
// shards: worker threads with their own ring, sockets, connections and timers. Connections have
// names that are values, and what happens to them arrives as events, in one of two ways:
//
//   callbacks  set `on_event`: it is called on the shard's own thread. Fastest.
//   polling    leave it NULL: call hail_poll from one thread of your own, with hail_fd to wait on.
//
// Every message says how it is sent: in the clear, authenticated, encrypted, or both; every event
// says how it came; and every name may demand a least protection, its floor, which the receiver
// enforces before a handler sees anything.
//
// Thread rule, unless a function says otherwise: any thread, at any time between start and stop.
// Calls made from an event callback about a connection of that callback's shard act at once; all
// others are handed to the connection's shard through a bounded queue and act within a wake-up.
//
// A shard's thread is called hail-server-0 or hail-client-0, and so on, and blocks all signals:
// they come on threads of yours, never where a callback runs.
//
// ABI: the shared library's name carries the major and the minor version. Under one name, structs
// that have a `size` may grow at their end, enums get new values at theirs, and nothing else of
// what is here changes; so a program goes on with a newer patch version as it is.
#ifndef HAIL_H
#define HAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAIL_VERSION "0.1.0"
#define HAIL_API     __attribute__((visibility("default")))

// hail_version returns the version of the library that is running, such as "0.1.0".
HAIL_API const char *hail_version(void);

// What a call returns. Values are part of the ABI: new ones are added at the end, none is reused.
enum hail_status {
    HAIL_OK = 0,
    HAIL_EINVAL = 1,    // an argument is outside its documented range
    HAIL_ENOMEM = 2,    // memory for the configured limits could not be had; only at start
    HAIL_ESYS = 3,      // a system call failed; the log says which and how
    HAIL_EIDENTITY = 4, // certificate, key or trust store refused; the log says why
    HAIL_EGONE = 5,     // the connection has ended
    HAIL_EFULL = 6,     // a fixed limit is reached: nothing was queued; try again later
    HAIL_ENOKEY = 7,    // protection was asked for and the connection has no key
    HAIL_EABI = 8,      // the config comes from a newer header and uses something this build lacks
    HAIL_ESTATE = 9,    // not now: the connection is not in the state that this needs
    HAIL_ENAME = 10,    // two handlers share a name or its hash; the log names them
    HAIL_ETIMEOUT = 11, // a call was not answered in its time; it may have been carried out
    HAIL_EUNKNOWN = 12, // a call's name is none that the other end takes
    HAIL_EARGUMENTS = 13, // a call's arguments cannot be read, says the other end
    HAIL_EREFUSED = 14,   // the other end's application refused a call
    HAIL_ETOOLONG = 15    // longer than the other end's message_max
};

// hail_strerror returns a short English phrase for `status`; never NULL, never to be freed.
HAIL_API const char *hail_strerror(enum hail_status status);

// ---- Protection

enum {
    HAIL_PLAIN = 0,
    HAIL_ENCRYPTED = 1u << 0,    // AES; on the mlapi profile without HAIL_AUTHENTICATED it hides
                                 // and does not protect: an attacker can change it unseen
    HAIL_AUTHENTICATED = 1u << 1 // HMAC-SHA256
};

// What a channel promises. The mlapi profile runs over TCP, where every channel is delivered
// reliably and in order, which keeps each one's promise. On the hail profile each kind brings
// messages of any length up to message_max; a long unreliable one is lost with any part of it.
//
// An endpoint that declares no channels has four of them, whose numbers are these.
enum hail_channel_kind {
    HAIL_RELIABLE_ORDERED = 0,
    HAIL_RELIABLE_UNORDERED = 1,
    HAIL_UNRELIABLE_SEQUENCED = 2, // the newest wins: what is older than what has come is dropped
    HAIL_UNRELIABLE = 3
};

enum {
    HAIL_CHANNELS_MAX = 64
};

// A channel, by its place among config.channels: its number. Both ends of the hail profile declare
// the same ones in the same order, or the handshake is refused; the mlapi wire has none, so there
// both ends must be told alike by other means, and a channel's floor cannot be enforced.
//
// On the hail profile a plain message is sent authenticated on every channel but HAIL_UNRELIABLE
// ones: else anybody who sees a packet could forge one that takes the place of the newest. On those
// it is as well when it does not fit into a packet. Events say how it came.
struct hail_channel {
    const char *name; // UTF-8, 1 to 31 bytes, no two alike
    enum hail_channel_kind kind;
    uint32_t floor; // the least flags that any message on it takes, whatever its name; 0: no floor

    // Where the path has no room for all there is to send; each end's own affair.
    uint8_t priority;    // higher goes first
    uint8_t weight;      // its share among those of its priority; 0: 1
    uint32_t age_max_ms; // unreliable kinds: what has waited for longer is dropped and counted
                         // (messages_late), not sent late; 0: 250
};

// ---- Names

// A running endpoint; never seen inside.
struct hail_endpoint;

// A connection's name: shard, generation and slot in one word. It is a value, not a pointer: keep
// it, copy it, compare it. Once the connection ends the name is stale for ever, and every call says
// so with HAIL_EGONE instead of touching whoever has the slot now. 0 names no connection.
struct hail_conn {
    uint64_t id;
};

enum hail_handler_kind {
    HAIL_HANDLER_MESSAGE = 0, // a named message
    HAIL_HANDLER_RPC = 1
};

struct hail_event;

// A name that this endpoint takes, and the least protection it takes it with.
struct hail_handler {
    enum hail_handler_kind kind;
    const char *name;      // UTF-8
    const char *signature; // RPC: the name as MLAPI writes it for a typed method, the bare name and
                           // then the parameter type names, "MoveInt32Single"; NULL: none
    uint32_t floor;        // HAIL_ENCRYPTED | HAIL_AUTHENTICATED as it must be; 0: no floor
    void *user;            // yours: events for this name carry it
    void (*on_event)(struct hail_endpoint *endpoint, const struct hail_event *event,
                     void *user); // takes this name's events instead of config's; may be NULL;
                                  // needs config's on_event
};

// ---- Events

enum hail_event_type {
    HAIL_EVENT_REQUEST = 1,   // server: one asks to join: hail_approve or hail_deny, now or later
    HAIL_EVENT_CONNECTED = 2, // messages can be sent and will come
    HAIL_EVENT_MESSAGE = 3,   // unnamed or named
    HAIL_EVENT_CALL = 4,      // an RPC; hail_respond when `wants_response`
    HAIL_EVENT_RESPONSE = 5,  // the answer to a hail_call of ours
    HAIL_EVENT_CLOSED = 6,    // the last event of a connection; its name is stale from here on
    HAIL_EVENT_WRITABLE = 7,  // a send said HAIL_EFULL, and can be tried again: half of unsent_max
                              // is free, or of command_queue_bytes
    HAIL_EVENT_SCENE = 8      // mlapi: one of MLAPI's own messages about objects and scenes
};

// MLAPI's own messages about objects, scenes and variables, by their numbers on its wire (MLAPI.md,
// "Objects and scenes"). hail carries them; what they mean is the game's. A server sends all but
// HAIL_SCENE_SWITCHED; a client sends that one and the two of variables.
enum hail_scene_type {
    HAIL_ADD_OBJECT = 5,       // hail_write_object
    HAIL_DESTROY_OBJECT = 6,   // hail_write_uint: its network id
    HAIL_SWITCH_SCENE = 7,     // hail_write_scene_switch, and then its objects
    HAIL_SCENE_SWITCHED = 8,   // hail_write_stream_bytes: the 16 bytes of the switch that is done
    HAIL_CHANGE_OWNER = 9,     // hail_write_uint twice: network id, number of the new owner
    HAIL_ADD_OBJECTS = 10,     // hail_write_uint: how many, and then they
    HAIL_VAR_DELTA = 12,       // hail_write_uint twice, network id and behaviour; what changed
    HAIL_VAR_UPDATE = 13,      // the same
    HAIL_DESTROY_OBJECTS = 21, // hail_write_uint: how many; of each its network id
    HAIL_SYNCED_VAR = 23       // as HAIL_VAR_DELTA
};

enum hail_close_reason {
    HAIL_CLOSED_BY_APPLICATION = 0, // hail_close
    HAIL_CLOSED_BY_PEER = 1,
    HAIL_CLOSED_DENIED = 2,            // hail_deny, or there is no place: the text says which
    HAIL_CLOSED_HANDSHAKE_TIMEOUT = 3, // not connected within handshake_timeout_ms
    HAIL_CLOSED_IDLE = 4,              // nothing came for idle_timeout_ms
    HAIL_CLOSED_SLOW_READER = 5,       // took too long to take, or too much waits for it; hail: at
                                       // either end
    HAIL_CLOSED_SLOW_WRITER = 6,     // a message begun, or missing before another, of which nothing
                                     // more came for stall_timeout_ms; hail: at either end
    HAIL_CLOSED_PROTOCOL = 7,        // the peer broke the framing; hail: or a floor, or it sent
                                     // little else than what it had sent before
    HAIL_CLOSED_CONFIG = 8,          // the peer is configured differently; hail: the text says how,
                                     // and it can be a reliable message above message_max
    HAIL_CLOSED_CERTIFICATE = 9,     // client: the server is not who it should be
    HAIL_CLOSED_CROWDED_OUT = 10,    // a newer handshake took the place of this unfinished one
    HAIL_CLOSED_NO_BUFFER = 11,      // buffers_max is used up
    HAIL_CLOSED_ERROR = 12,          // a socket error; the event's text says which
    HAIL_CLOSED_SHUTDOWN = 13,       // hail_stop
    HAIL_CLOSED_CONNECT = 14,        // client: no connection could be made; the text says why
    HAIL_CLOSED_HOLDS_TOO_MUCH = 15, // memory was short, and it had the most messages waiting
    HAIL_CLOSE_REASON_COUNT
};

// hail_close_reason_name returns a short stable name, such as "slow_reader"; never NULL.
HAIL_API const char *hail_close_reason_name(enum hail_close_reason reason);

// What happened. Lent: pointers hold until the callback returns, or until the next hail_poll.
struct hail_event {
    enum hail_event_type type;
    uint32_t flags; // how it came: HAIL_ENCRYPTED, HAIL_AUTHENTICATED
    struct hail_conn conn;
    uint64_t tag; // what hail_connect, hail_approve or hail_set_tag gave this connection
    // REQUEST: connection data; MESSAGE: payload; CALL: arguments; RESPONSE: result.
    const void *data;
    size_t len;
    const struct hail_handler *handler; // the name's entry, in the endpoint's copy; NULL: unnamed,
                                        // or unknown and taken because of takes_unknown_names
    bool named;                         // MESSAGE: it has a name
    bool wants_response;                // CALL
    uint16_t behaviour;                 // CALL: the behaviour's order on its networked object
    enum hail_close_reason reason;      // CLOSED
    uint16_t code;                      // CLOSED: hail_close's, at either end; 0: none
    enum hail_status status; // RESPONSE: HAIL_OK; HAIL_ETIMEOUT; what the other end says:
                             // HAIL_EUNKNOWN, HAIL_EARGUMENTS, HAIL_EREFUSED; or why the call
                             // never left: HAIL_EFULL, HAIL_EGONE, ...
    uint64_t name_hash;      // MESSAGE with a name; CALL: of the method
    uint64_t network_id;     // CALL: the networked object
    uint64_t call_id;        // CALL that wants a response; RESPONSE: as given to hail_call
    uint64_t client_id;      // CONNECTED: the number the server gave the client
    uint8_t channel;         // MESSAGE, CALL: the number of its channel; mlapi: 0
    uint8_t scene_type;      // SCENE: enum hail_scene_type; `data` is what its writer wrote
    const char *text;        // CLOSED: a sentence for a person, if there is more to say; else NULL
    bool resumed;            // CONNECTED, on the hail profile: by a ticket
    struct hail_conn next;   // CLOSED: what takes its place (reconnect_ms); 0: nothing
};

// ---- Configuration

enum hail_profile {
    HAIL_PROFILE_NONE = 0,
    HAIL_PROFILE_MLAPI = 1, // MLAPI 12 exactly, over TCP. For compatibility: stock MLAPI clients
                            // use 8-bit private keys, which whoever listens can find at once
    HAIL_PROFILE_HAIL = 2   // hail's own, over UDP (WIRE.md): Noise, and datagrams protected one by
                            // one. HAIL_ENCRYPTED implies HAIL_AUTHENTICATED, and events say so
};

enum hail_hash_size {
    HAIL_HASH_16 = 0,
    HAIL_HASH_32 = 1,
    HAIL_HASH_64 = 2
};

// The switches of MLAPI's NetworkConfig that both ends must share, under MLAPI's own names; start
// from HAIL_MLAPI_INIT, which has MLAPI's defaults with encryption on.
struct hail_mlapi_config {
    uint16_t protocol_version;
    const char *const *scenes; // names, any order
    size_t scene_count;
    const char *scene; // server: of `scenes`, the one that is active when it starts; NULL: the one
                       // with index 0; see hail_set_scene
    const uint64_t *prefab_hashes; // any order
    size_t prefab_count;
    bool allow_runtime_scene_changes;
    bool enable_networked_var;
    bool force_same_prefabs;
    bool use_prefab_sync;
    bool enable_scene_management;
    bool ensure_networked_var_length_safety;
    bool enable_encryption;
    bool sign_key_exchange;
    bool connection_approval; // connection requests carry connection data
    bool takes_scenes_plain;  // SCENE events below default_floor as well: MLAPI 12 sends all of
                              // these messages in the clear, so that others can change them
    enum hail_hash_size rpc_hash_size;
};
#ifdef __cplusplus // C++17 has no designated initializers: there, and below, it is a call
inline struct hail_mlapi_config hail_mlapi_init(void)
{
    struct hail_mlapi_config mlapi = {};

    mlapi.enable_networked_var = true;
    mlapi.force_same_prefabs = true;
    mlapi.enable_scene_management = true;
    mlapi.enable_encryption = true;
    return mlapi;
}
#define HAIL_MLAPI_INIT hail_mlapi_init()
#else
#define HAIL_MLAPI_INIT                                                                            \
    {                                                                                              \
        .enable_networked_var = true, .force_same_prefabs = true, .enable_scene_management = true, \
        .enable_encryption = true                                                                  \
    }
#endif

// A bad network, one direction of it: see hail_simulate. What is 0 does not happen.
struct hail_simulation {
    size_t size;          // sizeof(struct hail_simulation), set by the caller
    uint64_t seed;        // of the dice, which differ by connection and direction; 0: drawn
    uint32_t delay_us;    // of each datagram; at most 60 s, as all times here
    uint32_t jitter_us;   // more, from 0 up, evenly; datagrams keep their turn
    uint32_t loss;        // how many in 1,000,000 do not arrive
    uint32_t duplication; // how many in 1,000,000 arrive twice
    uint32_t reordering;  // how many in 1,000,000 arrive reorder_us later, out of turn
    uint32_t reorder_us;
    uint32_t rate;      // bytes a second; 0: any
    uint32_t queue_us;  // what would wait longer for the rate is lost; 0: 100,000
    uint32_t rebind_ms; // outgoing, client: how often its port changes
};

// How the ends of the hail profile know each other.
enum hail_key_exchange {
    HAIL_SIGNED = 0,   // the server has a certificate: Noise NX, and NK for clients with its key
    HAIL_UNSIGNED = 1, // Noise NN: no protection against a man in the middle
    HAIL_PINNED = 2    // Noise NK: the client has the server's static key from somewhere it trusts
};

// When a server has clients prove that they receive what is sent to their address, which costs them
// a round trip and the server nothing.
enum hail_cookie_use {
    HAIL_COOKIE_UNDER_LOAD = 0,
    HAIL_COOKIE_ALWAYS = 1,
    HAIL_COOKIE_NEVER = 2
};

enum {
    HAIL_STATIC_KEY_LEN = 32, // X25519 (RFC 7748)
    HAIL_TICKET_KEY_LEN = 32
};

// The hail profile's own settings; 0 means the default named beside the field.
struct hail_native_config {
    enum hail_key_exchange exchange; // which a client wants, and a server takes
    const char *server_name;   // server, signed: vouch for this name alone; NULL: for every name of
                               // the certificate
    const uint8_t *static_key; // HAIL_STATIC_KEY_LEN bytes. Server: its private key, never rotated;
                               // NULL: drawn at start and rotated. Client, pinned: the server's
                               // public key, see hail_server_key
    uint32_t iterations;       // server: of PBKDF2; 0: 1,000; at most 100,000
    uint32_t iterations_max;   // client: the most it takes; 0: 100,000
    enum hail_cookie_use cookies; // server
    uint32_t handshakes_per_s;    // server, of one shard: above this it is under load; 0: 1,000
    uint32_t source_per_s;        // server: handshakes of one IPv4 address or IPv6 /56; 0: 100. Who
                                  // asks more often is told when to come back
    uint32_t key_rotation_s;      // server: a fresh static key this often; the one before is good
                                  // for as long again; 0: 86,400
    bool floor_closes; // a message below its floor ends its connection, unless it came plain:
                       // anybody could have sent that one; false: dropped and counted
    void (*on_datagram)(struct hail_endpoint *endpoint, struct hail_conn conn, bool sent,
                        const uint8_t *data, size_t len,
                        void *user); // client, for debugging: every datagram as it travels; on the
                                     // shard's thread, and not to be answered; NULL: none
    // For debugging: session keys are appended to it, and the log says so loudly; NULL: none. It is
    // made with mode 0600; one that is there must be ours, regular, no link, and closed to others.
    const char *key_log_file;

    // Tickets, with which clients come back without a certificate: see hail_ticket.
    // Server: HAIL_TICKET_KEY_LEN random bytes, never rotated: so tickets outlive a restart, and
    // servers that share it take each other's and can pass for each other; NULL: drawn at start,
    // and rotated.
    const uint8_t *ticket_key;
    uint32_t ticket_life_s; // server; 0: 43,200, or key_rotation_s if that is less and the key is
                            // rotated; at most 604,800. Above key_rotation_s, with a key that is
                            // rotated, some are refused before that: the log warns
    bool no_tickets;        // server: gives none and takes none

    // Of one connection, in bytes of datagrams a second; 0: no limit.
    uint32_t send_rate;    // messages above it wait for their turn, unreliable ones no longer than
                           // their channel's age_max_ms; acknowledgements and control frames alone
                           // neither wait nor count
    uint32_t receive_rate; // what comes faster for more than a second is dropped unacknowledged and
                           // counted (dropped_too_fast), to which a sender yields

    uint32_t coalesce_us; // how long a message that is sent protected may wait for others to share
                          // its packet, unless hail_flush is called or the packet is full; at most
                          // 100,000; 0: until the end of the wake-up

    // A bad network inside, for tests: see hail_simulate.
    const struct hail_simulation *simulation; // both directions of every connection go through it
                                              // from its first datagram on; copied; NULL: none
    uint32_t simulated_max; // datagrams on their way at one time, per shard; each takes 1.6 KB; 0:
                            // hail_simulate is off, or with `simulation` 4,096; at most 1,048,576

    uint32_t datagram_max; // bytes of the longest that is sent; above 1,200 only as far as the path
                           // is found to take it; 1,200 to 1,452; 0: 1,452
    uint32_t
        keepalive_ms; // client: after so long without a protected packet of its own it pings,
                      // so that address translators and firewalls, which forget a silent path
                      // after 30 s or more, do not forget this one (RFC 8085, section 3.5);
                      // and after a third of the server's idle timeout at the latest; 0: 20,000
};

// What moves the bytes.
enum hail_io_kind {
    HAIL_IO_AUTO = 0, // io_uring, or epoll where it is refused; the log says which, and why
    HAIL_IO_URING = 1,
    HAIL_IO_EPOLL = 2
};

enum hail_log_level {
    HAIL_LOG_DEBUG = 0,
    HAIL_LOG_INFO = 1,
    HAIL_LOG_WARN = 2,
    HAIL_LOG_ERROR = 3
};

// A certificate that a server showed to our client, for an application that decides itself. It is
// asked only where its word can count: certificates with keys that cannot sign here end the
// connection before, with HAIL_CLOSED_CERTIFICATE and a text that names the kind. Those that can
// are, on the hail profile, RSA of 2,048 to 8,192 bits, P-256 and Ed25519; on mlapi RSA of 1,024 to
// 8,192 bits and DSA of 1,024, whichever the hail says it is signed with.
struct hail_peer_certificate {
    const uint8_t *der; // the leaf, as it was sent
    size_t der_len;
    const char *host;        // the name that it must say
    bool believed;           // what the default check says: chain, time and name
    const char *description; // subject, issuer, names, validity, fingerprint; a line each
    const char *fault;       // what the default check holds against it; "" when believed
};

// What an endpoint is made from. Set `size` to sizeof(struct hail_config) (HAIL_CONFIG_INIT does),
// then what differs; 0 means the default named beside the field. Copied, strings and all, but for
// `on_event`, `on_log`, `verify` and the `user` pointers.
struct hail_config {
    size_t size;
    enum hail_profile profile; // required: HAIL_CONFIG_INIT leaves it to you
    struct hail_mlapi_config mlapi;

    // Server: where to listen.
    const char *address; // numeric IPv4 or IPv6, with its interface where it needs one, as in
                         // fe80::1%eth0; NULL: every address of this machine
    uint16_t port;       // host byte order; 0: let the kernel choose, see hail_port

    // Events.
    void (*on_event)(struct hail_endpoint *endpoint, const struct hail_event *event,
                     void *user); // on the shard's thread; NULL: hail_poll
    void (*on_log)(void *user, enum hail_log_level level, const char *line); // any shard's thread;
                                                                             // NULL: silent
    void *user;                          // handed to the callbacks
    const struct hail_handler *handlers; // names taken, with their floors
    size_t handler_count;                // at most 512
    uint32_t default_floor;              // of unnamed messages and of unknown names
    bool takes_unknown_names;            // deliver names that no handler has; false: drop, count
    bool approves_all;                   // server: approve every request without asking

    // Keys and certificates. PFX in DER or base64, or PEM. A server's key is RSA, or on the hail
    // profile P-256 or Ed25519 too; of issuers RSA of 2048 bits and more, P-224 to P-521 and
    // Ed25519 are believed, and signatures with SHA-256 or better. Revocation lists (CRLs, OCSP)
    // and policies are not checked.
    // Files that everybody may write are refused; keys that everybody may read are warned of.
    const char *identity_file;     // server, required with sign_key_exchange: certificate (and key)
    const char *identity_key_file; // PEM key, when it is not in identity_file
    const char *identity_password; // of the PFX or key; NULL: none
    const char *trust_file;        // client: CAs, PEM or one in DER: each certificate in it is
                                   // believed, a root or not; NULL: the system's store
    // Client: replaces the default decision; on the shard's thread.
    bool (*verify)(void *user, const struct hail_peer_certificate *certificate);
    uint32_t key_reuse_ms; // server: one key and signature serve all clients for this long, which
                           // saves a signature a handshake and gives up forward secrecy between
                           // them (MLAPI.md, "Hail"); 0: a fresh key for each

    // Limits, each per shard unless it says otherwise.
    uint16_t shard_count;          // worker threads; 0: clients one, servers one for each CPU
                                   // that the process may use, quotas of its cgroups included
    uint32_t conns_max;            // connections that have joined, or have proven their keys and
                                   // await a decision; 0: 16,384; at most 1,048,576
    uint32_t handshakes_max;       // beside them, of those who have proven nothing; above it the
                                   // source prefix that has most loses its oldest; 0: 4,096
    uint32_t message_max;          // bytes of a message's payload; 0: 65,536, on the hail profile
                                   // 524,288; at most 16 MiB
    uint32_t conn_data_max;        // server: bytes of connection data; 0: 1,024; at most 4,096
    uint32_t unsent_max;           // bytes waiting for one connection; 0: 1 MiB; on the hail
                                   // profile until they have arrived, if they are reliable
    uint64_t buffers_max;          // bytes waiting in all, to be sent or for their rest, with what
                                   // keeps them; 0: 64 MiB; at least three of the longest messages.
                                   // No connection has more than a part of what is free, and when
                                   // others find no room who has most is ended
                                   // (HAIL_CLOSED_HOLDS_TOO_MUCH): each is sure of a quarter of
                                   // what all would have if all had alike
    uint32_t calls_max;            // RPCs that await a response, per connection; 0: 16
    uint32_t handshake_timeout_ms; // from TCP connect to connected; 0: 10,000
    uint32_t idle_timeout_ms;      // silence that ends a connection; 0: never, as MLAPI; on the
                                   // hail profile, where nothing else tells, 10,000, and a client
                                   // has its server's
    uint32_t stall_timeout_ms; // to finish a message begun (hail: to go on with one that is waited
                               // for), or to take any of what waits; 0: 30,000
    uint32_t command_queue_bytes; // calls from other threads that wait, of each shard: those of
                                  // whoever polls, always; sends of more than 256 bytes leave a
                                  // quarter of it to the rest; 0: 4 MiB
    uint32_t event_queue_bytes;   // whole endpoint: events that wait for hail_poll; 0: 16 MiB

    struct hail_native_config native;
    enum hail_io_kind io;

    const struct hail_channel *channels; // in the order of their numbers; hail: one HAIL_UNRELIABLE
                                         // at least, whose messages need not name it on the wire
    size_t channel_count;                // at most HAIL_CHANNELS_MAX; 0: one for each kind

    uint32_t stretch_wait_us; // server: how long a handshake's last step may wait for others,
                              // since many keys are stretched in little more time than one; it
                              // does not when no other handshake is under way; 0: 2,000
    uint32_t call_timeout_ms; // for calls that do not say; 0: 10,000

    bool measures_cost; // tell what the shards spend their CPU time on: the counters spent_*_ns,
                        // which are 0 without; costs some 0.1 us a message itself, and
                        // 0.3 for each call into the kernel

    uint32_t groups_max;      // groups that have members, per shard; 0: 4,096
    uint32_t memberships_max; // of all connections in all groups, per shard; 0: 65,536

    // Where the memory is from that an endpoint reserves at start: all that hail_get_memory tells
    // of, and the copies of this config. NULL both: the system, which has pages paid for when they
    // are first used. Else `allocate` is called from start, in its thread, and returns memory as
    // malloc does, or NULL: HAIL_ENOMEM. All of it is written to at once. `release` gets it back
    // with the same size, from hail_stop or a start that failed. Not among it are threads' stacks,
    // io_uring's rings, certificates, and what BoringSSL takes in handshakes.
    void *(*allocate)(size_t size, void *user);
    void (*release)(void *memory, size_t size, void *user);
    void *memory_user; // handed to both

    // Server: of one source prefix, which is an IPv4 address or an IPv6 /56, and per shard: the
    // kernel spreads what comes from one prefix over the shards, so in all it may be as many times
    // that. Many players can be behind one address, of a carrier, a school or a proxy: behind a
    // proxy, set these as high as there are limits. What each does is counted.
    uint32_t conns_per_prefix;      // of conns_max; the next is refused, and told why (hail) or
                                    // reset (mlapi): dropped_prefix; 0: no limit
    uint32_t handshakes_per_prefix; // of handshakes_max; above it the prefix's oldest is closed:
                                    // prefix_crowded_out; 0: half of handshakes_max
    uint32_t accepts_per_s; // mlapi profile: TCP connections taken, and as many at once; above it
                            // they are reset: dropped_rate; 0: 1,000; at most 1,000,000

    // Server: networks whose addresses conns_per_prefix, handshakes_per_prefix, accepts_per_s and
    // native.source_per_s do not limit, such as a proxy's, a carrier's or a school's:
    // "192.0.2.0/24", "2001:db8::/32", or one address. At most 64; they are read at start, and not
    // kept.
    const char *const *trusted;
    size_t trusted_count;
};
#ifdef __cplusplus
inline struct hail_config hail_config_init(void)
{
    struct hail_config config = {};

    config.size = sizeof config;
    config.mlapi = HAIL_MLAPI_INIT;
    return config;
}
#define HAIL_CONFIG_INIT hail_config_init()
#else
#define HAIL_CONFIG_INIT                                                                           \
    {                                                                                              \
        .size = sizeof(struct hail_config), .mlapi = HAIL_MLAPI_INIT                               \
    }
#endif

// ---- Life

// hail_server_start reads the certificate, reserves every byte the server will use, opens its
// sockets and starts its threads.
//
// out      Set on success only. The caller owns it: hail_stop.
//
// Returns  HAIL_OK, HAIL_EINVAL, HAIL_ENOMEM, HAIL_ESYS, HAIL_EIDENTITY, HAIL_ENAME or HAIL_EABI.
//          On failure nothing is left open or allocated, and the log says which field, file or
//          system call it was.
HAIL_API enum hail_status hail_server_start(struct hail_endpoint **out,
                                            const struct hail_config *config);

// hail_client_start does the same for a client, which connects with hail_connect.
HAIL_API enum hail_status hail_client_start(struct hail_endpoint **out,
                                            const struct hail_config *config);

// hail_drain stops listening, closes every connection once what is queued for it has been sent,
// tells the application (callbacks: HAIL_CLOSED_SHUTDOWN; hail_poll brings nothing more), and ends
// the threads. Statistics can still be read; then hail_stop.
//
// drain_ms  How long what is queued may take; 0: it is not sent.
//
// Threads   Not from a callback; once; of the other calls only those that read may be under way.
HAIL_API void hail_drain(struct hail_endpoint *endpoint, uint32_t drain_ms);

// hail_stop drains, if that has not been done, and frees everything.
//
// Threads   As hail_drain; and no other call may be under way or follow.
HAIL_API void hail_stop(struct hail_endpoint *endpoint, uint32_t drain_ms);

// hail_port returns the port a server listens on, host byte order. hail_local_address copies it and
// the address: "::" for every address, "0.0.0.0" where the machine has no IPv6. Of a client the
// family is AF_UNSPEC.
HAIL_API uint16_t hail_port(const struct hail_endpoint *endpoint);
HAIL_API void hail_local_address(const struct hail_endpoint *endpoint,
                                 struct sockaddr_storage *address);

// hail_shard_count returns how many shards an endpoint has.
HAIL_API uint16_t hail_shard_count(const struct hail_endpoint *endpoint);

// Where to connect, and as whom.
struct hail_target {
    const char *host; // a name or a numeric address
    uint16_t port;
    const char *server_name; // what the certificate must say; NULL: host
    const void *conn_data;   // handed to the server's application with the request; copied
    size_t conn_data_len;    // at most 4,096, and 0 unless the mlapi config has connection_approval
    uint64_t tag;            // the connection's tag from the start
    const void *ticket;      // hail profile: from hail_ticket; copied; NULL: none
    size_t ticket_len;
    uint32_t reconnect_ms; // hail profile: how long to try to connect anew, by itself, when the
                           // connection is lost or the server goes down; 0: not at all
};

enum {
    HAIL_TICKET_MAX = 384
};

// hail_connect begins a connection. What becomes of it arrives as an event with the target's tag:
// CONNECTED, or CLOSED.
//
// A connection that is lost (HAIL_CLOSED_IDLE, HAIL_CLOSED_ERROR, or the server says that it goes
// down) ends like any other, and with reconnect_ms its CLOSED event names the one that takes its
// place, `next`, with the same tag. That one is connected to the same addresses, with the newest
// ticket if there is one, again and again with growing pauses, until it is CONNECTED or
// reconnect_ms have passed since the loss: then it is CLOSED, with the reason of the last attempt,
// and so it is at once for a reason that time does not mend (HAIL_CLOSED_DENIED,
// HAIL_CLOSED_CERTIFICATE, ...). hail_close(next) gives up. Nothing else is carried over: what was
// not sent or not acknowledged is lost with the old connection, calls are not answered, and the
// server sees a new client.
//
// On the hail profile a connection follows its machine to another network or address: it takes the
// source address that the kernel then chooses, at once where the kernel tells of the change
// (netlink) or refuses to send, else when three probes in a row are not answered. Nothing is lost.
//
// A ticket is used if it was given for this name, key exchange, pinned key and policy, and its life
// is not over; where it is not, or the server will not have it, the handshake is done in full.
//
// Returns  HAIL_OK, HAIL_EINVAL (also for a server), HAIL_ESYS (the name does not resolve),
//          HAIL_EFULL, or HAIL_ESTATE from a callback of an endpoint that is being stopped.
// Cost     A host name is looked up in the calling thread, and may block; numeric addresses do not.
HAIL_API enum hail_status hail_connect(struct hail_endpoint *endpoint,
                                       const struct hail_target *target);

// ---- Events by polling

// hail_fd returns a file descriptor that is readable when hail_poll has events; -1 with callbacks.
// It is the endpoint's: do not read or close it.
HAIL_API int hail_fd(const struct hail_endpoint *endpoint);

// hail_poll takes up to `events_max` events, for servers and clients alike.
//
// Returns  How many were written, without waiting. Their pointers hold until the next hail_poll.
// Threads  One thread at a time.
HAIL_API size_t hail_poll(struct hail_endpoint *endpoint, struct hail_event *events,
                          size_t events_max);

// ---- What a connection is told to do

// hail_approve lets a client in; `tag` becomes the connection's. HAIL_ESTATE when there is no
// request, as far as the calling thread can know: for another shard's connection, HAIL_OK means
// that the decision is on its way, and one that comes too late changes nothing.
HAIL_API enum hail_status hail_approve(struct hail_endpoint *endpoint, struct hail_conn conn,
                                       uint64_t tag);

// Where a client of the mlapi profile begins: "approved" says it.
struct hail_scene {
    uint32_t index;                    // hail_scene_index
    uint32_t object_count;             // of the objects that it finds there
    const struct hail_writer *objects; // hail_write_object with HAIL_APPROVED, one after another;
                                       // NULL: none
};

// hail_approve_into approves as hail_approve does, and sends the client into a scene with objects.
// Objects that were added before somebody joined are for him to be told of by this.
//
// Returns  As hail_approve; HAIL_EINVAL on the hail profile, for a writer that failed, or for
//          objects that take more than message_max bytes.
HAIL_API enum hail_status hail_approve_into(struct hail_endpoint *endpoint, struct hail_conn conn,
                                            uint64_t tag, const struct hail_scene *scene);

// hail_scene_index returns the index of the scene called `name` among those of the config, as MLAPI
// counts them: in ordinal order. UINT32_MAX: it is not one of them, or not valid UTF-8.
HAIL_API uint32_t hail_scene_index(const struct hail_mlapi_config *mlapi, const char *name);

// hail_set_scene says which scene a server is in from now on: what hail_approve tells clients. Tell
// those that are there already by HAIL_SWITCH_SCENE. Returns HAIL_OK; HAIL_EINVAL: not a server of
// the mlapi profile, or without runtime scene changes an index that no scene has.
HAIL_API enum hail_status hail_set_scene(struct hail_endpoint *endpoint, uint32_t index);

// hail_deny refuses a client and closes its connection. MLAPI has no message for it: `reason` goes
// to the log and to the CLOSED event's text; NULL: none; at most 200 bytes are kept. Returns
// as hail_approve.
HAIL_API enum hail_status hail_deny(struct hail_endpoint *endpoint, struct hail_conn conn,
                                    const char *reason);

// hail_close ends a connection once what is queued has been sent; on the hail profile, once what is
// reliable has arrived, or stall_timeout_ms after the last of it that has.
//
// code     Yours, such as why a player is thrown out; 0: none. Both ends' CLOSED events have it and
//          the text: a kick is told from a shutdown, whose text says so, and from a crash, which is
//          HAIL_CLOSED_IDLE. MLAPI's wire has neither, so there the own end alone is told.
// text     UTF-8, of which 253 bytes are kept; NULL: none.
HAIL_API enum hail_status hail_close(struct hail_endpoint *endpoint, struct hail_conn conn,
                                     uint16_t code, const char *text);

HAIL_API enum hail_status hail_set_tag(struct hail_endpoint *endpoint, struct hail_conn conn,
                                       uint64_t tag);

// hail_update_keys has both ends of a connection of the hail profile go on under fresh traffic
// keys, as they do by themselves after 2^23 packets, 64 GiB or an hour (WIRE.md, section 4.1): with
// the next packet, but not sooner than 1,024 packets or 10 s after the last time. HAIL_EINVAL on
// mlapi; HAIL_ENOKEY before there are keys.
HAIL_API enum hail_status hail_update_keys(struct hail_endpoint *endpoint, struct hail_conn conn);

// hail_flush sends what waits for company (coalesce_us) as soon as path and send_rate allow.
// Returns HAIL_OK, HAIL_EGONE or HAIL_EFULL; HAIL_EINVAL on mlapi, where nothing waits.
HAIL_API enum hail_status hail_flush(struct hail_endpoint *endpoint, struct hail_conn conn);

// ---- Sending

// A message to send. `data` is copied before the call returns.
struct hail_message {
    const void *data;
    size_t len;      // at most message_max
    uint32_t flags;  // HAIL_ENCRYPTED, HAIL_AUTHENTICATED
    uint8_t channel; // its number: of config.channels, or an enum hail_channel_kind
    bool named;
    uint64_t name_hash; // when named: hail_name_hash
    uint8_t scene_type; // mlapi: enum hail_scene_type, and `data` is what its writer wrote; else 0
};

// hail_name_hash returns what a name is on this endpoint's wire, for hail_message and hail_call. 0
// when `name` is not valid UTF-8.
HAIL_API uint64_t hail_name_hash(const struct hail_endpoint *endpoint, const char *name);

// hail_send queues a message for one connection.
//
// Returns  HAIL_OK: queued. HAIL_EINVAL: above message_max, unknown flag or channel. HAIL_ETOOLONG:
//          above the server's message_max, which hail_get_conn_info tells. HAIL_ENOKEY: protection
//          was asked for where there is no key. HAIL_ESTATE: not connected yet. HAIL_EGONE.
//          HAIL_EFULL: the connection's unsent_max is reached (on the mlapi profile it is closed
//          as a slow reader: messages on it would have a hole) or the command queue is full, and
//          HAIL_EVENT_WRITABLE will say when to go on; or buffers_max is. On all but HAIL_OK
//          nothing was queued.
//          HAIL_OK for a reliable message is a promise that it arrives or the connection ends: one
//          from another thread that finds buffers_max used up when its turn comes ends it.
// Cost     From a callback of the connection's shard: the protection and a copy, no system call.
//          From elsewhere: a copy to the shard.
HAIL_API enum hail_status hail_send(struct hail_endpoint *endpoint, struct hail_conn conn,
                                    const struct hail_message *message);

// hail_send_many queues a message for each of `conn_count` connections. Each is tried; `*sent`, if
// not NULL, is how many took it (or how many were handed to another shard, which counts those that
// fail there in `sends_failed`). Returns HAIL_OK when all did, else the first failure.
HAIL_API enum hail_status hail_send_many(struct hail_endpoint *endpoint,
                                         const struct hail_conn *conns, size_t conn_count,
                                         const struct hail_message *message, size_t *sent);

// hail_send_all queues a message for every connected client, hail_send_all_but for every other than
// one. Returns HAIL_OK, HAIL_EINVAL, HAIL_ENOKEY or, when a shard's command queue is full,
// HAIL_EFULL: that shard's connections did not get it, the others' did.
HAIL_API enum hail_status hail_send_all(struct hail_endpoint *endpoint,
                                        const struct hail_message *message);
HAIL_API enum hail_status hail_send_all_but(struct hail_endpoint *endpoint, struct hail_conn but,
                                            const struct hail_message *message);

// ---- Groups

// A named set of connections: a room, a zone, a cell of interest. The name is a value of yours,
// such as a cell's packed coordinates, or hail_group_named's. A group is there while it
// has members.
struct hail_group {
    uint64_t id;
};

// hail_group_named returns the group for a name: its FNV-1 hash of 64 bits.
HAIL_API struct hail_group hail_group_named(const char *name);

// hail_group_join makes a connection a member, until it leaves or begins to end; hail_group_leave
// ends that. Joining what one is in and leaving what one is not in change nothing: HAIL_OK.
//
// Returns  HAIL_OK, HAIL_EGONE; joining, HAIL_ESTATE: not connected yet, and HAIL_EFULL: groups_max
//          or memberships_max is reached (counted in groups_full; for another shard's connection
//          the counter alone can say so) or, as for leaving, the command queue is full.
// Cost     A look at each membership that the connection has. No allocation.
HAIL_API enum hail_status hail_group_join(struct hail_endpoint *endpoint, struct hail_group group,
                                          struct hail_conn conn);
HAIL_API enum hail_status hail_group_leave(struct hail_endpoint *endpoint, struct hail_group group,
                                           struct hail_conn conn);

// hail_group_send queues a message for every member, hail_group_send_but for every other than one,
// and hail_group_call calls every member as hail_call_all does. A thread's joins, leaves and sends
// take place on each shard in the order that it made them.
//
// Returns  As hail_send_all; HAIL_OK for a group without members.
// Cost     By the members alone, and a copy of the message for each other shard, whoever is there.
HAIL_API enum hail_status hail_group_send(struct hail_endpoint *endpoint, struct hail_group group,
                                          const struct hail_message *message);
HAIL_API enum hail_status hail_group_send_but(struct hail_endpoint *endpoint,
                                              struct hail_group group, struct hail_conn but,
                                              const struct hail_message *message);
struct hail_rpc;
HAIL_API enum hail_status hail_group_call(struct hail_endpoint *endpoint, struct hail_group group,
                                          const struct hail_rpc *call);

// hail_group_count returns how many members a group has on all shards, as each was at some moment
// of the call: what is on its way to a shard does not count yet.
HAIL_API size_t hail_group_count(const struct hail_endpoint *endpoint, struct hail_group group);

// ---- RPCs

// A call of a method at the other end.
struct hail_rpc {
    uint64_t network_id; // the networked object it is for
    uint16_t behaviour;  // the behaviour's order on it
    uint64_t name_hash;  // hail_name_hash of the method's name, or of its signature
    const void *args;    // see hail_writer
    size_t len;
    uint32_t flags;
    uint8_t channel; // as hail_message's
    bool wants_response;
    uint64_t call_id;    // with wants_response: yours to choose, comes back with the response
    uint32_t timeout_ms; // with wants_response: after which the response is HAIL_ETIMEOUT; one that
                         // comes later is dropped and counted (dropped_call); 0: call_timeout_ms
};

// hail_call sends a call. With wants_response, at most calls_max may be under way on a connection
// and their ids differ: else HAIL_EFULL or HAIL_EINVAL. Returns otherwise as hail_send. When the
// call was handed to another shard and fails there, a RESPONSE event with that status says so. A
// call that was taken and wants a response has one RESPONSE event, or its connection CLOSED.
HAIL_API enum hail_status hail_call(struct hail_endpoint *endpoint, struct hail_conn conn,
                                    const struct hail_rpc *call);

// hail_call_many, hail_call_all and hail_call_all_but call as hail_send_many, _all and _all_but
// send. Each connection that wants to answers by itself, under the same call_id: the event's `conn`
// says which.
HAIL_API enum hail_status hail_call_many(struct hail_endpoint *endpoint,
                                         const struct hail_conn *conns, size_t conn_count,
                                         const struct hail_rpc *call, size_t *sent);
HAIL_API enum hail_status hail_call_all(struct hail_endpoint *endpoint,
                                        const struct hail_rpc *call);
HAIL_API enum hail_status hail_call_all_but(struct hail_endpoint *endpoint, struct hail_conn but,
                                            const struct hail_rpc *call);

// The answer to a CALL event that wants one.
struct hail_response {
    uint64_t call_id; // the event's
    uint32_t flags;   // the event's; more may be added, never less: the caller would not take it
    uint8_t channel;  // the event's, or another
    const void *result;
    size_t len;
    enum hail_status status; // HAIL_OK; or, on the hail profile, HAIL_EARGUMENTS, HAIL_EREFUSED or
                             // HAIL_EUNKNOWN, and `result` is what the caller gets with it
};

// hail_respond answers a call. Returns as hail_send; HAIL_EINVAL also for a status that cannot be
// told: the mlapi wire has none, so there the caller's time runs out.
HAIL_API enum hail_status hail_respond(struct hail_endpoint *endpoint, struct hail_conn conn,
                                       const struct hail_response *response);

// Arguments and results, bit-packed as MLAPI's typed RPCs have them: MLAPI.md has a table of C#'s
// types ("Types") and the calls for each. A writer that ran out of room,
// or a reader out of bytes, is `failed` and stays so; check once at the end.
struct hail_writer {
    uint8_t *data; // yours
    size_t capacity;
    size_t bit;
    bool failed;
};
struct hail_reader {
    const uint8_t *data; // borrowed
    size_t len;
    size_t bit;
    bool failed;
};

HAIL_API void hail_writer_init(struct hail_writer *writer, void *data, size_t capacity);
HAIL_API void hail_write_bool(struct hail_writer *writer, bool value);
HAIL_API void hail_write_byte(struct hail_writer *writer, uint8_t value);  // byte, sbyte
HAIL_API void hail_write_uint(struct hail_writer *writer, uint64_t value); // ushort to ulong, char
HAIL_API void hail_write_int(struct hail_writer *writer, int64_t value);   // short to long, enums
HAIL_API void hail_write_float(struct hail_writer *writer, float value);
HAIL_API void hail_write_double(struct hail_writer *writer, double value);
HAIL_API void hail_write_string(struct hail_writer *writer, const char *text); // NULL: null
HAIL_API void hail_write_bytes(struct hail_writer *writer, const void *data,
                               size_t len);                        // byte[]; data NULL: null
HAIL_API size_t hail_writer_len(const struct hail_writer *writer); // bytes to send

// hail_write_array begins an array of any type: write its `count` elements next, each by its type's
// call. hail_write_null writes a null in place of an array, a string, an object or a nullable
// value; hail_write_present goes before one that is there and has no call of its own.
HAIL_API void hail_write_array(struct hail_writer *writer, size_t count);
HAIL_API void hail_write_null(struct hail_writer *writer);
HAIL_API void hail_write_present(struct hail_writer *writer);

// hail_write_stream_bytes and hail_write_stream_string write what methods that read their stream
// by hand call WriteByteArray and WriteStringPacked: no null, and another length.
HAIL_API void hail_write_stream_bytes(struct hail_writer *writer, const void *data, size_t len);
HAIL_API void hail_write_stream_string(struct hail_writer *writer, const char *text);

HAIL_API void hail_reader_init(struct hail_reader *reader, const void *data, size_t len);
HAIL_API bool hail_read_bool(struct hail_reader *reader);
HAIL_API uint8_t hail_read_byte(struct hail_reader *reader);
HAIL_API uint64_t hail_read_uint(struct hail_reader *reader);
HAIL_API int64_t hail_read_int(struct hail_reader *reader);
HAIL_API float hail_read_float(struct hail_reader *reader);
HAIL_API double hail_read_double(struct hail_reader *reader);

// hail_read_present tells whether something follows, or null. hail_read_array tells too, and how
// many elements; it fails when there cannot be so many, each of a bit at least.
HAIL_API bool hail_read_present(struct hail_reader *reader);
HAIL_API bool hail_read_array(struct hail_reader *reader, size_t *count);

// hail_read_string and hail_read_stream_string read into `out`, terminated; they fail when it needs
// more than `capacity` bytes. A null string gives false and an empty text.
HAIL_API bool hail_read_string(struct hail_reader *reader, char *out, size_t capacity);
HAIL_API bool hail_read_stream_string(struct hail_reader *reader, char *out, size_t capacity);

// hail_read_bytes and hail_read_stream_bytes copy a byte array and return its length; they fail,
// and return 0, when it is longer than `capacity`. A null array has the length 0.
HAIL_API size_t hail_read_bytes(struct hail_reader *reader, void *out, size_t capacity);
HAIL_API size_t hail_read_stream_bytes(struct hail_reader *reader, void *out, size_t capacity);

// A networked object, as MLAPI's messages describe it to clients.
struct hail_object {
    uint64_t network_id; // not 0, and unlike any other's: the game counts them
    uint64_t owner;      // the number of a client (event->client_id); 0: the server
    uint64_t parent;     // with has_parent: the network id of an object that the client has already
    uint64_t hash;       // its prefab's; of an object of the scene, with scene management and
                         // without prefab sync, its NetworkedInstanceId
    bool is_player;
    bool has_parent;
    bool is_scene_object; // it is in the scene's file, and not made of a prefab
    bool has_transform;
    float position[3];
    float rotation[3];                   // Euler angles, degrees
    const struct hail_writer *variables; // what its networked and then its synced variables wrote,
                                         // unless enable_networked_var is off; NULL: it has none
    const void *payload; // HAIL_ADD_OBJECT, HAIL_ADD_OBJECTS: for its NetworkStart; NULL: none
    size_t payload_len;
};

enum {
    HAIL_APPROVED = 4,         // where hail_write_object writes for, beside enum hail_scene_type
    HAIL_SCENE_SWITCH_LEN = 16 // bytes of a scene switch's own number, a GUID in MLAPI
};

// hail_write_object adds an object to a message's body. `type` is what the message will be, since
// each has a form of its own: HAIL_ADD_OBJECT, HAIL_ADD_OBJECTS, HAIL_SWITCH_SCENE (objects of the
// new scene alone) or HAIL_APPROVED (hail_approve_into). The writer fails for any other.
HAIL_API void hail_write_object(const struct hail_endpoint *endpoint, struct hail_writer *writer,
                                int type, const struct hail_object *object);

// hail_write_scene_switch begins a HAIL_SWITCH_SCENE; `object_count` calls of hail_write_object
// follow. A client that has loaded the scene says so by HAIL_SCENE_SWITCHED with the same `id`,
// which is unlike any other's and not all zero.
HAIL_API void hail_write_scene_switch(struct hail_writer *writer, uint32_t scene,
                                      const uint8_t id[HAIL_SCENE_SWITCH_LEN],
                                      uint32_t object_count);

// ---- Keys and what is known of a connection, from any thread without locks

enum {
    HAIL_KEY_LEN = 32
};

// hail_client_key copies the connection's stretched key, the root of all its keys, as MLAPI hands
// it out. Prefer hail_export_key: what it gives is independent of the keys in use.
//
// Returns  HAIL_OK, HAIL_EGONE, or HAIL_ENOKEY before the key is agreed on or without encryption.
HAIL_API enum hail_status hail_client_key(const struct hail_endpoint *endpoint,
                                          struct hail_conn conn, uint8_t key[HAIL_KEY_LEN]);

// hail_export_key derives `len` bytes (at most 8,160) for the application's own use: HKDF-SHA256 of
// the stretched key with the info "hail export", 0, label, 0, context. Both ends get the same.
//
// Returns  As hail_client_key, and HAIL_EINVAL for a label of more than 255 bytes or a context of
//          more than 1,024.
HAIL_API enum hail_status hail_export_key(const struct hail_endpoint *endpoint,
                                          struct hail_conn conn, const char *label,
                                          const void *context, size_t context_len, uint8_t *out,
                                          size_t len);

// hail_ticket copies what a client needs to come back to this connection's server with less work:
// no certificate to fetch and check, and a key exchange less (WIRE.md, section 2.8). It is a
// secret: whoever has it can pass for the server to this client, though he cannot read what was
// said before. The server gives a fresh one with each connection, there when CONNECTED is told
// unless the packet with it was lost, else some seconds later; and from time to time. It is good
// for the server's ticket_life_s, but no longer than 7 days after the server last proved itself in
// full. Clients may keep it over restarts of their own.
//
// len      In: the capacity of `ticket`, HAIL_TICKET_MAX suffices. Out, on success: its length.
//
// Returns  HAIL_OK, HAIL_EGONE, HAIL_ENOKEY (there is none: a server, the mlapi profile, or a
//          server that gives none), or HAIL_EINVAL (too little room).
HAIL_API enum hail_status hail_ticket(const struct hail_endpoint *endpoint, struct hail_conn conn,
                                      void *ticket, size_t *len);

// hail_server_key copies a server's present static public key, for clients that pin it: give it to
// them through something they trust, such as a matchmaker. It is good for two key_rotation_s.
//
// Returns  HAIL_OK, or HAIL_ENOKEY: not a server of the hail profile, or one that is HAIL_UNSIGNED.
HAIL_API enum hail_status hail_server_key(const struct hail_endpoint *endpoint,
                                          uint8_t key[HAIL_STATIC_KEY_LEN]);

// What is known of a connection: each number as it was at some moment of the call.
struct hail_conn_info {
    size_t size;                  // sizeof(struct hail_conn_info), set by the caller
    struct sockaddr_storage peer; // its address
    bool connected;
    bool has_key;
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t bytes_in; // of the stream, or of datagrams
    uint64_t bytes_out;
    uint64_t bytes_unsent;      // queued here and not yet taken by the kernel; hail profile: or not
                                // yet arrived, if they are reliable
    uint64_t messages_in_by[4]; // by how they came: index plain 0, HAIL_ENCRYPTED, ...
    uint64_t messages_out_by[4]; // by how they were sent
    uint64_t dropped;            // messages or packets of its that were not taken; hail_stats: why
    uint64_t handshake_us;       // from its first bytes to connected
    // On the hail profile; 0 on mlapi.
    uint32_t rtt_us;      // round trip, smoothed; 0: not measured yet
    uint32_t jitter_us;   // its mean deviation
    uint64_t packets_in;  // that were opened
    uint64_t packets_out; // of them packets_lost are taken for lost
    uint64_t packets_lost;
    uint64_t bytes_resent;
    uint64_t waited_us;    // by the last message that could not leave at once
    uint32_t datagram_max; // bytes of the longest that its path is known to take; 0: 1,200
    uint32_t message_max;  // client: the server's, which it tells as it approves; 0: it did not
};

// hail_get_conn_info tells it.
//
// Returns  HAIL_OK, HAIL_EGONE, or HAIL_EABI: `size` is not that of this or an older header.
HAIL_API enum hail_status hail_get_conn_info(const struct hail_endpoint *endpoint,
                                             struct hail_conn conn, struct hail_conn_info *info);

// ---- A bad network, for tests

// hail_simulate has a connection's datagrams go through a simulated network inside this endpoint,
// one for those that come and one for those that go; NULL: as they are. It replaces what was set
// before; what is on its way still arrives. A client's handshake goes through config's
// `simulation`, as does a server's from its first answer on.
//
// Returns  HAIL_OK, HAIL_EGONE, HAIL_EFULL, HAIL_EINVAL (out of range, or the mlapi profile), or
//          HAIL_ESTATE: native.simulated_max is 0.
HAIL_API enum hail_status hail_simulate(struct hail_endpoint *endpoint, struct hail_conn conn,
                                        const struct hail_simulation *incoming,
                                        const struct hail_simulation *outgoing);

// ---- Statistics

// One counter of an endpoint.
struct hail_counter {
    const char *name; // stable, such as "messages_in_encrypted" or "dropped_forged"
    uint64_t value;
};

// hail_stats writes the endpoint's counters, summed over its shards, in a fixed order. A datagram
// that came is taken, or in one counter of those that begin with "dropped_"; what the kernel has
// dropped at a UDP socket, of a flood or for lack of room, is in "socket_drops": a client's, once
// its connection has ended. The kernel counts datagrams there that it had joined as one.
//
// Returns  How many there are; when that is above `counters_max`, only so many were written.
HAIL_API size_t hail_stats(const struct hail_endpoint *endpoint, struct hail_counter *counters,
                           size_t counters_max);

// hail_handler_drops returns how many messages for the handler with index `handler` in the config
// were dropped for being below its floor.
HAIL_API uint64_t hail_handler_drops(const struct hail_endpoint *endpoint, size_t handler);

// What a channel has carried, over all connections; on the mlapi profile, which has no channels on
// the wire, what comes counts for channel 0.
struct hail_channel_info {
    size_t size; // sizeof(struct hail_channel_info), set by the caller
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t bytes_in; // of payloads
    uint64_t bytes_out;
    uint64_t below_floor;     // dropped for having less protection than its floor
    uint64_t messages_late;   // not sent, since age_max_ms had passed
    uint64_t messages_waited; // that could not leave at once, waited_us in all
    uint64_t waited_us;
    uint64_t waited_max_us;
};

// hail_get_channel_info adds up what the channel with this number has carried. Returns HAIL_OK,
// HAIL_EINVAL (no such channel) or HAIL_EABI.
HAIL_API enum hail_status hail_get_channel_info(const struct hail_endpoint *endpoint,
                                                uint8_t channel, struct hail_channel_info *info);

// What an endpoint reserves, in bytes; all of it at start.
struct hail_memory {
    size_t size;        // sizeof(struct hail_memory), set by the caller
    uint64_t per_conn;  // for each connection that conns_max allows
    uint64_t per_shard; // beside its connections: rings, buffers, queues
    uint64_t total;
};
HAIL_API void hail_get_memory(const struct hail_endpoint *endpoint, struct hail_memory *memory);

#ifdef __cplusplus
}

// Names are values, and compare as such.
inline bool operator==(hail_conn a, hail_conn b)
{
    return a.id == b.id;
}
inline bool operator!=(hail_conn a, hail_conn b)
{
    return a.id != b.id;
}
inline bool operator==(hail_group a, hail_group b)
{
    return a.id == b.id;
}
inline bool operator!=(hail_group a, hail_group b)
{
    return a.id != b.id;
}
#endif

#endif
