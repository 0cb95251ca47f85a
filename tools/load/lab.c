// lab.c: see lab.h.
// SPDX-License-Identifier: MIT
#include "tools/load/lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/time.h"
#include "tools/load/joining.h"
#include "tools/load/traffic.h"

enum {
    TURN_NS = 100000000, // how long the conductor waits before it looks at clock and faults
    UNSENT_MIN = 1 << 20,
    BUFFERS_MIN = 64 << 20,
    MESSAGE_MIN = 65536,
    DATAGRAM_MIN = 1024, // less than any path takes
    SIMULATED_MIN = 4096,
    SIMULATED_MAX = 1 << 20, // hail.h
    MESSAGE_OVERHEAD = 256   // header, padding, MAC: more than any message has
};

void lab_fault(struct lab *lab, const char *format, ...)
{
    va_list values;

    pthread_mutex_lock(&lab->lock);
    if (lab->fault[0] == 0) {
        va_start(values, format);
        vsnprintf(lab->fault, sizeof lab->fault, format, values);
        va_end(values);
    }
    pthread_mutex_unlock(&lab->lock);
    atomic_fetch_add_explicit(&lab->fault_count, 1, memory_order_relaxed);
    sem_post(&lab->news);
}

bool lab_has_fault(struct lab *lab)
{
    return atomic_load_explicit(&lab->fault_count, memory_order_relaxed) > 0;
}

void lab_report_fault(struct lab *lab, char fault[LAB_FAULT_LEN])
{
    uint64_t count = atomic_load_explicit(&lab->fault_count, memory_order_relaxed);

    if (count == 0)
        return;
    progress_end(lab->progress);
    pthread_mutex_lock(&lab->lock);
    memcpy(fault, lab->fault, sizeof lab->fault);
    pthread_mutex_unlock(&lab->lock);
    fprintf(stderr, "hail-load: %s", fault);
    if (count > 1)
        fprintf(stderr, " (and %llu more)", (unsigned long long)(count - 1));
    fputc('\n', stderr);
}

static void note_closed(struct lab *lab, const struct lab_player *player,
                        const struct hail_event *event)
{
    const struct plan *plan = lab->plan;
    const char *reason = hail_close_reason_name(event->reason);
    const char *advice = plan_advice(event->reason, player->has_joined);
    const char *mark = event->text ? ": " : "";
    const char *text = event->text ? event->text : "";

    if (player->has_joined)
        lab_fault(lab, "lost a connection to %s:%u %.1f s after it joined: %s%s%s; %s", plan->host,
                  plan->port, (double)(clock_ns() - player->joined_ns) / HAIL_NS_PER_S, reason,
                  mark, text, advice);
    else
        lab_fault(lab, "cannot join %s:%u: %s%s%s; %s", plan->host, plan->port, reason, mark, text,
                  advice);
}

// The lane of the shard whose thread this is.
static struct lab_lane *lane_of_thread(struct lab *lab)
{
    static _Thread_local struct lab_lane *lane;

    if (!lane)
        lane = &lab->lanes[atomic_fetch_add_explicit(&lab->lane_count, 1, memory_order_relaxed)];
    return lane;
}

static void keep_ticket(struct lab *lab, struct lab_player *player)
{
    size_t len = sizeof player->ticket;

    if (hail_ticket(lab->endpoint, player->conn, player->ticket, &len) == HAIL_OK)
        player->ticket_len = len;
}

static void on_connected(struct lab *lab, struct lab_player *player, const struct hail_event *event)
{
    struct lab_lane *lane = lane_of_thread(lab);
    uint64_t now_ns = clock_ns();
    uint64_t began_ns = atomic_load_explicit(&player->started_ns, memory_order_relaxed);

    player->conn = event->conn;
    player->has_joined = true;
    player->joined_ns = now_ns;
    if (began_ns == 0 || began_ns > now_ns)
        began_ns = player->called_ns;
    histogram_add(&lane->latency, now_ns - began_ns);
    uint64_t arrived = atomic_load_explicit(&lane->arrived, memory_order_relaxed);
    atomic_store_explicit(&lane->arrived, arrived + 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&lab->resumed, event->resumed, memory_order_relaxed);
    if (atomic_load_explicit(&lab->phase, memory_order_relaxed) == LAB_STORM) {
        if (lab->plan->resumes)
            keep_ticket(lab, player);
        hail_close(lab->endpoint, event->conn, 0, NULL);
        return;
    }
    // Release: pairs with the acquire in lab_join, so that the conductor sees `conn`.
    atomic_fetch_add_explicit(&lab->joined, 1, memory_order_release);
    sem_post(&lab->news);
}

