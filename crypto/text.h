// text.h: a file that should be text, in the forms that editors and Windows have. Of crypto/ alone.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_TEXT_H
#define HAIL_CRYPTO_TEXT_H

#include "crypto/base.h"
#include "crypto/kdf.h"

// A secret where the file is one: hail_text_cleanup.
struct hail_text {
    struct hail_bytes bytes; // borrowed from the file, or `own`
    uint8_t *own;
    size_t own_len;
};

// hail_text_init leaves out a mark of UTF-8 and takes the ASCII out of UTF-16 that has a mark;
// other files are as they were. False: there is no memory.
HAIL_MUST_USE bool hail_text_init(struct hail_text *text, struct hail_bytes file);

// hail_text_cleanup wipes and frees.
void hail_text_cleanup(struct hail_text *text);

#endif
