// traffic.c: see traffic.h.
// SPDX-License-Identifier: MIT
#include "tools/load/traffic.h"
#include "crypto/time.h"

#include <string.h>
#include <time.h>

enum {
    TURN_NS = 10000000, // the conductor's longest sleep
    HELD_NS = 50000,    // and its sleep while a connection is full
    RETURN_S_MAX = 10,  // how long the last messages may take to return
    RETURN_DATAGRAMS_S_MAX = 2,
    LOST_NS = 500000000,   // a datagram that is not back by then, on a good network, will not come
    WINDOW = 64,           // echoes among which one that is late is told from one that is doubled
    UNDER_WAY_LEN = 262144 // open loop: bytes under way on one connection; then it is full
};

// What each message begins with; a pattern follows that depends on `seq` and `tag`. Both ends are
// this process, so it is written as it lies in memory.
struct header {
    uint64_t begin_ns; // when it was sent or, in open loop, due
    uint64_t seq;
    uint32_t tag;
    uint32_t run;
};
_Static_assert(sizeof(struct header) == PLAN_SIZE_MIN, "the least size is the header's");

// Hands the pattern behind a header to the message, or compares it with what is there.
static uint64_t pattern_at(const struct header *header, size_t word)
{
    return (header->seq + 1) * UINT64_C(0x9e3779b97f4a7c15) +
           (header->tag + word) * UINT64_C(0xbf58476d1ce4e5b9);
}

static void write_message(uint8_t *message, size_t size, const struct header *header)
{
    size_t at = sizeof *header;

    memcpy(message, header, sizeof *header);
    for (size_t word = 0; at < size; word++) {
        uint64_t pattern = pattern_at(header, word);
        size_t len = size - at < sizeof pattern ? size - at : sizeof pattern;
        memcpy(message + at, &pattern, len);
        at += len;
    }
}

static bool pattern_is_whole(const uint8_t *message, size_t size, const struct header *header)
{
    size_t at = sizeof *header;
    uint64_t difference = 0;

    for (size_t word = 0; at < size; word++) {
        uint64_t pattern = pattern_at(header, word);
        uint64_t got = pattern; // so that bytes behind the message's end do not count
        size_t len = size - at < sizeof pattern ? size - at : sizeof pattern;
        memcpy(&got, message + at, len);
        difference |= got ^ pattern;
        at += len;
    }
    return difference == 0;
}

// A send that did not work is a fault, unless the connection has ended: then its event says why.
static void note_send(struct lab *lab, enum hail_status status)
{
    if (status != HAIL_OK && status != HAIL_EGONE)
        lab_fault(lab, "cannot send: %s", hail_strerror(status));
}

// Sends the player's next message. `lane` is the calling thread's.
static enum hail_status send_next(struct lab *lab, struct lab_lane *lane, struct lab_player *player,
                                  uint64_t begin_ns)
{
    const struct traffic *traffic = lab->traffic;
    // Counted before it can be back.
    uint64_t seq = atomic_fetch_add_explicit(&player->sent, 1, memory_order_relaxed);
    const struct header header = {
        .begin_ns = begin_ns,
        .seq = seq,
        .tag = (uint32_t)(player - lab->players),
        .run = traffic->run,
    };
    const struct hail_message message = {
        .data = lane->message,
        .len = traffic->size,
        .flags = traffic->flags,
        .channel = traffic->channel,
        .named = traffic->is_named,
        .name_hash = traffic->name_hash,
    };

    write_message(lane->message, traffic->size, &header);
    enum hail_status status = hail_send(lab->endpoint, player->conn, &message);
    if (status != HAIL_OK)
        atomic_fetch_sub_explicit(&player->sent, 1, memory_order_relaxed);
    return status;
}

// Takes note of a datagram's number. False: it has come before.
static bool is_first(struct lab_player *player, uint64_t seq)
{
    if (seq >= player->newest) {
        uint64_t step = seq - player->newest + 1;
        player->window = step < WINDOW ? player->window << step : 0;
        player->window |= 1;
        player->newest = seq + 1;
        return true;
    }
    uint64_t age = player->newest - 1 - seq;
    if (age >= WINDOW)
        return true; // too old to tell
    bool first = !(player->window >> age & 1);
    player->window |= UINT64_C(1) << age;
    return first;
}

