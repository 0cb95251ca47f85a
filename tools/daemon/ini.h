// ini.h: what a line of an INI file may look like, so that it is read as it looks. libinih takes
// more than that and says nothing: an indented key as a further value of the key above it, text
// behind a section's bracket as none.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_DAEMON_INI_H
#define HAIL_TOOLS_DAEMON_INI_H

#include <stdbool.h>
#include <stdint.h>

// ini_line_fault says what is wrong with a line as fgets gives it, or returns NULL. Whether its key
// and value are good is another matter.
const char *ini_line_fault(const char *line);

// ini_number reads a number that is decimal, or hexadecimal with 0x in front. False: it is neither,
// or does not fit; one with a zero in front would be octal to some.
bool ini_number(const char *text, uint64_t *number);

#endif
