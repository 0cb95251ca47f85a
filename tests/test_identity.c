// test_identity.c: every file a server may be given as its identity, and what is said about it.
// SPDX-License-Identifier: MIT
#include "crypto/base.h"
#include "crypto/identity.h"
#include "crypto/issue.h"
#include "tests/vectors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX = 65536,
    FROM_S = 1700000000, // any time: loading does not look at the clock
    TO_S = 1800000000
};

#define UTF8_PASSWORD "p\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80w"

static struct vector_bytes read_corpus(const char *name)
{
    const char *tests = getenv("HAIL_TESTS");
    char path[PATH_MAX];
    struct hail_fault_report report;
    struct vector_bytes file;

    snprintf(path, sizeof path, "%s/fuzz/corpus/pfx/%s", tests ? tests : ".", name);
    ck_assert_msg(hail_file_read(path, FILE_MAX, &file.data, &file.len, &report), "%s",
                  report.text);
    // Exactly as long as the content, so that a sanitizer sees a read past the end.
    file.data = realloc(file.data, file.len);
    ck_assert_ptr_nonnull(file.data);
    return file;
}

static struct hail_bytes bytes(struct vector_bytes file)
{
    return (struct hail_bytes){file.data, file.len};
}

// Loads `file` and says which fault it had; on success `subject` is in the leaf's description.
static enum hail_fault load(struct hail_bytes file, struct hail_bytes key, const char *password,
                            const char *subject, struct hail_fault_report *report)
{
    struct hail_identity *identity = NULL;
    struct hail_certificate *leaf = NULL;
    char text[2048];

    *report = (struct hail_fault_report){0};
    if (!hail_identity_load(&identity, file, key, password, report)) {
        ck_assert_int_ne(report->fault, HAIL_FAULT_NONE);
        ck_assert_uint_gt(strlen(report->text), 0);
        ck_assert_ptr_null(identity);
        return report->fault;
    }
    ck_assert(hail_certificate_parse(&leaf, hail_identity_leaf(identity), report));
    hail_certificate_describe(leaf, text, sizeof text);
    ck_assert_msg(strstr(text, subject) != NULL, "not the leaf of %s: %s", subject, text);
    hail_certificate_free(leaf);
    hail_identity_free(identity);
    return HAIL_FAULT_NONE;
}

static const struct hail_bytes none = {NULL, 0};

