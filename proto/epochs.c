// epochs.c: see epochs.h. Which place a connection has is told by its secret, so that strangers
// cannot choose one beside another's.
// SPDX-License-Identifier: MIT
#include "proto/epochs.h"

#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"

uint32_t hail_epochs_count(uint32_t connections)
{
    uint32_t count = HAIL_EPOCHS_WAYS;

    while (count < HAIL_EPOCHS_MOST && count < (uint64_t)connections * HAIL_EPOCHS_WAYS)
        count *= 2;
    return count;
}

void hail_epochs_init(struct hail_epochs *epochs, struct hail_epoch *list, uint32_t count)
{
    HAIL_ASSERT(count >= HAIL_EPOCHS_WAYS && (count & (count - 1)) == 0);
    *epochs = (struct hail_epochs){.list = list, .count = count};
}

// The connection's places.
static struct hail_epoch *ways_of(const struct hail_epochs *epochs,
                                  const uint8_t stretched[HAIL_STRETCHED_LEN])
{
    uint32_t hash;

    memcpy(&hash, stretched, sizeof hash);
    return epochs->list + (hash & (epochs->count / HAIL_EPOCHS_WAYS - 1)) * HAIL_EPOCHS_WAYS;
}

static bool is_of(const struct hail_epoch *kept, const uint8_t stretched[HAIL_STRETCHED_LEN])
{
    return kept->used && hail_equal(kept->stretched, stretched, HAIL_STRETCHED_LEN);
}

static void wipe(struct hail_epoch *kept)
{
    hail_traffic_cleanup(&kept->keys);
    hail_wipe(kept, sizeof *kept);
}

// Whether one more may be derived in this second.
static bool may_derive(struct hail_epochs *epochs, uint64_t now_ns)
{
    if (now_ns - epochs->since_ns >= HAIL_NS_PER_S) {
        epochs->since_ns = now_ns;
        epochs->derived = 0;
    }
    if (epochs->derived == HAIL_EPOCHS_PER_S)
        return false;
    epochs->derived++;
    return true;
}

const struct hail_traffic_keys *hail_epochs_find(struct hail_epochs *epochs,
                                                 const uint8_t stretched[HAIL_STRETCHED_LEN],
                                                 enum hail_direction direction, uint32_t epoch,
                                                 uint64_t now_ns)
{
    struct hail_epoch *ways = ways_of(epochs, stretched);
    struct hail_epoch *place = NULL;

    for (uint32_t i = 0; i < HAIL_EPOCHS_WAYS; i++) {
        if (ways[i].keys.epoch == epoch && ways[i].direction == direction &&
            is_of(&ways[i], stretched))
            return &ways[i].keys;
        if (!ways[i].used)
            place = &ways[i];
    }
    if (!may_derive(epochs, now_ns))
        return NULL;
    if (!place) {
        place = &ways[epochs->victim++ % HAIL_EPOCHS_WAYS];
        wipe(place);
    }
    if (!hail_traffic_derive(&place->keys, stretched, direction, epoch))
        return NULL;
    place->used = true;
    place->direction = direction;
    memcpy(place->stretched, stretched, HAIL_STRETCHED_LEN);
    return &place->keys;
}

void hail_epochs_forget(struct hail_epochs *epochs, const uint8_t stretched[HAIL_STRETCHED_LEN])
{
    struct hail_epoch *ways = ways_of(epochs, stretched);

    for (uint32_t i = 0; i < HAIL_EPOCHS_WAYS; i++) {
        if (is_of(&ways[i], stretched))
            wipe(&ways[i]);
    }
}
