// haild.c: a server as a process: reads its INI file, plays one of the built-in games, tells its
// counters on SIGUSR1 and at the end, and drains on SIGTERM.
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/daemon/output.h"
#include "tools/daemon/settings.h"
#include "tools/games.h"
#include "tools/load/hex.h"

enum {
    EXIT_USAGE = 2,
    EVENTS_PER_POLL = 64,
    COUNTERS_MAX = 128,
    PASSWORD_MAX = 1024,
    FDS_BESIDE_CONNS = 64,
    CONNS_MAX_DEFAULT = 16384, // hail.h: what 0 stands for
    PLACE_LEN = 80,
    PATIENCE_MS = 1000 // with whoever reads stdout
};

struct haild {
    struct settings settings;
    struct games games;
    _Atomic unsigned errors; // that have been logged
    struct hail_endpoint *endpoint;
    char password[PASSWORD_MAX];
    uint8_t static_key[HAIL_STATIC_KEY_LEN];
    uint8_t ticket_key[HAIL_TICKET_KEY_LEN];
};

static void print_help(void)
{
    printf("usage: haild --config FILE [--check-config]\n"
           "An encrypted game server.\n\n"
           "  --config FILE    the INI file; tools/haild.ini is an example with comments\n"
           "  --check-config   read the file and what it names, say what is wrong, and exit\n"
           "  --version        print the version and exit\n"
           "  --help           print this and exit\n\n"
           "SIGTERM or SIGINT: sends what is queued, prints the counters that are not 0 and exits "
           "with 0. SIGHUP: the same where there is a terminal; else it is logged, since nothing "
           "is read anew.\n"
           "SIGUSR1: prints all counters. SIGUSR2: nothing.\n"
           "Exit status: 0 good, 1 it could not start, 2 wrong usage.\n\n"
           "example: haild --config tools/haild.ini\n\n"
           "sections and keys of the file, with what is allowed or the default:\n");
    settings_help(stdout);
}

// A line of the library's log. Any thread.
static void on_log(void *user, enum hail_log_level level, const char *line)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct haild *haild = user;

    haild->errors += level == HAIL_LOG_ERROR;
    if (level >= haild->settings.log_level)
        output_line("haild: %s: %s", names[level], line);
}

// The library hands one pointer to all callbacks.
static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct haild *haild = user;

    games_echo(endpoint, event, &haild->games);
}

// Whether a file can be trusted with a secret: others may not have written it. That they may read
// it is said, and no more: some who hand out secrets make all files so.
static bool is_safe(const char *key, const char *path, int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return true; // a pipe, perhaps
    if (status.st_mode & S_IWOTH) {
        fprintf(stderr,
                "haild: %s %s: everybody may write it, so it may be anybody's; see that it is "
                "yours, and chmod o-w it\n",
                key, path);
        return false;
    }
    if (status.st_mode & S_IROTH)
        fprintf(stderr, "haild: warning: %s %s: everybody may read it; chmod o-r it\n", key, path);
    return true;
}

static bool read_secret(const char *key, const char *path, char *line, int capacity)
{
    FILE *file = fopen(path, "re");

    if (file && !is_safe(key, path, fileno(file))) {
        fclose(file);
        return false;
    }
    if (file)
        setvbuf(file, NULL, _IONBF, 0); // so that no copy of the secret stays in a buffer
    if (!file || !fgets(line, capacity, file)) {
        fprintf(stderr, "haild: %s %s: %s\n", key, path,
                file ? "is empty; the secret is its first line" : strerror(errno));
        if (file)
            fclose(file);
        return false;
    }
    fclose(file);
    line[strcspn(line, "\r\n")] = 0;
    return true;
}

static bool read_password(struct haild *haild)
{
    const char *path = haild->settings.identity_password_file;

    if (!path)
        return true;
    haild->settings.config.identity_password = haild->password;
    return read_secret("identity_password_file", path, haild->password, sizeof haild->password);
}

_Static_assert((int)HAIL_TICKET_KEY_LEN == (int)HAIL_STATIC_KEY_LEN, "keys are read alike");

// A key of 32 bytes. Sets `*out` to it if there is a file.
static bool read_key(const char *name, const char *path, uint8_t key[HAIL_STATIC_KEY_LEN],
                     const uint8_t **out)
{
    char line[2 * HAIL_STATIC_KEY_LEN + 3]; // and a line's end

    if (!path)
        return true;
    if (!read_secret(name, path, line, sizeof line))
        return false;
    bool good = hex_read(line, key, HAIL_STATIC_KEY_LEN);
    explicit_bzero(line, sizeof line);
    if (!good)
        fprintf(stderr,
                "haild: %s %s: must be 64 hexadecimal digits; head -c 32 /dev/urandom "
                "| xxd -p -c 32 makes some\n",
                name, path);
    *out = key;
    return good;
}

