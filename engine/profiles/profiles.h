// profiles.h: the two profiles, each as the table that its endpoint's shards are made with.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_PROFILES_PROFILES_H
#define HAIL_ENGINE_PROFILES_PROFILES_H

#include "engine/shard/profile.h"

extern const struct hail_profile_ops hail_mlapi_profile;
extern const struct hail_profile_ops hail_native_profile;

// hail_profile_of returns the table of a profile that a config may name.
static inline const struct hail_profile_ops *hail_profile_of(enum hail_profile profile)
{
    return profile == HAIL_PROFILE_HAIL ? &hail_native_profile : &hail_mlapi_profile;
}

#endif
