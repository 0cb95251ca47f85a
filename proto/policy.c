// policy.c: see policy.h.
// SPDX-License-Identifier: MIT
#include "proto/policy.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/hash.h"

enum {
    RULE_LEN = 1 + 8 + 1, // of a rule in what is hashed
    CHANNEL_LEN_MAX = 1 + 1 + 1 + HAIL_POLICY_CHANNEL_NAME_MAX
};

// Of an endpoint that declares none. They have no names, and are not hashed.
static const struct hail_policy_channel undeclared[] = {
    {.guarantee = HAIL_GUARANTEE_RELIABLE_ORDERED, .weight = 1},
    {.guarantee = HAIL_GUARANTEE_RELIABLE_UNORDERED, .weight = 1},
    {.guarantee = HAIL_GUARANTEE_SEQUENCED, .weight = 1, .age_max_ms = HAIL_POLICY_AGE_MAX_MS},
    {.guarantee = HAIL_GUARANTEE_NONE, .weight = 1, .age_max_ms = HAIL_POLICY_AGE_MAX_MS},
};

// Orders rules by kind, then hash.
static bool before(bool is_rpc, uint64_t hash, const struct hail_policy_rule *rule)
{
    return is_rpc != rule->is_rpc ? is_rpc < rule->is_rpc : hash < rule->hash;
}

