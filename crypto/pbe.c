// pbe.c: opening what a password closed.
// SPDX-License-Identifier: MIT
#include "crypto/pbe.h"
#include "crypto/report.h"
#include "crypto/secret.h"

#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <string.h>

enum {
    // Programs in use write 1 to 1,000,000 iterations, three times in a file. An iteration costs
    // about half a microsecond.
    WORK_MAX = 6000000,
    SALT_MAX = 256,
    HASH_MAX = 64,
    HASH_BLOCK_MAX = 128,
    // The salt and the password of appendix B, each repeated to whole blocks.
    DERIVE_MAX = SALT_MAX + HASH_BLOCK_MAX + 2 * HAIL_PASSWORD_MAX + 2 + HASH_BLOCK_MAX
};

// What a derived key is for (RFC 7292 appendix B.3).
enum purpose {
    PURPOSE_KEY = 1,
    PURPOSE_IV = 2,
    PURPOSE_MAC = 3
};

// A cipher with the key and IV to use it with.
struct opener {
    const EVP_CIPHER *cipher;
    unsigned key_len; // may be shorter than the cipher's own (RC2)
    uint8_t key[EVP_MAX_KEY_LENGTH];
    uint8_t iv[EVP_MAX_IV_LENGTH];
};

static bool malformed(struct hail_fault_report *report)
{
    return hail_report_set(report, HAIL_FAULT_FORMAT,
                           "the file is damaged: its encryption parameters make no sense; export "
                           "it again");
}

static bool unknown_scheme(struct hail_fault_report *report, const char *what, const CBS *oid)
{
    char *name = CBS_asn1_oid_to_text(oid);

    hail_report_set(report, HAIL_FAULT_FORMAT,
                    "the file is encrypted with %s %s, which is not known here; export it again "
                    "with AES-256 and PBKDF2 (openssl pkcs12 -export does)",
                    what, name ? name : "?");
    OPENSSL_free(name);
    return false;
}

static bool spend(struct hail_password *password, uint64_t iterations, unsigned times,
                  struct hail_fault_report *report)
{
    if (iterations == 0)
        return malformed(report);
    if (iterations > password->work_left || iterations * times > password->work_left)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file asks for more than %u iterations of its password hash; "
                               "export it again with fewer, such as 100,000",
                               (unsigned)WORK_MAX);
    password->work_left -= iterations * times;
    return true;
}