static void on_closed(struct lab *lab, struct lab_player *player, const struct hail_event *event)
{
    int phase = atomic_load_explicit(&lab->phase, memory_order_relaxed);

    if (phase == LAB_ENDING)
        return;
    if (phase != LAB_STORM) {
        note_closed(lab, player, event);
        if (player->has_joined)
            atomic_fetch_add_explicit(&lab->lost, 1, memory_order_relaxed);
        return;
    }
    if (!player->has_joined || event->reason != HAIL_CLOSED_BY_APPLICATION)
        note_closed(lab, player, event);
    pthread_mutex_lock(&lab->lock);
    lab->free_players[lab->free_count++] = (uint32_t)(player - lab->players);
    pthread_mutex_unlock(&lab->lock);
    sem_post(&lab->news);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct lab *lab = user;
    struct lab_player *player = &lab->players[event->tag - 1];

    (void)endpoint; // there is one: lab->endpoint
    switch (event->type) {
    case HAIL_EVENT_CONNECTED:
        on_connected(lab, player, event);
        return;
    case HAIL_EVENT_MESSAGE:
        traffic_on_message(lab, lane_of_thread(lab), player, event);
        return;
    case HAIL_EVENT_CLOSED:
        on_closed(lab, player, event);
        return;
    case HAIL_EVENT_REQUEST:
    case HAIL_EVENT_CALL:
    case HAIL_EVENT_RESPONSE:
    case HAIL_EVENT_WRITABLE:
        lab_fault(lab, "the server sent something that is no message: an event of type %d",
                  (int)event->type);
        return;
    case HAIL_EVENT_SCENE: // a game's server has objects, and we no use for them
        return;
    }
}

static void on_datagram(struct hail_endpoint *endpoint, struct hail_conn conn, bool sent,
                        const uint8_t *data, size_t len, void *user)
{
    const struct lab *lab = user;

    dump_datagram(lab->dump, endpoint, conn, sent, data, len);
}

// The library's errors; what becomes of connections is told by their events.
static void on_log(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    if (level < HAIL_LOG_ERROR)
        return;
    fprintf(stderr, "hail-load: %s\n", line);
}

static uint32_t at_most(uint64_t value, uint32_t max)
{
    return value < max ? (uint32_t)value : max;
}

// Room for all that may be under way, so that no limit but the server's shows in the figures.
static void set_limits(struct hail_config *config, const struct plan *plan, uint32_t player_count)
{
    uint32_t size_max = 0;

    for (size_t i = 0; i < plan->size_count; i++) {
        if (plan->sizes[i] > size_max)
            size_max = plan->sizes[i];
    }
    uint64_t under_way = (uint64_t)(plan->outstanding + 1) * (size_max + MESSAGE_OVERHEAD);
    uint64_t unsent = 2 * under_way > UNSENT_MIN ? 2 * under_way : UNSENT_MIN;
    uint64_t in_all = under_way * player_count * 4; // a connection's share is no more than half

    config->shard_count = (uint16_t)plan->shard_count;
    config->conns_max = player_count / plan->shard_count + PLAN_CONCURRENT_MAX;
    config->handshakes_max = config->conns_max;
    config->message_max = size_max > MESSAGE_MIN ? size_max : MESSAGE_MIN;
    config->unsent_max = at_most(unsent, 1 << 30);
    config->buffers_max = in_all > BUFFERS_MIN ? in_all : BUFFERS_MIN;
    config->command_queue_bytes = at_most(4 * ((uint64_t)size_max + MESSAGE_OVERHEAD), 1 << 26);
    if (config->command_queue_bytes < (4 << 20))
        config->command_queue_bytes = 4 << 20;
}

