// peer_ngtcp2.c: QUIC by ngtcp2, its TLS 1.3 by GnuTLS: X25519, a P-256 certificate, AES-256-GCM.
// Messages are DATAGRAM frames (RFC 9221).
// SPDX-License-Identifier: MIT
//
// ngtcp2 has neither sockets nor a clock. The server takes datagrams in batches and answers when a
// batch is through, so that messages of one connection share a packet as QUIC means them to.
// Connections are told apart by the client's port, as the other peers do it.
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/peer.h"
#include "crypto/time.h"

#define PRIORITIES                                                                                 \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:-GROUP-ALL:+GROUP-X25519:"             \
    "%DISABLE_TLS13_COMPAT_MODE"

enum {
    PACKET_MAX = 1472, // what Ethernet carries: there is no path to discover here
    DATAGRAM_MAX = 2048,
    CID_LEN = 8,
    QUEUE_LEN = 4096,
    QUEUE_MAX = 1 << 18, // messages that congestion control holds back; later ones are dropped
    PORTS = 65536,
    IDLE_S = 30,
    SWEEP_MS = 10, // delays of acknowledgements and retries are longer than that
    RETRY_MS = 1,  // as exact as ngtcp2's pacing is
    DAY_S = 86400
};

// Messages that wait for a packet, each behind its length. They begin where the last one was taken.
struct queue {
    uint8_t *bytes;
    size_t begin;
    size_t end;
    size_t capacity;
};

// An end of a connection.
struct end {
    ngtcp2_crypto_conn_ref ref; // how ngtcp2 finds `quic` from `session`
    ngtcp2_conn *quic;
    gnutls_session_t session;
    struct sockaddr_in local;
    struct sockaddr_in remote;
    struct queue queue;
    int fd;         // the load's; -1: the server's
    uint32_t conn;  // the load's
    bool is_over;   // closed, or broken
    bool is_listed; // among those that have something to send
    size_t place;   // in `ends`
    struct end *next;
};

static gnutls_certificate_credentials_t credentials; // of the process's end
static gnutls_priority_t priorities;
static struct end *ends[PORTS]; // all that are open
static uint64_t due[PORTS];     // when their timers are; 0: they may have moved
static size_t end_count;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NGTCP2_SECONDS + (uint64_t)time.tv_nsec;
}

static void need(bool went_well, const char *call)
{
    if (!went_well)
        peer_die(call);
}

// ---- TLS

static void make_certificate(void)
{
    const unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
    const time_t today = time(NULL);
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t certificate = NULL;

    need(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&certificate) == 0 &&
             gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, bits, 0) == 0,
         "gnutls_x509_privkey_generate");
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "\1", 1);
    gnutls_x509_crt_set_dn(certificate, "CN=127.0.0.1", NULL);
    gnutls_x509_crt_set_activation_time(certificate, today - DAY_S);
    gnutls_x509_crt_set_expiration_time(certificate, today + DAY_S);
    gnutls_x509_crt_set_key(certificate, key);
    need(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) == 0 &&
             gnutls_certificate_set_x509_key(credentials, &certificate, 1, key) == 0,
         "a certificate");
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

static void make_context(void)
{
    need(gnutls_certificate_allocate_credentials(&credentials) == 0 &&
             gnutls_priority_init(&priorities, PRIORITIES, NULL) == 0,
         "gnutls_priority_init");
}

static void make_session(struct end *end, bool accepts)
{
    const gnutls_datum_t protocol = {(unsigned char *)(uintptr_t) "echo", 4};
    const unsigned flags = GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET;

    need(gnutls_init(&end->session, flags | (accepts ? GNUTLS_SERVER : GNUTLS_CLIENT)) == 0 &&
             gnutls_priority_set(end->session, priorities) == 0 &&
             gnutls_credentials_set(end->session, GNUTLS_CRD_CERTIFICATE, credentials) == 0 &&
             gnutls_alpn_set_protocols(end->session, &protocol, 1, GNUTLS_ALPN_MANDATORY) == 0 &&
             (accepts ? ngtcp2_crypto_gnutls_configure_server_session(end->session)
                      : ngtcp2_crypto_gnutls_configure_client_session(end->session)) == 0,
         "gnutls_init");
    gnutls_session_set_ptr(end->session, &end->ref);
}

