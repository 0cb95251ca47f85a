// svg.c: see svg.h.
// SPDX-License-Identifier: MIT
#include "tools/load/svg.h"

#include <math.h>
#include <stdarg.h>

void svg_escape(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            // What a page may not hold, whatever it means.
            fputc((unsigned char)*text < ' ' && *text != '\n' ? '?' : *text, out);
        }
    }
}

void svg_begin(FILE *out, double width, double height, const char *title)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" role=\"img\" "
            "aria-label=\"",
            width, height);
    svg_escape(out, title);
    fputs("\">\n", out);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}

void svg_text(FILE *out, double x, double y, const char *class, const char *format, ...)
{
    char text[256];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    svg_escape(out, text);
    fputs("</text>\n", out);
}

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *class)
{
    fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1,
            x2, y2, class);
}

static void write_hint(FILE *out, const char *hint)
{
    fputs("<title>", out);
    svg_escape(out, hint);
    fputs("</title>", out);
}

void svg_bar(FILE *out, double x, double y, double width, double height, const char *class,
             const char *hint)
{
    double round = width < 3 ? width : 3;

    // Square where it stands on the axis, round where the data ends.
    fprintf(out,
            "<path d=\"M%.1f %.1fh%.1fq%.1f 0 %.1f %.1fv%.1fq0 %.1f %.1f %.1fh%.1fz\" "
            "class=\"%s\">",
            x, y, width - round, round, round, round, height - 2 * round, round, -round, round,
            round - width, class);
    write_hint(out, hint);
    fputs("</path>\n", out);
}

void svg_dot(FILE *out, double x, double y, const char *class, const char *hint)
{
    fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"%s\">", x, y, class);
    write_hint(out, hint);
    fputs("</circle>\n", out);
}

void svg_path(FILE *out, const struct svg_point *points, size_t count, const char *class)
{
    fputs("<path d=\"", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', points[i].x, points[i].y);
    fprintf(out, "\" class=\"%s\"/>\n", class);
}

size_t svg_ticks(double most, size_t wanted, double ticks[SVG_TICKS_MAX])
{
    double rough = most > 0 ? most / (double)wanted : 1;
    double step = pow(10, floor(log10(rough)));
    size_t count = 0;

    if (rough > 5 * step)
        step *= 10;
    else if (rough > 2 * step)
        step *= 5;
    else if (rough > step)
        step *= 2;
    do {
        ticks[count] = step * (double)count;
        count++;
    } while (count < SVG_TICKS_MAX && ticks[count - 1] < most);
    return count;
}