// Room for all that may be on its way at once, so that nothing is lost that the plan does not lose.
static uint32_t simulated_max(const struct plan *plan, uint32_t player_count)
{
    uint64_t datagrams = 1 + plan->sizes[0] / DATAGRAM_MIN; // of the longest message
    uint64_t under_way = (uint64_t)plan->outstanding * player_count;

    for (size_t i = 1; i < plan->size_count; i++) {
        if (plan->sizes[i] / DATAGRAM_MIN >= datagrams)
            datagrams = 1 + plan->sizes[i] / DATAGRAM_MIN;
    }
    if (plan->rate > 0)
        under_way = (uint64_t)(plan->rate * (double)plan_delay_ns(plan) / HAIL_NS_PER_S);
    // Each may be doubled and acknowledged; and each connection has timers and a handshake.
    uint64_t wanted = 4 * under_way * datagrams + 16 * (uint64_t)player_count;
    return wanted < SIMULATED_MIN ? SIMULATED_MIN : at_most(wanted, SIMULATED_MAX);
}

static bool start_client(struct lab *lab)
{
    const struct plan *plan = lab->plan;
    static struct settings settings; // large, and one thread starts clients
    struct hail_config config = HAIL_CONFIG_INIT;

    if (!joining_apply(plan, &settings, &config)) {
        settings_cleanup(&settings);
        return false;
    }
    config.io = plan->io;
    if (plan->simulation_text) {
        config.native.simulation = &plan->simulation;
        config.native.simulated_max = simulated_max(plan, lab->player_count);
    }
    config.native.on_datagram = lab->dump ? on_datagram : NULL;
    config.on_event = on_event;
    config.on_log = on_log;
    config.user = lab;
    set_limits(&config, plan, lab->player_count);
    enum hail_status status = hail_client_start(&lab->endpoint, &config);
    settings_cleanup(&settings);
    if (status != HAIL_OK)
        fprintf(stderr, "hail-load: cannot start a client: %s\n", hail_strerror(status));
    return status == HAIL_OK;
}

static bool reserve(struct lab *lab)
{
    uint32_t size_max = 0;

    for (size_t i = 0; i < lab->plan->size_count; i++) {
        if (lab->plan->sizes[i] > size_max)
            size_max = lab->plan->sizes[i];
    }
    lab->players = calloc(lab->player_count, sizeof *lab->players);
    lab->free_players = calloc(lab->player_count, sizeof *lab->free_players);
    // One more than the shards: the conductor's, to make messages in.
    lab->lanes = calloc(lab->plan->shard_count + 1, sizeof *lab->lanes);
    lab->traffic = calloc(1, sizeof *lab->traffic);
    bool good = lab->traffic && lab->players && lab->free_players && lab->lanes;
    for (uint32_t i = 0; good && i <= lab->plan->shard_count; i++)
        good = (lab->lanes[i].message = malloc(size_max)) != NULL;
    if (!good)
        fprintf(stderr, "hail-load: no memory for %u connections\n", lab->player_count);
    return good;
}

bool lab_open(struct lab *lab, const struct plan *plan, struct progress *progress,
              struct dump *dump, uint32_t player_count)
{
    *lab = (struct lab){
        .plan = plan, .progress = progress, .dump = dump, .player_count = player_count};
    sem_init(&lab->news, 0, 0);
    pthread_mutex_init(&lab->lock, NULL);
    if (reserve(lab) && start_client(lab))
        return true;
    lab_close(lab);
    return false;
}

void lab_halt(struct lab *lab)
{
    atomic_store_explicit(&lab->phase, LAB_ENDING, memory_order_relaxed);
    if (lab->endpoint)
        hail_stop(lab->endpoint, 1000);
    lab->endpoint = NULL;
}

void lab_close(struct lab *lab)
{
    lab_halt(lab);
    for (uint32_t i = 0; lab->lanes && i <= lab->plan->shard_count; i++)
        free(lab->lanes[i].message);
    free(lab->traffic);
    free(lab->lanes);
    free(lab->free_players);
    free(lab->players);
    pthread_mutex_destroy(&lab->lock);
    sem_destroy(&lab->news);
    *lab = (struct lab){0};
}

