// text.c: see text.h.
// SPDX-License-Identifier: MIT
#include "crypto/text.h"

#include <stdlib.h>

#include "crypto/secret.h"

static bool has_mark(struct hail_bytes file, const uint8_t *mark, size_t len)
{
    return file.len >= len && hail_equal(file.data, mark, len);
}

// What is not ASCII has no place in base64 and PEM, and becomes a question mark.
static bool narrow(struct hail_text *text, struct hail_bytes file, size_t high)
{
    text->own_len = file.len / 2;
    text->own = malloc(text->own_len + 1);
    if (!text->own)
        return false;
    for (size_t i = 0; i < text->own_len; i++) {
        uint8_t low = file.data[2 * i + 1 - high];
        text->own[i] = file.data[2 * i + high] == 0 && low < 0x80 ? low : '?';
    }
    text->bytes = (struct hail_bytes){text->own, text->own_len};
    return true;
}

bool hail_text_init(struct hail_text *text, struct hail_bytes file)
{
    static const uint8_t utf8[3] = {0xef, 0xbb, 0xbf};
    static const uint8_t little[2] = {0xff, 0xfe};
    static const uint8_t big[2] = {0xfe, 0xff};

    *text = (struct hail_text){.bytes = file};
    if (has_mark(file, utf8, sizeof utf8))
        text->bytes = (struct hail_bytes){file.data + sizeof utf8, file.len - sizeof utf8};
    bool is_little = has_mark(file, little, sizeof little);
    if (!is_little && !has_mark(file, big, sizeof big))
        return true;
    return narrow(text, (struct hail_bytes){file.data + 2, file.len - 2}, is_little ? 1 : 0);
}

void hail_text_cleanup(struct hail_text *text)
{
    if (text->own)
        hail_wipe(text->own, text->own_len);
    free(text->own);
}
