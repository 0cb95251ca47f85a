// test_record.c: what a matrix measured goes to a file and comes back the same; what is no such
// file is refused with the place; ratios, and what a comparison says.
// SPDX-License-Identifier: MIT
#include "tools/load/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/base.h"
#include "tests/vectors.h"
#include "tools/load/compare.h"
#include "tools/load/page.h"
#include "tools/load/targets.h"

enum {
    TOLD_LEN = 16384
};

static char told[TOLD_LEN];
static char path[64];

// A file with this text, at `path`.
static void write_file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/test_record-XXXXXX");
    int fd = mkstemp(path);

    ck_assert(fd >= 0);
    FILE *file = fdopen(fd, "w");
    ck_assert(file != NULL);
    fputs(text, file);
    fclose(file);
}

#define HEAD "{\"format\": \"hail-load matrix\", \"format_version\": 1, \"about\": {}, \"rows\": "
#define ROW                                                                                        \
    "\"who\": \"hail\", \"io\": \"uring\", \"flags\": \"both\", \"size\": 1, "                     \
    "\"connections\": 1, \"burst\": 1, \"rate\": 0"

static const struct {
    const char *why;
    const char *text;
    const char *want; // part of what is told
} faults[] = {
    {"nothing", "", "line 1, column 0: "},
    {"not JSON", "{\"a\":\n oops}", "line 2, column 5: "},
    {"other JSON", "{\"program\": \"hail-load\"}", "is not a file that hail-load matrix --json"},
    {"an array", "[]", "is not a file that hail-load matrix --json"},
    {"another version", "{\"format\": \"hail-load matrix\", \"format_version\": 2}",
     "another version"},
    {"no about", "{\"format\": \"hail-load matrix\", \"format_version\": 1, \"rows\": []}",
     "\"about\" must be there"},
    {"about a number",
     "{\"format\": \"hail-load matrix\", \"format_version\": 1, \"about\": {\"cpu\": 1}}",
     "about: \"cpu\" must be a text"},
    {"no rows", "{\"format\": \"hail-load matrix\", \"format_version\": 1, \"about\": {}}",
     "\"rows\" must be there"},
    {"a row that is none", HEAD "[7]}", "rows[0]: must be an object"},
    {"no kind", HEAD "[{" ROW "}]}", "rows[0]: \"kind\" must be there"},
    {"an unknown kind", HEAD "[{\"kind\": \"ajar\", " ROW "}]}", "and is \"ajar\""},
    {"the second row", HEAD "[{\"kind\": \"open\", " ROW "}, {\"kind\": \"open\"}]}",
     "rows[1]: \"who\" must be there, and a text"},
    {"a long word", HEAD "[{\"kind\": \"open\", \"who\": \"hailhailhailhailhailhail\"}]}",
     "\"who\" must have fewer than 24 bytes"},
    {"a negative number",
     HEAD "[{\"kind\": \"open\", \"who\": \"a\", \"io\": \"b\", \"flags\": \"c\", \"size\": -1}]}",
     "\"size\" must be there, and a whole number"},
    {"a sample without values", HEAD "[{\"kind\": \"open\", \"p50_us\": {}, " ROW "}]}",
     "\"p50_us\" must have \"values\""},
    {"a value that is no number",
     HEAD "[{\"kind\": \"open\", \"p50_us\": {\"values\": [1, \"x\"]}, " ROW "}]}",
     "\"p50_us\": values[1] must be a number"},
    {"a key twice", "{\"format\": 1, \"format\": 2}", "duplicate"},
};

START_TEST(other_files_are_refused)
{
    struct record record;

    for (size_t i = 0; i < HAIL_COUNTOF(faults); i++) {
        FILE *errors = fmemopen(told, sizeof told, "w");
        write_file(faults[i].text);
        bool taken = record_read(&record, path, errors);
        fclose(errors);
        unlink(path);
        ck_assert_msg(!taken, "%s: taken", faults[i].why);
        ck_assert_msg(strstr(told, faults[i].want) && strstr(told, path), "%s: told: %s",
                      faults[i].why, told);
    }
    FILE *errors = fmemopen(told, sizeof told, "w");
    ck_assert(!record_read(&record, "/nonexistent/x.json", errors));
    fclose(errors);
    ck_assert_msg(strstr(told, "/nonexistent/x.json: ") != NULL, "%s", told);
}
END_TEST

// Three rows: hail plain and both, and the baseline; costs are those given, times 1, 1.01, 1.02...
static struct record record_of(double plain, double both, double least, size_t repeats)
{
    struct record record = {.about = json_pack("{ss}", "cpu", "a <fast> & \"good\" one"),
                            .is_complete = true,
                            .rows = calloc(3, sizeof *record.rows),
                            .row_count = 3};
    const double costs[] = {plain, both, least};

