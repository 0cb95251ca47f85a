// main.c: runs the simulation over many seeds, or over one again.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/sim.h"

// Seeds that once failed.
static const uint64_t once_failed[] = {
    1,                // a ping was due for ever
    1795464438377580, // told to close, and about to send before the application hears of it
};

static bool run(uint64_t seed)
{
    static struct sim sim;
    const char *failure = sim_run(&sim, seed);

    if (failure)
        printf("FAILED seed=%llu at %.3f s: %s\n  again: sim %llu\n", (unsigned long long)seed,
               (double)sim.now_ns / 1e9, failure, (unsigned long long)seed);
    return !failure;
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: sim [SEED]\n"
                                "       sim --seconds N\n"
                                "Plays seeds that once failed and then fresh ones for N seconds, 5 "
                                "if not told; or plays SEED.\n"
                                "example: sim --seconds 60\n";
    struct timespec now;
    long seconds = 5;
    bool good = true;
    uint64_t count = 0;

    if (argc == 3 && strcmp(argv[1], "--seconds") == 0) {
        seconds = strtol(argv[2], NULL, 10);
    } else if (argc == 2 && argv[1][0] >= '0' && argv[1][0] <= '9') {
        return run(strtoull(argv[1], NULL, 10)) ? EXIT_SUCCESS : EXIT_FAILURE;
    } else if (argc > 1) {
        fputs(usage, stdout);
        return strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : 2;
    }
    for (size_t i = 0; i < sizeof once_failed / sizeof once_failed[0]; i++)
        good &= run(once_failed[i]);
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000003u;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + seconds;
    for (; now.tv_sec < end && good; count++) {
        good = run(seed + count);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    printf("%llu fresh seeds from %llu on: %s\n", (unsigned long long)count,
           (unsigned long long)seed, good ? "good" : "FAILED");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
