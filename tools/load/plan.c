// plan.c: see plan.h.
// SPDX-License-Identifier: MIT
#include "tools/load/plan.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/load/hex.h"
#include "tools/load/joining.h"
#include "tools/simulation.h"

enum option_id {
    OPTION_CONNECT = 1,
    OPTION_CONNECTIONS,
    OPTION_SHARDS,
    OPTION_IO,
    OPTION_SIZE,
    OPTION_FLAGS,
    OPTION_RATE,
    OPTION_OUTSTANDING,
    OPTION_DURATION,
    OPTION_WARMUP,
    OPTION_NAME,
    OPTION_HANDSHAKES,
    OPTION_CONCURRENT,
    OPTION_IDLE,
    OPTION_PROFILE,
    OPTION_CHANNEL,
    OPTION_SIGN,
    OPTION_RESUME,
    OPTION_PIN,
    OPTION_CONFIG,
    OPTION_SIMULATE,
    OPTION_SERVER_NAME,
    OPTION_TRUST,
    OPTION_NO_ENCRYPTION,
    OPTION_NO_SCENE_MANAGEMENT,
    OPTION_DATA,
    OPTION_DATA_FILE,
    OPTION_SERVER_PID,
    OPTION_DUMP,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option options[] = {
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"shards", required_argument, NULL, OPTION_SHARDS},
    {"io", required_argument, NULL, OPTION_IO},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"flags", required_argument, NULL, OPTION_FLAGS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"outstanding", required_argument, NULL, OPTION_OUTSTANDING},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"name", required_argument, NULL, OPTION_NAME},
    {"handshakes", required_argument, NULL, OPTION_HANDSHAKES},
    {"concurrent", required_argument, NULL, OPTION_CONCURRENT},
    {"idle", required_argument, NULL, OPTION_IDLE},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"channel", required_argument, NULL, OPTION_CHANNEL},
    {"sign", no_argument, NULL, OPTION_SIGN},
    {"resume", no_argument, NULL, OPTION_RESUME},
    {"pin", required_argument, NULL, OPTION_PIN},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"simulate", required_argument, NULL, OPTION_SIMULATE},
    {"server-name", required_argument, NULL, OPTION_SERVER_NAME},
    {"trust", required_argument, NULL, OPTION_TRUST},
    {"no-encryption", no_argument, NULL, OPTION_NO_ENCRYPTION},
    {"no-scene-management", no_argument, NULL, OPTION_NO_SCENE_MANAGEMENT},
    {"data", required_argument, NULL, OPTION_DATA},
    {"data-file", required_argument, NULL, OPTION_DATA_FILE},
    {"server-pid", required_argument, NULL, OPTION_SERVER_PID},
    {"dump", required_argument, NULL, OPTION_DUMP},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static const char help_text[] =
    "usage: hail-load --connect HOST:PORT [OPTION...]\n"
    "       hail-load matrix [OPTION...]\n"
    "       hail-load compare [OPTION...] BEFORE.json AFTER.json\n"
    "Puts load on a server that echoes (haild with game = echo), checks every message that comes\n"
    "back, and prints a table. matrix measures every combination against servers that it starts\n"
    "itself; compare says what changed between two of its files; each has a --help of its own.\n"
    "\n"
    "messages\n"
    "  --connections N         connections to join with; 1\n"
    "  --size BYTES[,...]      of the messages, 24 and more; 128\n"
    "  --flags F[,...]         plain, encrypted, authenticated, both, or all; both\n"
    "  --rate N                messages a second over all connections, sent on schedule; latency\n"
    "                          counts from the schedule, so a server that stalls is not spared\n"
    "                          (without it: the next message when one is back)\n"
    "  --outstanding N         without --rate: messages under way on each connection; 1\n"
    "  --name NAME             send named messages\n"
    "  --channel NAME          hail: unreliable, sequenced, reliable or ordered, or with --config\n"
    "                          a channel's name; unreliable\n"
    "  --simulate SPEC         hail: over a bad network, the same each way; some of\n"
    "                          delay=25ms,jitter=5ms,loss=1%,duplicate=0.5%,reorder=1%:2ms,\n"
    "                          rate=125000,queue=100ms,rebind=500ms,seed=7: rate is bytes a "
    "second\n"
    "                          of a connection, rebind how often its port changes\n"
    "  --duration SECONDS      measured, for each of flags and sizes; 5\n"
    "  --warmup SECONDS        before it, not measured; 1\n"
    "handshakes and idle connections; without --flags, messages are then left out\n"
    "  --handshakes N          connect, join and close N times\n"
    "  --concurrent N          handshakes under way at once, up to 256; 16\n"
    "  --resume                hail: come back with tickets, but for the first --concurrent\n"
    "  --idle N                join N connections and keep them for --duration\n"
    "joining, as the server is configured\n"
    "  --config FILE           the server's own INI file, which says all of this but --trust,\n"
    "                          --server-name, --pin and --data: both ends need the same\n"
    "  --profile NAME          mlapi, over TCP, or hail, over UDP: messages that are lost are "
    "then\n"
    "                          told, and are no fault; mlapi\n"
    "  --sign                  the server signs its key: check the certificate for HOST\n"
    "  --server-name NAME      with --sign: check it for this name instead\n"
    "  --pin KEY               hail: the server's static key, 64 hex digits\n"
    "  --trust FILE            PEM of the CAs to believe; the system's\n"
    "  --no-encryption         mlapi: enable_encryption = false\n"
    "  --no-scene-management   mlapi: enable_scene_management = false\n"
    "  --data TEXT             connection data, \"\" for none; mlapi: connection_approval = true\n"
    "  --data-file FILE        the same from a file\n"
    "output\n"
    "  --server-pid PID        also tell the server's CPU time and memory, from /proc\n"
    "  --json FILE             also as JSON, with machine and versions; -: to stdout, table to "
    "stderr\n"
    "  --dump FILE             hail: every datagram of the first connection, and what is in it\n"
    "  --quiet                 no progress\n"
    "  --shards N              threads to make the load with; 1\n"
    "  --io KIND               auto, uring or epoll, of the load; auto\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 good, 1 something failed or did not come back as sent, 2 wrong usage.\n"
    "\n"
    "example: hail-load --connect 127.0.0.1:7777 --connections 100 --flags all\n"
    "example: hail-load --connect 127.0.0.1:7777 --rate 20000 --size 32,512 --json out.json\n"
    "example: hail-load --connect 127.0.0.1:7777 --profile hail --sign --trust certs/ca.pem\n"
    "example: hail-load --connect 127.0.0.1:7777 --profile hail --connections 20 --rate 600 \\\n"
    "             --simulate delay=40ms,jitter=15ms,loss=2% --channel ordered\n"
    "example: hail-load --connect localhost:7777 --sign --trust certs/ca.pem --handshakes 1000\n"
    "example: hail-load --connect 127.0.0.1:7777 --server-name play.example --sign\n";