// ---- Messages that wait

static bool queue_grow(struct queue *queue, size_t more)
{
    size_t len = queue->end - queue->begin;
    size_t capacity = queue->capacity > 0 ? queue->capacity : QUEUE_LEN;

    if (len + more > QUEUE_MAX)
        return false;
    while (capacity < 2 * (len + more)) // then moving is rare
        capacity *= 2;
    if (len > 0)
        memmove(queue->bytes, queue->bytes + queue->begin, len);
    queue->begin = 0;
    queue->end = len;
    if (capacity > queue->capacity) {
        queue->bytes = realloc(queue->bytes, capacity);
        queue->capacity = capacity;
        need(queue->bytes, "realloc");
    }
    return true;
}

static void queue_add(struct queue *queue, const uint8_t *message, size_t message_len)
{
    uint16_t len = (uint16_t)message_len;

    if (queue->end + sizeof len + len > queue->capacity && !queue_grow(queue, sizeof len + len))
        return;
    memcpy(queue->bytes + queue->end, &len, sizeof len);
    memcpy(queue->bytes + queue->end + sizeof len, message, len);
    queue->end += sizeof len + len;
}

static bool queue_is_empty(const struct queue *queue)
{
    return queue->begin == queue->end;
}

static ngtcp2_vec queue_first(const struct queue *queue)
{
    uint16_t len;

    memcpy(&len, queue->bytes + queue->begin, sizeof len);
    return (ngtcp2_vec){queue->bytes + queue->begin + sizeof len, len};
}

static void queue_drop_first(struct queue *queue)
{
    queue->begin += sizeof(uint16_t) + queue_first(queue).len;
    if (queue_is_empty(queue))
        queue->begin = queue->end = 0;
}

// ---- QUIC

static ngtcp2_conn *find_quic(ngtcp2_crypto_conn_ref *ref)
{
    const struct end *end = ref->user_data;

    return end->quic;
}

static void roll(uint8_t *out, size_t len, const ngtcp2_rand_ctx *context)
{
    (void)context;
    need(gnutls_rnd(GNUTLS_RND_NONCE, out, len) == 0, "gnutls_rnd");
}

static ngtcp2_cid make_cid(void)
{
    ngtcp2_cid cid = {.datalen = CID_LEN};

    roll(cid.data, CID_LEN, NULL);
    return cid;
}

static int on_new_cid(ngtcp2_conn *quic, ngtcp2_cid *cid, uint8_t *token, size_t cid_len,
                      void *user)
{
    (void)quic;
    (void)user;
    cid->datalen = cid_len;
    roll(cid->data, cid_len, NULL);
    roll(token, NGTCP2_STATELESS_RESET_TOKENLEN, NULL);
    return 0;
}

static int on_completed(ngtcp2_conn *quic, void *user)
{
    const struct end *end = user;

    (void)quic;
    if (end->fd >= 0)
        peer_joined(end->conn);
    return 0;
}

// ngtcp2 must not be asked for packets from here.
static int on_datagram(ngtcp2_conn *quic, uint32_t flags, const uint8_t *message, size_t len,
                       void *user)
{
    struct end *end = user;

    (void)quic;
    (void)flags;
    if (end->fd >= 0)
        peer_echo(end->conn, message, len);
    else
        queue_add(&end->queue, message, len);
    return 0;
}

static const ngtcp2_callbacks callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
    .handshake_completed = on_completed,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .rand = roll,
    .get_new_connection_id = on_new_cid,
    .update_key = ngtcp2_crypto_update_key_cb,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .recv_datagram = on_datagram,
    .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
};

