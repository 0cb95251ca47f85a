// compare.c: see compare.h.
// SPDX-License-Identifier: MIT
#include "tools/load/compare.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum change {
    CHANGE_NONE,
    CHANGE_BETTER,
    CHANGE_WORSE,
    CHANGE_UNSURE // the medians differ by enough, and it may be chance
};

static const char *const change_names[] = {"", "better", "WORSE", "unsure"};
static const char help_text[] =
    "usage: hail-load compare [OPTION...] BEFORE.json AFTER.json\n"
    "Says what changed between two files that hail-load matrix --json wrote, row by row. A change\n"
    "is one that the Mann-Whitney test over the repeats does not put down to chance, and whose\n"
    "median moved by enough to matter.\n"
    "\n"
    "  --p P           what counts as chance: 0.01, so that of a hundred figures that did not\n"
    "                  change about one is told as changed. Three repeats cannot reach it: with\n"
    "                  n in both files the least is 2 n! n! / (2n)!, 0.008 for five\n"
    "  --least PERCENT by which a median must move; 3\n"
    "  --all           also show what did not change\n"
    "  --help\n"
    "\n"
    "Maximum latencies, losses and the server's share of a core are not judged: they say more\n"
    "about the machine.\n"
    "Exit status: 0 nothing became worse, 1 something did, 2 wrong usage or unreadable files.\n"
    "\n"
    "example: hail-load compare yesterday.json today.json\n";

static const struct record_row *find_row(const struct record *record, const char *name)
{
    char other[RECORD_NAME_LEN];

    for (size_t i = 0; i < record->row_count; i++) {
        record_name(&record->rows[i], other);
        if (strcmp(name, other) == 0)
            return &record->rows[i];
    }
    return NULL;
}

// What is different about the two measurements themselves.
static void print_about(const struct record *before, const struct record *after, FILE *out)
{
    const char *key;
    json_t *value;

    json_object_foreach(after->about, key, value)
    {
        const char *was = json_string_value(json_object_get(before->about, key));
        const char *is = json_string_value(value);
        if (was && strcmp(was, is) == 0)
            continue;
        if (strcmp(key, "cpu flags") == 0)
            fprintf(out, "%-12s differ\n", key);
        else
            fprintf(out, "%-12s %s\n%-12s %s\n", key, was ? was : "not told", "  and now", is);
    }
    if (!before->is_complete || !after->is_complete)
        fprintf(out, "INCOMPLETE: %s\n", before->is_complete ? after->fault : before->fault);
    fputc('\n', out);
}

// A figure of a row in both records.
struct pair {
    const struct record_measure *measure;
    double before;
    double after;
    double p;
    enum change change;
};

static struct pair judge(const struct record_row *before, const struct record_row *after,
                         enum record_metric metric, const struct compare_limits *limits)
{
    struct pair pair = {
        .measure = record_measure(metric),
        .before = sample_median(&before->samples[metric]),
        .after = sample_median(&after->samples[metric]),
        .p = sample_p(&before->samples[metric], &after->samples[metric]),
    };

    if (fabs(pair.after - pair.before) < limits->least * fabs(pair.before))
        return pair;
    if (pair.p > limits->p_max)
        pair.change = CHANGE_UNSURE;
    else
        pair.change =
            (pair.after > pair.before) == (pair.measure->better > 0) ? CHANGE_BETTER : CHANGE_WORSE;
    return pair;
}

static void print_pair(const struct pair *pair, FILE *out)
{
    int precision = pair->measure->precision;
    double change = pair->before > 0 ? 100 * (pair->after / pair->before - 1) : 0;

    fprintf(out, "  %-22s %12.*f %12.*f %+8.1f %%   %-6.2g %s\n", pair->measure->label, precision,
            pair->before, precision, pair->after, change, pair->p, change_names[pair->change]);
}

// The least p that so many repeats can give: that of two samples without a value in common.
static double least_p(size_t before, size_t after)
{
    return 2 * exp(lgamma((double)before + 1) + lgamma((double)after + 1) -
                   lgamma((double)(before + after) + 1));
}

// How many figures came to what.
struct tally {
    size_t rows;
    size_t figures;
    size_t changes[4]; // by enum change
    double p_least;    // that any of them could have had
};