const char *plan_flags_name(uint32_t flags)
{
    static const char *const names[] = {"plain", "encrypted", "authenticated", "both"};

    return flags < 4 ? names[flags] : "unknown";
}

static const char *joining_advice(enum hail_close_reason reason)
{
    switch (reason) {
    case HAIL_CLOSED_CONNECT:
        return "is haild running there? haild --config tools/haild.ini starts one";
    case HAIL_CLOSED_CERTIFICATE:
        return "name the CA with --trust FILE, and connect to a name that the certificate has, or "
               "say which with --server-name";
    case HAIL_CLOSED_CONFIG:
    case HAIL_CLOSED_PROTOCOL:
    case HAIL_CLOSED_BY_PEER:
        return "the server may be configured differently: give its file with --config, and --data "
               "or --data-file if it has connection_approval; or it is full, or refuses: its "
               "counters tell";
    case HAIL_CLOSED_HANDSHAKE_TIMEOUT:
        return "the server is overloaded, or differs in --profile, --sign or --no-encryption, or "
               "has connection_approval and wants --data or --data-file; or --simulate lets too "
               "little through";
    case HAIL_CLOSED_SLOW_READER:
    case HAIL_CLOSED_SLOW_WRITER:
    case HAIL_CLOSED_NO_BUFFER:
    case HAIL_CLOSED_HOLDS_TOO_MUCH:
    case HAIL_CLOSED_ERROR:
    case HAIL_CLOSED_BY_APPLICATION:
    case HAIL_CLOSED_DENIED:
    case HAIL_CLOSED_IDLE:
    case HAIL_CLOSED_CROWDED_OUT:
    case HAIL_CLOSED_SHUTDOWN:
    case HAIL_CLOSE_REASON_COUNT:
        break;
    }
    return "the server's log and counters may tell more";
}

