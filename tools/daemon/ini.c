// ini.c: see ini.h.
// SPDX-License-Identifier: MIT
#include "tools/daemon/ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Nothing more, or a comment.
static bool ends(const char *text)
{
    text += strspn(text, " \t\r\n");
    return *text == 0 || *text == ';' || *text == '#';
}

static const char *section_fault(const char *header)
{
    const char *end = strchr(header, ']');

    if (!end)
        return "a section's name needs a ] behind it";
    return ends(end + 1) ? NULL
                         : "nothing but a comment may follow a section's ]: write each key on a "
                           "line of its own";
}

static const char *value_fault(const char *line)
{
    const char *value = strchr(line, '=');

    if (!value)
        return NULL; // told by the parser
    value++;
    value += strspn(value, " \t");
    if (*value == '"' || *value == '\'')
        return "a value has no quotation marks around it: they would be part of it";
    return NULL;
}

const char *ini_line_fault(const char *line)
{
    size_t len = strcspn(line, "\r\n");

    if (strncmp(line, "\xef\xbb\xbf", 3) == 0) { // a byte order mark
        line += 3;
        len -= 3;
    }
    for (size_t i = 0; i < len; i++) {
        if (iscntrl((unsigned char)line[i]) && line[i] != '\t')
            return "has a control character: is it a text file, in UTF-8?";
    }
    if (line[len] == '\r' && line[len + 1] != '\n' && line[len + 1] != 0)
        return "has a carriage return in it: end lines with a line feed";
    if (ends(line))
        return NULL;
    if (is_blank(*line))
        return "is indented, which would make it part of the value above: begin it in the first "
               "column";
    return *line == '[' ? section_fault(line) : value_fault(line);
}

bool ini_number(const char *text, uint64_t *number)
{
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end;

    if (is_hex ? !isxdigit((unsigned char)text[2]) : !isdigit((unsigned char)text[0]))
        return false;
    if (!is_hex && text[0] == '0' && text[1] != 0)
        return false;
    errno = 0;
    *number = strtoull(text, &end, is_hex ? 16 : 10);
    return *end == 0 && errno == 0;
}