// Checks that an echo is what was sent. False: it is not, and that has been noted.
static bool check_echo(struct lab *lab, struct lab_player *player, uint64_t received,
                       const struct hail_event *event, struct header *header)
{
    const struct traffic *traffic = lab->traffic;
    uint32_t tag = (uint32_t)(player - lab->players);

    if (event->len != traffic->size) {
        lab_fault(lab, "an echo has %zu bytes where %u were sent", event->len, traffic->size);
        return false;
    }
    memcpy(header, event->data, sizeof *header);
    // What does not fit a packet travels authenticated, and how long packets may be shows with
    // time.
    bool may_be_raised = traffic->is_datagrams && traffic->flags == HAIL_PLAIN &&
                         header->begin_ns < traffic->from_ns;
    if (event->flags != traffic->flags && !may_be_raised)
        lab_fault(lab, "a message sent %s came back %s", plan_flags_name(traffic->flags),
                  plan_flags_name(event->flags));
    else if (event->named != traffic->is_named || event->name_hash != traffic->name_hash)
        lab_fault(lab, "a message came back under another name: hash %llx instead of %llx",
                  (unsigned long long)event->name_hash, (unsigned long long)traffic->name_hash);
    else if (header->tag != tag)
        lab_fault(lab, "connection %u got the echo of connection %u", tag, header->tag);
    else if (traffic->is_datagrams && header->run != traffic->run)
        return false; // one that was given up, in a run before this one
    else if (traffic->is_datagrams && !is_first(player, header->seq))
        lab_fault(lab, "message %llu came back twice", (unsigned long long)header->seq);
    else if (!traffic->is_datagrams && (header->run != traffic->run || header->seq != received))
        lab_fault(lab, "message %llu of run %u came back where %llu of run %u was next: %s",
                  (unsigned long long)header->seq, header->run, (unsigned long long)received,
                  traffic->run, header->seq > received ? "lost or out of order" : "doubled");
    else if (!pattern_is_whole(event->data, event->len, header))
        lab_fault(lab, "message %llu of connection %u came back changed",
                  (unsigned long long)header->seq, tag);
    else
        return true;
    return false;
}

void traffic_on_message(struct lab *lab, struct lab_lane *lane, struct lab_player *player,
                        const struct hail_event *event)
{
    const struct traffic *traffic = lab->traffic;
    uint64_t received = atomic_load_explicit(&player->received, memory_order_relaxed);
    struct header header;

    if (!check_echo(lab, player, received, event, &header))
        return;
    uint64_t now_ns = clock_ns();
    if (header.begin_ns >= traffic->from_ns && header.begin_ns < traffic->to_ns)
        histogram_add(&lane->latency, now_ns - header.begin_ns);
    uint64_t arrived = atomic_load_explicit(&lane->arrived, memory_order_relaxed);
    atomic_store_explicit(&lane->arrived, arrived + 1, memory_order_relaxed);
    if (!traffic->is_open_loop &&
        atomic_load_explicit(&traffic->is_sending, memory_order_relaxed)) {
        // The run's first message on a connection brings all the others. What is older than the
        // newest and not here yet is taken for lost.
        uint64_t sent = atomic_load_explicit(&player->sent, memory_order_relaxed);
        uint64_t known = traffic->is_datagrams ? player->newest : received + 1;
        for (uint64_t under_way = sent - known; under_way < traffic->outstanding; under_way++)
            note_send(lab, send_next(lab, lane, player, now_ns));
    }
    // Release, and after the sends: pairs with is_quiet, where as many received as sent means that
    // nothing is under way and nobody is about to send.
    atomic_store_explicit(&player->received, received + 1, memory_order_release);
}

static bool is_quiet(const struct lab *lab)
{
    for (uint32_t i = 0; i < lab->player_count; i++) {
        const struct lab_player *player = &lab->players[i];
        uint64_t received = atomic_load_explicit(&player->received, memory_order_acquire);
        if (received != atomic_load_explicit(&player->sent, memory_order_relaxed))
            return false;
    }
    return true;
}