static ngtcp2_path path_of(struct end *end)
{
    return (ngtcp2_path){.local = {(struct sockaddr *)&end->local, sizeof end->local},
                         .remote = {(struct sockaddr *)&end->remote, sizeof end->remote}};
}

// Begins the server's end with the client's first packet, or the client's with none.
static void begin(struct end *end, const ngtcp2_pkt_hd *first)
{
    const ngtcp2_path path = path_of(end);
    const ngtcp2_cid from = make_cid();
    const ngtcp2_cid to = first ? first->scid : make_cid();
    ngtcp2_settings settings;
    ngtcp2_transport_params params;

    ngtcp2_settings_default(&settings);
    settings.initial_ts = now();
    settings.max_tx_udp_payload_size = PACKET_MAX;
    settings.no_tx_udp_payload_size_shaping = 1;
    settings.no_pmtud = 1;
    ngtcp2_transport_params_default(&params);
    params.max_datagram_frame_size = DATAGRAM_MAX;
    params.max_idle_timeout = IDLE_S * NGTCP2_SECONDS;
    if (first)
        params.original_dcid = first->dcid;
    need((first ? ngtcp2_conn_server_new(&end->quic, &to, &from, &path, first->version, &callbacks,
                                         &settings, &params, NULL, end)
                : ngtcp2_conn_client_new(&end->quic, &to, &from, &path, NGTCP2_PROTO_VER_V1,
                                         &callbacks, &settings, &params, NULL, end)) == 0,
         "ngtcp2_conn_new");
    end->ref = (ngtcp2_crypto_conn_ref){find_quic, end};
    make_session(end, first != NULL);
    ngtcp2_conn_set_tls_native_handle(end->quic, end->session);
    end->place = end_count;
    due[end_count] = 0;
    ends[end_count++] = end;
}

static void forget(struct end *end)
{
    ends[end->place] = ends[--end_count];
    due[end->place] = due[end_count];
    ends[end->place]->place = end->place;
    ngtcp2_conn_del(end->quic);
    gnutls_deinit(end->session);
    free(end->queue.bytes);
    free(end);
}

static void take(struct end *end, const uint8_t *datagram, size_t len)
{
    const ngtcp2_path path = path_of(end);
    const ngtcp2_pkt_info info = {0};

    if (!end->is_over && ngtcp2_conn_read_pkt(end->quic, &path, &info, datagram, len, now()) != 0)
        end->is_over = true;
}

// Returns the length of the next packet of this end, 0: there is none now, or an error.
static ngtcp2_ssize write_packet(struct end *end, uint8_t packet[PACKET_MAX], uint64_t now_ns)
{
    ngtcp2_ssize len = NGTCP2_ERR_WRITE_MORE;

    while (len == NGTCP2_ERR_WRITE_MORE && !queue_is_empty(&end->queue)) {
        ngtcp2_vec message = queue_first(&end->queue);
        int is_in = 0;
        len = ngtcp2_conn_writev_datagram(end->quic, NULL, NULL, packet, PACKET_MAX, &is_in,
                                          NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, &message, 1, now_ns);
        if (is_in)
            queue_drop_first(&end->queue);
    }
    if (len == NGTCP2_ERR_WRITE_MORE)
        len = ngtcp2_conn_write_pkt(end->quic, NULL, NULL, packet, PACKET_MAX, now_ns);
    return len;
}

// Writes what this end has to say. `room` gives room for a packet, and `give` sends what was
// written there.
static void write_all(struct end *end, uint8_t *(*room)(void),
                      void (*give)(struct end *end, size_t len))
{
    uint64_t now_ns = now();
    ngtcp2_ssize len = 0;

    while (!end->is_over && (len = write_packet(end, room(), now_ns)) > 0)
        give(end, (size_t)len);
    if (len < 0)
        end->is_over = true;
    if (!end->is_over && end->fd < 0) // the load has no timer that would end a pause
        ngtcp2_conn_update_pkt_tx_time(end->quic, now_ns);
    due[end->place] = 0;
}

