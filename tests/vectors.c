// vectors.c: finding and reading test vectors.
// SPDX-License-Identifier: MIT
#include "tests/vectors.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *load(const char *folder_variable, const char *path, char *full, size_t full_len)
{
    const char *folder = getenv(folder_variable);

    snprintf(full, full_len, "%s/%s", folder ? folder : ".", path);
    return json_load_file(full, 0, NULL);
}

static json_t *load_own(const char *path)
{
    char full[4096];
    json_t *root = load("HAIL_TESTS", path, full, sizeof full);

    ck_assert_msg(root != NULL, "%s: cannot be read; set HAIL_TESTS to the tests folder", full);
    return root;
}

json_t *vectors_mlapi(void)
{
    return load_own("vectors/mlapi-v12.1.7.json");
}

json_t *vectors_key_kinds(void)
{
    return load_own("vectors/key-kinds.json");
}

json_t *vectors_optional(const char *path)
{
    char full[4096];
    json_t *root = load("HAIL_VECTORS", path, full, sizeof full);

    if (!root)
        printf("skipped: %s is not there; set HAIL_VECTORS to run its cases\n", full);
    return root;
}

struct vector_bytes vector_hex(const json_t *object, const char *key)
{
    const json_t *field = json_object_get(object, key);

    ck_assert_msg(field != NULL, "the vector has no field %s", key);
    return test_unhex(json_is_null(field) ? "" : json_string_value(field));
}

struct vector_bytes test_unhex(const char *hex)
{
    struct vector_bytes bytes;

    ck_assert_ptr_nonnull(hex);
    bytes.len = strlen(hex) / 2;
    bytes.data = malloc(bytes.len ? bytes.len : 1);
    ck_assert_ptr_nonnull(bytes.data);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes.data[i] = (uint8_t)byte;
    }
    return bytes;
}

char *vector_document_text(const char *path, const char *fence)
{
    const char *tests = getenv("HAIL_TESTS");
    size_t fence_len = fence ? strlen(fence) : 0;
    bool inside = !fence;
    char full[4096];
    char line[512];
    char *text = NULL;
    size_t len = 0;

    snprintf(full, sizeof full, "%s/../%s", tests ? tests : ".", path);
    FILE *file = fopen(full, "r");
    FILE *out = open_memstream(&text, &len);
    ck_assert_msg(file != NULL, "%s: cannot be read; set HAIL_TESTS to the tests folder", full);
    ck_assert_ptr_nonnull(out);
    while (fgets(line, sizeof line, file)) {
        if (fence && inside && strncmp(line, "```", 3) == 0)
            break;
        if (inside)
            fputs(line, out);
        inside |= fence && strncmp(line, fence, fence_len) == 0 && line[fence_len] == '\n';
    }
    fclose(file);
    fclose(out);
    ck_assert_msg(len > 0, "%s has no block %s", path, fence ? fence : "");
    return text;
}

struct vector_bytes vector_document(const char *path, const char *name)
{
    char fence[64];
    size_t len = 0;

    snprintf(fence, sizeof fence, "```hex %s", name);
    char *hex = vector_document_text(path, fence);
    for (const char *at = hex; *at; at++) {
        if (isxdigit((unsigned char)*at))
            hex[len++] = *at;
    }
    hex[len] = '\0';
    struct vector_bytes bytes = test_unhex(hex);
    free(hex);
    return bytes;
}

const char *vector_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    ck_assert_msg(text != NULL, "the vector has no text %s", key);
    return text;
}

int64_t vector_int(const json_t *object, const char *key)
{
    const json_t *field = json_object_get(object, key);

    ck_assert_msg(json_is_integer(field), "the vector has no number %s", key);
    return json_integer_value(field);
}

uint64_t test_seed(void)
{
    const char *given = getenv("HAIL_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = given ? strtoull(given, NULL, 0)
                 : (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    printf("HAIL_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

uint64_t test_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int test_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