const char *plan_advice(enum hail_close_reason reason, bool has_joined)
{
    if (!has_joined)
        return joining_advice(reason);
    if (reason == HAIL_CLOSED_SLOW_READER || reason == HAIL_CLOSED_SLOW_WRITER ||
        reason == HAIL_CLOSED_NO_BUFFER || reason == HAIL_CLOSED_HOLDS_TOO_MUCH)
        return "less --rate, --outstanding or --size may do";
    return "the server closed it or is gone, or the network lost it: the server's log and counters "
           "tell which and why";
}

bool plan_wrong(FILE *errors, const char *option, const char *value, const char *what)
{
    fprintf(errors, "hail-load: %s %s: %s; see hail-load --help\n", option, value, what);
    return false;
}

static bool read_number(FILE *errors, const char *option, const char *value, uint32_t min,
                        uint32_t max, uint32_t *number)
{
    char what[80];
    char *end;

    errno = 0;
    unsigned long long wide = strtoull(value, &end, 10);
    if (value[0] >= '0' && value[0] <= '9' && *end == 0 && errno == 0 && wide >= min &&
        wide <= max) {
        *number = (uint32_t)wide;
        return true;
    }
    snprintf(what, sizeof what, "must be a whole number from %u to %u", min, max);
    return plan_wrong(errors, option, value, what);
}

static bool read_seconds(FILE *errors, const char *option, const char *value, double min,
                         double *seconds)
{
    char what[80];
    char *end;
    double number = strtod(value, &end);

    if (value[0] >= '0' && value[0] <= '9' && *end == 0 && number >= min && number <= 86400) {
        *seconds = number;
        return true;
    }
    snprintf(what, sizeof what, "must be seconds from %g to 86400", min);
    return plan_wrong(errors, option, value, what);
}

