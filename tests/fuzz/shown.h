// shown.h: a certificate that somebody shows, and what may be said of it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_FUZZ_SHOWN_H
#define HAIL_TESTS_FUZZ_SHOWN_H

#include "tests/fuzz/signed.h"

// What a key is by its description.
enum shown_key {
    SHOWN_NONE, // of no use to a client
    SHOWN_RSA,
    SHOWN_DSA,
    SHOWN_P256,
    SHOWN_ED25519
};

// shown_describe describes a certificate, as an application is told about it, and says what its
// key is.
static inline enum shown_key shown_describe(const struct hail_certificate *certificate)
{
    static const char *const keys[] = {
        [SHOWN_RSA] = "RSA, ",
        [SHOWN_DSA] = "DSA\n",
        [SHOWN_P256] = "EC P-256\n",
        [SHOWN_ED25519] = "Ed25519\n",
    };
    static const char label[] = "\nkey          ";
    static char text[1 << 20]; // nothing is cut
    enum shown_key key = SHOWN_NONE;

    hail_certificate_describe(certificate, text, 2048);
    fuzz_holds(strlen(text) < 2048);
    hail_certificate_describe(certificate, text, sizeof text);
    const char *line = strstr(text, label);
    fuzz_holds(line != NULL && text[strlen(text) - 1] == '\n');
    line += sizeof label - 1;
    fuzz_holds(*line != '\n');
    for (int i = SHOWN_RSA; i <= SHOWN_ED25519; i++) {
        if (strncmp(line, keys[i], strlen(keys[i])) == 0)
            key = (enum shown_key)i;
    }
    return key;
}

// shown_split splits an input into the certificates it is made of, `max` at most.
static inline size_t shown_split(struct hail_bytes *certificates, size_t max,
                                 struct hail_bytes input)
{
    struct hail_bytes content;
    size_t count = 0;

    while (count < max && foreign_next(&input, &certificates[count], &content))
        count++;
    return count;
}

#endif
