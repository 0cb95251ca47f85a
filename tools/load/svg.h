// svg.h: the few shapes that plots are made of, as SVG inside a page.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_SVG_H
#define HAIL_TOOLS_LOAD_SVG_H

#include <stddef.h>
#include <stdio.h>

enum {
    SVG_TICKS_MAX = 16
};

// svg_escape writes text into a page: what would be markup is written so that it is none.
void svg_escape(FILE *out, const char *text);

// svg_begin opens a picture of this size, and says in words what it shows.
void svg_begin(FILE *out, double width, double height, const char *title);
void svg_end(FILE *out);

// svg_text writes a text whose baseline begins, or for the class "end" ends, at the place. Classes
// are the page's: separated by spaces.
__attribute__((format(printf, 5, 6))) void svg_text(FILE *out, double x, double y,
                                                    const char *class, const char *format, ...);

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *class);

// svg_bar draws a bar to the right. A pointer over it shows `hint`, as over svg_dot.
void svg_bar(FILE *out, double x, double y, double width, double height, const char *class,
             const char *hint);
void svg_dot(FILE *out, double x, double y, const char *class, const char *hint);

struct svg_point {
    double x;
    double y;
};

// svg_path draws a line through points.
void svg_path(FILE *out, const struct svg_point *points, size_t count, const char *class);

// svg_ticks chooses round numbers from 0 to `most` and a little above, about `wanted` of them.
// Returns how many; the last is at least `most`.
size_t svg_ticks(double most, size_t wanted, double ticks[SVG_TICKS_MAX]);

#endif
