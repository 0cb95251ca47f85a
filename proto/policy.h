// policy.h: which names and channels an endpoint knows, and the least protection each of them
// takes.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_POLICY_H
#define HAIL_PROTO_POLICY_H

#include "proto/message.h"
#include "proto/verdict.h"

enum {
    HAIL_POLICY_NAMES_MAX = 1024,
    HAIL_POLICY_CHANNELS_MAX = 64,
    HAIL_POLICY_CHANNEL_NAME_MAX = 31,
    HAIL_POLICY_AGE_MAX_MS = 250 // where a channel does not say
};

// What a channel promises; values as in the policy hash.
enum hail_guarantee {
    HAIL_GUARANTEE_RELIABLE_ORDERED = 0,
    HAIL_GUARANTEE_RELIABLE_UNORDERED = 1,
    HAIL_GUARANTEE_SEQUENCED = 2, // unreliable; what is older than what has come is dropped
    HAIL_GUARANTEE_NONE = 3
};

// A channel; its number is its place in the table.
struct hail_policy_channel {
    enum hail_guarantee guarantee;
    uint8_t floor; // HAIL_FLAG_*: the least that any message on it takes
    uint8_t name_len;
    char name[HAIL_POLICY_CHANNEL_NAME_MAX];
    uint8_t priority;    // the rest is its sender's affair, and not hashed: higher goes first
    uint8_t weight;      // 1 at least: its share among those of its priority
    uint32_t age_max_ms; // unreliable: what has waited for longer is dropped
};

// One name's rule. A named message and an RPC of the same name are two names.
struct hail_policy_rule {
    uint64_t hash;
    bool is_rpc;
    uint8_t floor;    // HAIL_FLAG_*: the least it takes
    uint16_t handler; // the application's index of it; an RPC known under two hashes has one
};

// The rules of an endpoint, sorted; constant once built, so any thread may look.
struct hail_policy {
    struct hail_policy_rule rules[HAIL_POLICY_NAMES_MAX];
    size_t rule_count;
    uint8_t default_floor;   // for unnamed messages and, if they are taken, unknown names
    bool takes_unknown;      // deliver names without a rule; false: HAIL_DROP_NAME
    bool takes_scenes_plain; // MLAPI's messages about objects and scenes are below no floor
    size_t channel_count;    // declared; none: four, one for each guarantee, with no floor
    uint8_t bare;            // number of hail_policy_bare's channel, plus one; 0: it is looked for
    struct hail_policy_channel channels[HAIL_POLICY_CHANNELS_MAX];
};

enum {
    HAIL_POLICY_NO_HANDLER = 0xffff
};

// hail_policy_add adds a rule, in any order. Returns false when the table is full or the same kind
// of name with the same hash is there already (two names can share a short hash); `*clash` is then
// the handler that has it, or HAIL_POLICY_NO_HANDLER when the table is full.
HAIL_MUST_USE bool hail_policy_add(struct hail_policy *policy, const struct hail_policy_rule *rule,
                                   uint16_t *clash);

// hail_policy_check decides on a message of any kind but RESPONSE (whose floor is its request's).
//
// handler  Set on HAIL_ACCEPT: the rule's handler, or HAIL_POLICY_NO_HANDLER for unnamed messages
//          and unknown names that are taken.
//
// Returns  HAIL_ACCEPT, HAIL_DROP_FLOOR or HAIL_DROP_NAME.
// Cost     A binary search. No allocation.
enum hail_verdict hail_policy_check(const struct hail_policy *policy, uint16_t *handler,
                                    const struct hail_message_view *message);

// hail_policy_channel_count returns how many channels there are, declared or not.
size_t hail_policy_channel_count(const struct hail_policy *policy);

// hail_policy_channel_at returns the channel with this number, or NULL: there is none.
const struct hail_policy_channel *hail_policy_channel_at(const struct hail_policy *policy,
                                                         uint64_t number);

// hail_guarantee_is_reliable says whether what is lost is sent again; hail_policy_is_reliable, of a
// channel that there is.
static inline bool hail_guarantee_is_reliable(enum hail_guarantee guarantee)
{
    return guarantee < HAIL_GUARANTEE_SEQUENCED;
}
static inline bool hail_policy_is_reliable(const struct hail_policy *policy, uint8_t number)
{
    return hail_guarantee_is_reliable(hail_policy_channel_at(policy, number)->guarantee);
}

// hail_policy_unordered_before returns how many channels with smaller numbers are reliable and
// unordered.
uint32_t hail_policy_unordered_before(const struct hail_policy *policy, size_t number);

// hail_policy_channel_number returns the number of a channel that the policy has.
uint8_t hail_policy_channel_number(const struct hail_policy *policy,
                                   const struct hail_policy_channel *channel);

// hail_policy_bare returns the first channel without a guarantee, whose messages need not name it
// (WIRE.md, section 5.1); NULL: there is none. hail_policy_keep_bare has the policy remember it:
// its channels do not change any more.
const struct hail_policy_channel *hail_policy_bare(const struct hail_policy *policy);
void hail_policy_keep_bare(struct hail_policy *policy);

// hail_policy_check_channel decides on a message that came with `flags` by its channel alone.
//
// Returns  HAIL_ACCEPT; HAIL_DROP_FLOOR; or HAIL_DROP_UNPROTECTED: on a channel with a guarantee,
//          which a forged message could break for the genuine ones.
enum hail_verdict hail_policy_check_channel(const struct hail_policy_channel *channel,
                                            uint32_t flags);

// hail_policy_number returns the number by which the native wire names a rule, from 1, or 0: there
// is none for this name. hail_policy_rule_at returns the rule of a number, or NULL. Cost     A
// binary search; an array index.
size_t hail_policy_number(const struct hail_policy *policy, bool is_rpc, uint64_t hash);
const struct hail_policy_rule *hail_policy_rule_at(const struct hail_policy *policy,
                                                   uint64_t number);

// hail_policy_hash writes what both ends compare (WIRE.md, section 6): equal for equal names,
// floors and settings, whatever the order in which they were added, and whatever handles them, and
// for equal channels in the same order.
void hail_policy_hash(const struct hail_policy *policy, uint8_t out[32]);

#endif