// HOST:PORT, and [HOST]:PORT for numeric IPv6.
static bool read_target(struct plan *plan, FILE *errors, const char *value)
{
    static const char shape[] = "must be HOST:PORT, such as 127.0.0.1:7777 or [::1]:7777";
    const char *colon = strrchr(value, ':');
    const char *host = value;
    uint32_t port;

    if (!colon || colon == value)
        return plan_wrong(errors, "--connect", value, shape);
    size_t host_len = (size_t)(colon - value);
    if (value[0] == '[' && colon[-1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(value, ':', host_len)) {
        return plan_wrong(errors, "--connect", value, shape);
    }
    if (host_len == 0 || host_len >= sizeof plan->own_host)
        return plan_wrong(errors, "--connect", value, shape);
    if (!read_number(errors, "--connect: port", colon + 1, 1, UINT16_MAX, &port))
        return false;
    memcpy(plan->own_host, host, host_len);
    plan->own_host[host_len] = 0;
    plan->host = plan->own_host;
    plan->port = (uint16_t)port;
    return true;
}

// Copies the next part of a comma-separated list into `part` and moves `list` behind it.
static bool take_part(const char **list, char part[32])
{
    size_t len = strcspn(*list, ",");

    if (len >= 32)
        return false;
    memcpy(part, *list, len);
    part[len] = 0;
    *list += len + ((*list)[len] == ',');
    return true;
}

static bool read_sizes(struct plan *plan, FILE *errors, const char *value)
{
    const char *rest = value;
    char part[32];

    plan->size_count = 0;
    do {
        if (plan->size_count == PLAN_SIZES_MAX || !take_part(&rest, part))
            return plan_wrong(errors, "--size", value, "must be up to 16 numbers");
        if (!read_number(errors, "--size", part, PLAN_SIZE_MIN, 16 << 20,
                         &plan->sizes[plan->size_count]))
            return false;
        plan->size_count++;
    } while (*rest || rest[-1] == ',');
    return true;
}

static void add_flags(struct plan *plan, uint32_t flags)
{
    for (size_t i = 0; i < plan->flags_count; i++) {
        if (plan->flags[i] == flags)
            return;
    }
    plan->flags[plan->flags_count++] = flags;
}

static bool read_flags(struct plan *plan, FILE *errors, const char *value)
{
    const char *rest = value;
    char part[32];

    plan->flags_count = 0;
    do {
        bool found = false;
        bool taken = take_part(&rest, part);
        bool is_all = taken && strcmp(part, "all") == 0;
        for (uint32_t flags = 0; taken && flags < PLAN_FLAGS_MAX; flags++) {
            if (is_all || strcmp(part, plan_flags_name(flags)) == 0) {
                add_flags(plan, flags);
                found = true;
            }
        }
        if (!found)
            return plan_wrong(errors, "--flags", value,
                              "must be of plain, encrypted, authenticated, both, or all");
    } while (*rest || rest[-1] == ',');
    plan->measures_messages = true;
    return true;
}

static bool read_data(struct plan *plan, FILE *errors, const char *text)
{
    plan->has_data = true;
    plan->data_len = strlen(text);
    if (plan->data_len > sizeof plan->data)
        return plan_wrong(errors, "--data", text, "must have up to 4096 bytes");
    memcpy(plan->data, text, plan->data_len);
    return true;
}

static bool read_data_file(struct plan *plan, FILE *errors, const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return plan_wrong(errors, "--data-file", path, strerror(errno));
    plan->data_len = fread(plan->data, 1, sizeof plan->data, file);
    bool fits = fgetc(file) == EOF;
    fclose(file);
    plan->has_data = true;
    return fits || plan_wrong(errors, "--data-file", path, "must have up to 4096 bytes");
}

bool plan_may_lose(const struct plan *plan)
{
    return plan->profile == HAIL_PROFILE_HAIL && plan->channel_kind != HAIL_RELIABLE_ORDERED;
}

uint64_t plan_delay_ns(const struct plan *plan)
{
    return plan->simulation_text ? 4 * 1000 * simulation_way_us(&plan->simulation) : 0;
}

static bool read_profile(struct plan *plan, FILE *errors, const char *value)
{
    plan->profile_is_given = true;
    if (strcmp(value, "mlapi") == 0)
        plan->profile = HAIL_PROFILE_MLAPI;
    else if (strcmp(value, "hail") == 0)
        plan->profile = HAIL_PROFILE_HAIL;
    else
        return plan_wrong(errors, "--profile", value, "must be mlapi or hail");
    return true;
}

static bool read_io(struct plan *plan, FILE *errors, const char *value)
{
    static const char *const kinds[] = {"auto", "uring", "epoll"};

    for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        if (strcmp(value, kinds[kind]) != 0)
            continue;
        plan->io = (enum hail_io_kind)kind;
        return true;
    }
    return plan_wrong(errors, "--io", value, "must be auto, uring or epoll");
}

static bool read_pid(struct plan *plan, FILE *errors, const char *value)
{
    uint32_t pid;

    if (!read_number(errors, "--server-pid", value, 1, INT32_MAX, &pid))
        return false;
    plan->server_pid = (pid_t)pid;
    return true;
}

static bool read_name(struct plan *plan, FILE *errors, const char *value)
{
    plan->name = value;
    return *value || plan_wrong(errors, "--name", value, "must not be empty");
}

static bool read_simulation(struct plan *plan, FILE *errors, const char *value)
{
    char fault[SIMULATION_FAULT_LEN];

    if (!simulation_read(&plan->simulation, value, fault))
        return plan_wrong(errors, "--simulate", value, fault);
    plan->simulation_text = value;
    return true;
}

static bool keep(const char **place, const char *value)
{
    *place = value;
    return true;
}

static bool switch_off(bool *place)
{
    *place = false;
    return true;
}