// The place of the first rule that is not before (is_rpc, hash).
static size_t place_of(const struct hail_policy *policy, bool is_rpc, uint64_t hash)
{
    size_t low = 0;
    size_t high = policy->rule_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct hail_policy_rule *rule = &policy->rules[middle];
        if (before(rule->is_rpc, rule->hash, &(struct hail_policy_rule){hash, is_rpc, 0, 0}))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct hail_policy_rule *find(const struct hail_policy *policy, bool is_rpc,
                                           uint64_t hash)
{
    size_t place = place_of(policy, is_rpc, hash);

    if (place == policy->rule_count || policy->rules[place].is_rpc != is_rpc ||
        policy->rules[place].hash != hash)
        return NULL;
    return &policy->rules[place];
}

bool hail_policy_add(struct hail_policy *policy, const struct hail_policy_rule *rule,
                     uint16_t *clash)
{
    const struct hail_policy_rule *same = find(policy, rule->is_rpc, rule->hash);

    if (same || policy->rule_count == HAIL_POLICY_NAMES_MAX) {
        *clash = same ? same->handler : HAIL_POLICY_NO_HANDLER;
        return false;
    }
    size_t place = place_of(policy, rule->is_rpc, rule->hash);
    memmove(&policy->rules[place + 1], &policy->rules[place],
            (policy->rule_count - place) * sizeof *rule);
    policy->rules[place] = *rule;
    policy->rule_count++;
    return true;
}

static enum hail_verdict check_floor(uint32_t flags, uint32_t floor)
{
    return (flags & floor) == floor ? HAIL_ACCEPT : HAIL_DROP_FLOOR;
}

enum hail_verdict hail_policy_check(const struct hail_policy *policy, uint16_t *handler,
                                    const struct hail_message_view *message)
{
    bool is_rpc = message->kind == HAIL_MESSAGE_CALL || message->kind == HAIL_MESSAGE_REQUEST;
    const struct hail_policy_rule *rule = NULL;

    HAIL_ASSERT(!hail_message_answers(message->kind));
    *handler = HAIL_POLICY_NO_HANDLER;
    if (message->kind == HAIL_MESSAGE_SCENE && policy->takes_scenes_plain)
        return HAIL_ACCEPT;
    if (message->kind == HAIL_MESSAGE_UNNAMED || message->kind == HAIL_MESSAGE_SCENE)
        return check_floor(message->flags, policy->default_floor);
    rule = find(policy, is_rpc, message->name_hash);
    if (!rule)
        return policy->takes_unknown ? check_floor(message->flags, policy->default_floor)
                                     : HAIL_DROP_NAME;
    *handler = rule->handler;
    return check_floor(message->flags, rule->floor);
}

size_t hail_policy_channel_count(const struct hail_policy *policy)
{
    return policy->channel_count == 0 ? HAIL_COUNTOF(undeclared) : policy->channel_count;
}

const struct hail_policy_channel *hail_policy_channel_at(const struct hail_policy *policy,
                                                         uint64_t number)
{
    if (policy->channel_count == 0)
        return number < HAIL_COUNTOF(undeclared) ? &undeclared[number] : NULL;
    return number < policy->channel_count ? &policy->channels[number] : NULL;
}

uint32_t hail_policy_unordered_before(const struct hail_policy *policy, size_t number)
{
    size_t count = hail_policy_channel_count(policy);
    uint32_t unordered = 0;

    for (size_t i = 0; i < number && i < count; i++)
        unordered +=
            hail_policy_channel_at(policy, i)->guarantee == HAIL_GUARANTEE_RELIABLE_UNORDERED;
    return unordered;
}

static const struct hail_policy_channel *channels_of(const struct hail_policy *policy)
{
    return policy->channel_count == 0 ? undeclared : policy->channels;
}

uint8_t hail_policy_channel_number(const struct hail_policy *policy,
                                   const struct hail_policy_channel *channel)
{
    return (uint8_t)(channel - channels_of(policy));
}

const struct hail_policy_channel *hail_policy_bare(const struct hail_policy *policy)
{
    const struct hail_policy_channel *channels = channels_of(policy);

    if (policy->bare > 0)
        return &channels[policy->bare - 1];
    for (size_t i = 0; i < hail_policy_channel_count(policy); i++) {
        if (channels[i].guarantee == HAIL_GUARANTEE_NONE)
            return &channels[i];
    }
    return NULL;
}

void hail_policy_keep_bare(struct hail_policy *policy)
{
    const struct hail_policy_channel *bare = hail_policy_bare(policy);

    policy->bare = bare ? (uint8_t)(hail_policy_channel_number(policy, bare) + 1) : 0;
}

enum hail_verdict hail_policy_check_channel(const struct hail_policy_channel *channel,
                                            uint32_t flags)
{
    if (channel->guarantee != HAIL_GUARANTEE_NONE && flags == 0)
        return HAIL_DROP_UNPROTECTED;
    return check_floor(flags, channel->floor);
}

size_t hail_policy_number(const struct hail_policy *policy, bool is_rpc, uint64_t hash)
{
    const struct hail_policy_rule *rule = find(policy, is_rpc, hash);

    return rule ? (size_t)(rule - policy->rules) + 1 : 0;
}

const struct hail_policy_rule *hail_policy_rule_at(const struct hail_policy *policy,
                                                   uint64_t number)
{
    return number >= 1 && number <= policy->rule_count ? &policy->rules[number - 1] : NULL;
}

void hail_policy_hash(const struct hail_policy *policy, uint8_t out[32])
{
    static const char context[] = "hail policy 1";
    uint8_t table[sizeof context - 1 + 4 + HAIL_POLICY_NAMES_MAX * RULE_LEN + 1 +
                  HAIL_POLICY_CHANNELS_MAX * CHANNEL_LEN_MAX];
    uint8_t *at = table;

    memcpy(at, context, sizeof context - 1);
    at += sizeof context - 1;
    *at++ = policy->default_floor;
    *at++ = 1; // reserved
    hail_put_be(at, policy->rule_count, 2);
    at += 2;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct hail_policy_rule *rule = &policy->rules[i];
        *at++ = rule->is_rpc;
        hail_put_be(at, rule->hash, 8);
        at += 8;
        *at++ = rule->floor;
    }
    if (policy->channel_count > 0)
        *at++ = (uint8_t)policy->channel_count;
    for (size_t i = 0; i < policy->channel_count; i++) {
        const struct hail_policy_channel *channel = &policy->channels[i];
        *at++ = (uint8_t)channel->guarantee;
        *at++ = channel->floor;
        *at++ = channel->name_len;
        memcpy(at, channel->name, channel->name_len);
        at += channel->name_len;
    }
    hail_sha256(out, table, (size_t)(at - table));
}
