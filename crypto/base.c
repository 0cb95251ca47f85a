// base.c: how a broken invariant ends the process.
// SPDX-License-Identifier: MIT
#include "crypto/base.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void hail_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "hail: broken invariant: %s (%s:%d)\n", cond, file, line);
    abort();
}
