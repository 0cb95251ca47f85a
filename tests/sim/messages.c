// messages.c: see messages.h.
// SPDX-License-Identifier: MIT
#include "tests/sim/messages.h"
#include "crypto/time.h"

#include <string.h>

enum {
    ARRIVES_WITHIN_S = 6 // when the network is well
};

static bool is_reliable(const struct sim_message *message)
{
    return message->channel >= SIM_CHANNEL_LEDGER;
}

size_t sim_message_write(uint8_t out[SIM_MESSAGE_MAX], uint32_t client, uint32_t number,
                         bool is_long)
{
    size_t len = is_long ? 1200 + (client * 311 + number * 71) % (SIM_MESSAGE_MAX - 1200)
                         : 8 + (client * 31 + number * 7) % 48;

    memcpy(out, &client, 4);
    memcpy(out + 4, &number, 4);
    for (size_t i = 8; i < len; i++)
        out[i] = (uint8_t)(client + number * i);
    return len;
}

bool sim_message_is_plain(const struct sim_message *message)
{
    bool raised = message->is_long || message->channel == SIM_CHANNEL_NEWS || is_reliable(message);

    return message->flags == 0 && !raised;
}

void sim_message_follow(struct sim_client *client, uint32_t number)
{
    struct sim_message *message = &client->messages[number];

    if (message->channel != SIM_CHANNEL_LEDGER || !message->taken || message->below_floor)
        return;
    if (client->ledger_last > 0 && client->messages[client->ledger_last - 1].join == message->join)
        message->previous = client->ledger_last;
    client->ledger_last = (uint16_t)(number + 1);
}

static struct sim_message *find_message(struct sim *sim, const struct hail_event *event,
                                        uint32_t *client)
{
    uint8_t want[SIM_MESSAGE_MAX];
    uint32_t number;

    if (event->len < 8)
        return NULL;
    memcpy(client, event->data, 4);
    memcpy(&number, (const uint8_t *)event->data + 4, 4);
    if (*client >= sim->world.client_count || number >= sim->clients[*client].sent)
        return NULL;
    struct sim_message *message = &sim->clients[*client].messages[number];
    size_t len = sim_message_write(want, *client, number, message->is_long);
    if (len != event->len || memcmp(want, event->data, len) != 0)
        return NULL;
    return message;
}

// What came is as protected as what was sent, and says so.
static void check_flags(struct sim *sim, const struct sim_message *message,
                        const struct hail_event *event)
{
    uint32_t sent =
        message->flags & HAIL_ENCRYPTED ? HAIL_ENCRYPTED | HAIL_AUTHENTICATED : message->flags;

    if (event->flags == 0 && !sim_message_is_plain(message) && message->flags != 0)
        return; // a plain one that was changed into this
    if (event->flags == 0 && event->channel != SIM_CHANNEL_CHAT &&
        event->channel != SIM_CHANNEL_VAULT)
        sim_fail(sim, "a plain message came on a channel with a guarantee");
    if (event->flags != 0 && event->channel != message->channel)
        sim_fail(sim, "a message came on another channel than it was sent on");
    // One that was sent plain is authenticated where it had to wait.
    if (event->flags != 0 && event->flags != sent &&
        !(message->flags == 0 && event->flags == HAIL_AUTHENTICATED))
        sim_fail(sim, "a message came with other flags than it was sent with");
    // A plain one's name may have been changed under way into another.
    if (message->below_floor && (event->flags != 0 || event->handler) &&
        !(message->flags == 0 && event->flags == HAIL_AUTHENTICATED))
        sim_fail(sim, "a message below its floor was delivered");
}

// On a sequenced channel nothing comes after what was sent later.
static void check_sequence(struct sim *sim, const struct sim_client *client,
                           const struct sim_message *message, uint32_t *newest)
{
    uint32_t number = (uint32_t)(message - client->messages) + 1;

    if (message->channel != SIM_CHANNEL_NEWS)
        return;
    // What a connection that has been left still brings is in no order with the next one's.
    if (number < *newest && client->messages[*newest - 1].join == message->join)
        sim_fail(sim, "an old message came after a newer one on a sequenced channel");
    *newest = number > *newest ? number : *newest;
}

// On the ledger everything comes, and in its order.
static void check_order(struct sim *sim, const struct sim_client *client,
                        const struct sim_message *message, bool is_back)
{
    const struct sim_message *before =
        message->previous > 0 ? &client->messages[message->previous - 1] : NULL;

    if (!before)
        return;
    if (is_back ? before->echoed && before->returned == 0 : before->arrived == 0)
        sim_fail(sim, "a message came before the one before it on an ordered channel");
}

struct sim_message *sim_message_arrived(struct sim *sim, const struct hail_event *event,
                                        uint32_t *client)
{
    struct sim_message *message = find_message(sim, event, client);

    if (!message) {
        if (event->flags != 0) // plain promises nothing
            sim_fail(sim, "the server was given a message that nobody sent");
        return NULL;
    }
    check_flags(sim, message, event);
    if (event->flags != 0 && message->arrived > 0 && message->flags != 0)
        sim_fail(sim, "a protected message arrived twice");
    check_sequence(sim, &sim->clients[*client], message, &sim->clients[*client].newest_arrived);
    check_order(sim, &sim->clients[*client], message, false);
    message->arrived++;
    return message;
}

bool sim_message_returned(struct sim *sim, const struct hail_event *event)
{
    struct sim_client *client = &sim->clients[event->tag];
    uint32_t whose;
    struct sim_message *message = find_message(sim, event, &whose);

    if (!message || whose != event->tag || message->arrived == 0) {
        if (event->flags != 0)
            sim_fail(sim, "a client was given a message that the server did not send to it");
        return false;
    }
    check_flags(sim, message, event);
    if (event->flags != 0 && message->returned > 0 && message->flags != 0)
        sim_fail(sim, "a protected message came back twice");
    check_sequence(sim, client, message, &client->newest_returned);
    check_order(sim, client, message, true);
    message->returned++;
    return true;
}

void sim_messages_check(struct sim *sim, const struct sim_client *client)
{
    for (uint32_t i = 0; i < client->sent; i++) {
        const struct sim_message *message = &client->messages[i];
        if (!is_reliable(message) || !message->taken || message->below_floor ||
            message->join != client->joins ||
            message->sent_ns + ARRIVES_WITHIN_S * HAIL_NS_PER_S > sim->now_ns)
            continue;
        if (message->arrived != 1)
            sim_fail(sim, "a reliable message did not arrive once");
        if (message->echoed && message->returned != 1)
            sim_fail(sim, "a reliable message did not come back once");
    }
}
