// peer_openssl.c: OpenSSL's DTLS 1.2, ECDHE with a P-256 certificate, AES-256-GCM. Never with
// BoringSSL in one process: their symbols are the same.
// SPDX-License-Identifier: MIT
//
// Both ends move datagrams through memory, so that the server can take and send them in batches:
// better than one system call for each, as DTLS is mostly used.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peer.h"

enum {
    FLIGHT_MAX = 8192, // what a handshake sends at once; on loopback it fits one datagram
    PORTS = 65536,
    DAY_S = 86400
};

static SSL_CTX *context;   // of the process's end
static SSL *served[PORTS]; // the server's, by the client's port
static SSL *sessions[PEER_CONNECTIONS_MAX];
static int fds[PEER_CONNECTIONS_MAX];

static void make_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    if (!key || !certificate)
        peer_die("EVP_EC_gen");
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1,
                               0);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    if (X509_sign(certificate, key, EVP_sha256()) == 0 ||
        SSL_CTX_use_certificate(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1)
        peer_die("a certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void make_context(const SSL_METHOD *method)
{
    context = SSL_CTX_new(method);
    if (!context || SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES256-GCM-SHA384") != 1 ||
        SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1)
        peer_die("SSL_CTX_new");
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static SSL *make_session(bool accepts)
{
    SSL *session = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());

    if (!session || !in || !out)
        peer_die("SSL_new");
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(session, in, out);
    SSL_set_mtu(session, FLIGHT_MAX);
    accepts ? SSL_set_accept_state(session) : SSL_set_connect_state(session);
    return session;
}

// What the session has to send.
static size_t drain(SSL *session, uint8_t *out, size_t capacity)
{
    int len = BIO_read(SSL_get_wbio(session), out, (int)capacity);

    return len > 0 ? (size_t)len : 0;
}

static size_t answer(uint16_t from, const uint8_t *datagram, size_t len, uint8_t *out)
{
    uint8_t message[PEER_SIZE_MAX];

    if (!served[from])
        served[from] = make_session(true);
    SSL *session = served[from];
    BIO_write(SSL_get_rbio(session), datagram, (int)len);
    int got = SSL_read(session, message, sizeof message);
    if (got > 0)
        SSL_write(session, message, got);
    size_t answer_len = drain(session, out, FLIGHT_MAX);
    if (got <= 0 && (SSL_get_shutdown(session) & SSL_RECEIVED_SHUTDOWN)) {
        SSL_free(session);
        served[from] = NULL;
        answer_len = 0;
    }
    ERR_clear_error();
    return answer_len;
}

static void serve(const struct peer_wanted *wanted)
{
    uint16_t port;
    int fd = peer_bind(&port);

    (void)wanted;
    make_context(DTLS_server_method());
    make_certificate();
    peer_ready(port);
    peer_serve_datagrams(fd, answer);
}

// ---- The load

static void flush_conn(uint32_t conn)
{
    uint8_t datagram[FLIGHT_MAX];
    size_t len = drain(sessions[conn], datagram, sizeof datagram);

    if (len > 0)
        send(fds[conn], datagram, len, 0);
}

static int open_conn(uint32_t conn, uint16_t port)
{
    if (!context)
        make_context(DTLS_client_method());
    fds[conn] = peer_connect(port);
    sessions[conn] = make_session(false);
    SSL_do_handshake(sessions[conn]);
    flush_conn(conn);
    return fds[conn];
}

static void receive(uint32_t conn)
{
    uint8_t datagram[FLIGHT_MAX];
    uint8_t message[PEER_SIZE_MAX];
    ssize_t len;
    int got;

    while ((len = recv(fds[conn], datagram, sizeof datagram, 0)) > 0) {
        BIO_write(SSL_get_rbio(sessions[conn]), datagram, (int)len);
        if (!SSL_is_init_finished(sessions[conn])) {
            if (SSL_do_handshake(sessions[conn]) == 1)
                peer_joined(conn);
            flush_conn(conn);
        }
        while (SSL_is_init_finished(sessions[conn]) &&
               (got = SSL_read(sessions[conn], message, sizeof message)) > 0)
            peer_echo(conn, message, (size_t)got);
        ERR_clear_error();
    }
}

static void send_message(uint32_t conn, const uint8_t *message, size_t len)
{
    SSL_write(sessions[conn], message, (int)len);
    flush_conn(conn);
}

static void tick(uint32_t conn)
{
    DTLSv1_handle_timeout(sessions[conn]);
    flush_conn(conn);
}

static void close_conn(uint32_t conn)
{
    SSL_shutdown(sessions[conn]);
    flush_conn(conn);
    SSL_free(sessions[conn]);
    close(fds[conn]);
}

int main(int argc, char **argv)
{
    static char about[96];
    static struct peer openssl = {
        .name = "peer_openssl",
        .about = about,
        .has_handshake = true,
        .serve = serve,
        .open = open_conn,
        .receive = receive,
        .send = send_message,
        .tick = tick,
        .close = close_conn,
    };

    snprintf(about, sizeof about, "OpenSSL %s, DTLS 1.2, X25519, P-256, AES-256-GCM",
             OpenSSL_version(OPENSSL_VERSION_STRING));
    return peer_main(&openssl, argc, argv);
}
