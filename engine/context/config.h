// config.h: an endpoint's configuration becomes what its shards share (context.h).
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_CONFIG_H
#define HAIL_ENGINE_CONTEXT_CONFIG_H

#include "engine/context/context.h"

// hail_context_heap tells where a config has an endpoint's memory from. HAIL_EINVAL: one of its two
// functions is missing, and the log says so; or as hail_context_init.
HAIL_MUST_USE enum hail_status hail_context_heap(struct hail_heap *heap,
                                                 const struct hail_config *given);

// hail_context_init copies, completes and checks a config, and reads the files it names. A line in
// the log says which field or file is wrong, and what to do. On failure nothing is left.
HAIL_MUST_USE enum hail_status hail_context_init(struct hail_context *context,
                                                 const struct hail_config *given, bool is_server);

// hail_context_name_hash hashes a name as the profile's wire has it; false: it is not UTF-8.
HAIL_MUST_USE bool hail_context_name_hash(const struct hail_context *context, uint64_t *hash,
                                          const char *name);

// hail_context_believe_keycert is what a client of the hail profile believes: the default check, or
// the application's word over it. For struct hail_keycert_verifier.
bool hail_context_believe_keycert(void *user, const struct hail_keycert *keycert,
                                  const struct hail_certificate *leaf, const char *host,
                                  int64_t unix_s, struct hail_fault_report *report);

// hail_context_cleanup frees and wipes; the zero state is allowed.
void hail_context_cleanup(struct hail_context *context);

#endif