static bool read_keys(struct haild *haild)
{
    struct hail_native_config *native = &haild->settings.config.native;

    return read_key("static_key_file", haild->settings.static_key_file, haild->static_key,
                    &native->static_key) &&
           read_key("ticket_key_file", haild->settings.ticket_key_file, haild->ticket_key,
                    &native->ticket_key);
}

// A connection is a file descriptor: take as many as we may.
static void raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Says so if they do not suffice.
static void check_fd_limit(const struct haild *haild)
{
    const struct hail_config *config = &haild->settings.config;
    struct rlimit limit;
    uint64_t conns_max = config->conns_max ? config->conns_max : CONNS_MAX_DEFAULT;
    uint64_t fds = conns_max * hail_shard_count(haild->endpoint) + FDS_BESIDE_CONNS;

    if (config->profile == HAIL_PROFILE_HAIL) // one for each shard does
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < fds)
        output_line("haild: warn: conns_max and shard_count may need %llu file descriptors and the "
                    "limit is %llu: raise it (LimitNOFILE= of the unit, ulimit -Hn), or lower one",
                    (unsigned long long)fds, (unsigned long long)limit.rlim_cur);
}

static void print_counter(FILE *out, bool all, const char *name, uint64_t value)
{
    if (all || value > 0)
        fprintf(out, "  %-28s %12llu\n", name, (unsigned long long)value);
}

// Prints what each channel that was used has carried.
static void print_channels(FILE *out, const struct haild *haild)
{
    struct hail_channel_info info = {.size = sizeof info};

    for (uint8_t i = 0; hail_get_channel_info(haild->endpoint, i, &info) == HAIL_OK; i++) {
        if (info.messages_in + info.messages_out + info.below_floor == 0)
            continue;
        double mean_ms = info.messages_waited == 0
                             ? 0
                             : (double)info.waited_us / (double)info.messages_waited / 1000;
        fprintf(out,
                "  channel[%s] in %llu out %llu below_floor %llu late %llu waited %llu, %.1f ms on "
                "average and %.1f at most\n",
                settings_channel_name(&haild->settings, i), (unsigned long long)info.messages_in,
                (unsigned long long)info.messages_out, (unsigned long long)info.below_floor,
                (unsigned long long)info.messages_late, (unsigned long long)info.messages_waited,
                mean_ms, (double)info.waited_max_us / 1000);
    }
}

static void write_counters(FILE *out, const struct haild *haild, bool all)
{
    struct hail_counter counters[COUNTERS_MAX];
    size_t count = hail_stats(haild->endpoint, counters, COUNTERS_MAX);
    const struct hail_config *config = &haild->settings.config;

    fprintf(out, "haild: counters\n");
    for (size_t i = 0; i < count && i < COUNTERS_MAX; i++)
        print_counter(out, all, counters[i].name, counters[i].value);
    print_counter(out, all, "answers_refused",
                  atomic_load_explicit(&haild->games.answers_refused, memory_order_relaxed));
    for (size_t i = 0; i < config->handler_count; i++) {
        uint64_t drops = hail_handler_drops(haild->endpoint, i);
        if (all || drops > 0)
            fprintf(out, "  dropped_floor[%s%s] %llu\n",
                    config->handlers[i].kind == HAIL_HANDLER_RPC ? "rpc " : "",
                    config->handlers[i].name, (unsigned long long)drops);
    }
    print_channels(out, haild);
    fprintf(out, "haild: end\n");
}

// Prints all counters, or those that are not 0; in part, when nobody reads them.
static void print_counters(const struct haild *haild, bool all)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return;
    write_counters(out, haild, all);
    fclose(out);
    if (!output_write(STDOUT_FILENO, text, len, PATIENCE_MS))
        output_line("haild: warn: the counters were not printed whole: nobody reads stdout");
    free(text);
}

// Whoever hangs up ends what runs on his terminal. Elsewhere the signal asks a daemon to read its
// configuration anew.
static bool is_end(const struct signalfd_siginfo *signal)
{
    if (signal->ssi_signo == SIGHUP) {
        int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal < 0 && errno != EIO) {
            output_line("haild: warn: SIGHUP: the configuration is read at start alone; to use "
                        "another one, start anew");
            return false;
        }
        if (terminal >= 0)
            close(terminal);
    }
    return signal->ssi_signo == SIGTERM || signal->ssi_signo == SIGINT ||
           signal->ssi_signo == SIGHUP;
}

// Serves until a signal says stop.
static void serve(struct haild *haild, int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = hail_fd(haild->endpoint), .events = POLLIN}};
    struct hail_event events[EVENTS_PER_POLL];
    struct signalfd_siginfo signal;

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents) {
            size_t count = hail_poll(haild->endpoint, events, EVENTS_PER_POLL);
            for (size_t i = 0; i < count; i++)
                games_relay(haild->endpoint, &events[i], &haild->games);
        }
        if (!(fds[0].revents & POLLIN) || read(signals, &signal, sizeof signal) != sizeof signal)
            continue;
        if (is_end(&signal))
            return;
        if (signal.ssi_signo == SIGUSR1)
            print_counters(haild, true);
    }
}

