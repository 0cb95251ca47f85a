// test_cpus.c: the CPUs that control groups leave a process, of both versions.
// SPDX-License-Identifier: MIT
#include "engine/context/cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/vectors.h"

enum {
    FILES_MAX = 4
};

static const struct {
    const char *why;
    const char *cgroup; // what /proc/PID/cgroup says
    const char *files[FILES_MAX][2];
    size_t want;
} rows[] = {
    {"no quota", "0::/a/b\n", {{"a/b/cpu.max", "max 100000\n"}}, 0},
    {"half a CPU is one", "0::/a/b\n", {{"a/b/cpu.max", "50000 100000\n"}}, 1},
    {"two CPUs", "0::/a/b\n", {{"a/b/cpu.max", "200000 100000\n"}}, 2},
    {"a little more than two is three", "0::/a/b\n", {{"a/b/cpu.max", "200001 100000\n"}}, 3},
    {"a group's above", "0::/a/b\n", {{"a/cpu.max", "100000 100000\n"}}, 1},
    {"the least of both",
     "0::/a/b\n",
     {{"a/cpu.max", "400000 100000\n"}, {"a/b/cpu.max", "300000 100000\n"}},
     3},
    {"another group's", "0::/a\n", {{"a/b/cpu.max", "100000 100000\n"}}, 0},
    {"in a namespace of its own", "0::/\n", {{"cpu.max", "100000 100000\n"}}, 1},
    {"version 1",
     "4:cpu,cpuacct:/a\n3:memory:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "150000\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     2},
    {"version 1, no quota",
     "4:cpu,cpuacct:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "-1\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1, another controller's",
     "3:memory:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "100000\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"not a number", "0::/a\n", {{"a/cpu.max", "many 100000\n"}}, 0},
    {"no period", "0::/a\n", {{"a/cpu.max", "100000 0\n"}}, 0},
    {"an empty file", "0::/a\n", {{"a/cpu.max", ""}}, 0},
    {"not a group's line", "hello\n", {{"cpu.max", "100000 100000\n"}}, 0},
    {"nothing mounted", "0::/a\n", {{NULL, NULL}}, 0},
};

static void put(const char *root, const char *path, const char *text)
{
    char whole[256];

    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        (void)mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(test_quota)
{
    char root[] = "/tmp/test_cpus_XXXXXX";
    char cgroup[64];
    char clean[64];

    ck_assert_ptr_nonnull(mkdtemp(root));
    put(root, "cgroup", rows[_i].cgroup);
    for (size_t i = 0; i < FILES_MAX && rows[_i].files[i][0]; i++)
        put(root, rows[_i].files[i][0], rows[_i].files[i][1]);
    snprintf(cgroup, sizeof cgroup, "%s/cgroup", root);
    size_t got = hail_cpus_of_quota(cgroup, root);
    snprintf(clean, sizeof clean, "rm -r %s", root);
    ck_assert_int_eq(system(clean), 0);
    ck_assert_msg(got == rows[_i].want, "%s: %zu", rows[_i].why, got);
}
END_TEST

START_TEST(test_usable)
{
    size_t count = hail_cpus_usable();

    ck_assert_uint_ge(count, 1);
    ck_assert_uint_le(count, (size_t)sysconf(_SC_NPROCESSORS_CONF));
    ck_assert_uint_eq(hail_cpus_of_quota("/nonexistent", "/nonexistent"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cpus");
    TCase *tests = tcase_create("cpus");

    tcase_add_loop_test(tests, test_quota, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tests, test_usable);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