static bool read_option(struct plan *plan, FILE *errors, enum option_id id, const char *value)
{
    switch (id) {
    case OPTION_CONNECT:
        return read_target(plan, errors, value);
    case OPTION_CONNECTIONS:
        return read_number(errors, "--connections", value, 1, 1000000, &plan->conn_count);
    case OPTION_SHARDS:
        return read_number(errors, "--shards", value, 1, 255, &plan->shard_count);
    case OPTION_IO:
        return read_io(plan, errors, value);
    case OPTION_SIZE:
        return read_sizes(plan, errors, value);
    case OPTION_FLAGS:
        return read_flags(plan, errors, value);
    case OPTION_RATE:
        return read_number(errors, "--rate", value, 1, 100000000, &plan->rate);
    case OPTION_OUTSTANDING:
        return read_number(errors, "--outstanding", value, 1, 10000, &plan->outstanding);
    case OPTION_DURATION:
        return read_seconds(errors, "--duration", value, 0.1, &plan->duration_s);
    case OPTION_WARMUP:
        return read_seconds(errors, "--warmup", value, 0, &plan->warmup_s);
    case OPTION_NAME:
        return read_name(plan, errors, value);
    case OPTION_HANDSHAKES:
        return read_number(errors, "--handshakes", value, 1, 100000000, &plan->handshake_count);
    case OPTION_CONCURRENT:
        return read_number(errors, "--concurrent", value, 1, PLAN_CONCURRENT_MAX,
                           &plan->concurrent);
    case OPTION_IDLE:
        return read_number(errors, "--idle", value, 1, 1000000, &plan->idle_count);
    case OPTION_PROFILE:
        return read_profile(plan, errors, value);
    case OPTION_CHANNEL:
        return keep(&plan->channel_name, value);
    case OPTION_SIGN:
        return plan->sign = true;
    case OPTION_RESUME:
        return plan->resumes = true;
    case OPTION_CONFIG:
        return keep(&plan->config_file, value);
    case OPTION_SIMULATE:
        return read_simulation(plan, errors, value);
    case OPTION_PIN:
        plan->pins = hex_read(value, plan->server_key, sizeof plan->server_key);
        return plan->pins || plan_wrong(errors, "--pin", value, "must be 64 hexadecimal digits");
    case OPTION_SERVER_NAME:
        return keep(&plan->server_name, value);
    case OPTION_TRUST:
        return keep(&plan->trust_file, value);
    case OPTION_NO_ENCRYPTION:
        return switch_off(&plan->encryption);
    case OPTION_NO_SCENE_MANAGEMENT:
        return switch_off(&plan->scene_management);
    case OPTION_DATA:
        return read_data(plan, errors, value);
    case OPTION_DATA_FILE:
        return read_data_file(plan, errors, value);
    case OPTION_SERVER_PID:
        return read_pid(plan, errors, value);
    case OPTION_DUMP:
        return keep(&plan->dump_path, value);
    case OPTION_JSON:
        return keep(&plan->json_path, value);
    case OPTION_QUIET:
        return plan->is_quiet = true;
    case OPTION_VERSION:
    case OPTION_HELP:
        return true; // answered before
    }
    return false;
}

static bool complain(FILE *errors, const char *what)
{
    fprintf(errors, "hail-load: %s; see hail-load --help\n", what);
    return false;
}

// On the hail profile what is encrypted is authenticated as well: "encrypted" is "both".
static size_t join_alike(uint32_t *flags, size_t count)
{
    size_t kept = 0;
    bool has_both = false;

    for (size_t i = 0; i < count; i++) {
        bool is_both = (flags[i] & HAIL_ENCRYPTED) != 0;
        if (is_both && has_both)
            continue;
        has_both |= is_both;
        flags[kept++] = is_both ? HAIL_ENCRYPTED | HAIL_AUTHENTICATED : flags[i];
    }
    return kept;
}