// Blocks the signals that we wait for, before any thread is there. Returns their file descriptor.
static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

// Writes ADDRESS:PORT as people write it, and as hail-load takes it.
static void write_place(char place[PLACE_LEN], const char *address, uint16_t port)
{
    bool is_v6 = strchr(address, ':') != NULL;

    snprintf(place, PLACE_LEN, "%s%s%s:%u", is_v6 ? "[" : "", address, is_v6 ? "]" : "", port);
}

// The same of where the server listens.
static void write_bound_place(char place[PLACE_LEN], const struct hail_endpoint *endpoint)
{
    struct sockaddr_storage local;
    char address[PLACE_LEN - 16] = "";

    hail_local_address(endpoint, &local);
    (void)getnameinfo((const struct sockaddr *)&local, sizeof local, address, sizeof address, NULL,
                      0, NI_NUMERICHOST);
    write_place(place, address, hail_port(endpoint));
}

static void print_start(const struct haild *haild, const char *place)
{
    const struct hail_config *config = &haild->settings.config;
    struct hail_memory memory = {.size = sizeof memory};
    uint8_t key[HAIL_STATIC_KEY_LEN];
    char digits[2 * sizeof key + 1];
    unsigned shards = hail_shard_count(haild->endpoint);

    hail_get_memory(haild->endpoint, &memory);
    fprintf(stderr,
            "haild: profile %s on %s, game %s, %u shard%s; memory: %llu bytes a connection, "
            "%.1f MiB reserved in all and used as needed\n",
            config->profile == HAIL_PROFILE_HAIL ? "hail" : "mlapi", place,
            haild->settings.game == SETTINGS_GAME_ECHO ? "echo" : "relay", shards,
            shards == 1 ? "" : "s", (unsigned long long)memory.per_conn,
            (double)memory.total / (1 << 20));
    if (hail_server_key(haild->endpoint, key) != HAIL_OK)
        return;
    hex_write(digits, key, sizeof key);
    fprintf(stderr, "haild: static key %s\n", digits);
}

static int run(struct haild *haild, bool check_only)
{
    struct hail_config *config = &haild->settings.config;
    int signals = open_signals();
    char place[PLACE_LEN];

    if (signals < 0) {
        fprintf(stderr, "haild: signalfd: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    if (check_only) // the port may be in use by the server that is to be replaced
        config->port = 0;
    config->on_log = on_log;
    config->on_event = haild->settings.game == SETTINGS_GAME_ECHO ? on_event : NULL;
    config->user = haild;
    config->takes_unknown_names = true;
    raise_fd_limit();
    write_place(place, config->address ? config->address : "::", config->port);
    enum hail_status status = hail_server_start(&haild->endpoint, config);
    explicit_bzero(haild->password, sizeof haild->password);
    explicit_bzero(haild->static_key, sizeof haild->static_key);
    explicit_bzero(haild->ticket_key, sizeof haild->ticket_key);
    if (status != HAIL_OK) {
        fprintf(stderr, "haild: cannot start on %s: %s\n", place, hail_strerror(status));
        return EXIT_FAILURE;
    }
    write_bound_place(place, haild->endpoint);
    check_fd_limit(haild);
    print_start(haild, place);
    if (!check_only) {
        char ready[PLACE_LEN + 32];
        int len = snprintf(ready, sizeof ready, "haild: ready on %s\n", place);
        (void)output_write(STDOUT_FILENO, ready, (size_t)len, PATIENCE_MS);
        serve(haild, signals);
        hail_drain(haild->endpoint, haild->settings.drain_ms);
        print_counters(haild, false);
    }
    hail_stop(haild->endpoint, 0);
    if (check_only && haild->errors > 0) // a server would start, and clients not join it
        return EXIT_FAILURE;
    rooms_cleanup(&haild->games.rooms);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    static struct haild haild; // large, and there is one
    const char *path = NULL;
    bool check_only = false;
    int option;

    output_begin();
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            check_only = true;
            break;
        case 'v':
            printf("haild %s\n", hail_version());
            return EXIT_SUCCESS;
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        default:
            fprintf(stderr, "haild: %s: %s; see haild --help\n", argv[optind - 1],
                    option == ':' ? "needs a value" : "no such option");
            return EXIT_USAGE;
        }
    }
    if (!path || optind < argc) {
        fprintf(stderr, "haild: %s; see haild --help\n",
                path ? "takes options only" : "needs --config FILE, such as tools/haild.ini");
        return EXIT_USAGE;
    }
    int status = EXIT_FAILURE;
    if (settings_read(&haild.settings, path, stderr) && read_password(&haild) && read_keys(&haild))
        status = run(&haild, check_only);
    if (check_only && status == EXIT_SUCCESS)
        printf("haild: %s: ok\n", path);
    settings_cleanup(&haild.settings);
    return status;
}
