// vectors.h: what every test shares: test vectors in JSON, bytes in hex, seeds, and running a
// suite.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_VECTORS_H
#define HAIL_TESTS_VECTORS_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// vectors_mlapi loads tests/vectors/mlapi-v12.1.7.json, which is part of the project; it is there.
json_t *vectors_mlapi(void);

// vectors_key_kinds loads tests/vectors/key-kinds.json, likewise.
json_t *vectors_key_kinds(void);

// vectors_optional loads a file below HAIL_VECTORS, such as "wycheproof/x25519_test.json". NULL,
// with a line on stdout that says what was skipped, when it is absent.
json_t *vectors_optional(const char *path);

// A buffer of exactly its length, so that a sanitizer sees a read past the end. Free with free().
struct vector_bytes {
    uint8_t *data;
    size_t len;
};

// vector_hex decodes the hex string at `key` of `object`, or fails the test; JSON null gives len 0.
struct vector_bytes vector_hex(const json_t *object, const char *key);

// test_unhex decodes a hex string that a test holds itself.
struct vector_bytes test_unhex(const char *hex);

// vector_document_text reads a block out of one of the project's documents, such as
// "proto/WIRE.md": the one whose first line is `fence`, such as "```ini channels"; NULL: all of the
// document. It is there, or the test fails. Free with free().
char *vector_document_text(const char *path, const char *fence);

// vector_document reads a block of hex likewise: the one whose fence is "```hex NAME".
struct vector_bytes vector_document(const char *path, const char *name);

// vector_text and vector_int read a field that must be there.
const char *vector_text(const json_t *object, const char *key);
int64_t vector_int(const json_t *object, const char *key);

// test_seed returns HAIL_SEED if set, else a fresh seed, and prints it: a failure can be repeated.
uint64_t test_seed(void);

// test_next steps a small generator (splitmix64): dice for property tests, never for keys.
uint64_t test_next(uint64_t *state);

// test_run runs a suite and returns the exit status for main. CK_FORK=no is set under sanitizers by
// the build.
int test_run(Suite *suite);

#endif
