// status.c: the words for statuses and reasons, and the version.
// SPDX-License-Identifier: MIT
#include "engine/context/stats.h"

#include <string.h>

const char *hail_version(void)
{
    return HAIL_VERSION;
}

const char *hail_strerror(enum hail_status status)
{
    switch (status) { // no default: a status without a phrase does not build (-Wswitch-enum)
    case HAIL_OK:
        return "success";
    case HAIL_EINVAL:
        return "argument outside its documented range";
    case HAIL_ENOMEM:
        return "not enough memory for the configured limits";
    case HAIL_ESYS:
        return "system call failed";
    case HAIL_EIDENTITY:
        return "certificate, key or trust store refused";
    case HAIL_EGONE:
        return "connection has ended";
    case HAIL_EFULL:
        return "a fixed limit is reached";
    case HAIL_ENOKEY:
        return "protection asked for, and the connection has no key";
    case HAIL_EABI:
        return "config from a newer header";
    case HAIL_ESTATE:
        return "connection is not in the state that this needs";
    case HAIL_ETIMEOUT:
        return "the call was not answered in time";
    case HAIL_EUNKNOWN:
        return "the other end takes no call of this name";
    case HAIL_EARGUMENTS:
        return "the other end cannot read the call's arguments";
    case HAIL_EREFUSED:
        return "the other end refused the call";
    case HAIL_ETOOLONG:
        return "longer than the other end takes";
    case HAIL_ENAME:
        return "two handlers share a name or its hash";
    }
    return "unknown status"; // a value that was never one of ours
}

const char *hail_close_reason_name(enum hail_close_reason reason)
{
    if ((unsigned)reason >= HAIL_CLOSE_REASON_COUNT)
        return "unknown";
    return hail_stat_name(HAIL_STAT_CLOSED_FIRST + reason) + strlen("closed_");
}
