// messages.h: what the simulation's applications say to each other, and the oracles that know what
// of it may arrive, how often and in which order.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_SIM_MESSAGES_H
#define HAIL_TESTS_SIM_MESSAGES_H

#include "tests/sim/sim.h"

// sim_message_write writes a client's message: whose it is, which one, and what follows from both,
// so that a change is seen. Returns its length.
size_t sim_message_write(uint8_t out[SIM_MESSAGE_MAX], uint32_t client, uint32_t number,
                         bool is_long);

// sim_message_is_plain says whether a message that was sent without protection goes without.
bool sim_message_is_plain(const struct sim_message *message);

// sim_message_follow gives a message that was sent its place in the order of its channel.
void sim_message_follow(struct sim_client *client, uint32_t number);

// sim_message_arrived checks a message that the server was given; NULL: it is nobody's.
struct sim_message *sim_message_arrived(struct sim *sim, const struct hail_event *event,
                                        uint32_t *client);

// sim_message_returned checks a message that a client was given. False: it is nobody's.
bool sim_message_returned(struct sim *sim, const struct hail_event *event);

// sim_messages_check checks that what was to arrive has, after a while without trouble.
void sim_messages_check(struct sim *sim, const struct sim_client *client);

#endif
