// shard.h: one shard, driven from outside.
// SPDX-License-Identifier: MIT
//
// A shard (state.h) has no way to reach the outside. Time and bytes come in as arguments, work for
// the outside is pulled with hail_shard_output. An I/O backend drives it in production, a test or
// simulator elsewhere, and it cannot tell which.
#ifndef HAIL_ENGINE_SHARD_SHARD_H
#define HAIL_ENGINE_SHARD_SHARD_H

#include "engine/shard/profile.h"
#include "engine/shard/state.h"

// hail_shard_init reserves all that a shard will use for connections of `profile`, and makes it
// ready; it was zero. `random` is moved in. Returns false, and errno says why, when the memory
// cannot be had; then it stays zero.
HAIL_MUST_USE bool hail_shard_init(struct hail_shard *shard, struct hail_context *context,
                                   const struct hail_profile_ops *profile, uint8_t index,
                                   const struct hail_random *random);

// hail_shard_cleanup wipes it and gives its memory back; the zero state is allowed. Every
// connection is closed.
void hail_shard_cleanup(struct hail_shard *shard);

// hail_shard_accept begins a connection that a peer made. Returns its slot, or HAIL_SLOT_NONE when
// there is no room, or its prefix has used up its own: the caller resets the connection.
uint32_t hail_shard_accept(struct hail_shard *shard, const struct sockaddr *peer,
                           socklen_t peer_len);

// hail_shard_connected says how a connection that the shard asked for went: 0 or -errno.
void hail_shard_connected(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_input takes in stream bytes that came for a connection. They are decrypted in place.
void hail_shard_input(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len);

// hail_shard_datagram takes in one datagram, on the hail profile. It is decrypted in place.
//
// slot     A client's connection, whose socket it came to; HAIL_SLOT_NONE: a server's port.
// path     From where to where it came; of a client's, whose socket takes nothing from elsewhere,
//          not used.
void hail_shard_datagram(struct hail_shard *shard, uint32_t slot, const struct hail_path *path,
                         uint8_t *data, size_t len);

// hail_shard_crowded says whether the datagrams that wait for the backend leave little room for the
// answers to more.
bool hail_shard_crowded(const struct hail_shard *shard);

// hail_shard_refused says that the socket of a client's connection on the hail profile reported
// -errno, such as that nobody listens there. Returns whether to go on with it nevertheless; if not,
// the backend closes it, and may be asked to connect anew.
HAIL_MUST_USE bool hail_shard_refused(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_unsent says that the kernel would not send a client's datagrams on the hail profile,
// for the error `error`; hail_shard_followed, that its socket has another source now.
void hail_shard_unsent(struct hail_shard *shard, uint32_t slot, int error);
void hail_shard_followed(struct hail_shard *shard, uint32_t slot);

// hail_shard_network_changed says that addresses or routes of a client's machine are not what they
// were, so that each connection has to see whether its source is still the right one.
void hail_shard_network_changed(struct hail_shard *shard);

// hail_shard_ended says that a connection's peer has closed (0) or its socket failed (-errno).
void hail_shard_ended(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_sent says how the last send task went: bytes, or -errno.
void hail_shard_sent(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_closed says that the backend has done a close task: nothing of the connection is
// in flight any more, and the slot is the shard's again.
void hail_shard_closed(struct hail_shard *shard, uint32_t slot);

// hail_shard_turn does what is due: commands, hails to be made, timeouts, what had to wait. The
// time only goes forward; the date (nanoseconds since 1970) may go anywhere, as clocks are set.
void hail_shard_turn(struct hail_shard *shard, uint64_t now_ns, int64_t unix_ns);

// hail_shard_wakes says what time and date it is, before what has come meanwhile is handed over.
void hail_shard_wakes(struct hail_shard *shard, uint64_t now_ns, int64_t unix_ns);

// hail_shard_next_ns returns when hail_shard_turn next has work of its own: 0 at once, UINT64_MAX
// never.
uint64_t hail_shard_next_ns(const struct hail_shard *shard);

// hail_shard_output gives the next piece of work; false: there is none.
HAIL_MUST_USE bool hail_shard_output(struct hail_shard *shard, struct hail_task *task);

// hail_shard_handed_over says that the kernel has copied the datagrams of all tasks so far.
void hail_shard_handed_over(struct hail_shard *shard);

// hail_shard_stop begins to close every connection; what is queued may be sent until `stop_at_ns`.
void hail_shard_stop(struct hail_shard *shard, uint64_t stop_at_ns);

// hail_shard_stopped says whether no connection is left.
bool hail_shard_stopped(const struct hail_shard *shard);

#endif