    ck_assert(record.about && record.rows);
    for (size_t i = 0; i < 3; i++) {
        record.rows[i] =
            (struct record_row){.kind = RECORD_CLOSED, .size = 128, .connections = 100, .burst = 1};
        snprintf(record.rows[i].who, RECORD_WORD_LEN, "%s", i < 2 ? "hail" : "baseline");
        snprintf(record.rows[i].io, RECORD_WORD_LEN, "uring");
        snprintf(record.rows[i].flags, RECORD_WORD_LEN, "%s", i == 1 ? "both" : "plain");
        for (size_t j = 0; j < repeats; j++) {
            double cost = costs[i] * (1 + 0.01 * (double)j);
            sample_add(&record.rows[i].samples[RECORD_SERVER_US], cost);
            sample_add(&record.rows[i].samples[RECORD_RATE], 1000000 / cost);
        }
    }
    return record;
}

START_TEST(comes_back_as_it_went)
{
    struct record record = record_of(4, 5, 2, 5);
    struct record again;

    record.is_complete = false;
    snprintf(record.fault, sizeof record.fault, "a \"fault\"");
    write_file("");
    FILE *file = fopen(path, "w");
    ck_assert(file && record_write(&record, file));
    fclose(file);
    ck_assert(record_read(&again, path, stderr));
    unlink(path);
    ck_assert(json_equal(record.about, again.about));
    ck_assert_uint_eq(again.row_count, record.row_count);
    ck_assert(!again.is_complete);
    ck_assert_str_eq(again.fault, record.fault);
    for (size_t i = 0; i < record.row_count; i++) {
        char name[RECORD_NAME_LEN];
        char other[RECORD_NAME_LEN];
        record_name(&record.rows[i], name);
        record_name(&again.rows[i], other);
        ck_assert_str_eq(name, other);
        for (unsigned metric = 0; metric < RECORD_METRICS; metric++) {
            const struct sample *sample = &record.rows[i].samples[metric];
            ck_assert_uint_eq(again.rows[i].samples[metric].count, sample->count);
            for (size_t j = 0; j < sample->count; j++)
                ck_assert(fabs(again.rows[i].samples[metric].values[j] / sample->values[j] - 1) <
                          1e-6);
        }
    }
    record_cleanup(&record);
    record_cleanup(&again);
}
END_TEST

START_TEST(ratios_are_of_the_same_repeat)
{
    struct record record = record_of(4, 5, 2, 3);
    struct sample ratio;

    record_ratio(&record, &record.rows[1], RECORD_TO_PLAIN, &ratio);
    ck_assert_uint_eq(ratio.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert(fabs(ratio.values[i] - 1.25) < 1e-9);
    record_ratio(&record, &record.rows[1], RECORD_TO_BASELINE, &ratio);
    ck_assert(fabs(sample_median(&ratio) - 2.5) < 1e-9);
    record_ratio(&record, &record.rows[0], RECORD_TO_PLAIN, &ratio);
    ck_assert_msg(ratio.count == 0, "plain has no ratio to itself");
    record_ratio(&record, &record.rows[2], RECORD_TO_BASELINE, &ratio);
    ck_assert_msg(ratio.count == 0, "nor the baseline");
    record.rows[2].connections = 1000;
    record_ratio(&record, &record.rows[1], RECORD_TO_BASELINE, &ratio);
    ck_assert_msg(ratio.count == 0, "another number of connections is no base");
    record_cleanup(&record);
}
END_TEST

static int compare(struct record before, struct record after, double p_max)
{
    const struct compare_limits limits = {.p_max = p_max, .least = 0.03, .shows_all = true};
    FILE *out = fmemopen(told, sizeof told, "w");
    int status = compare_records(&before, &after, &limits, out, out);

    fclose(out);
    record_cleanup(&before);
    record_cleanup(&after);
    return status;
}

// What is promised is judged by the median of what rows say, and not without them.
START_TEST(targets_are_judged)
{
    struct record record = record_of(4, 4.1, 2, 3);
    size_t judged = 0;
    struct bar bar;

    for (size_t i = 0; i < targets_count(); i++) {
        if (!targets_judge(&record, i, &bar))
            continue;
        judged++;
        bool is_to_plain = strstr(bar.text, "hail in plaintext") != NULL;
        ck_assert_msg(is_to_plain || strstr(bar.text, "baseline"), "%s", bar.text);
        ck_assert(fabs(sample_median(&bar.measured) - (is_to_plain ? 4.1 / 4 : 4.1 / 2)) < 1e-9);
        ck_assert_msg(bar.is_kept == is_to_plain, "%s", bar.text); // 1.025 of 1.05; 2.05 of 1.15
    }
    ck_assert_uint_eq(judged, 2);
    for (size_t i = 0; i < record.row_count; i++)
        ck_assert(targets_wants(&record.rows[i]));
    record.rows[1].size = 64; // which nothing is promised of
    ck_assert(!targets_wants(&record.rows[1]));
    for (size_t i = 0; i < targets_count(); i++)
        ck_assert(!targets_judge(&record, i, &bar));
    record_cleanup(&record);
}
END_TEST

START_TEST(changes_are_told_from_chance)
{
    ck_assert_int_eq(compare(record_of(4, 5, 2, 5), record_of(4, 5, 2, 5), 0.01), COMPARE_SAME);
    ck_assert_msg(strstr(told, "0 better, 0 worse; 0 moved") != NULL, "%s", told);
    // Both costs half as much again: its cost and its rate are worse.
    ck_assert_int_eq(compare(record_of(4, 5, 2, 5), record_of(4, 7.5, 2, 5), 0.01), COMPARE_WORSE);
    ck_assert_msg(strstr(told, "0 better, 2 worse; 0 moved") != NULL, "%s", told);
    ck_assert_int_eq(compare(record_of(4, 7.5, 2, 5), record_of(4, 5, 2, 5), 0.01), COMPARE_SAME);
    ck_assert_msg(strstr(told, "2 better, 0 worse; 0 moved") != NULL, "%s", told);
    // As far apart, in three repeats: may be chance, and no repeats of three could show otherwise.
    ck_assert_int_eq(compare(record_of(4, 5, 2, 3), record_of(4, 7.5, 2, 3), 0.01), COMPARE_SAME);
    ck_assert_msg(strstr(told, "0 better, 0 worse; 2 moved") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "theirs is at least 0.1.") != NULL, "%s", told);
    ck_assert_int_eq(compare(record_of(4, 5, 2, 3), record_of(4, 7.5, 2, 3), 0.1), COMPARE_WORSE);
    // Certain, and too small to matter.
    ck_assert_int_eq(compare(record_of(4, 5, 2, 5), record_of(4, 5.1, 2, 5), 0.5), COMPARE_SAME);
}
END_TEST