static uint64_t all_received(const struct lab *lab)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < lab->player_count; i++)
        // Acquire: pairs with the release in traffic_on_message, so that what was noted of an echo
        // can be read once it is counted.
        count += atomic_load_explicit(&lab->players[i].received, memory_order_acquire);
    return count;
}

static uint64_t missing(const struct lab *lab)
{
    uint64_t sent = 0;

    for (uint32_t i = 0; i < lab->player_count; i++)
        sent += atomic_load_explicit(&lab->players[i].sent, memory_order_relaxed);
    return sent - all_received(lab);
}

static void sleep_ns(uint64_t ns)
{
    const struct timespec time = {.tv_sec = (time_t)(ns / HAIL_NS_PER_S),
                                  .tv_nsec = (long)(ns % HAIL_NS_PER_S)};

    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

// The conductor's view of a run.
struct conduct {
    uint64_t start_ns;
    uint64_t sent;   // open loop
    uint64_t cap;    // open loop: messages under way on one connection at most
    uint32_t player; // open loop: whose turn it is
};

// When message `n` of the schedule is due.
static uint64_t due_ns(const struct lab *lab, const struct conduct *conduct, uint64_t n)
{
    return conduct->start_ns + (uint64_t)((double)n * HAIL_NS_PER_S / lab->plan->rate);
}

// Open loop: sends what is due, and returns for how long to sleep.
static uint64_t send_due(struct lab *lab, struct conduct *conduct)
{
    struct lab_lane *lane = &lab->lanes[lab->plan->shard_count];
    uint64_t now_ns = clock_ns();

    for (uint32_t burst = 0; burst < 4096; burst++) {
        struct lab_player *player = &lab->players[conduct->player];
        uint64_t begin_ns = due_ns(lab, conduct, conduct->sent);
        uint64_t under_way = atomic_load_explicit(&player->sent, memory_order_relaxed) -
                             atomic_load_explicit(&player->received, memory_order_relaxed);
        if (begin_ns > now_ns)
            return begin_ns - now_ns < TURN_NS ? begin_ns - now_ns : TURN_NS;
        enum hail_status status =
            under_way < conduct->cap ? send_next(lab, lane, player, begin_ns) : HAIL_EFULL;
        if (status != HAIL_OK) {
            if (status != HAIL_EFULL)
                note_send(lab, status);
            return HELD_NS;
        }
        conduct->sent++;
        conduct->player = (conduct->player + 1) % lab->player_count;
    }
    return 0;
}

// Closed loop: the first message on each connection, whose echo brings the others.
static void send_first(struct lab *lab)
{
    struct lab_lane *lane = &lab->lanes[lab->plan->shard_count];

    for (uint32_t i = 0; i < lab->player_count && !lab_has_fault(lab); i++) {
        enum hail_status status;
        while ((status = send_next(lab, lane, &lab->players[i], clock_ns())) == HAIL_EFULL &&
               !lab_has_fault(lab))
            sleep_ns(HELD_NS); // the shard takes from its queue meanwhile
        note_send(lab, status);
    }
}

// Closed loop over datagrams: a connection of which nothing has come for long has lost all that was
// under way, and begins anew.
static void begin_anew(struct lab *lab, uint64_t now_ns)
{
    struct lab_lane *lane = &lab->lanes[lab->plan->shard_count];

    for (uint32_t i = 0; i < lab->player_count; i++) {
        struct lab_player *player = &lab->players[i];
        uint64_t received = atomic_load_explicit(&player->received, memory_order_relaxed);
        if (received != player->seen || player->seen_ns == 0) {
            player->seen = received;
            player->seen_ns = now_ns;
        } else if (now_ns - player->seen_ns >= LOST_NS + plan_delay_ns(lab->plan)) {
            player->seen_ns = now_ns;
            note_send(lab, send_next(lab, lane, player, now_ns));
        }
    }
}

static void tell_progress(struct lab *lab, const struct traffic *traffic, uint64_t now_ns,
                          uint64_t messages, uint64_t since_ns)
{
    const char *stage = now_ns < traffic->from_ns ? "warm-up" : "measuring";

    progress_tell(lab->progress, "%s, %u bytes: %s, %.0f messages/s",
                  plan_flags_name(traffic->flags), traffic->size, stage,
                  (double)messages * HAIL_NS_PER_S / (double)since_ns);
}

// Where the counts stood at a time.
struct mark {
    uint64_t at_ns;
    uint64_t arrived;
    struct process_cpu cpu;
    bool has_cpu;
};

static struct mark mark_now(const struct lab *lab)
{
    struct mark mark = {.has_cpu = false};

    mark.has_cpu = lab_server_cpu(lab, &mark.cpu);
    mark.arrived = lab_arrived(lab);
    mark.at_ns = clock_ns();
    return mark;
}

// From the start to the end of the window, or to a fault. Sets the marks at its two ends. False: it
// did not begin, since the fault came in the warm-up.
static bool conduct_window(struct lab *lab, struct conduct *conduct, struct mark *from,
                           struct mark *to)
{
    struct traffic *traffic = lab->traffic;
    struct mark last = mark_now(lab);
    bool is_marked = false;

    if (!traffic->is_open_loop)
        send_first(lab);
    while (!lab_has_fault(lab)) {
        uint64_t nap_ns = traffic->is_open_loop ? send_due(lab, conduct) : TURN_NS;
        uint64_t now_ns = clock_ns();
        uint64_t edge_ns = is_marked ? traffic->to_ns : traffic->from_ns;
        if (!is_marked && now_ns >= traffic->from_ns) {
            *from = mark_now(lab);
            is_marked = true;
        }
        if (now_ns >= traffic->to_ns)
            break;
        if (traffic->is_datagrams && !traffic->is_open_loop)
            begin_anew(lab, now_ns);
        if (progress_due(lab->progress, now_ns)) {
            uint64_t arrived = lab_arrived(lab);
            tell_progress(lab, traffic, now_ns, arrived - last.arrived, now_ns - last.at_ns);
            last.arrived = arrived;
            last.at_ns = now_ns;
        }
        if (edge_ns > now_ns && edge_ns - now_ns < nap_ns)
            nap_ns = edge_ns - now_ns;
        if (nap_ns > 0)
            sleep_ns(nap_ns);
    }
    *to = mark_now(lab);
    // What came due while the last nap ended is sent still: only what a full connection held up
    // counts as late.
    while (traffic->is_open_loop && !lab_has_fault(lab) && send_due(lab, conduct) == 0)
        continue;
    atomic_store_explicit(&traffic->is_sending, false, memory_order_relaxed);
    return is_marked;
}

// Waits until every message is back or, of datagrams, until no more come.
static bool await_return(struct lab *lab)
{
    bool is_reliable = lab->plan->profile != HAIL_PROFILE_HAIL ||
                       lab->plan->channel_kind <= HAIL_RELIABLE_UNORDERED;
    uint32_t seconds = is_reliable ? RETURN_S_MAX : RETURN_DATAGRAMS_S_MAX;
    uint64_t delay_ns = plan_delay_ns(lab->plan);
    uint64_t until_ns = clock_ns() + (uint64_t)seconds * HAIL_NS_PER_S + delay_ns;
    uint64_t received = 0;
    uint64_t received_ns = clock_ns();

    while (!is_quiet(lab)) {
        if (lab_has_fault(lab))
            return false;
        if (all_received(lab) != received) {
            received = all_received(lab);
            received_ns = clock_ns();
        }
        if (!is_reliable && received > 0 && clock_ns() - received_ns > LOST_NS + delay_ns)
            break;
        if (clock_ns() > until_ns) {
            lab_fault(lab,
                      "%llu messages did not come back within %u s; is the server's game echo, and "
                      "its default_floor no more than what was sent?",
                      (unsigned long long)missing(lab), seconds);
            return false;
        }
        sleep_ns(HAIL_NS_PER_MS);
    }
    return !lab_has_fault(lab);
}

// Bytes and messages of all connections' streams so far.
struct wire {
    uint64_t bytes;
    uint64_t messages;
};

static struct wire wire_now(struct lab *lab)
{
    struct wire wire = {0};

    for (uint32_t i = 0; i < lab->player_count; i++) {
        struct hail_conn_info info = {.size = sizeof info};
        if (hail_get_conn_info(lab->endpoint, lab->players[i].conn, &info) != HAIL_OK)
            continue;
        wire.bytes += info.bytes_in + info.bytes_out;
        wire.messages += info.messages_in + info.messages_out;
    }
    return wire;
}

static void sum_up_wire(struct lab *lab, const struct wire *before, struct traffic_result *out)
{
    struct wire after = wire_now(lab);

    if (after.messages > before->messages)
        out->wire_bytes =
            (double)(after.bytes - before->bytes) / (double)(after.messages - before->messages);
}

static void sum_up(struct lab *lab, const struct mark *from, const struct mark *to,
                   struct traffic_result *out)
{
    static struct histogram latency; // too large for a stack; one thread conducts
    uint64_t used_ns;

    latency = (struct histogram){0};
    lab_latency(lab, &latency);
    out->seconds = (double)(to->at_ns - from->at_ns) / HAIL_NS_PER_S;
    out->message_count = to->arrived - from->arrived;
    out->messages_per_s = (double)out->message_count / out->seconds;
    out->p50_ns = histogram_quantile(&latency, 0.5);
    out->p90_ns = histogram_quantile(&latency, 0.9);
    out->p99_ns = histogram_quantile(&latency, 0.99);
    out->p999_ns = histogram_quantile(&latency, 0.999);
    out->max_ns = histogram_quantile(&latency, 1);
    out->has_server_cpu = from->has_cpu && to->has_cpu && out->message_count > 0 &&
                          process_cpu_used(&from->cpu, &to->cpu, &used_ns);
    if (out->has_server_cpu)
        out->server_us = (double)used_ns / 1000 / (double)out->message_count;
}

static void begin(struct lab *lab, struct conduct *conduct)
{
    const struct plan *plan = lab->plan;
    struct traffic *traffic = lab->traffic;

    for (uint32_t i = 0; i < lab->player_count; i++) {
        atomic_store_explicit(&lab->players[i].sent, 0, memory_order_relaxed);
        atomic_store_explicit(&lab->players[i].received, 0, memory_order_relaxed);
        lab->players[i].window = 0;
        lab->players[i].newest = 0;
        lab->players[i].seen_ns = 0;
    }
    conduct->start_ns = clock_ns();
    conduct->cap = 1 + UNDER_WAY_LEN / traffic->size;
    traffic->from_ns = conduct->start_ns + (uint64_t)(plan->warmup_s * HAIL_NS_PER_S);
    traffic->to_ns = traffic->from_ns + (uint64_t)(plan->duration_s * HAIL_NS_PER_S);
    atomic_store_explicit(&traffic->is_sending, true, memory_order_relaxed);
}

bool traffic_run(struct lab *lab, uint32_t flags, uint32_t size, uint32_t run,
                 struct traffic_result *out)
{
    static struct histogram joins; // what the lanes have from joining: not these messages'
    const struct plan *plan = lab->plan;
    struct conduct conduct = {0};
    struct mark from;
    struct mark to;

    lab_latency(lab, &joins);
    // Nothing is under way, so no shard reads this; they see it by the queue that brings them the
    // first message.
    *lab->traffic = (struct traffic){
        .flags = flags,
        .size = size,
        .run = run,
        .outstanding = plan->outstanding,
        .is_open_loop = plan->rate > 0,
        .is_datagrams = plan_may_lose(plan),
        .channel = plan->profile == HAIL_PROFILE_HAIL ? plan->channel : 0,
        .is_named = plan->name != NULL,
        .name_hash = plan->name ? hail_name_hash(lab->endpoint, plan->name) : 0,
    };
    *out = (struct traffic_result){.flags = flags, .size = size};
    struct wire before = wire_now(lab);
    begin(lab, &conduct);
    bool has_window = conduct_window(lab, &conduct, &from, &to);
    out->is_complete = has_window && await_return(lab);
    if (out->is_complete) {
        sum_up_wire(lab, &before, out);
        out->lost_count = missing(lab);
    } else {
        lab_halt(lab);
    }
    if (has_window)
        sum_up(lab, &from, &to, out);
    uint64_t due_count =
        (uint64_t)((double)(lab->traffic->to_ns - conduct.start_ns) * plan->rate / HAIL_NS_PER_S);
    if (out->is_complete && due_count > conduct.sent)
        out->late_count = due_count - conduct.sent;
    return out->is_complete;
}
