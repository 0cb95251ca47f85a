// bench_handshake.c: what a handshake costs the server, unsigned and signed with RSA-2048, in all
// and in its parts. Sockets are not in it: see bench/run for a server as a process.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "crypto/issue.h"
#include "proto/mlapi/body.h"
#include "proto/mlapi/session.h"

struct job {
    struct hail_random random;
    struct hail_mlapi_setup setup;
    struct hail_mlapi_hail hail;
    struct hail_x25519_pair client;
    uint8_t client_part[HAIL_AFFINE_MAX];
    size_t client_part_len;
    uint8_t response[128];
    size_t response_len;
    struct hail_mlapi_session session;
    struct hail_mlapi_result result;
};

static void make_pair(void *user)
{
    struct job *job = user;
    struct hail_x25519_pair pair;

    hail_x25519_pair_init(&pair, &job->random);
}

static void write_part(void *user)
{
    struct job *job = user;
    uint8_t part[HAIL_AFFINE_MAX];

    HAIL_ASSERT(hail_affine_write(part, job->client.public_key) > 0);
}

static void sign(void *user)
{
    struct job *job = user;
    uint8_t signature[HAIL_SIGNATURE_MAX];
    size_t len;

    HAIL_ASSERT(
        hail_identity_sign_rsa(job->setup.identity, signature, &len,
                               (struct hail_bytes){job->client_part, job->client_part_len}));
}

static void parse_part(void *user)
{
    struct job *job = user;
    uint8_t key[HAIL_X25519_LEN];

    HAIL_ASSERT(hail_affine_parse(key, job->client_part, job->client_part_len));
}

static void derive(void *user)
{
    struct job *job = user;
    uint8_t shared[HAIL_X25519_LEN];

    HAIL_ASSERT(hail_x25519(shared, job->client.private_key, job->hail.pair.public_key));
}

static void stretch(void *user)
{
    struct job *job = user;
    uint8_t key[32];

    HAIL_ASSERT(hail_pbkdf2_sha1(key, sizeof key, (struct hail_bytes){job->client.public_key, 32},
                                 (struct hail_bytes){(const uint8_t *)"P1sN0R4inb0wPl5P1sPls", 21},
                                 1000));
}

static void make_hail(void *user)
{
    struct job *job = user;

    struct hail_x25519_pair pair;

    hail_x25519_pair_init(&pair, &job->random);
    HAIL_ASSERT(hail_mlapi_hail_make(&job->hail, &job->setup, &pair));
}

static void take_response(void *user)
{
    struct job *job = user;
    struct hail_mlapi_ambient ambient = {.random = &job->random};
    struct hail_mlapi_session *session = &job->session;

    hail_mlapi_server_init(&job->session, &job->setup, &job->hail);
    HAIL_ASSERT(hail_mlapi_session_input(&job->session, &job->result, job->response,
                                         job->response_len, &ambient) == HAIL_ACCEPT);
    hail_mlapi_server_agree(&session, 1);
    HAIL_ASSERT(session->has_key);
    hail_mlapi_server_greet(&job->result, &ambient);
}

static void handshake(void *user)
{
    make_hail(user);
    take_response(user);
}

static void bench(const char *what, void (*work)(void *user), struct job *job)
{
    struct measure measure = measure_run(work, job, 60);

    measure_print(what, &measure);
}

static void init(struct job *job, const struct hail_identity *identity)
{
    struct hail_mlapi_network network;

    hail_random_init_system(&job->random);
    hail_mlapi_network_init(&network);
    network.enable_encryption = true;
    network.sign_key_exchange = identity != NULL;
    HAIL_ASSERT(hail_mlapi_setup_init(&job->setup, &network));
    job->setup.identity = identity;
    hail_x25519_pair_init(&job->client, &job->random);
    job->client_part_len = hail_affine_write(job->client_part, job->client.public_key);
    job->response_len = 1 + hail_mlapi_hail_response_write(
                                job->response + 1, sizeof job->response - 1,
                                (struct hail_bytes){job->client_part, job->client_part_len});
    job->response[0] = HAIL_MLAPI_HAIL_RESPONSE << 2;
    make_hail(job);
}

// A self-signed RSA-2048 identity.
static struct hail_identity *make_identity(void)
{
    const char *const names[] = {"localhost"};
    const struct hail_issue_terms terms = {
        .common_name = "localhost",
        .names = names,
        .name_count = 1,
        .use = HAIL_ISSUE_SERVER,
        .to_s = 4102444800,
    };
    struct hail_issued *issued;
    struct hail_fault_report report;
    struct hail_identity *identity;
    uint8_t *certificate;
    uint8_t *key;
    size_t certificate_len;
    size_t key_len;

    HAIL_ASSERT(hail_issue(&issued, NULL, &terms, &report));
    HAIL_ASSERT(hail_issued_certificate_pem(issued, &certificate, &certificate_len));
    HAIL_ASSERT(hail_issued_key_pem(issued, &key, &key_len));
    HAIL_ASSERT(hail_identity_load(&identity, (struct hail_bytes){certificate, certificate_len},
                                   (struct hail_bytes){key, key_len}, NULL, &report));
    hail_issued_free(issued);
    free(certificate);
    free(key);
    return identity;
}

int main(int argc, char **argv)
{
    static struct job job;

    measure_machine(argc, argv);
    init(&job, NULL);
    bench("server key: X25519 pair", make_pair, &job);
    bench("  its affine form: a square root", write_part, &job);
    bench("client's public part: on the curve?", parse_part, &job);
    bench("X25519", derive, &job);
    bench("PBKDF2-HMAC-SHA1, 1000 iterations, 32 bytes", stretch, &job);
    bench("hail, unsigned", make_hail, &job);
    bench("hail response", take_response, &job);
    bench("handshake, unsigned", handshake, &job);

    struct hail_identity *identity = make_identity();
    init(&job, identity);
    bench("RSA-2048 signature", sign, &job);
    bench("hail, signed", make_hail, &job);
    bench("handshake, signed", handshake, &job);
    bench("handshake, signed hail reused", take_response, &job);
    hail_identity_free(identity);
    return 0;
}
