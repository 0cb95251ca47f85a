// file.c: reading a whole file of bounded length, and who else may.
// SPDX-License-Identifier: MIT
#include "crypto/report.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Reads until the end or until `capacity` bytes are there. Returns false with errno set.
static bool read_all(int fd, uint8_t *out, size_t capacity, size_t *out_len)
{
    size_t len = 0;

    while (len < capacity) {
        ssize_t got = read(fd, out + len, capacity - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *out_len = len;
    return true;
}

// The buffer starts small and doubles, since the limit is far above what most files hold; what is
// left behind may be a part of a key and is wiped.
static uint8_t *grow(uint8_t *old, size_t old_len, size_t capacity)
{
    uint8_t *bigger = malloc(capacity);

    if (bigger && old)
        memcpy(bigger, old, old_len);
    if (old) {
        hail_wipe(old, old_len);
        free(old);
    }
    return bigger;
}

// Opens a file that nobody but its owner and its group can have written. Returns -1, and has said
// why. Pipes and terminals have no such mode.
static int open_checked(const char *path, struct hail_fault_report *report)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0) {
        hail_report_set(report, HAIL_FAULT_SYSTEM, "%s: %s", path, strerror(errno));
    } else if (S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH)) {
        hail_report_set(report, HAIL_FAULT_SYSTEM,
                        "%s: everybody may write it, so it may be anybody's; see that it is yours, "
                        "and chmod o-w it",
                        path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

bool hail_file_is_public(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH);
}

bool hail_file_read(const char *path, size_t len_max, uint8_t **out, size_t *out_len,
                    struct hail_fault_report *report)
{
    int fd = open_checked(path, report);
    uint8_t *content = NULL;
    size_t len = 0;
    size_t capacity = 0;

    if (fd < 0)
        return false;
    do {
        size_t more = 0;

        capacity = capacity == 0 ? 8192 : capacity * 2;
        if (capacity > len_max + 1)
            capacity = len_max + 1; // one more than allowed, to see that there is more
        content = grow(content, len, capacity);
        if (!content) {
            close(fd);
            return hail_report_no_memory(report);
        }
        if (!read_all(fd, content + len, capacity - len, &more)) {
            hail_report_set(report, HAIL_FAULT_SYSTEM, "%s: %s", path, strerror(errno));
            goto fail;
        }
        len += more;
    } while (len == capacity && len <= len_max);

    if (len > len_max) {
        hail_report_set(report, HAIL_FAULT_SYSTEM, "%s: longer than %zu bytes", path, len_max);
        goto fail;
    }
    close(fd);
    *out = content;
    *out_len = len;
    return true;
fail:
    close(fd);
    hail_wipe(content, capacity);
    free(content);
    return false;
}
