// test_grid.c: the command line of hail-load matrix: what each wrong one is told, and which rows
// come of right ones.
// SPDX-License-Identifier: MIT
#include "tests/vectors.h"
#include "tools/load/grid.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/base.h"

enum {
    ARGUMENTS_MAX = 24
};

static const struct {
    const char *why;
    const char *line; // behind "matrix", split at spaces
    const char *want; // part of what is told
} faults[] = {
    {"no such option", "--bogus", "--bogus : no such option"},
    {"no value", "--sizes", "needs a value"},
    {"an argument too many", "more", "not an option"},
    {"a kind that there is not", "--only echo", "must be of closed, open, handshakes"},
    {"a profile that there is not", "--profiles hail,quic", "must be of hail, mlapi"},
    {"an empty profile", "--profiles hail,", "must be of hail, mlapi"},
    {"a backend that there is not", "--io auto", "must be of uring, epoll"},
    {"a flag that there is not", "--flags some", "must be of plain, encrypted"},
    {"a long word", "--io uringuringuringuringuring", "must be of uring, epoll"},
    {"a size below the header", "--sizes 23", "from 24 to"},
    {"a size above a datagram", "--sizes 128,1351", "up to 1350 bytes"},
    {"a number twice", "--bursts 1,8,1", "has a number twice"},
    {"an empty number", "--connections 100,", "must be a whole number"},
    {"too many numbers", "--bursts 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "up to 16"},
    {"no repeats", "--repeats 0", "from 1 to 32"},
    {"more repeats than are kept", "--repeats 33", "from 1 to 32"},
    {"no time", "--duration 0", "must be seconds from 0.05"},
    {"not a time", "--warmup nan", "must be seconds from 0"},
    {"a core that there is not", "--server-core 1023", "is no core that we may use"},
};

static struct grid grid;
static char told[8192];

static enum plan_result read_line(const char *line)
{
    char *words = strdup(line);
    char *argv[ARGUMENTS_MAX + 1] = {(char *)(uintptr_t) "matrix"};
    int argc = 1;
    char *rest = NULL;
    FILE *errors = fmemopen(told, sizeof told, "w");

    ck_assert(words && errors);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    enum plan_result result = grid_read(&grid, argc, argv, errors, errors);
    fclose(errors);
    free(words);
    return result;
}

START_TEST(wrong_lines_are_told)
{
    for (size_t i = 0; i < HAIL_COUNTOF(faults); i++) {
        ck_assert_msg(read_line(faults[i].line) == PLAN_WRONG, "%s: taken", faults[i].why);
        ck_assert_msg(strstr(told, faults[i].want) != NULL, "%s: told: %s", faults[i].why, told);
        ck_assert_msg(strchr(told, '\n') == strrchr(told, '\n'), "%s: more than a line: %s",
                      faults[i].why, told);
    }
}
END_TEST

START_TEST(help_is_shown)
{
    ck_assert_int_eq(read_line("--help"), PLAN_SHOWN);
    ck_assert(strstr(told, "example: hail-load matrix") != NULL);
}
END_TEST

static const struct {
    const char *why;
    const char *line;
    size_t rows;
} lines[] = {
    // of each backend: hail has 3 protections, mlapi 4; 2 sizes, 2 counts, 2 bursts and a schedule
    // and in closed loop hail has one more, over the ordered channel
    {"everything", "", 2 * ((3 + 4) * 2 * 2 * (2 + 1) + 2 * 2 * 2 + 2 * 3)},
    {"closed alone", "--only closed", 2 * (3 + 4 + 1) * 2 * 2 * 2},
    {"without the ordered channel", "--only closed --channels unreliable", 2 * (3 + 4) * 2 * 2 * 2},
    {"the ordered channel alone", "--profiles hail --channels ordered --only closed,open",
     2 * 2 * 2 * 2},
    {"the schedule alone", "--only open", 2 * (3 + 4) * 2 * 2},
    {"handshakes alone", "--only handshakes", 2 * 2 * 3},
    {"one of each",
     "--only closed --profiles mlapi --io epoll --flags both --sizes 64 --bursts 2 "
     "--connections 7",
     1},
    {"hail's encrypted is both",
     "--only open --profiles hail --io uring --flags encrypted,both "
     "--sizes 64 --connections 1",
     1},
    {"larger than a datagram, without datagrams",
     "--profiles mlapi --only open --io uring --sizes 5000 --connections 1", 4},
    {"options behind --quick count", "--quick --sizes 64,65 --only open --io uring", 2 * 2 * 2},
};

START_TEST(rows_are_all_combinations)
{
    static struct record_row rows[400];
    char names[400][RECORD_NAME_LEN];

    for (size_t i = 0; i < HAIL_COUNTOF(lines); i++) {
        ck_assert_msg(read_line(lines[i].line) == PLAN_GOOD, "%s: %s", lines[i].why, told);
        size_t count = grid_rows(&grid, NULL);
        ck_assert_msg(count == lines[i].rows, "%s: %zu rows", lines[i].why, count);
        memset(rows, 0, sizeof rows);
        ck_assert_uint_eq(grid_rows(&grid, rows), count);
        for (size_t j = 0; j < count; j++) {
            record_name(&rows[j], names[j]);
            for (size_t k = 0; k < j; k++)
                ck_assert_msg(strcmp(names[j], names[k]) != 0, "%s: twice: %s", lines[i].why,
                              names[j]);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grid");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, wrong_lines_are_told);
    tcase_add_test(tcase, help_is_shown);
    tcase_add_test(tcase, rows_are_all_combinations);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
