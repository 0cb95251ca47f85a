// pem.c: certificates and keys from PEM text.
// SPDX-License-Identifier: MIT
#include "crypto/pem.h"
#include "crypto/kind.h"
#include "crypto/pbe.h"
#include "crypto/pfx.h"
#include "crypto/report.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

// One block, decoded.
struct block {
    char *name;
    char *header;
    unsigned char *data;
    long len;
};

static bool bad_key(struct hail_fault_report *report, const char *name)
{
    return hail_report_set(report, HAIL_FAULT_FORMAT,
                           "the block \"%.40s\" holds no private key that can be read: it is "
                           "damaged; export it again",
                           name);
}

static bool needs_password(struct hail_fault_report *report)
{
    return hail_report_set(report, HAIL_FAULT_PASSWORD,
                           "the private key is encrypted and no password was given; give its "
                           "password, or write the key without one (openssl pkey -in key.pem)");
}

static bool wrong_password(struct hail_fault_report *report)
{
    return hail_report_set(report, HAIL_FAULT_PASSWORD,
                           "the password does not open the private key; give the one that it was "
                           "written with");
}

// What encrypts traditional keys (RFC 1421, section 4.6, and what came after it).
static const struct {
    const char *name;
    const EVP_CIPHER *(*cipher)(void);
} header_ciphers[] = {
    {"AES-128-CBC", EVP_aes_128_cbc}, {"AES-192-CBC", EVP_aes_192_cbc},
    {"AES-256-CBC", EVP_aes_256_cbc}, {"DES-EDE3-CBC", EVP_des_ede3_cbc},
    {"DES-CBC", EVP_des_cbc},
};

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

// Reads "DEK-Info: CIPHER,IV". NULL: there is none, or none that is known.
static const EVP_CIPHER *read_header(const char *header, uint8_t iv[EVP_MAX_IV_LENGTH])
{
    static const char key[] = "DEK-Info: ";
    const char *at = strstr(header, key);
    const EVP_CIPHER *cipher = NULL;

    if (strncmp(header, "Proc-Type: 4,ENCRYPTED\n", 23) != 0 || !at)
        return NULL;
    at += sizeof key - 1;
    size_t len = strcspn(at, ",\n");
    for (size_t i = 0; i < sizeof header_ciphers / sizeof header_ciphers[0]; i++) {
        const char *name = header_ciphers[i].name;
        if (strlen(name) == len && strncmp(at, name, len) == 0)
            cipher = header_ciphers[i].cipher();
    }
    if (!cipher || at[len] != ',')
        return NULL;
    at += len + 1;
    for (unsigned i = 0; i < EVP_CIPHER_iv_length(cipher); i++, at += 2) {
        int high = digit_of(at[0]);
        int low = high < 0 ? -1 : digit_of(at[1]);
        if (low < 0)
            return NULL;
        iv[i] = (uint8_t)(high << 4 | low);
    }
    return cipher;
}

// Decrypts the block in place. The key is an MD5 of the password and the IV's first 8 bytes.
static bool decrypt_block(struct block *block, const EVP_CIPHER *cipher, const uint8_t *iv,
                          const char *password)
{
    uint8_t key[EVP_MAX_KEY_LENGTH];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len = 0;
    int rest = 0;

    bool done = context &&
                EVP_BytesToKey(cipher, EVP_md5(), iv, (const uint8_t *)password, strlen(password),
                               1, key, NULL) > 0 &&
                EVP_DecryptInit_ex(context, cipher, NULL, key, iv) &&
                EVP_DecryptUpdate(context, block->data, &len, block->data, (int)block->len) &&
                EVP_DecryptFinal_ex(context, block->data + len, &rest);
    OPENSSL_cleanse(key, sizeof key);
    EVP_CIPHER_CTX_free(context);
    if (done)
        block->len = len + rest;
    return done;
}

// The old way: the header names a cipher.
static bool open_header(struct block *block, const char *password, bool *sealed,
                        struct hail_fault_report *report)
{
    uint8_t iv[EVP_MAX_IV_LENGTH] = {0};