// Waits for news, at most a turn.
static void wait_for_news(struct lab *lab)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TURN_NS;
    if (until.tv_nsec >= (long)HAIL_NS_PER_S) {
        until.tv_nsec -= (long)HAIL_NS_PER_S;
        until.tv_sec++;
    }
    sem_timedwait(&lab->news, &until);
}

static bool connect_player(struct lab *lab, uint32_t index)
{
    struct lab_player *player = &lab->players[index];
    const struct hail_target target = {
        .host = lab->plan->host,
        .port = lab->plan->port,
        .server_name = lab->plan->server_name,
        .conn_data = lab->plan->data,
        .conn_data_len = lab->plan->data_len,
        .tag = (uint64_t)index + 1,
        .ticket = player->ticket,
        .ticket_len = player->ticket_len,
    };

    player->has_joined = false;
    player->called_ns = clock_ns();
    atomic_store_explicit(&player->started_ns, 0, memory_order_relaxed);
    enum hail_status status = hail_connect(lab->endpoint, &target);
    if (status == HAIL_OK) {
        atomic_store_explicit(&player->started_ns, clock_ns(), memory_order_relaxed);
        return true;
    }
    lab_fault(lab, "cannot connect to %s:%u: %s%s", target.host, target.port, hail_strerror(status),
              status == HAIL_EFULL ? "; less --concurrent may do" : "");
    return false;
}

void lab_latency(struct lab *lab, struct histogram *out)
{
    for (uint32_t i = 0; i < lab->plan->shard_count; i++) {
        histogram_merge(out, &lab->lanes[i].latency);
        lab->lanes[i].latency = (struct histogram){0};
    }
}

uint64_t lab_arrived(const struct lab *lab)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < lab->plan->shard_count; i++)
        sum += atomic_load_explicit(&lab->lanes[i].arrived, memory_order_relaxed);
    return sum;
}

bool lab_server_cpu(const struct lab *lab, struct process_cpu *cpu)
{
    return lab->plan->server_pid > 0 && process_cpu_read(lab->plan->server_pid, cpu);
}

// Where clocks and counts stand when handshakes begin.
struct stand {
    uint64_t now_ns;
    struct process_cpu cpu;
    bool has_cpu;
};

static struct stand stand_now(const struct lab *lab)
{
    struct stand stand = {.now_ns = clock_ns()};

    stand.has_cpu = lab_server_cpu(lab, &stand.cpu);
    return stand;
}

// The CPU time that the server used between the two. False: not known.
static bool cpu_between(const struct stand *before, const struct stand *after, uint64_t *used_ns)
{
    return before->has_cpu && after->has_cpu &&
           process_cpu_used(&before->cpu, &after->cpu, used_ns);
}

// Sums up `out->wanted` handshakes, or what was done of them when there is a fault.
static void sum_up(struct lab *lab, const struct stand *before, bool is_done,
                   struct lab_handshakes *out)
{
    static struct histogram latency; // too large for a stack; one thread conducts
    struct stand after = stand_now(lab);
    uint64_t used_ns;

    out->count = (uint32_t)lab_arrived(lab);
    out->resumed = atomic_load_explicit(&lab->resumed, memory_order_relaxed);
    if (!is_done)
        lab_halt(lab);
    if (out->count == 0)
        return;
    latency = (struct histogram){0};
    lab_latency(lab, &latency);
    out->seconds = (double)(after.now_ns - before->now_ns) / HAIL_NS_PER_S;
    out->p50_ns = histogram_quantile(&latency, 0.5);
    out->p99_ns = histogram_quantile(&latency, 0.99);
    out->max_ns = histogram_quantile(&latency, 1);
    out->has_server_cpu = cpu_between(before, &after, &used_ns);
    if (out->has_server_cpu)
        out->server_us = (double)used_ns / 1000 / out->count;
}

