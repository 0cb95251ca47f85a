// hex.h: keys as people copy them.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_HEX_H
#define HAIL_TOOLS_LOAD_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// hex_read reads exactly `len` bytes of two digits each. False: it is something else.
bool hex_read(const char *text, uint8_t *out, size_t len);

// hex_write writes `len` bytes as digits, terminated: 2 * len + 1 characters.
void hex_write(char *text, const uint8_t *bytes, size_t len);

#endif
