// replay_main.c: runs a fuzz target once on each file it is given: how a target is a test.
// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file || fseek(file, 0, SEEK_END) != 0) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        long size = ftell(file);
        rewind(file);
        uint8_t *data = malloc((size_t)size + 1); // a read past the end is seen by a sanitizer
        if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
            return 1;
        fclose(file);
        uint8_t *exact = realloc(data, size > 0 ? (size_t)size : 1);
        LLVMFuzzerTestOneInput(exact, (size_t)size);
        free(exact);
    }
    printf("%d files replayed\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
