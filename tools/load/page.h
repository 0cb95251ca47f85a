// page.h: a record as a page of HTML that needs nothing else: plots, tables, and how it was
// measured.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_PAGE_H
#define HAIL_TOOLS_LOAD_PAGE_H

#include "tools/load/record.h"

// page_write writes it. False: the file cannot be written; errno.
bool page_write(const struct record *record, FILE *out);

#endif