// Fills in what was not said, and refuses what does not go together.
static bool complete(struct plan *plan, FILE *errors)
{
    if (!plan->host)
        return complain(errors, "needs --connect HOST:PORT");
    if (!joining_read(plan, errors))
        return false;
    bool native = plan->profile == HAIL_PROFILE_HAIL;
    if (native && (!plan->encryption || !plan->scene_management))
        return complain(errors, "--no-encryption and --no-scene-management are mlapi's");
    if (plan->dump_path && !native)
        return complain(errors, "--dump is for --profile hail");
    if (plan->simulation_text && !native)
        return complain(errors, "--simulate is for --profile hail: mlapi's TCP is the kernel's");
    if (plan->resumes && (!native || plan->handshake_count == 0))
        return complain(errors, "--resume needs --profile hail and --handshakes");
    if (plan->pins && (!native || plan->sign))
        return complain(errors, "--pin needs --profile hail, and excludes --sign");
    if (native)
        plan->flags_count = join_alike(plan->flags, plan->flags_count);
    bool is_reliable = plan->channel_kind <= HAIL_RELIABLE_UNORDERED;
    for (size_t i = 0; native && !is_reliable && i < plan->size_count; i++) {
        if (plan->sizes[i] > PLAN_DATAGRAM_SIZE_MAX)
            return complain(errors, "--size: a datagram of --profile hail takes up to 1350 bytes; "
                                    "longer ones need --channel reliable or ordered");
    }
    for (size_t i = 0; native && plan->channel_kind != HAIL_UNRELIABLE && i < plan->flags_count;
         i++) {
        if (plan->flags[i] == HAIL_PLAIN)
            return complain(errors, "--flags plain: on this --channel messages are authenticated");
    }
    if (plan->flags_count == 0) {
        plan->flags[plan->flags_count++] =
            plan->encryption ? HAIL_ENCRYPTED | HAIL_AUTHENTICATED : HAIL_PLAIN;
        plan->measures_messages = plan->handshake_count == 0 && plan->idle_count == 0;
    }
    for (size_t i = 0; i < plan->flags_count; i++) {
        if (!plan->encryption && plan->flags[i] != HAIL_PLAIN)
            return complain(errors, "--no-encryption leaves no key: only --flags plain goes");
    }
    if (plan->sign && !plan->encryption)
        return complain(errors, "--sign and --no-encryption exclude each other");
    if ((plan->trust_file || plan->server_name) && !plan->sign)
        return complain(errors, "--trust and --server-name need --sign: without it no certificate "
                                "is shown");
    if (plan->rate > 0 && plan->outstanding > 0)
        return complain(errors, "--rate and --outstanding exclude each other");
    if (plan->outstanding == 0)
        plan->outstanding = 1;
    return true;
}

void plan_init(struct plan *plan)
{
    *plan = (struct plan){
        .conn_count = 1,
        .shard_count = 1,
        .sizes = {128},
        .size_count = 1,
        .duration_s = 5,
        .warmup_s = 1,
        .concurrent = 16,
        .profile = HAIL_PROFILE_MLAPI,
        .channel = HAIL_UNRELIABLE,
        .channel_kind = HAIL_UNRELIABLE,
        .encryption = true,
        .scene_management = true,
    };
}

enum plan_result plan_read(struct plan *plan, int argc, char **argv, FILE *out, FILE *errors)
{
    int id;

    plan_init(plan);
    opterr = 0;
    optind = 0; // 0 makes getopt forget an earlier command line
    while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (id == '?' || id == ':') {
            fprintf(errors, "hail-load: %s: %s; see hail-load --help\n", argv[optind - 1],
                    id == ':' ? "needs a value" : "no such option");
            return PLAN_WRONG;
        }
        if (id == OPTION_HELP || id == OPTION_VERSION) {
            if (id == OPTION_HELP)
                fputs(help_text, out);
            else
                fprintf(out, "hail-load %s\n", hail_version());
            return PLAN_SHOWN;
        }
        if (!read_option(plan, errors, (enum option_id)id, optarg))
            return PLAN_WRONG;
    }
    if (optind < argc) {
        plan_wrong(errors, argv[optind], "", "not an option");
        return PLAN_WRONG;
    }
    return complete(plan, errors) ? PLAN_GOOD : PLAN_WRONG;
}