// Adds `step` and one to `block`, both big-endian numbers of `len` bytes; the carry is dropped.
static void add_one_and(uint8_t *block, const uint8_t *step, size_t len)
{
    unsigned carry = 1;

    for (size_t i = len; i-- > 0;) {
        carry += (unsigned)block[i] + step[i];
        block[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

// Repeats `bytes` until whole blocks are filled; nothing stays nothing.
static size_t repeat(uint8_t *out, struct hail_bytes bytes, size_t block_len)
{
    size_t len = (bytes.len + block_len - 1) / block_len * block_len;

    for (size_t i = 0; i < len; i++)
        out[i] = bytes.data[i % bytes.len];
    return len;
}

// One turn of RFC 7292 appendix B.2 step 6.A: the hash of `diversifier` and `input`, iterated.
static bool derive_turn(uint8_t hash[HASH_MAX], const EVP_MD *md, struct hail_bytes diversifier,
                        struct hail_bytes input, uint64_t iterations)
{
    EVP_MD_CTX context;
    unsigned hash_len = 0;

    EVP_MD_CTX_init(&context);
    bool done = EVP_DigestInit_ex(&context, md, NULL) &&
                EVP_DigestUpdate(&context, diversifier.data, diversifier.len) &&
                EVP_DigestUpdate(&context, input.data, input.len) &&
                EVP_DigestFinal_ex(&context, hash, &hash_len);
    for (uint64_t i = 1; done && i < iterations; i++)
        done = EVP_DigestInit_ex(&context, md, NULL) &&
               EVP_DigestUpdate(&context, hash, hash_len) &&
               EVP_DigestFinal_ex(&context, hash, &hash_len);
    EVP_MD_CTX_cleanup(&context);
    return done;
}

// RFC 7292 appendix B.2.
static bool derive(uint8_t *out, size_t out_len, struct hail_password *password, const EVP_MD *md,
                   enum purpose purpose, struct hail_bytes salt, uint64_t iterations,
                   struct hail_fault_report *report)
{
    uint8_t diversifier[HASH_BLOCK_MAX];
    uint8_t input[DERIVE_MAX];
    uint8_t step[HASH_BLOCK_MAX];
    uint8_t hash[HASH_MAX];
    size_t block_len = EVP_MD_block_size(md);
    size_t hash_len = EVP_MD_size(md);
    bool done = false;

    HAIL_ASSERT(block_len <= HASH_BLOCK_MAX && hash_len <= HASH_MAX);
    if (salt.len > SALT_MAX)
        return malformed(report);
    if (!spend(password, iterations, (unsigned)((out_len + hash_len - 1) / hash_len), report))
        return false;

    memset(diversifier, (int)purpose, sizeof diversifier);
    size_t input_len = repeat(input, salt, block_len);
    input_len += repeat(input + input_len, (struct hail_bytes){password->wide, password->wide_len},
                        block_len);
    while (out_len > 0) {
        if (!derive_turn(hash, md, (struct hail_bytes){diversifier, block_len},
                         (struct hail_bytes){input, input_len}, iterations)) {
            hail_report_no_memory(report);
            goto out;
        }
        size_t part_len = out_len < hash_len ? out_len : hash_len;
        memcpy(out, hash, part_len);
        out += part_len;
        out_len -= part_len;

        repeat(step, (struct hail_bytes){hash, hash_len}, block_len);
        for (size_t i = 0; i < input_len; i += block_len)
            add_one_and(input + i, step, block_len);
    }
    done = true;
out:
    hail_wipe(input, sizeof input);
    hail_wipe(step, sizeof step);
    hail_wipe(hash, sizeof hash);
    return done;
}

// The RC2 schemes have effective key bits that EVP_rc2_cbc must be told; all others take no notice.
static bool opener_init(EVP_CIPHER_CTX *context, const struct opener *opener)
{
    if (!EVP_DecryptInit_ex(context, opener->cipher, NULL, NULL, NULL))
        return false;
    if (opener->key_len != EVP_CIPHER_key_length(opener->cipher) &&
        (!EVP_CIPHER_CTX_set_key_length(context, opener->key_len) ||
         !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_SET_RC2_KEY_BITS, (int)opener->key_len * 8, NULL)))
        return false;
    return EVP_DecryptInit_ex(context, NULL, NULL, opener->key, opener->iv);
}

// Says whether `text` has the outer shape of what is encrypted here: one sequence and no more.
static bool is_one_sequence(struct hail_bytes text)
{
    CBS in;
    CBS element;
    unsigned tag;
    int indefinite;

    CBS_init(&in, text.data, text.len);
    return CBS_get_any_ber_asn1_element(&in, &element, &tag, NULL, NULL, &indefinite) &&
           tag == CBS_ASN1_SEQUENCE && (indefinite || CBS_len(&in) == 0);
}

static bool decrypt(uint8_t **out, size_t *out_len, const struct opener *opener,
                    struct hail_bytes sealed, struct hail_fault_report *report)
{
    EVP_CIPHER_CTX context;
    uint8_t *text = NULL;
    int len = 0;
    int last_len = 0;
    bool done = false;

    if (sealed.len == 0 || sealed.len > INT32_MAX / 2 ||
        sealed.len % EVP_CIPHER_block_size(opener->cipher) != 0)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file is damaged: an encrypted part of %zu bytes is cut short",
                               sealed.len);
    EVP_CIPHER_CTX_init(&context);
    text = OPENSSL_malloc(sealed.len + EVP_MAX_BLOCK_LENGTH);
    if (!text || !opener_init(&context, opener) ||
        !EVP_DecryptUpdate(&context, text, &len, sealed.data, (int)sealed.len)) {
        hail_report_no_memory(report);
        goto out;
    }
    if (!EVP_DecryptFinal_ex(&context, text + len, &last_len) ||
        !is_one_sequence((struct hail_bytes){text, (size_t)(len + last_len)})) {
        hail_report_set(report, HAIL_FAULT_PASSWORD, "the password does not open the file");
        goto out;
    }
    *out = text;
    *out_len = (size_t)(len + last_len);
    text = NULL;
    done = true;
out:
    OPENSSL_free(text);
    EVP_CIPHER_CTX_cleanup(&context);
    return done;
}

// The schemes of RFC 7292 appendix C: SHA-1 and an old cipher.
static bool prepare_pkcs12(struct opener *opener, struct hail_password *password, CBS *parameters,
                           struct hail_fault_report *report)
{
    CBS sequence;
    CBS salt;
    uint64_t iterations;

    if (!CBS_get_asn1(parameters, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &salt, CBS_ASN1_OCTETSTRING) ||
        !CBS_get_asn1_uint64(&sequence, &iterations))
        return malformed(report);

    struct hail_bytes salt_bytes = {CBS_data(&salt), CBS_len(&salt)};
    return derive(opener->key, opener->key_len, password, EVP_sha1(), PURPOSE_KEY, salt_bytes,
                  iterations, report) &&
           derive(opener->iv, EVP_CIPHER_iv_length(opener->cipher), password, EVP_sha1(),
                  PURPOSE_IV, salt_bytes, iterations, report);
}

static const EVP_MD *prf_md(int nid)
{
    switch (nid) {
    case NID_hmacWithSHA1:
        return EVP_sha1();
    case NID_hmacWithSHA224:
        return EVP_sha224();
    case NID_hmacWithSHA256:
        return EVP_sha256();
    case NID_hmacWithSHA384:
        return EVP_sha384();
    case NID_hmacWithSHA512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

static bool stretch(struct opener *opener, struct hail_password *password, CBS *parameters,
                    struct hail_fault_report *report)
{
    CBS sequence;
    CBS salt;
    CBS prf;
    CBS oid;
    uint64_t iterations;
    uint64_t key_len = opener->key_len;
    const EVP_MD *md = EVP_sha1(); // what RFC 8018 says when nothing is said

    if (!CBS_get_asn1(parameters, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &salt, CBS_ASN1_OCTETSTRING) || CBS_len(&salt) > SALT_MAX ||
        !CBS_get_asn1_uint64(&sequence, &iterations))
        return malformed(report);
    if (CBS_peek_asn1_tag(&sequence, CBS_ASN1_INTEGER) &&
        (!CBS_get_asn1_uint64(&sequence, &key_len) || key_len != opener->key_len))
        return malformed(report);
    if (CBS_len(&sequence) > 0) {
        if (!CBS_get_asn1(&sequence, &prf, CBS_ASN1_SEQUENCE) ||
            !CBS_get_asn1(&prf, &oid, CBS_ASN1_OBJECT))
            return malformed(report);
        md = prf_md(OBJ_cbs2nid(&oid));
        if (!md)
            return unknown_scheme(report, "the hash", &oid);
    }
    unsigned blocks = (unsigned)((key_len + EVP_MD_size(md) - 1) / EVP_MD_size(md));
    if (!spend(password, iterations, blocks, report))
        return false;
    if (!PKCS5_PBKDF2_HMAC((const char *)password->plain.data, password->plain.len, CBS_data(&salt),
                           CBS_len(&salt), (unsigned)iterations, md, opener->key_len, opener->key))
        return hail_report_no_memory(report);
    return true;
}

static const EVP_CIPHER *pbes2_cipher(int nid)
{
    switch (nid) {
    case NID_aes_128_cbc:
        return EVP_aes_128_cbc();
    case NID_aes_192_cbc:
        return EVP_aes_192_cbc();
    case NID_aes_256_cbc:
        return EVP_aes_256_cbc();
    case NID_des_ede3_cbc:
        return EVP_des_ede3_cbc();
    default:
        return NULL;
    }
}

// PBES2 with PBKDF2 (RFC 8018 section 6.2).
static bool prepare_pbes2(struct opener *opener, struct hail_password *password, CBS *parameters,
                          struct hail_fault_report *report)
{
    CBS sequence;
    CBS derivation;
    CBS derivation_oid;
    CBS scheme;
    CBS scheme_oid;
    CBS iv;

    if (!CBS_get_asn1(parameters, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &derivation, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&derivation, &derivation_oid, CBS_ASN1_OBJECT) ||
        !CBS_get_asn1(&sequence, &scheme, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&scheme, &scheme_oid, CBS_ASN1_OBJECT))
        return malformed(report);
    if (OBJ_cbs2nid(&derivation_oid) != NID_id_pbkdf2)
        return unknown_scheme(report, "the key derivation", &derivation_oid);
    opener->cipher = pbes2_cipher(OBJ_cbs2nid(&scheme_oid));
    if (!opener->cipher)
        return unknown_scheme(report, "the cipher", &scheme_oid);
    if (!CBS_get_asn1(&scheme, &iv, CBS_ASN1_OCTETSTRING) ||
        CBS_len(&iv) != EVP_CIPHER_iv_length(opener->cipher))
        return malformed(report);

    memcpy(opener->iv, CBS_data(&iv), CBS_len(&iv));
    opener->key_len = EVP_CIPHER_key_length(opener->cipher);
    return stretch(opener, password, &derivation, report);
}

static bool prepare(struct opener *opener, struct hail_password *password, CBS *algorithm,
                    struct hail_fault_report *report)
{
    CBS oid;

    if (!CBS_get_asn1(algorithm, &oid, CBS_ASN1_OBJECT))
        return malformed(report);
    switch (OBJ_cbs2nid(&oid)) {
    case NID_pbes2:
        return prepare_pbes2(opener, password, algorithm, report);
    case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
        *opener = (struct opener){.cipher = EVP_des_ede3_cbc(), .key_len = 24};
        break;
    case NID_pbe_WithSHA1And128BitRC2_CBC:
        *opener = (struct opener){.cipher = EVP_rc2_cbc(), .key_len = 16};
        break;
    case NID_pbe_WithSHA1And40BitRC2_CBC:
        *opener = (struct opener){.cipher = EVP_rc2_cbc(), .key_len = 5};
        break;
    default:
        return unknown_scheme(report, "the scheme", &oid);
    }
    return prepare_pkcs12(opener, password, algorithm, report);
}

bool hail_pbe_open(uint8_t **out, size_t *out_len, struct hail_password *password, CBS algorithm,
                   struct hail_bytes sealed, struct hail_fault_report *report)
{
    struct opener opener = {0};
    bool done = prepare(&opener, password, &algorithm, report) &&
                decrypt(out, out_len, &opener, sealed, report);

    hail_wipe(&opener, sizeof opener);
    return done;
}

static const EVP_MD *mac_md(int nid)
{
    switch (nid) {
    case NID_sha1:
        return EVP_sha1();
    case NID_sha224:
        return EVP_sha224();
    case NID_sha256:
        return EVP_sha256();
    case NID_sha384:
        return EVP_sha384();
    case NID_sha512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

bool hail_pbe_mac_check(struct hail_password *password, CBS mac_data, struct hail_bytes content,
                        struct hail_fault_report *report)
{
    CBS info;
    CBS algorithm;
    CBS oid;
    CBS want;
    CBS salt;
    uint64_t iterations = 1;
    uint8_t key[HASH_MAX];
    uint8_t mac[HASH_MAX];
    unsigned mac_len = 0;

    if (!CBS_get_asn1(&mac_data, &info, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&info, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT) ||
        !CBS_get_asn1(&info, &want, CBS_ASN1_OCTETSTRING) ||
        !CBS_get_asn1(&mac_data, &salt, CBS_ASN1_OCTETSTRING) ||
        (CBS_len(&mac_data) > 0 && !CBS_get_asn1_uint64(&mac_data, &iterations)))
        return malformed(report);
    const EVP_MD *md = mac_md(OBJ_cbs2nid(&oid));
    if (!md)
        return unknown_scheme(report, "a MAC of the kind", &oid);
    if (!derive(key, EVP_MD_size(md), password, md, PURPOSE_MAC,
                (struct hail_bytes){CBS_data(&salt), CBS_len(&salt)}, iterations, report))
        return false;

    bool computed =
        HMAC(md, key, EVP_MD_size(md), content.data, content.len, mac, &mac_len) != NULL;
    hail_wipe(key, sizeof key);
    if (!computed)
        return hail_report_no_memory(report);
    if (CBS_len(&want) != mac_len || !hail_equal(CBS_data(&want), mac, mac_len))
        return hail_report_set(report, HAIL_FAULT_PASSWORD, "the password does not open the file");
    return true;
}

// Reads one character of UTF-8 that has `len` bytes left. Returns its length, or 0 if it is none.
static size_t utf8_get(uint32_t *out, const uint8_t *text, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800,
                                     0x10000}; // by length: no longer than needed
    size_t need = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t c = need == 1 ? text[0] : text[0] & (0xffu >> (need + 1));

    if ((text[0] >= 0x80 && text[0] < 0xc0) || text[0] >= 0xf8 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (text[i] & 0x3fu);
    }
    if (c < least[need] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *out = c;
    return need;
}

static void put_unit(struct hail_password *password, uint32_t unit)
{
    HAIL_ASSERT(password->wide_len + 2 <= sizeof password->wide);
    password->wide[password->wide_len++] = (uint8_t)(unit >> 8);
    password->wide[password->wide_len++] = (uint8_t)unit;
}

bool hail_password_init(struct hail_password *password, const char *text,
                        struct hail_fault_report *report)
{
    size_t len = text ? strlen(text) : 0;
    const uint8_t *bytes = (const uint8_t *)(text ? text : "");

    if (len > HAIL_PASSWORD_MAX)
        return hail_report_set(report, HAIL_FAULT_PASSWORD, "the password is longer than %d bytes",
                               HAIL_PASSWORD_MAX);
    *password = (struct hail_password){.plain = {bytes, len}, .work_left = WORK_MAX};
    for (size_t i = 0; i < len;) {
        uint32_t c = bytes[i];
        size_t taken = utf8_get(&c, bytes + i, len - i);

        i += taken > 0 ? taken : 1; // what is not UTF-8 is taken for Latin-1, as others take it
        if (c >= 0x10000) {
            put_unit(password, 0xd800 + ((c - 0x10000) >> 10));
            put_unit(password, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            put_unit(password, c);
        }
    }
    if (text)
        put_unit(password, 0);
    return true;
}

void hail_password_cleanup(struct hail_password *password)
{
    hail_wipe(password, sizeof *password);
}
