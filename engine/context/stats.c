// stats.c: the counters' names.
// SPDX-License-Identifier: MIT
#include "engine/context/stats.h"

#include "crypto/base.h"

#define DROPPED_NAME(id, name) [HAIL_STAT_DROPPED_FIRST + HAIL_##id] = "dropped_" name,

static const char *const names[HAIL_STAT_COUNT] = {
    [HAIL_STAT_CONNS_OPEN] = "conns_open",
    [HAIL_STAT_CONNS_ACCEPTED] = "conns_accepted",
    [HAIL_STAT_CONNS_REFUSED] = "conns_refused",
    [HAIL_STAT_ACCEPT_ERRORS] = "accept_errors",
    [HAIL_STAT_HANDSHAKES_OPEN] = "handshakes_open",
    [HAIL_STAT_PREFIX_CROWDED_OUT] = "prefix_crowded_out",
    [HAIL_STAT_HANDSHAKES_DONE] = "handshakes_done",
    [HAIL_STAT_HANDSHAKES_RESUMED] = "handshakes_resumed",
    [HAIL_STAT_TICKETS_ISSUED] = "tickets_issued",
    [HAIL_STAT_RECONNECTS] = "reconnects",
    [HAIL_STAT_HAILS_MADE] = "hails_made",
    [HAIL_STAT_REQUESTS] = "requests",
    [HAIL_STAT_MESSAGES_IN_PLAIN] = "messages_in_plain",
    [HAIL_STAT_MESSAGES_IN_ENCRYPTED] = "messages_in_encrypted",
    [HAIL_STAT_MESSAGES_IN_AUTHENTICATED] = "messages_in_authenticated",
    [HAIL_STAT_MESSAGES_IN_BOTH] = "messages_in_both",
    [HAIL_STAT_MESSAGES_OUT_PLAIN] = "messages_out_plain",
    [HAIL_STAT_MESSAGES_OUT_ENCRYPTED] = "messages_out_encrypted",
    [HAIL_STAT_MESSAGES_OUT_AUTHENTICATED] = "messages_out_authenticated",
    [HAIL_STAT_MESSAGES_OUT_BOTH] = "messages_out_both",
    [HAIL_STAT_BYTES_IN] = "bytes_in",
    [HAIL_STAT_BYTES_OUT] = "bytes_out",
    [HAIL_STAT_BYTES_WAITING] = "bytes_waiting",
    [HAIL_STAT_SENDS_FAILED] = "sends_failed",
    [HAIL_STAT_COMMANDS_REFUSED] = "commands_refused",
    [HAIL_STAT_BUFFERS_FULL] = "buffers_full",
    [HAIL_STAT_GROUPS_FULL] = "groups_full",
    [HAIL_STAT_EVENTS_HELD] = "events_held",
    [HAIL_STAT_DATAGRAMS_IN] = "datagrams_in",
    [HAIL_STAT_DATAGRAMS_OUT] = "datagrams_out",
    [HAIL_STAT_DATAGRAMS_UNSENT] = "datagrams_unsent",
    [HAIL_STAT_DATAGRAMS_PASSED] = "datagrams_passed",
    [HAIL_STAT_RETRIES] = "retries",
    [HAIL_STAT_HELLOS_ADMITTED] = "hellos_admitted",
    [HAIL_STAT_COOKIES_ADMITTED] = "cookies_admitted",
    [HAIL_STAT_SOCKET_DROPS] = "socket_drops",
    [HAIL_STAT_KEYS_STRETCHED] = "keys_stretched",
    [HAIL_STAT_PATHS_CHANGED] = "paths_changed",
    [HAIL_STAT_SOURCES_CHANGED] = "sources_changed",
    [HAIL_STAT_PATH_PROBES] = "path_probes",
    [HAIL_STAT_PATH_FALLS] = "path_falls",
    [HAIL_STAT_PACKETS_LOST] = "packets_lost",
    [HAIL_STAT_BYTES_RESENT] = "bytes_resent",
    [HAIL_STAT_PROBES] = "probes",
    [HAIL_STAT_SIMULATED_LOST] = "simulated_lost",
    [HAIL_STAT_CALLS_TIMED_OUT] = "calls_timed_out",
    [HAIL_STAT_MESSAGES_LATE] = "messages_late",
    [HAIL_STAT_MESSAGES_TORN] = "messages_torn",
    [HAIL_STAT_PACKETS_USELESS] = "packets_useless",
    [HAIL_STAT_RECV_STARVED] = "recv_starved",
    [HAIL_STAT_WAKEUPS] = "wakeups",
    [HAIL_STAT_SPENT_PROTOCOL] = "spent_protocol_ns",
    [HAIL_STAT_SPENT_CRYPTO] = "spent_crypto_ns",
    [HAIL_STAT_SPENT_COPY] = "spent_copy_ns",
    [HAIL_STAT_SPENT_SYSTEM] = "spent_system_ns",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_BY_APPLICATION] = "closed_by_application",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_BY_PEER] = "closed_by_peer",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_DENIED] = "closed_denied",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_HANDSHAKE_TIMEOUT] = "closed_handshake_timeout",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_IDLE] = "closed_idle",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_READER] = "closed_slow_reader",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER] = "closed_slow_writer",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_PROTOCOL] = "closed_protocol",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CONFIG] = "closed_config",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CERTIFICATE] = "closed_certificate",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CROWDED_OUT] = "closed_crowded_out",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_NO_BUFFER] = "closed_no_buffer",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_ERROR] = "closed_error",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SHUTDOWN] = "closed_shutdown",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CONNECT] = "closed_connect",
    [HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_HOLDS_TOO_MUCH] = "closed_holds_too_much",
    HAIL_VERDICTS(DROPPED_NAME)};

#undef DROPPED_NAME

const char *hail_stat_name(unsigned stat)
{
    HAIL_ASSERT(stat < HAIL_STAT_COUNT);
    HAIL_ASSERT(names[stat]);
    return names[stat];
}
