// audit.h: counts again whatever a shard keeps count of: records and blocks against the lists that
// own them, sums against their parts, queues and timers against states. For tests that drive a
// shard, between any two of its calls.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_AUDIT_H
#define HAIL_TESTS_AUDIT_H

#include "engine/shard/conn.h"

enum {
    AUDIT_DEEP_EVERY = 16 // audits, of which one follows free lists as well
};

// Memory that is handed out in pieces of one size.
enum audit_store {
    AUDIT_BLOCKS,
    AUDIT_WELCOMES,
    AUDIT_MESSAGES,
    AUDIT_RANGES,
    AUDIT_SENT_PACKETS,
    AUDIT_REASSEMBLIES,
    AUDIT_SOURCES,
    AUDIT_SIMULATED,
    AUDIT_STORES
};

// The audits of one shard, one after the other. The zero state is allowed, and has to be cleaned
// up.
struct audit {
    const struct hail_shard *shard;
    char why[200];                // the first thing that does not agree; empty: all does
    uint64_t count;               // audits so far
    bool deep;                    // this one marks what it finds
    uint32_t taken[AUDIT_STORES]; // pieces that have an owner
    uint8_t *marks[AUDIT_STORES]; // of each piece: it was found
    uint32_t marks_len[AUDIT_STORES];
};

// audit_shard counts again. The backend has been handed everything over. False: something does not
// agree, and `why` says what. audit_cleanup gives the memory back, and leaves `why`.
bool audit_shard(struct audit *audit, const struct hail_shard *shard);
void audit_cleanup(struct audit *audit);

// ---- Between the parts of the audit

// audit_fail says what does not agree, unless something else was found before.
void audit_fail(struct audit *audit, const char *format, ...) HAIL_FORMAT(2, 3);

// audit_take takes note that a piece of memory has an owner; false: it had one, or was never handed
// out, so whatever it leads to is not to be followed. audit_chain does so for a chain's blocks, and
// returns how many there are.
bool audit_take(struct audit *audit, enum audit_store store, uint32_t index);
uint32_t audit_chain(struct audit *audit, enum audit_store store, const struct hail_chain *chain);

// audit_delivery looks at what one connection sends and receives. Returns the bytes that it is to
// be charged with.
uint64_t audit_delivery(struct audit *audit, uint32_t slot);

#endif