    *sealed = block->header[0] != '\0';
    if (!*sealed)
        return true;
    const EVP_CIPHER *cipher = read_header(block->header, iv);
    if (!cipher || block->len > INT_MAX)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the private key is encrypted with a cipher not known here; write "
                               "it again (openssl pkcs8 -topk8 -in key.pem)");
    if (!password)
        return needs_password(report);
    return decrypt_block(block, cipher, iv, password) || wrong_password(report);
}

// Reads the curve of a traditional EC key (RFC 5915, section 3); false: it names none.
static bool read_curve(struct hail_key_kind *kind, const struct block *block)
{
    CBS in;
    CBS key;
    CBS curve;
    uint64_t version;

    CBS_init(&in, block->data, (size_t)block->len);
    if (!CBS_get_asn1(&in, &key, CBS_ASN1_SEQUENCE) || !CBS_get_asn1_uint64(&key, &version) ||
        !CBS_get_asn1(&key, NULL, CBS_ASN1_OCTETSTRING) ||
        !CBS_get_asn1(&key, &curve, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0))
        return false;
    hail_key_kind_parse_curve(kind, curve);
    return true;
}

// Wraps a traditional key. The caller owns it; NULL when it is none.
static EVP_PKEY *parse_traditional(const struct block *block, bool is_rsa)
{
    EVP_PKEY *key = EVP_PKEY_new();
    CBS in;

    CBS_init(&in, block->data, (size_t)block->len);
    RSA *rsa = is_rsa ? RSA_parse_private_key(&in) : NULL;
    EC_KEY *ec = is_rsa ? NULL : EC_KEY_parse_private_key(&in, NULL);
    if (key && rsa && CBS_len(&in) == 0 && EVP_PKEY_set1_RSA(key, rsa))
        goto out;
    if (key && ec && CBS_len(&in) == 0 && EVP_PKEY_set1_EC_KEY(key, ec))
        goto out;
    EVP_PKEY_free(key);
    key = NULL;
out:
    RSA_free(rsa);
    EC_KEY_free(ec);
    return key;
}

static bool add_traditional(struct hail_bundle *bundle, struct block *block, bool is_rsa,
                            const char *password, struct hail_fault_report *report)
{
    struct hail_key_kind kind;
    bool sealed;

    if (!open_header(block, password, &sealed, report))
        return false;
    if (!is_rsa && read_curve(&kind, block) && kind.use != HAIL_KEY_SIGNS) {
        hail_bundle_pass_over(bundle, kind.name);
        return true;
    }
    EVP_PKEY *key = parse_traditional(block, is_rsa);
    if (key)
        return hail_bundle_take_key(bundle, key, report);
    // A wrong password passes the padding check once in 256 times.
    return sealed ? wrong_password(report) : bad_key(report, block->name);
}

// An EncryptedPrivateKeyInfo (RFC 5958 section 3).
static bool add_encrypted(struct hail_bundle *bundle, const struct block *block,
                          const char *password, struct hail_fault_report *report)
{
    struct hail_password keys;
    CBS in;
    CBS sequence;
    CBS algorithm;
    CBS sealed;
    uint8_t *info = NULL;
    size_t info_len = 0;

    CBS_init(&in, block->data, (size_t)block->len);
    if (!CBS_get_asn1(&in, &sequence, CBS_ASN1_SEQUENCE) || CBS_len(&in) != 0 ||
        !CBS_get_asn1(&sequence, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &sealed, CBS_ASN1_OCTETSTRING))
        return bad_key(report, block->name);
    if (!password)
        return needs_password(report);
    if (!hail_password_init(&keys, password, report))
        return false;
    bool opened = hail_pbe_open(&info, &info_len, &keys, algorithm,
                                (struct hail_bytes){CBS_data(&sealed), CBS_len(&sealed)}, report);
    hail_password_cleanup(&keys);
    if (!opened)
        return report->fault == HAIL_FAULT_PASSWORD ? wrong_password(report) : false;

    bool added = hail_bundle_add_key(bundle, (struct hail_bytes){info, info_len}, report);
    OPENSSL_free(info);
    return added;
}

