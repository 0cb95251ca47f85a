// verdict.c: the verdicts' names.
// SPDX-License-Identifier: MIT
#include "proto/verdict.h"

#include "crypto/base.h"

#define VERDICT_NAME(id, name) [HAIL_##id] = name,

static const char *const names[HAIL_VERDICT_COUNT] = {HAIL_VERDICTS(VERDICT_NAME)};

#undef VERDICT_NAME

const char *hail_verdict_name(enum hail_verdict verdict)
{
    HAIL_ASSERT((unsigned)verdict < HAIL_VERDICT_COUNT);
    return names[verdict];
}