bool lab_join(struct lab *lab, struct lab_handshakes *out)
{
    struct stand before = stand_now(lab);
    uint32_t begun = 0;
    uint32_t joined = 0;

    out->wanted = lab->player_count;
    out->concurrent = at_most(lab->player_count, PLAN_CONCURRENT_MAX);
    atomic_store_explicit(&lab->phase, LAB_JOINING, memory_order_relaxed);
    while (joined < lab->player_count && !lab_has_fault(lab)) {
        while (begun < lab->player_count && begun - joined < PLAN_CONCURRENT_MAX) {
            if (!connect_player(lab, begun))
                break;
            begun++;
        }
        wait_for_news(lab);
        // Acquire: pairs with the release in on_connected.
        joined = atomic_load_explicit(&lab->joined, memory_order_acquire);
        if (progress_due(lab->progress, clock_ns()))
            progress_tell(lab->progress, "joining: %u of %u", joined, lab->player_count);
    }
    bool is_done = joined == lab->player_count;
    sum_up(lab, &before, is_done, out);
    if (is_done)
        atomic_store_explicit(&lab->phase, LAB_RUNNING, memory_order_relaxed);
    return is_done;
}

// Takes a player that is free, or returns false.
static bool take_free(struct lab *lab, uint32_t *index, uint32_t *free_count)
{
    pthread_mutex_lock(&lab->lock);
    *free_count = lab->free_count;
    if (lab->free_count > 0)
        *index = lab->free_players[--lab->free_count];
    pthread_mutex_unlock(&lab->lock);
    return *free_count > 0;
}

bool lab_storm(struct lab *lab, uint32_t count, struct lab_handshakes *out)
{
    struct stand before = stand_now(lab);
    uint32_t begun = 0;
    uint32_t free_count = 0;
    uint32_t index;

    out->wanted = count;
    out->concurrent = lab->player_count;
    for (uint32_t i = 0; i < lab->player_count; i++)
        lab->free_players[i] = i;
    lab->free_count = lab->player_count;
    atomic_store_explicit(&lab->phase, LAB_STORM, memory_order_relaxed);
    while (!lab_has_fault(lab)) {
        while (begun < count && take_free(lab, &index, &free_count)) {
            if (!connect_player(lab, index))
                break;
            begun++;
        }
        pthread_mutex_lock(&lab->lock);
        free_count = lab->free_count;
        pthread_mutex_unlock(&lab->lock);
        if (begun == count && free_count == lab->player_count)
            break;
        wait_for_news(lab);
        if (progress_due(lab->progress, clock_ns()))
            progress_tell(lab->progress, "handshakes: %llu of %u",
                          (unsigned long long)lab_arrived(lab), count);
    }
    bool is_done = !lab_has_fault(lab);
    sum_up(lab, &before, is_done, out);
    return is_done;
}

// How many of those that joined are still there.
static uint32_t staying(const struct lab *lab)
{
    return lab->player_count - atomic_load_explicit(&lab->lost, memory_order_relaxed);
}

bool lab_keep_idle(struct lab *lab, struct lab_idle *out)
{
    pid_t server = lab->plan->server_pid;
    uint64_t used_ns;

    out->count = lab->player_count;
    out->has_server_memory = server > 0 && process_resident_bytes(server, &out->server_before);
    if (!lab_join(lab, &out->joins))
        return false;
    struct stand begin = stand_now(lab);
    struct stand now = begin;
    uint64_t until_ns = begin.now_ns + (uint64_t)(lab->plan->duration_s * HAIL_NS_PER_S);
    // What is lost is counted, and the others are kept on.
    while (now.now_ns < until_ns && staying(lab) > 0) {
        wait_for_news(lab);
        now.now_ns = clock_ns();
        if (progress_due(lab->progress, now.now_ns))
            progress_tell(lab->progress, "idle: %u of %u connections kept for %.0f s", staying(lab),
                          lab->player_count, (double)(now.now_ns - begin.now_ns) / HAIL_NS_PER_S);
    }
    out->stayed = staying(lab);
    now = stand_now(lab);
    out->seconds = (double)(now.now_ns - begin.now_ns) / HAIL_NS_PER_S;
    out->has_server_memory =
        out->has_server_memory && process_resident_bytes(server, &out->server_after);
    out->has_server_cpu = cpu_between(&begin, &now, &used_ns);
    if (out->has_server_cpu)
        out->server_cpu_share = (double)used_ns / (double)(now.now_ns - begin.now_ns);
    return !lab_has_fault(lab);
}