// Windows' certutil -encode calls everything a certificate, a PFX too.
static bool add_certificate(struct hail_bundle *bundle, struct hail_bytes data,
                            const char *password, struct hail_fault_report *report)
{
    CBS in;
    CBS sequence;
    uint64_t version;

    // A certificate begins with another sequence. A PFX may be in BER, of a length that is open.
    CBS_init(&in, data.data, data.len);
    bool is_open = data.len > 4 && data.data[1] == 0x80 && data.data[2] == CBS_ASN1_INTEGER;
    bool is_pfx = is_open || (CBS_get_asn1(&in, &sequence, CBS_ASN1_SEQUENCE) &&
                              CBS_get_asn1_uint64(&sequence, &version));
    return is_pfx ? hail_pfx_read(bundle, data, password, report)
                  : hail_bundle_add_certificate(bundle, data, report);
}

static bool add_block(struct hail_bundle *bundle, struct block *block, const char *password,
                      struct hail_fault_report *report)
{
    struct hail_bytes data = {block->data, (size_t)block->len};

    if (strcmp(block->name, "CERTIFICATE") == 0 || strcmp(block->name, "X509 CERTIFICATE") == 0)
        return add_certificate(bundle, data, password, report);
    if (strcmp(block->name, "PKCS12") == 0 || strcmp(block->name, "PFX") == 0)
        return hail_pfx_read(bundle, data, password, report);
    if (strcmp(block->name, "TRUSTED CERTIFICATE") == 0)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file has a TRUSTED CERTIFICATE, which is a form of OpenSSL's "
                               "own; write it again with openssl x509 -in FILE -out FILE");
    if (strcmp(block->name, "PRIVATE KEY") == 0)
        return hail_bundle_add_key(bundle, data, report);
    if (strcmp(block->name, "ENCRYPTED PRIVATE KEY") == 0)
        return add_encrypted(bundle, block, password, report);
    if (strcmp(block->name, "RSA PRIVATE KEY") == 0)
        return add_traditional(bundle, block, true, password, report);
    if (strcmp(block->name, "EC PRIVATE KEY") == 0)
        return add_traditional(bundle, block, false, password, report);
    if (strcmp(block->name, "DSA PRIVATE KEY") == 0)
        hail_bundle_pass_over(bundle, "DSA");
    return true;
}

bool hail_pem_looks_like(struct hail_bytes file)
{
    return memmem(file.data, file.len, "-----BEGIN ", 11) != NULL;
}

bool hail_pem_read(struct hail_bundle *bundle, struct hail_bytes text, const char *password,
                   struct hail_fault_report *report)
{
    if (text.len > INT_MAX)
        return hail_report_set(report, HAIL_FAULT_FORMAT, "the file is too long to be PEM");
    // A block must begin its line, and some editors put a mark before the first.
    const uint8_t *start = memmem(text.data, text.len, "-----BEGIN ", 11);
    HAIL_ASSERT(start != NULL);
    BIO *bio = BIO_new_mem_buf(start, (int)(text.len - (size_t)(start - text.data)));
    if (!bio)
        return hail_report_no_memory(report);

    bool taken = true;
    while (taken) {
        struct block block = {0};

        if (!PEM_read_bio(bio, &block.name, &block.header, &block.data, &block.len)) {
            uint32_t why = ERR_peek_last_error();
            if (ERR_GET_LIB(why) != ERR_LIB_PEM || ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
                taken = hail_report_set(report, HAIL_FAULT_FORMAT,
                                        "the PEM text is damaged: a block does not decode or has "
                                        "no END line; export the file again");
            break;
        }
        taken = add_block(bundle, &block, password, report);
        OPENSSL_free(block.name);
        OPENSSL_free(block.header);
        OPENSSL_free(block.data);
    }
    ERR_clear_error();
    BIO_free(bio);
    return taken;
}
