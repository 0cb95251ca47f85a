// page.h: a record as a page of HTML that needs nothing else: plots, tables, and how it was
// measured.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_PAGE_H
#define HAIL_TOOLS_PAGE_H

#include "tools/record.h"

// page_write writes it. False: the file cannot be written; errno.
bool page_write(const struct record *record, FILE *out);

#endif
