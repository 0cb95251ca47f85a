// test_files.c: files with secrets: who else may write or read them, and what becomes of a key log
// that somebody has made before.
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/identity.h"
#include "engine/context/config.h"
#include "engine/context/context.h"
#include "engine/context/keys.h"
#include "tests/vectors.h"

static char directory[64];
static char path[128];
static char log_text[4096];

static void setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/test_files_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    log_text[0] = 0;
}

static void teardown(void)
{
    unlink(path);
    rmdir(directory);
}

static void make(mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "old\n", 4), 4);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void log_line(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    (void)level;
    strncat(log_text, line, sizeof log_text - strlen(log_text) - 1);
}

static const struct {
    mode_t mode;
    bool good;
    bool is_public;
} modes[] = {
    {0666, false, true}, {0606, false, true}, {0602, false, false},
    {0600, true, false}, {0400, true, false}, {0640, true, false},
    {0660, true, false}, {0644, true, true},  {0604, true, true},
};

START_TEST(test_read)
{
    struct hail_fault_report report = {0};
    uint8_t *data = NULL;
    size_t len = 0;

    make(modes[_i].mode);
    ck_assert_int_eq(hail_file_is_public(path), modes[_i].is_public);
    bool read = hail_file_read(path, 100, &data, &len, &report);
    ck_assert_msg(read == modes[_i].good, "%o: %s", modes[_i].mode, report.text);
    if (read) {
        ck_assert_uint_eq(len, 4);
        free(data);
    } else {
        ck_assert_ptr_nonnull(strstr(report.text, path));
        ck_assert_ptr_nonnull(strstr(report.text, "chmod o-w"));
    }
}
END_TEST

// What is no regular file has nobody's mode.
START_TEST(test_read_pipe)
{
    struct hail_fault_report report;
    uint8_t *data;
    size_t len;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fchmod(ends[0], 0666), 0);
    ck_assert_int_eq(write(ends[1], "key", 3), 3);
    close(ends[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    ck_assert(hail_file_read(path, 100, &data, &len, &report));
    ck_assert(!hail_file_is_public(path));
    ck_assert_uint_eq(len, 3);
    free(data);
    close(ends[0]);
}
END_TEST

static enum hail_status begin(struct hail_context *context)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.key_log_file = path;
    config.on_log = log_line;
    return hail_context_init(context, &config, false);
}

enum before {
    NOTHING,
    REGULAR,
    LINK,
    DANGLING,
    FIFO,
    FOLDER
};

static const struct {
    const char *why;
    enum before before;
    mode_t mode;
    const char *says; // NULL: it is taken
} logs[] = {
    {"everybody may read and write it", REGULAR, 0666, "others may open it"},
    {"everybody may read it", REGULAR, 0644, "others may open it"},
    {"everybody may write it", REGULAR, 0602, "others may open it"},
    {"its group may write it", REGULAR, 0620, "others may open it"},
    {"a link to a good file", LINK, 0600, "symbolic link"},
    {"a link to nothing", DANGLING, 0, "symbolic link"},
    {"a fifo that nobody reads", FIFO, 0600, ""},
    {"a folder", FOLDER, 0700, ""},
    {"nothing is there", NOTHING, 0600, NULL},
    {"ours alone", REGULAR, 0600, NULL},
    {"its group may read it", REGULAR, 0640, NULL},
};

START_TEST(test_key_log)
{
    struct hail_context *context = aligned_alloc(64, (sizeof *context + 63) / 64 * 64);
    const uint8_t token[HAIL_CLIENT_TOKEN_LEN] = {1};
    const uint8_t stretched[HAIL_STRETCHED_LEN] = {2};
    char other[140];
    struct stat status;

    ck_assert_ptr_nonnull(context);
    snprintf(other, sizeof other, "%s/other", directory);
    umask(0);
    switch (logs[_i].before) {
    case NOTHING:
        break;
    case REGULAR:
        make(logs[_i].mode);
        break;
    case LINK:
        make(logs[_i].mode);
        ck_assert_int_eq(rename(path, other), 0);
        ck_assert_int_eq(symlink(other, path), 0);
        break;
    case DANGLING:
        ck_assert_int_eq(symlink(other, path), 0);
        break;
    case FIFO:
        ck_assert_int_eq(mkfifo(path, logs[_i].mode), 0);
        break;
    case FOLDER:
        ck_assert_int_eq(mkdir(path, logs[_i].mode), 0);
        break;
    }
    enum hail_status got = begin(context);
    ck_assert_msg(got == (logs[_i].says ? HAIL_ESYS : HAIL_OK), "%s: %d, %s", logs[_i].why, got,
                  log_text);
    if (logs[_i].says) {
        ck_assert_ptr_nonnull(strstr(log_text, path));
        ck_assert_ptr_nonnull(strstr(log_text, logs[_i].says));
        ck_assert_int_ne(access(other, F_OK), logs[_i].before == LINK ? -1 : 0);
    } else {
        hail_keys_log(&context->keys, token, stretched);
        ck_assert_int_eq(stat(path, &status), 0);
        ck_assert_int_eq(status.st_mode & 0777, logs[_i].mode);
        ck_assert_int_gt(status.st_size, 2 * HAIL_STRETCHED_LEN);
        hail_context_cleanup(context);
    }
    if (logs[_i].before == FOLDER)
        rmdir(path);
    unlink(other);
    free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tests = tcase_create("files");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_read, 0, HAIL_COUNTOF(modes));
    tcase_add_test(tests, test_read_pipe);
    tcase_add_loop_test(tests, test_key_log, 0, HAIL_COUNTOF(logs));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
