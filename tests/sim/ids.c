// ids.c: see ids.h.
// SPDX-License-Identifier: MIT
#include "tests/sim/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "crypto/issue.h"

enum {
    CHAIN = 6, // certificates between root and leaf: some 5 KB, so the welcome has fragments
    DAYS = 86400 * 30
};

static char identity_path[] = "/tmp/hail-sim-identity-XXXXXX";
static char trust_path[] = "/tmp/hail-sim-trust-XXXXXX";

static void remove_files(void)
{
    unlink(identity_path);
    unlink(trust_path);
}

static void append(FILE *file, const struct hail_issued *issued, bool key)
{
    uint8_t *pem;
    size_t len;
    bool written = (key ? hail_issued_key_pem : hail_issued_certificate_pem)(issued, &pem, &len);

    HAIL_ASSERT(written);
    fwrite(pem, 1, len, file);
    free(pem);
}

static struct hail_issued *issue(const struct hail_issued *by, const char *name,
                                 enum hail_issue_use use, enum hail_issue_key key)
{
    const char *const names[] = {name};
    struct hail_fault_report report;
    struct hail_issued *issued;
    const struct hail_issue_terms terms = {
        .common_name = name,
        .names = names,
        .name_count = use == HAIL_ISSUE_CA ? 0 : 1,
        .use = use,
        .from_s = time(NULL) - DAYS,
        .to_s = time(NULL) + DAYS,
        .key = key,
    };
    bool made = hail_issue(&issued, by, &terms, &report);

    HAIL_ASSERT(made);
    return issued;
}

static void make(void)
{
    struct hail_issued *chain[CHAIN + 2];
    FILE *identity = fdopen(mkstemp(identity_path), "w");
    FILE *trust = fdopen(mkstemp(trust_path), "w");

    HAIL_ASSERT(identity);
    HAIL_ASSERT(trust);
    atexit(remove_files);
    chain[0] = issue(NULL, "root", HAIL_ISSUE_CA, HAIL_ISSUE_P256);
    for (int i = 1; i <= CHAIN; i++) {
        char name[16];
        snprintf(name, sizeof name, "between %d", i);
        chain[i] = issue(chain[i - 1], name, HAIL_ISSUE_CA, HAIL_ISSUE_RSA);
    }
    chain[CHAIN + 1] = issue(chain[CHAIN], "play.test", HAIL_ISSUE_SERVER, HAIL_ISSUE_ED25519);
    append(trust, chain[0], false);
    append(identity, chain[CHAIN + 1], false);
    for (int i = CHAIN; i >= 1; i--)
        append(identity, chain[i], false);
    append(identity, chain[CHAIN + 1], true);
    fclose(identity);
    fclose(trust);
    for (int i = 0; i < CHAIN + 2; i++)
        hail_issued_free(chain[i]);
}

static void make_once(void)
{
    static bool made;

    if (!made)
        make();
    made = true;
}

const char *ids_identity(void)
{
    make_once();
    return identity_path;
}

const char *ids_trust(void)
{
    make_once();
    return trust_path;
}
