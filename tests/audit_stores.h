// audit_stores.h: the frame of an audit: whether each piece of memory has one owner, or is free.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_AUDIT_STORES_H
#define HAIL_TESTS_AUDIT_STORES_H

#include "tests/audit.h"

// audit_stores_begin starts counting; audit_stores_end, when every owner has been looked at,
// compares.
void audit_stores_begin(struct audit *audit);
void audit_stores_end(struct audit *audit);

#endif