// Calls `act` for each end whose time has come, once in SWEEP_MS.
static void sweep(void (*act)(struct end *end))
{
    static uint64_t sweep_ns;
    uint64_t now_ns = now();

    if (now_ns < sweep_ns)
        return;
    sweep_ns = now_ns + (uint64_t)SWEEP_MS * HAIL_NS_PER_MS;
    for (size_t i = 0; i < end_count; i++) {
        struct end *end = ends[i];
        if (due[i] == 0)
            due[i] = ngtcp2_conn_get_expiry(end->quic);
        if (end->is_over || due[i] > now_ns)
            continue;
        if (ngtcp2_conn_handle_expiry(end->quic, now_ns) != 0)
            end->is_over = true;
        act(end);
    }
}

// ---- The server

// What a turn takes and sends.
static struct server {
    int fd;
    struct sockaddr_in at;
    struct end *served[PORTS]; // by the client's port
    struct end *first;         // of those that have something to send
    unsigned out_count;
    uint8_t in[PEER_BATCH][DATAGRAM_MAX];
    uint8_t out[PEER_BATCH][PACKET_MAX];
    struct sockaddr_in in_names[PEER_BATCH];
    struct sockaddr_in out_names[PEER_BATCH];
    struct iovec in_views[PEER_BATCH];
    struct iovec out_views[PEER_BATCH];
    struct mmsghdr in_headers[PEER_BATCH];
    struct mmsghdr out_headers[PEER_BATCH];
} server;

static void list(struct end *end)
{
    if (end->is_listed)
        return;
    end->is_listed = true;
    end->next = server.first;
    server.first = end;
}

static struct end *welcome(const struct sockaddr_in *from, const uint8_t *datagram, size_t len)
{
    ngtcp2_pkt_hd first;

    if (ngtcp2_accept(&first, datagram, len) != 0)
        return NULL;
    struct end *end = calloc(1, sizeof *end);
    need(end, "calloc");
    end->fd = -1;
    end->local = server.at;
    end->remote = *from;
    begin(end, &first);
    return end;
}

static void take_batch(void)
{
    int got = recvmmsg(server.fd, server.in_headers, PEER_BATCH, MSG_DONTWAIT, NULL);

    for (int i = 0; i < got; i++) {
        struct end **client_end = &server.served[ntohs(server.in_names[i].sin_port)];
        size_t len = server.in_headers[i].msg_len;
        if (!*client_end)
            *client_end = welcome(&server.in_names[i], server.in[i], len);
        if (!*client_end)
            continue;
        take(*client_end, server.in[i], len);
        list(*client_end);
    }
}

static void send_batch(void)
{
    if (server.out_count > 0)
        sendmmsg(server.fd, server.out_headers, server.out_count, MSG_DONTWAIT);
    server.out_count = 0;
}

static uint8_t *server_room(void)
{
    if (server.out_count == PEER_BATCH)
        send_batch();
    return server.out[server.out_count];
}

static void server_give(struct end *end, size_t len)
{
    server.out_views[server.out_count].iov_len = len;
    server.out_names[server.out_count++] = end->remote;
}

// Answers. Those whose messages are held back, by congestion control or pacing, stay listed.
static void answer_all(void)
{
    struct end *end = server.first;
    struct end *next;

    server.first = NULL;
    for (; end; end = next) {
        next = end->next;
        end->is_listed = false;
        write_all(end, server_room, server_give);
        if (end->is_over) {
            server.served[ntohs(end->remote.sin_port)] = NULL;
            forget(end);
        } else if (!queue_is_empty(&end->queue)) {
            list(end);
        }
    }
    send_batch();
}