static void compare_rows(const struct record_row *before, const struct record_row *after,
                         const struct compare_limits *limits, struct tally *tally, FILE *out)
{
    bool has_name = false;
    char name[RECORD_NAME_LEN];

    tally->rows++;
    for (enum record_metric metric = 0; metric < RECORD_METRICS; metric++) {
        if (record_measure(metric)->better == 0 || before->samples[metric].count == 0 ||
            after->samples[metric].count == 0)
            continue;
        struct pair pair = judge(before, after, metric, limits);
        tally->figures++;
        tally->p_least = fmin(tally->p_least,
                              least_p(before->samples[metric].count, after->samples[metric].count));
        tally->changes[pair.change]++;
        bool is_shown = pair.change == CHANGE_BETTER || pair.change == CHANGE_WORSE;
        if (!is_shown && !limits->shows_all)
            continue;
        record_name(after, name);
        if (!has_name)
            fprintf(out, "%s\n", name);
        has_name = true;
        print_pair(&pair, out);
    }
}

static void print_tally(const struct tally *tally, const struct compare_limits *limits, FILE *out)
{
    fprintf(out,
            "\n%zu rows in both, %zu figures: %zu better, %zu worse; %zu moved by %g %% or more, "
            "which may be chance.\nBy chance alone at most about %.0f would be told as changed.\n",
            tally->rows, tally->figures, tally->changes[CHANGE_BETTER],
            tally->changes[CHANGE_WORSE], tally->changes[CHANGE_UNSURE], 100 * limits->least,
            ceil(limits->p_max * (double)tally->figures));
    if (tally->p_least > limits->p_max)
        fprintf(out,
                "So few repeats can tell nothing from chance at --p %g: theirs is at least %.2g. "
                "Measure with more --repeats.\n",
                limits->p_max, tally->p_least);
}

int compare_records(const struct record *before, const struct record *after,
                    const struct compare_limits *limits, FILE *out, FILE *errors)
{
    struct tally tally = {.p_least = 1};
    char name[RECORD_NAME_LEN];

    print_about(before, after, out);
    fprintf(out, "%-24s %12s %12s %10s   %-6s\n", "figure", "before", "after", "change", "p");
    for (size_t i = 0; i < after->row_count; i++) {
        record_name(&after->rows[i], name);
        const struct record_row *row = find_row(before, name);
        if (row)
            compare_rows(row, &after->rows[i], limits, &tally, out);
        else
            fprintf(out, "only in the second: %s\n", name);
    }
    for (size_t i = 0; i < before->row_count; i++) {
        record_name(&before->rows[i], name);
        if (!find_row(after, name))
            fprintf(out, "only in the first: %s\n", name);
    }
    if (tally.figures == 0) {
        fprintf(errors, "hail-load: compare: the two have no figure in common\n");
        return COMPARE_FAILED;
    }
    print_tally(&tally, limits, out);
    return tally.changes[CHANGE_WORSE] > 0 ? COMPARE_WORSE : COMPARE_SAME;
}

static bool wrong(FILE *errors, const char *what, const char *value)
{
    fprintf(errors, "hail-load: compare: %s%s; see hail-load compare --help\n", what, value);
    return false;
}

static bool read_share(FILE *errors, const char *value, double most, double *share)
{
    char *end;
    double number = strtod(value, &end);

    if (value[0] < '0' || value[0] > '9' || *end || number > most)
        return wrong(errors, "no such share: ", value);
    *share = number;
    return true;
}

static bool read_options(struct compare_limits *limits, int argc, char **argv, FILE *errors)
{
    static const struct option options[] = {
        {"p", required_argument, NULL, 'p'},
        {"least", required_argument, NULL, 'l'},
        {"all", no_argument, NULL, 'a'},
        {0},
    };
    int id;
    double percent;

    opterr = 0;
    optind = 0; // 0 makes getopt forget an earlier command line
    while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        switch (id) {
        case 'p':
            if (!read_share(errors, optarg, 1, &limits->p_max))
                return false;
            break;
        case 'l':
            if (!read_share(errors, optarg, 100, &percent))
                return false;
            limits->least = percent / 100;
            break;
        case 'a':
            limits->shows_all = true;
            break;
        default:
            return wrong(errors,
                         id == ':' ? "needs a value: " : "no such option: ", argv[optind - 1]);
        }
    }
    return argc - optind == 2 || wrong(errors, "needs two files", "");
}

int compare_main(int argc, char **argv, FILE *out, FILE *errors)
{
    struct compare_limits limits = {.p_max = 0.01, .least = 0.03};
    struct record before;
    struct record after;
    int status = COMPARE_FAILED;

    if (argc == 3 && strcmp(argv[2], "--help") == 0) {
        fputs(help_text, out);
        return EXIT_SUCCESS;
    }
    if (!read_options(&limits, argc - 1, argv + 1, errors))
        return COMPARE_FAILED;
    const char *const *files = (const char *const *)argv + 1 + optind;
    if (!record_read(&before, files[0], errors))
        return COMPARE_FAILED;
    if (record_read(&after, files[1], errors)) {
        status = compare_records(&before, &after, &limits, out, errors);
        record_cleanup(&after);
    }
    record_cleanup(&before);
    return status;
}