// Files of OpenSSL 3.0 and BoringSSL, each as one row: what it is, and what loading must say.
static const struct {
    const char *file;
    const char *password;
    enum hail_fault want;
    const char *says; // in the report's text, or the subject
} files[] = {
    {"cut.pem", NULL, HAIL_FAULT_FORMAT, "damaged"},
    {"iterations.pfx", "secret", HAIL_FAULT_FORMAT, "iterations"},
    {"rc4.pfx", "secret", HAIL_FAULT_FORMAT, "not known here"},
    {"pkcs8_scrypt.pem", "secret", HAIL_FAULT_FORMAT, "not known here"},
    {"pbes2_password.pfx", NULL, HAIL_FAULT_PASSWORD, "none was given"},
    {"pbes2_password.pfx", "", HAIL_FAULT_PASSWORD, "none was given"},
    {"pbes2_password.pfx", "wrong", HAIL_FAULT_PASSWORD, "does not open"},
    {"pbes2_password.pfx", "secret ", HAIL_FAULT_PASSWORD, "does not open"},
    {"no_mac_password.pfx", NULL, HAIL_FAULT_PASSWORD, "none was given"},
    {"no_mac_password.pfx", "wrong", HAIL_FAULT_PASSWORD, "does not open"},
    {"plain.pfx", "wrong", HAIL_FAULT_PASSWORD, "does not open"},
    {"pbes2.pfx", "wrong", HAIL_FAULT_PASSWORD, "needs none"},
    {"absent_password.pfx", "wrong", HAIL_FAULT_PASSWORD, "needs none"},
    {"utf8.pfx", "p\xe4w", HAIL_FAULT_PASSWORD, "does not open"},
    {"pkcs8_password.pem", NULL, HAIL_FAULT_PASSWORD, "no password was given"},
    {"pkcs8_password.pem", "", HAIL_FAULT_PASSWORD, "does not open"},
    {"pkcs8_password.pem", "wrong", HAIL_FAULT_PASSWORD, "does not open"},
    {"rsa_traditional_password.pem", NULL, HAIL_FAULT_PASSWORD, "no password was given"},
    {"rsa_traditional_password.pem", "wrong", HAIL_FAULT_PASSWORD, "does not open"},
    {"no_key.pfx", NULL, HAIL_FAULT_NO_KEY, "CN=ec.example came without"},
    {"certificate.pem", NULL, HAIL_FAULT_NO_KEY, "CN=ec.example came without"},
    {"certificate.der", NULL, HAIL_FAULT_NO_KEY, "CN=ec.example came without"},
    {"no_certificate.pfx", NULL, HAIL_FAULT_NO_CERTIFICATE, "no certificate"},
    {"key.pem", NULL, HAIL_FAULT_NO_CERTIFICATE, "no certificate"},
    {"mismatch.pem", NULL, HAIL_FAULT_KEY_MISMATCH, "CN=ec.example, and"},
    {"dsa1024.txt", NULL, HAIL_FAULT_KEY_KIND, "the private key is DSA, which"},
    {"rsa_512.pem", NULL, HAIL_FAULT_KEY_KIND, "RSA, 512 bits"},
    {"p384.pfx", NULL, HAIL_FAULT_KEY_KIND, "the private key is EC P-384, which"},

    {"pbes2.pfx", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"pbes2.pfx", "", HAIL_FAULT_NONE, "CN=ec.example"},
    {"absent_password.pfx", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"absent_password.pfx", "", HAIL_FAULT_NONE, "CN=ec.example"},
    {"pbes2_password.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"rsa2048.txt", NULL, HAIL_FAULT_NONE, "CN=mlapi-test.example"},
    {"rc2_40.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"rc2_128.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"aes_128_192.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"mac_sha512.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"utf8.pfx", UTF8_PASSWORD, HAIL_FAULT_NONE, "CN=ec.example"},
    {"plain.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"no_mac.pfx", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"no_mac_password.pfx", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"plain_no_mac.pfx", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"plain_no_mac.pfx", "not asked for", HAIL_FAULT_NONE, "CN=ec.example"},
    {"two_certificates.pfx", NULL, HAIL_FAULT_NONE, "subject      CN=ec.example"},
    {"ed25519.pfx", NULL, HAIL_FAULT_NONE, "CN=ed.example"},
    {"base64_mark.txt", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"ec.pem", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"crlf.pem", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"utf8_mark.pem", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"leaf_second.pem", NULL, HAIL_FAULT_NONE, "subject      CN=ec.example"},
    {"ec_traditional.pem", NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"rsa_traditional.pem", NULL, HAIL_FAULT_NONE, "CN=rsa.example"},
    {"rsa_traditional_password.pem", "secret", HAIL_FAULT_NONE, "CN=rsa.example"},
    {"pkcs8_password.pem", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"pkcs8_3des.pem", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
    {"pkcs8_sha512.pem", "secret", HAIL_FAULT_NONE, "CN=ec.example"},
};

START_TEST(test_file)
{
    struct vector_bytes file = read_corpus(files[_i].file);
    struct hail_fault_report report;
    enum hail_fault got = load(bytes(file), none, files[_i].password, files[_i].says, &report);

    ck_assert_msg(got == files[_i].want, "%s with password %s: %s: %s", files[_i].file,
                  files[_i].password ? files[_i].password : "(none)", hail_fault_name(got),
                  report.text);
    if (got != HAIL_FAULT_NONE)
        ck_assert_msg(strstr(report.text, files[_i].says) != NULL, "%s: no \"%s\" in: %s",
                      files[_i].file, files[_i].says, report.text);
    free(file.data);
}
END_TEST

// The five files that MLAPI's servers were tried with.
static const struct {
    const char *name;
    enum hail_fault without;
    enum hail_fault with; // its password
} mlapi_files[] = {
    {"rsa2048_3des_no_password", HAIL_FAULT_NONE, HAIL_FAULT_NONE},
    {"rsa2048_3des_password", HAIL_FAULT_PASSWORD, HAIL_FAULT_NONE},
    {"rsa2048_pbes2_no_password", HAIL_FAULT_NONE, HAIL_FAULT_NONE},
    {"rsa2048_pbes2_password", HAIL_FAULT_PASSWORD, HAIL_FAULT_NONE},
    {"dsa1024_3des_no_password", HAIL_FAULT_KEY_KIND, HAIL_FAULT_KEY_KIND},
};

START_TEST(test_mlapi_file)
{
    json_t *root = vectors_mlapi();
    json_t *cases = json_object_get(root, "pfx");
    struct hail_fault_report report;
    size_t i;
    json_t *one;
    bool found = false;

    ck_assert_uint_eq(json_array_size(cases), HAIL_COUNTOF(mlapi_files));
    json_array_foreach(cases, i, one)
    {
        const char *text = vector_text(one, "base64");
        struct hail_bytes file = {(const uint8_t *)text, strlen(text)};

        if (strcmp(vector_text(one, "name"), mlapi_files[_i].name) != 0)
            continue;
        found = true;
        ck_assert_int_eq(load(file, none, NULL, "CN=mlapi-test.example", &report),
                         mlapi_files[_i].without);
        ck_assert_int_eq(
            load(file, none, vector_text(one, "password"), "CN=mlapi-test.example", &report),
            mlapi_files[_i].with);
        ck_assert_int_eq(load(file, none, "wrong", "", &report), HAIL_FAULT_PASSWORD);
    }
    ck_assert(found);
    json_decref(root);
}
END_TEST

// Text that is no identity at all.
static const struct {
    const char *why;
    const char *text;
    enum hail_fault want;
    const char *says;
} texts[] = {
    {"nothing", "", HAIL_FAULT_FORMAT, "empty"},
    {"white space", " \r\n\t\n", HAIL_FAULT_FORMAT, "empty"},
    {"prose", "This is not a certificate.", HAIL_FAULT_FORMAT, "neither a PFX"},
    {"base64 of nothing known", "aGFpbA==", HAIL_FAULT_FORMAT, "damaged"},
    {"base64 that lost a letter", "aGFpbA=", HAIL_FAULT_FORMAT, "base64"},
    {"base64 of an empty sequence", "MAA=", HAIL_FAULT_FORMAT, "not a PFX"},
    {"PEM of another kind", "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
     HAIL_FAULT_NO_CERTIFICATE, "neither certificate nor private key"},
    {"PEM without an end", "-----BEGIN CERTIFICATE-----\nMAA=\n", HAIL_FAULT_FORMAT, "damaged"},
    {"PEM of an empty certificate",
     "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", HAIL_FAULT_FORMAT,
     "not X.509"},
    {"PEM of an empty key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
     HAIL_FAULT_FORMAT, "private key"},
    {"PEM of an empty sealed key",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
     HAIL_FAULT_FORMAT, "private key"},
    {"PEM of an empty RSA key",
     "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n", HAIL_FAULT_FORMAT,
     "private key"},
    {"a traditional EC key on another curve",
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MIGkAgEBBDC9P6sr9u68twL4UFVkMCUgVNTVs4BXOTSSXtefAwYcGfGaFnMhoZXT\n"
     "+6SnnG1DWNygBwYFK4EEACKhZANiAATi0Otcs4YND8JNr2J6aYXvU2aWdaD/nkj4\n"
     "hJFSX6jttaSwXLqgrKrOW9UUEdcynUcxeSdbcNAcql9IUlkndxSw/U3DiHOu8aUy\n"
     "N3R2yaSmxDt5uETD8kkOz7JgXR83lKg=\n"
     "-----END EC PRIVATE KEY-----\n",
     HAIL_FAULT_KEY_KIND, "EC P-384"},
    {"a traditional EC key with explicit parameters",
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MIIBaAIBAQQg8uZdpDObkwY8RXT9JEN/DZRCKXUCaB7CgrbOqBYLPu2ggfowgfcC\n"
     "AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////\n"
     "MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr\n"
     "vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE\n"
     "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W\n"
     "K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8\n"
     "YyVRAgEBoUQDQgAEnjNJbtIKiNfRM9am+Vqgt9ivJt7gRdyvujeUKd3R5P8YfbiK\n"
     "16IXvWR5M/MrDecgzcX/4DiKpr618Pj+8L0toA==\n"
     "-----END EC PRIVATE KEY-----\n",
     HAIL_FAULT_KEY_KIND, "explicit parameters"},
    {"a DSA key, whatever is in it",
     "-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----\n", HAIL_FAULT_KEY_KIND,
     "DSA"},
};

START_TEST(test_text)
{
    struct hail_bytes file = {(const uint8_t *)texts[_i].text, strlen(texts[_i].text)};
    struct hail_fault_report report;
    enum hail_fault got = load(file, none, "secret", "", &report);

    ck_assert_msg(got == texts[_i].want && strstr(report.text, texts[_i].says) != NULL,
                  "%s: %s: %s", texts[_i].why, hail_fault_name(got), report.text);
}
END_TEST

// A certificate in one file and its key in another.
static const struct {
    const char *why;
    const char *file;
    const char *key;
    const char *password;
    enum hail_fault want;
} pairs[] = {
    {"the key of another", "certificate.pem", "ed25519.pfx", NULL, HAIL_FAULT_KEY_MISMATCH},
    {"a key file that holds no key", "certificate.pem", "certificate.pem", NULL, HAIL_FAULT_NO_KEY},
    {"a key file that is cut", "certificate.pem", "cut.pem", NULL, HAIL_FAULT_FORMAT},
    {"a key that needs a password", "certificate.pem", "pkcs8_password.pem", NULL,
     HAIL_FAULT_PASSWORD},
    {"a key file with a certificate of its own", "certificate.pem", "ec.pem", NULL,
     HAIL_FAULT_NONE},
    {"two keys and no certificate", "key.pem", "key.pem", NULL, HAIL_FAULT_NO_CERTIFICATE},
    {"PEM and PEM", "certificate.pem", "key.pem", NULL, HAIL_FAULT_NONE},
    {"DER and PEM", "certificate.der", "key.pem", NULL, HAIL_FAULT_NONE},
    {"the key under a password", "certificate.pem", "pkcs8_3des.pem", "secret", HAIL_FAULT_NONE},
    {"a PFX without key and PEM", "no_key.pfx", "key.pem", NULL, HAIL_FAULT_NONE},
    {"the right key beside the wrong one", "mismatch.pem", "key.pem", NULL, HAIL_FAULT_NONE},
};

START_TEST(test_pair)
{
    struct vector_bytes file = read_corpus(pairs[_i].file);
    struct vector_bytes key = read_corpus(pairs[_i].key);
    struct hail_fault_report report;
    enum hail_fault got =
        load(bytes(file), bytes(key), pairs[_i].password, "subject      CN=ec.example", &report);

    ck_assert_msg(got == pairs[_i].want, "%s: %s: %s", pairs[_i].why, hail_fault_name(got),
                  report.text);
    free(file.data);
    free(key.data);
}
END_TEST

// A file that ends too early fails, wherever it ends. Each piece is a buffer of its own length.
static void check_cut(const char *name, const char *password, size_t least)
{
    struct vector_bytes file = read_corpus(name);
    struct hail_fault_report report;

    ck_assert_int_eq(load(bytes(file), none, password, "", &report), HAIL_FAULT_NONE);
    for (size_t len = 0; len + least <= file.len; len++) {
        uint8_t *piece = malloc(len > 0 ? len : 1);
        ck_assert_ptr_nonnull(piece);
        memcpy(piece, file.data, len);
        enum hail_fault got = load((struct hail_bytes){piece, len}, none, password, "", &report);
        ck_assert_msg(got != HAIL_FAULT_NONE, "%s loads when cut to %zu bytes", name, len);
        free(piece);
    }
    free(file.data);
}

START_TEST(test_cut)
{
    // The second number: white space and such at the end, which nobody misses.
    check_cut("pbes2.pfx", NULL, 1);
    check_cut("no_mac.pfx", NULL, 1);
    check_cut("plain_no_mac.pfx", NULL, 1);
    check_cut("base64_mark.txt", NULL, 3);
    check_cut("ec.pem", NULL, 2);
}
END_TEST

// One bit is flipped. The MAC covers nearly everything: what loads all the same is the same leaf.
START_TEST(test_flip)
{
    static const char *const names[] = {"pbes2.pfx", "absent_password.pfx", "no_mac.pfx", "ec.pem"};
    uint64_t dice = test_seed();

    for (size_t n = 0; n < HAIL_COUNTOF(names); n++) {
        struct vector_bytes file = read_corpus(names[n]);

        for (size_t i = test_next(&dice) % 4; i < file.len; i += 1 + test_next(&dice) % 8) {
            struct hail_fault_report report;
            uint8_t bit = (uint8_t)(1u << test_next(&dice) % 8);

            file.data[i] ^= bit;
            // Without a MAC a name in the certificate may change: its signature is for others.
            load(bytes(file), none, NULL, n < 2 ? "CN=ec.example" : "subject", &report);
            file.data[i] ^= bit;
        }
        free(file.data);
    }
}
END_TEST

// Damage in the middle is told from a wrong password, with a MAC and without.
START_TEST(test_damage)
{
    static const char *const names[] = {"pbes2_password.pfx", "no_mac_password.pfx", "rc2_40.pfx"};

    for (size_t n = 0; n < HAIL_COUNTOF(names); n++) {
        struct vector_bytes file = read_corpus(names[n]);
        struct hail_fault_report report;

        file.data[file.len / 3] ^= 1; // inside the first encrypted part
        ck_assert_int_eq(load(bytes(file), none, "wrong", "", &report), HAIL_FAULT_PASSWORD);
        enum hail_fault got = load(bytes(file), none, "secret", "", &report);
        ck_assert_msg(n == 1 || got == HAIL_FAULT_FORMAT, "%s: %s", names[n], report.text);
        ck_assert_msg(n == 1 || strstr(report.text, "damaged") != NULL, "%s", report.text);
        ck_assert_int_ne(got, HAIL_FAULT_PASSWORD);
        free(file.data);
    }
}
END_TEST

START_TEST(test_garbage)
{
    uint64_t dice = test_seed();
    uint8_t garbage[300];
    struct hail_fault_report report;

    for (size_t round = 0; round < 2000; round++) {
        size_t len = test_next(&dice) % sizeof garbage;
        for (size_t i = 0; i < len; i++)
            garbage[i] = (uint8_t)test_next(&dice);
        if (len > 2 && round % 2) { // so that some get past the door
            garbage[0] = 0x30;
            garbage[1] = 0x80;
        }
        ck_assert_int_eq(load((struct hail_bytes){garbage, len}, none, NULL, "", &report),
                         HAIL_FAULT_FORMAT);
    }
}
END_TEST

// A DER element: where its content begins, and how long it is. For files of our own only.
struct element {
    const uint8_t *content;
    size_t len;
    size_t whole_len; // header and content
};

static struct element element_at(const uint8_t *der)
{
    size_t header_len = 2;
    size_t len = der[1];

    if (len >= 0x80) {
        size_t count = len & 0x7f;
        len = 0;
        for (size_t i = 0; i < count; i++)
            len = len << 8 | der[2 + i];
        header_len += count;
    }
    return (struct element){der + header_len, len, header_len + len};
}

// A file that is written piece by piece.
struct output {
    uint8_t data[FILE_MAX];
    size_t len;
};

static void put(struct output *out, const void *data, size_t len)
{
    ck_assert_uint_le(out->len + len, sizeof out->data);
    memcpy(out->data + out->len, data, len);
    out->len += len;
}

static void put_string(struct output *out, const uint8_t *data, size_t len)
{
    uint8_t header[4] = {0x04, 0x82, (uint8_t)(len >> 8), (uint8_t)len};

    put(out, header, sizeof header);
    put(out, data, len);
}

// Writes DER again as BER may have it: no length said in advance, strings in two pieces, lengths
// longer than needed. Where DER says 2048 iterations, `iterations` (a whole INTEGER) is written.
static void put_ber(struct output *out, const uint8_t *der, size_t der_len, const char *iterations)
{
    static const uint8_t count[4] = {0x02, 0x02, 0x08, 0x00};

    while (der_len > 0) {
        struct element element = element_at(der);
        uint8_t open[2] = {(uint8_t)(der[0] | 0x20), 0x80};

        if (der[0] & 0x20) {
            put(out, open, 2);
            put_ber(out, element.content, element.len, iterations);
            put(out, "\0\0", 2);
        } else if (der[0] == 0x04 || der[0] == 0x80) { // an octet string, or one under a tag
            put(out, open, 2);
            put_string(out, element.content, element.len / 2);
            put_string(out, element.content + element.len / 2, element.len - element.len / 2);
            put(out, "\0\0", 2);
        } else if (iterations && memcmp(der, count, 4) == 0) {
            put(out, iterations, 2 + (size_t)iterations[1]);
        } else {
            put(out, der, element.whole_len);
        }
        der += element.whole_len;
        der_len -= element.whole_len;
    }
}

// Writes a PFX again in BER, outside and in, without its MAC, which would not match any more.
static void put_pfx_ber(struct output *out, const uint8_t *pfx, const char *iterations)
{
    static struct output inside;
    struct element outer = element_at(pfx);
    const uint8_t *version = outer.content;
    const uint8_t *safe = version + element_at(version).whole_len;
    const uint8_t *kind = element_at(safe).content;
    const uint8_t *wrapped = kind + element_at(kind).whole_len;
    struct element content = element_at(element_at(wrapped).content);

    inside.len = 0;
    put_ber(&inside, content.content, content.len, iterations);
    put(out, "\x30\x80", 2);
    put(out, version, element_at(version).whole_len);
    put(out, "\x30\x80", 2);
    put(out, kind, element_at(kind).whole_len);
    put(out, "\xa0\x80\x24\x80", 4);
    put_string(out, inside.data, inside.len / 3);
    put_string(out, inside.data + inside.len / 3, inside.len - inside.len / 3);
    put(out, "\0\0\0\0\0\0\0\0", 8);
}

static const struct {
    const char *why;
    const char *file;
    const char *password;
    bool inside;            // the content too, which costs the MAC
    const char *iterations; // to put in the place of 2048
    enum hail_fault want;
    const char *says;
} rewrites[] = {
    {"MAC, 2^31-1 iterations", "pbes2.pfx", NULL, false, "\x02\x04\x7f\xff\xff\xff",
     HAIL_FAULT_FORMAT, "iterations"},
    {"MAC, 2^63 iterations", "pbes2.pfx", NULL, false, "\x02\x09\x00\x80\0\0\0\0\0\0\0",
     HAIL_FAULT_FORMAT, "iterations"},
    {"MAC, more than 64 bits of iterations", "pbes2.pfx", NULL, false,
     "\x02\x0a\x01\0\0\0\0\0\0\0\0\0", HAIL_FAULT_FORMAT, "damaged"},
    {"MAC, no iteration", "pbes2.pfx", NULL, false, "\x02\x01\x00", HAIL_FAULT_FORMAT, "damaged"},
    {"MAC, less than none", "pbes2.pfx", NULL, false, "\x02\x01\xff", HAIL_FAULT_FORMAT, "damaged"},
    {"PBES2, 2^31-1 iterations", "pbes2_password.pfx", "secret", true, "\x02\x04\x7f\xff\xff\xff",
     HAIL_FAULT_FORMAT, "iterations"},
    {"PBES2, 2^32 iterations", "pbes2_password.pfx", "secret", true, "\x02\x05\x01\0\0\0\0",
     HAIL_FAULT_FORMAT, "iterations"},
    {"PBES2, no iteration", "pbes2_password.pfx", "secret", true, "\x02\x01\x00", HAIL_FAULT_FORMAT,
     "damaged"},
    {"3DES, 2^31-1 iterations", "absent_password.pfx", NULL, true, "\x02\x04\x7f\xff\xff\xff",
     HAIL_FAULT_FORMAT, "iterations"},
    {"3DES, no iteration", "absent_password.pfx", NULL, true, "\x02\x01\x00", HAIL_FAULT_FORMAT,
     "damaged"},
    {"BER, wrong password", "pbes2_password.pfx", "wrong", false, NULL, HAIL_FAULT_PASSWORD,
     "does not open"},
    {"BER outside", "pbes2_password.pfx", "secret", false, NULL, HAIL_FAULT_NONE, "CN=ec.example"},
    {"BER outside and in, PBES2", "no_mac_password.pfx", "secret", true, NULL, HAIL_FAULT_NONE,
     "CN=ec.example"},
    {"BER outside and in, RC2", "rc2_40.pfx", "secret", true, NULL, HAIL_FAULT_NONE,
     "CN=ec.example"},
    {"BER outside and in, plain", "plain.pfx", "secret", true, NULL, HAIL_FAULT_NONE,
     "CN=ec.example"},
};

START_TEST(test_rewrite)
{
    static struct output out;
    struct vector_bytes file = read_corpus(rewrites[_i].file);
    struct hail_fault_report report;

    out.len = 0;
    if (rewrites[_i].inside)
        put_pfx_ber(&out, file.data, rewrites[_i].iterations);
    else
        put_ber(&out, file.data, file.len, rewrites[_i].iterations);
    enum hail_fault got = load((struct hail_bytes){out.data, out.len}, none, rewrites[_i].password,
                               rewrites[_i].says, &report);
    ck_assert_msg(got == rewrites[_i].want, "%s: %s: %s", rewrites[_i].why, hail_fault_name(got),
                  report.text);
    ck_assert_msg(got == HAIL_FAULT_NONE || strstr(report.text, rewrites[_i].says) != NULL,
                  "%s: %s", rewrites[_i].why, report.text);
    free(file.data);
}
END_TEST

// BER nested without end must not nest our stack.
START_TEST(test_depth)
{
    static struct output out;
    struct hail_fault_report report;

    out.len = 0;
    while (out.len + 2 <= sizeof out.data)
        put(&out, "\x30\x80", 2);
    ck_assert_int_eq(load((struct hail_bytes){out.data, out.len}, none, NULL, "", &report),
                     HAIL_FAULT_FORMAT);
    out.len = 0;
    while (out.len + 2 <= sizeof out.data)
        put(&out, out.len == 0 ? "\x30\x80" : "\x24\x80", 2);
    ck_assert_int_eq(load((struct hail_bytes){out.data, out.len}, none, NULL, "", &report),
                     HAIL_FAULT_FORMAT);
}
END_TEST

START_TEST(test_limits)
{
    static struct output out;
    struct vector_bytes certificate = read_corpus("certificate.pem");
    struct vector_bytes key = read_corpus("key.pem");
    struct hail_fault_report report;
    char password[HAIL_PASSWORD_MAX + 2];

    out.len = 0;
    put(&out, key.data, key.len);
    for (int i = 0; i < 32; i++)
        put(&out, certificate.data, certificate.len);
    ck_assert_int_eq(load((struct hail_bytes){out.data, out.len}, none, NULL, "ec", &report),
                     HAIL_FAULT_NONE);
    put(&out, certificate.data, certificate.len);
    ck_assert_int_eq(load((struct hail_bytes){out.data, out.len}, none, NULL, "", &report),
                     HAIL_FAULT_FORMAT);

    out.len = 0;
    put(&out, certificate.data, certificate.len);
    for (int i = 0; i < 9; i++)
        put(&out, key.data, key.len);
    ck_assert_int_eq(load((struct hail_bytes){out.data, out.len}, none, NULL, "", &report),
                     HAIL_FAULT_FORMAT);
    out.len -= key.len;
    ck_assert_int_eq(load((struct hail_bytes){out.data, out.len}, none, NULL, "ec", &report),
                     HAIL_FAULT_NONE);
    free(certificate.data);
    free(key.data);

    struct vector_bytes pfx = read_corpus("pbes2.pfx");
    memset(password, 'p', sizeof password);
    password[HAIL_PASSWORD_MAX] = '\0';
    ck_assert_int_eq(load(bytes(pfx), none, password, "", &report), HAIL_FAULT_PASSWORD);
    ck_assert_ptr_nonnull(strstr(report.text, "does not open"));
    password[HAIL_PASSWORD_MAX] = 'p';
    password[HAIL_PASSWORD_MAX + 1] = '\0';
    ck_assert_int_eq(load(bytes(pfx), none, password, "", &report), HAIL_FAULT_PASSWORD);
    ck_assert_ptr_nonnull(strstr(report.text, "longer than"));
    free(pfx.data);
}
END_TEST

START_TEST(test_read)
{
    char path[] = "/tmp/hail-test-XXXXXX";
    struct hail_fault_report report;
    uint8_t *content;
    size_t len;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    FILE *stream = fdopen(fd, "w");
    ck_assert_ptr_nonnull(stream);
    for (int i = 0; i < 20000; i++)
        ck_assert_int_eq(fputc(i & 0xff, stream), i & 0xff);
    ck_assert_int_eq(fclose(stream), 0);

    ck_assert(!hail_file_read("/nonexistent/hail", 100, &content, &len, &report));
    ck_assert_int_eq(report.fault, HAIL_FAULT_SYSTEM);
    ck_assert_ptr_nonnull(strstr(report.text, "/nonexistent/hail"));
    ck_assert(!hail_file_read("/tmp", 100, &content, &len, &report));
    ck_assert_int_eq(report.fault, HAIL_FAULT_SYSTEM);
    ck_assert(!hail_file_read(path, 19999, &content, &len, &report));
    ck_assert_ptr_nonnull(strstr(report.text, "19999"));
    ck_assert(hail_file_read(path, 20000, &content, &len, &report));
    ck_assert_uint_eq(len, 20000);
    for (size_t i = 0; i < len; i++)
        ck_assert_uint_eq(content[i], i & 0xff);
    free(content);
    ck_assert(hail_file_read("/dev/null", 100, &content, &len, &report));
    ck_assert_uint_eq(len, 0);
    free(content);
    remove(path);
}
END_TEST

// What hail-cert writes: every wrong PFX, and the right one as DER, base64 and PEM.
START_TEST(test_issued)
{
    struct hail_issue_terms terms = {
        .common_name = "play.example", .from_s = FROM_S, .to_s = TO_S, .use = HAIL_ISSUE_SERVER};
    struct hail_fault_report report;
    struct hail_issued *one = NULL;
    struct hail_issued *other = NULL;
    uint8_t *pfx;
    uint8_t *text;
    size_t pfx_len;
    size_t text_len;

    ck_assert(hail_issue(&one, NULL, &terms, &report));
    terms.common_name = "other.example";
    ck_assert(hail_issue(&other, NULL, &terms, &report));
    const struct {
        struct hail_pfx_content content;
        enum hail_fault want;
    } rows[] = {
        {{.certificate = one, .password = ""}, HAIL_FAULT_NO_KEY},
        {{.key = one, .password = ""}, HAIL_FAULT_NO_CERTIFICATE},
        {{.certificate = one, .key = other, .password = ""}, HAIL_FAULT_KEY_MISMATCH},
        {{.certificate = one, .key = one, .password = "secret"}, HAIL_FAULT_PASSWORD},
        {{.certificate = one, .key = one, .password = ""}, HAIL_FAULT_NONE},
        {{.certificate = one, .key = one, .ca = other, .password = ""}, HAIL_FAULT_NONE},
        {{.certificate = other, .key = one, .ca = one, .password = ""}, HAIL_FAULT_NONE},
    };
    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        ck_assert(hail_pfx_write(&rows[i].content, &pfx, &pfx_len));
        struct hail_bytes der = {pfx, pfx_len};
        ck_assert_int_eq(load(der, none, NULL, "subject      CN=play.example", &report),
                         rows[i].want);
        ck_assert(hail_base64_write(der, &text, &text_len));
        ck_assert_int_eq(
            load((struct hail_bytes){text, text_len}, none, NULL, "CN=play.example", &report),
            rows[i].want);
        free(text);
        free(pfx);
    }

    ck_assert(hail_issued_certificate_pem(one, &text, &text_len));
    ck_assert(hail_issued_key_pem(one, &pfx, &pfx_len));
    struct hail_bytes certificate = {text, text_len};
    struct hail_bytes key = {pfx, pfx_len};
    ck_assert_int_eq(load(certificate, key, NULL, "CN=play.example", &report), HAIL_FAULT_NONE);
    ck_assert_int_eq(load(key, certificate, NULL, "", &report), HAIL_FAULT_NO_CERTIFICATE);
    free(text);
    free(pfx);
    hail_issued_free(one);
    hail_issued_free(other);
}
END_TEST

START_TEST(test_issue_refused)
{
    static const char long_name[] = "a123456789.a123456789.a123456789.a123456789.a123456789.a12345"
                                    "6789";
    static const char *const bad[] = {"",     ".example",   "a b",   "a/b",
                                      "a\nb", "1.2.3.4:80", "[::1]", "DNS:x"};
    struct hail_fault_report report;
    struct hail_issued *issued;

    for (size_t i = 0; i < HAIL_COUNTOF(bad); i++) {
        struct hail_issue_terms terms = {
            .common_name = "x", .names = &bad[i], .name_count = 1, .to_s = TO_S};
        ck_assert(!hail_issue(&issued, NULL, &terms, &report));
        ck_assert_int_eq(report.fault, HAIL_FAULT_WRONG_NAME);
    }
    ck_assert(!hail_issue(&issued, NULL, &(struct hail_issue_terms){.common_name = ""}, &report));
    ck_assert_int_eq(report.fault, HAIL_FAULT_WRONG_NAME);
    ck_assert(
        !hail_issue(&issued, NULL, &(struct hail_issue_terms){.common_name = long_name}, &report));
    ck_assert_int_eq(report.fault, HAIL_FAULT_WRONG_NAME);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *one = tcase_create("one file");
    TCase *damaged = tcase_create("damaged");
    TCase *made = tcase_create("made");

    tcase_add_loop_test(one, test_file, 0, HAIL_COUNTOF(files));
    tcase_add_loop_test(one, test_mlapi_file, 0, HAIL_COUNTOF(mlapi_files));
    tcase_add_loop_test(one, test_text, 0, HAIL_COUNTOF(texts));
    tcase_add_loop_test(one, test_pair, 0, HAIL_COUNTOF(pairs));
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);

    tcase_add_test(damaged, test_cut);
    tcase_add_test(damaged, test_flip);
    tcase_add_test(damaged, test_damage);
    tcase_add_test(damaged, test_garbage);
    tcase_add_loop_test(damaged, test_rewrite, 0, HAIL_COUNTOF(rewrites));
    tcase_add_test(damaged, test_depth);
    tcase_add_test(damaged, test_limits);
    tcase_set_timeout(damaged, 120);
    suite_add_tcase(suite, damaged);

    tcase_add_test(made, test_read);
    tcase_add_test(made, test_issued);
    tcase_add_test(made, test_issue_refused);
    tcase_set_timeout(made, 60);
    suite_add_tcase(suite, made);
    return test_run(suite);
}
