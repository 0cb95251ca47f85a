// certificates.c: writes a CA, and a server's certificate that is right and ones that are wrong in
// each way, into a folder.
// SPDX-License-Identifier: MIT
#include "crypto/base.h"
#include "crypto/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DAY_S = 24 * 60 * 60
};

static const char *const localhost[] = {"localhost"};
static const char *const elsewhere[] = {"elsewhere.example"};

static const struct {
    const char *file;
    const char *const *names;
    enum hail_issue_use use;
    int from_days; // from now
    int to_days;
    bool stranger; // signed by a CA that nobody trusts
} kinds[] = {
    {"right.pem", localhost, HAIL_ISSUE_SERVER, -1, 1, false},
    {"expired.pem", localhost, HAIL_ISSUE_SERVER, -2, -1, false},
    {"early.pem", localhost, HAIL_ISSUE_SERVER, 1, 2, false},
    {"elsewhere.pem", elsewhere, HAIL_ISSUE_SERVER, -1, 1, false},
    {"stranger.pem", localhost, HAIL_ISSUE_SERVER, -1, 1, true},
    {"client.pem", localhost, HAIL_ISSUE_CLIENT, -1, 1, false},
};

static void give_up(const char *what)
{
    fprintf(stderr, "certificates: %s\n", what);
    exit(EXIT_FAILURE);
}

static struct hail_issued *issue(const struct hail_issued *issuer,
                                 const struct hail_issue_terms *terms)
{
    struct hail_fault_report report;
    struct hail_issued *issued;

    if (!hail_issue(&issued, issuer, terms, &report))
        give_up(report.text);
    return issued;
}

static void write_pem(const char *folder, const char *name, const struct hail_issued *issued,
                      bool with_key)
{
    char path[4096];
    uint8_t *pem;
    size_t len;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        give_up("the folder's name is too long");
    FILE *file = fopen(path, "wb");
    if (!file)
        give_up(path);
    if (!hail_issued_certificate_pem(issued, &pem, &len) || fwrite(pem, 1, len, file) != len)
        give_up(path);
    free(pem);
    if (with_key) {
        if (!hail_issued_key_pem(issued, &pem, &len) || fwrite(pem, 1, len, file) != len)
            give_up(path);
        free(pem);
    }
    if (fclose(file) != 0)
        give_up(path);
}

int main(int argc, char **argv)
{
    struct hail_issued *issued[HAIL_COUNTOF(kinds)] = {NULL};
    int64_t now = time(NULL);
    struct hail_issue_terms ca_terms = {.common_name = "the CA",
                                        .use = HAIL_ISSUE_CA,
                                        .from_s = now - 9 * DAY_S,
                                        .to_s = now + 9 * DAY_S};

    if (argc != 2)
        give_up("usage: certificates FOLDER");
    struct hail_issued *ca = issue(NULL, &ca_terms);
    ca_terms.common_name = "another CA";
    struct hail_issued *stranger = issue(NULL, &ca_terms);
    write_pem(argv[1], "ca.pem", ca, false);
    for (size_t i = 0; i < HAIL_COUNTOF(kinds); i++) {
        const struct hail_issue_terms terms = {.common_name = "server",
                                               .names = kinds[i].names,
                                               .name_count = 1,
                                               .use = kinds[i].use,
                                               .from_s = now + kinds[i].from_days * DAY_S,
                                               .to_s = now + kinds[i].to_days * DAY_S,
                                               .same_key = issued[0]}; // a fresh one takes time
        issued[i] = issue(kinds[i].stranger ? stranger : ca, &terms);
        write_pem(argv[1], kinds[i].file, issued[i], true);
    }
    for (size_t i = 0; i < HAIL_COUNTOF(kinds); i++)
        hail_issued_free(issued[i]);
    hail_issued_free(stranger);
    hail_issued_free(ca);
    return EXIT_SUCCESS;
}
