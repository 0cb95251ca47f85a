// peer_wolfssl.c: wolfSSL's DTLS: 1.3 where the library has it, else, as Debian builds it, 1.2;
// AES-256-GCM, and the P-256 certificate that wolfSSL ships for tests.
// SPDX-License-Identifier: MIT
//
// Both ends move datagrams through memory, so that the server can take and send them in batches.
#define USE_CERT_BUFFERS_256
#include <wolfssl/options.h>

#include <wolfssl/certs_test.h>
#include <wolfssl/ssl.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peer.h"

#ifdef WOLFSSL_DTLS13
#define VERSION_NAME  "DTLS 1.3"
#define CIPHER        "TLS13-AES256-GCM-SHA384"
#define SERVER_METHOD wolfDTLSv1_3_server_method()
#define CLIENT_METHOD wolfDTLSv1_3_client_method()
#else
#define VERSION_NAME  "DTLS 1.2"
#define CIPHER        "ECDHE-ECDSA-AES256-GCM-SHA384"
#define SERVER_METHOD wolfDTLSv1_2_server_method()
#define CLIENT_METHOD wolfDTLSv1_2_client_method()
#endif

enum {
    FLIGHT_MAX = 8192,
    PORTS = 65536
};

// An end of a connection. Its datagrams: one that came, and those to send.
struct end {
    WOLFSSL *session;
    const uint8_t *in;
    size_t in_len; // 0: taken
    int fd;        // the load's: sent at once; -1: the server's, which has one answer
    uint8_t *out;
    size_t out_len;
};

static WOLFSSL_CTX *context; // of the process's end
static struct end served[PORTS];
static struct end ends[PEER_CONNECTIONS_MAX];

static int take(WOLFSSL *session, char *buffer, int capacity, void *user)
{
    struct end *end = user;
    size_t len = end->in_len;

    (void)session;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    if (len > (size_t)capacity)
        len = (size_t)capacity;
    memcpy(buffer, end->in, len);
    end->in_len = 0;
    return (int)len;
}

// The server's flights are put into one datagram each: records may share one.
static int give(WOLFSSL *session, char *buffer, int len, void *user)
{
    struct end *end = user;

    (void)session;
    if (end->fd >= 0)
        return (int)send(end->fd, buffer, (size_t)len, 0);
    if (end->out_len + (size_t)len > FLIGHT_MAX)
        return WOLFSSL_CBIO_ERR_GENERAL;
    memcpy(end->out + end->out_len, buffer, (size_t)len);
    end->out_len += (size_t)len;
    return len;
}

static void make_context(WOLFSSL_METHOD *method)
{
    wolfSSL_Init();
    context = wolfSSL_CTX_new(method);
    if (!context || wolfSSL_CTX_set_cipher_list(context, CIPHER) != WOLFSSL_SUCCESS)
        peer_die("wolfSSL_CTX_new");
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIORecv(context, take);
    wolfSSL_CTX_SetIOSend(context, give);
}

static void begin(struct end *end, int fd)
{
    *end = (struct end){.session = wolfSSL_new(context), .fd = fd};
    if (!end->session)
        peer_die("wolfSSL_new");
    wolfSSL_SetIOReadCtx(end->session, end);
    wolfSSL_SetIOWriteCtx(end->session, end);
    wolfSSL_dtls_set_using_nonblock(end->session, 1);
    wolfSSL_UseSupportedCurve(end->session, WOLFSSL_ECC_X25519);
}

static size_t answer(uint16_t from, const uint8_t *datagram, size_t len, uint8_t *out)
{
    struct end *end = &served[from];
    uint8_t message[PEER_SIZE_MAX];
    int got;

    if (!end->session)
        begin(end, -1);
    end->in = datagram;
    end->in_len = len;
    end->out = out;
    end->out_len = 0;
    if (!wolfSSL_is_init_finished(end->session)) {
        wolfSSL_accept(end->session);
        return end->out_len;
    }
    got = wolfSSL_read(end->session, message, sizeof message);
    if (got > 0)
        wolfSSL_write(end->session, message, got);
    if (got <= 0 && (wolfSSL_get_shutdown(end->session) & WOLFSSL_RECEIVED_SHUTDOWN)) {
        wolfSSL_free(end->session);
        end->session = NULL;
        return 0;
    }
    return end->out_len;
}

static void serve(const struct peer_wanted *wanted)
{
    uint16_t port;
    int fd = peer_bind(&port);

    (void)wanted;
    make_context(SERVER_METHOD);
    if (wolfSSL_CTX_use_certificate_buffer(context, serv_ecc_der_256, sizeof serv_ecc_der_256,
                                           WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_buffer(context, ecc_key_der_256, sizeof ecc_key_der_256,
                                          WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
        peer_die("a certificate");
    peer_ready(port);
    peer_serve_datagrams(fd, answer);
}

// ---- The load

static int open_conn(uint32_t conn, uint16_t port)
{
    if (!context)
        make_context(CLIENT_METHOD);
    begin(&ends[conn], peer_connect(port));
    wolfSSL_connect(ends[conn].session);
    return ends[conn].fd;
}

static void receive(uint32_t conn)
{
    struct end *end = &ends[conn];
    uint8_t datagram[FLIGHT_MAX];
    uint8_t message[PEER_SIZE_MAX];
    ssize_t len;
    int got;

    while ((len = recv(end->fd, datagram, sizeof datagram, 0)) > 0) {
        end->in = datagram;
        end->in_len = (size_t)len;
        if (!wolfSSL_is_init_finished(end->session) &&
            wolfSSL_connect(end->session) == WOLFSSL_SUCCESS)
            peer_joined(conn);
        while (wolfSSL_is_init_finished(end->session) &&
               (got = wolfSSL_read(end->session, message, sizeof message)) > 0)
            peer_echo(conn, message, (size_t)got);
        end->in_len = 0;
    }
}

static void send_message(uint32_t conn, const uint8_t *message, size_t len)
{
    wolfSSL_write(ends[conn].session, message, (int)len);
}

static void tick(uint32_t conn)
{
    if (!wolfSSL_is_init_finished(ends[conn].session))
        wolfSSL_dtls_got_timeout(ends[conn].session);
}

static void close_conn(uint32_t conn)
{
    wolfSSL_shutdown(ends[conn].session);
    wolfSSL_free(ends[conn].session);
    close(ends[conn].fd);
}

int main(int argc, char **argv)
{
    static const struct peer wolfssl = {
        .name = "peer_wolfssl",
        .about =
            "wolfSSL " LIBWOLFSSL_VERSION_STRING ", " VERSION_NAME ", X25519, P-256, AES-256-GCM",
        .has_handshake = true,
        .serve = serve,
        .open = open_conn,
        .receive = receive,
        .send = send_message,
        .tick = tick,
        .close = close_conn,
    };

    return peer_main(&wolfssl, argc, argv);
}
