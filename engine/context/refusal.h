// refusal.h: why a server refuses a client, in words.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_REFUSAL_H
#define HAIL_ENGINE_CONTEXT_REFUSAL_H

#include <stdint.h>

// hail_refusal_text returns a sentence for the reason of a server's refusal (enum hail_refusal).
const char *hail_refusal_text(uint8_t reason);

#endif