START_TEST(rows_without_a_partner_are_told)
{
    struct record other = record_of(4, 5, 2, 5);

    other.rows[2].size = 64;
    ck_assert_int_eq(compare(record_of(4, 5, 2, 5), other, 0.01), COMPARE_SAME);
    ck_assert(strstr(told, "only in the first: baseline uring, plain, 128 bytes") != NULL);
    ck_assert(strstr(told, "only in the second: baseline uring, plain, 64 bytes") != NULL);
    other = record_of(4, 5, 2, 5);
    for (size_t i = 0; i < other.row_count; i++)
        other.rows[i].size = 64;
    ck_assert_int_eq(compare(record_of(4, 5, 2, 5), other, 0.01), COMPARE_FAILED);
    ck_assert(strstr(told, "no figure in common") != NULL);
}
END_TEST

START_TEST(wrong_usage_is_told)
{
    static const struct {
        const char *words[4];
        const char *want;
    } rows[] = {
        {{NULL}, "needs two files"},
        {{"a.json"}, "needs two files"},
        {{"a", "b", "c"}, "needs two files"},
        {{"--p", "2", "a", "b"}, "no such share: 2"},
        {{"--least", "-1", "a", "b"}, "no such share: -1"},
        {{"--p"}, "needs a value: --p"},
        {{"--bogus", "a", "b"}, "no such option: --bogus"},
        {{"/nonexistent/a", "b"}, "/nonexistent/a: "},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        char *argv[7] = {(char *)(uintptr_t) "hail-load", (char *)(uintptr_t) "compare"};
        int argc = 2;
        for (size_t j = 0; j < 4 && rows[i].words[j]; j++)
            argv[argc++] = (char *)(uintptr_t)rows[i].words[j];
        FILE *errors = fmemopen(told, sizeof told, "w");
        int status = compare_main(argc, argv, errors, errors);
        fclose(errors);
        ck_assert_msg(status == COMPARE_FAILED, "%s: %d", rows[i].want, status);
        ck_assert_msg(strstr(told, rows[i].want) != NULL, "%s: told: %s", rows[i].want, told);
    }
}
END_TEST

START_TEST(a_page_holds_no_markup_of_others)
{
    struct record record = record_of(4, 5, 2, 5);
    char *page = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);

    ck_assert(out && page_write(&record, out));
    fclose(out);
    ck_assert(strstr(page, "a &lt;fast&gt; &amp; &quot;good&quot; one") != NULL);
    ck_assert(strstr(page, "<fast>") == NULL);
    ck_assert_msg(strstr(page, "src=") == NULL && strstr(page, "href=") == NULL &&
                      strstr(page, "url(") == NULL,
                  "it needs something else");
    ck_assert(strstr(page, "</html>\n") != NULL);
    free(page);
    record_cleanup(&record);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, other_files_are_refused);
    tcase_add_test(tcase, comes_back_as_it_went);
    tcase_add_test(tcase, ratios_are_of_the_same_repeat);
    tcase_add_test(tcase, targets_are_judged);
    tcase_add_test(tcase, changes_are_told_from_chance);
    tcase_add_test(tcase, rows_without_a_partner_are_told);
    tcase_add_test(tcase, wrong_usage_is_told);
    tcase_add_test(tcase, a_page_holds_no_markup_of_others);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