static void set_headers(void)
{
    for (int i = 0; i < PEER_BATCH; i++) {
        server.in_views[i] = (struct iovec){server.in[i], DATAGRAM_MAX};
        server.out_views[i] = (struct iovec){server.out[i], 0};
        server.in_headers[i].msg_hdr = (struct msghdr){.msg_name = &server.in_names[i],
                                                       .msg_namelen = sizeof server.in_names[i],
                                                       .msg_iov = &server.in_views[i],
                                                       .msg_iovlen = 1};
        server.out_headers[i].msg_hdr = (struct msghdr){.msg_name = &server.out_names[i],
                                                        .msg_namelen = sizeof server.out_names[i],
                                                        .msg_iov = &server.out_views[i],
                                                        .msg_iovlen = 1};
    }
}

static void serve(const struct peer_wanted *wanted)
{
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t len = sizeof server.at;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint16_t port;

    (void)wanted;
    server.fd = peer_bind(&port);
    need(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, server.fd, &event) == 0 &&
             getsockname(server.fd, (struct sockaddr *)&server.at, &len) == 0,
         "epoll");
    make_context();
    make_certificate();
    set_headers();
    peer_ready(port);
    for (;;) {
        epoll_wait(epoll, &event, 1, server.first ? RETRY_MS : SWEEP_MS);
        take_batch();
        sweep(list);
        answer_all();
    }
}

// ---- The load

static struct end *clients[PEER_CONNECTIONS_MAX];
static bool is_receiving; // then what is sent waits until all that has come was taken

static uint8_t *client_room(void)
{
    static uint8_t packet[PACKET_MAX];

    return packet;
}

static void client_give(struct end *end, size_t len)
{
    send(end->fd, client_room(), len, 0);
}

static void flush_end(struct end *end)
{
    write_all(end, client_room, client_give);
}

static int open_conn(uint32_t conn, uint16_t port)
{
    struct end *end = calloc(1, sizeof *end);
    socklen_t local_len = sizeof end->local;
    socklen_t remote_len = sizeof end->remote;

    if (!credentials)
        make_context();
    need(end, "calloc");
    clients[conn] = end;
    end->conn = conn;
    end->fd = peer_connect(port);
    need(getsockname(end->fd, (struct sockaddr *)&end->local, &local_len) == 0 &&
             getpeername(end->fd, (struct sockaddr *)&end->remote, &remote_len) == 0,
         "getsockname");
    begin(end, NULL);
    flush_end(end);
    return end->fd;
}

static void receive(uint32_t conn)
{
    uint8_t datagram[DATAGRAM_MAX];
    struct end *end = clients[conn];
    ssize_t len;

    is_receiving = true;
    while ((len = recv(end->fd, datagram, sizeof datagram, 0)) > 0)
        take(end, datagram, (size_t)len);
    is_receiving = false;
    flush_end(end);
    sweep(flush_end);
}

static void send_message(uint32_t conn, const uint8_t *message, size_t len)
{
    queue_add(&clients[conn]->queue, message, len);
    if (is_receiving)
        return;
    flush_end(clients[conn]);
    sweep(flush_end);
}

static void tick(uint32_t conn)
{
    (void)conn;
    sweep(flush_end);
}

static void close_conn(uint32_t conn)
{
    struct end *end = clients[conn];
    ngtcp2_connection_close_error reason;

    ngtcp2_connection_close_error_default(&reason);
    ngtcp2_ssize len = ngtcp2_conn_write_connection_close(end->quic, NULL, NULL, client_room(),
                                                          PACKET_MAX, &reason, now());
    if (len > 0)
        client_give(end, (size_t)len);
    close(end->fd);
    forget(end);
}

int main(int argc, char **argv)
{
    static char about[128];
    static struct peer ngtcp2 = {
        .name = "peer_ngtcp2",
        .about = about,
        .has_handshake = true,
        .serve = serve,
        .open = open_conn,
        .receive = receive,
        .send = send_message,
        .tick = tick,
        .close = close_conn,
    };

    snprintf(about, sizeof about,
             "ngtcp2 %s, GnuTLS %s, QUIC datagrams, X25519, P-256, AES-256-GCM, CUBIC",
             ngtcp2_version(0)->version_str, gnutls_check_version(NULL));
    return peer_main(&ngtcp2, argc, argv);
}
