// hail-cert: makes development certificates and ticket keys, says what is in a file, and runs a
// client's check.
// SPDX-License-Identifier: MIT
#include "crypto/bundle.h"
#include "crypto/issue.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_FAULT = 1,
    EXIT_USAGE = 2,
    NAMES_MAX = 32,
    DAYS_DEFAULT = 365,
    DAYS_MAX = 36500,
    DAY_S = 86400,
    CLOCK_SLACK_S = 3600, // a client's clock may be behind ours
    FILE_MAX = 1024 * 1024,
    CA_FILE_MAX = 16 * 1024 * 1024,
    COMMON_NAME_MAX = 64,
    DESCRIPTION_MAX = 4096,
    TICKET_KEY_LEN = 32
};

enum command {
    COMMAND_DEV = 1u << 0,
    COMMAND_INSPECT = 1u << 1,
    COMMAND_VERIFY = 1u << 2,
    COMMAND_TICKET_KEY = 1u << 3
};

// What the command line asks for.
struct request {
    enum command command;
    const char *file;
    const char *dir;
    const char *names[NAMES_MAX];
    size_t name_count;
    int64_t days;
    bool force;
    const char *password_file;
    const char *key_file;
    const char *ca_file;
    const char *host;
    int64_t at_s;
};

// A file's content or a password; a secret.
struct content {
    uint8_t *data;
    size_t len;
};

static const char usage[] =
    "usage: hail-cert dev [--dir DIR] [--name NAME]... [--days N] [--force]\n"
    "       hail-cert inspect FILE [--key FILE] [--password-file FILE]\n"
    "       hail-cert verify FILE --host NAME [--ca FILE] [--at UNIX] [--password-file FILE]\n"
    "       hail-cert ticket-key FILE [--force]\n"
    "\n"
    "dev      makes a development CA and a server certificate that it signs, and writes into DIR\n"
    "         (default: here)\n"
    "           ca.pem          what clients trust\n"
    "           cert.pem        the server's certificate\n"
    "           key.pem         its private key, RSA-2048\n"
    "           server.pfx.b64  both as a PFX in base64 without a password, as MLAPI takes it\n"
    "         The CA's own key is thrown away: nothing else can be signed with it.\n"
    "inspect  says what is in a PFX (DER or base64) or PEM file, whether the private key belongs\n"
    "         to the certificate, and whether a server can use them for signed key exchange\n"
    "verify   runs a client's check on the file's certificate: chain, time, purpose, name\n"
    "ticket-key\n"
    "         draws a key for haild's ticket_key_file, with which clients come back quickly over\n"
    "         restarts, and to every server that has it; make a new one now and then\n"
    "\n"
    "  --dir DIR             where dev writes; made when missing\n"
    "  --name NAME           a host name or IP address for the certificate, repeatable (default:\n"
    "                        localhost, 127.0.0.1 and ::1)\n"
    "  --days N              how long it is valid (default: 365)\n"
    "  --force               write over files that are there\n"
    "  --key FILE            PEM with the private key, when it is not in FILE\n"
    "  --password-file FILE  its first line is the password of the PFX or key; without this\n"
    "                        option the environment's HAIL_PASSWORD is, if set\n"
    "  --host NAME           the name or IP address that a client connects to\n"
    "  --ca FILE             PEM with what the client trusts (default: the system's store)\n"
    "  --at UNIX             the time to check at, in seconds since 1970 (default: now)\n"
    "  --help                this text\n"
    "\n"
    "examples:\n"
    "  hail-cert dev --dir certs --name play.example --name 203.0.113.7\n"
    "  hail-cert inspect certs/server.pfx.b64\n"
    "  hail-cert verify certs/cert.pem --ca certs/ca.pem --host play.example\n"
    "\n"
    "Exits with 0 when all is well, 1 when a file or certificate is at fault, 2 when the command\n"
    "line is.\n";

// Each option's letter is private to the two tables here.
static const struct option options[] = {
    {"dir", required_argument, NULL, 'd'},
    {"name", required_argument, NULL, 'n'},
    {"days", required_argument, NULL, 'y'},
    {"force", no_argument, NULL, 'f'},
    {"key", required_argument, NULL, 'k'},
    {"password-file", required_argument, NULL, 'p'},
    {"host", required_argument, NULL, 'o'},
    {"ca", required_argument, NULL, 'c'},
    {"at", required_argument, NULL, 'a'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const struct {
    char letter;
    unsigned commands; // that take it
} takers[] = {
    {'d', COMMAND_DEV},     {'n', COMMAND_DEV},
    {'y', COMMAND_DEV},     {'f', COMMAND_DEV | COMMAND_TICKET_KEY},
    {'k', COMMAND_INSPECT}, {'p', COMMAND_INSPECT | COMMAND_VERIFY},
    {'o', COMMAND_VERIFY},  {'c', COMMAND_VERIFY},
    {'a', COMMAND_VERIFY},
};

static _Noreturn void HAIL_FORMAT(1, 2) fail_usage(const char *format, ...)
{
    va_list args;

    fputs("hail-cert: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; hail-cert --help tells more\n", stderr);
    exit(EXIT_USAGE);
}

static int64_t parse_number(const char *option, const char *text, int64_t least, int64_t most)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < least || value > most)
        fail_usage("--%s takes a number from %" PRId64 " to %" PRId64 ", not \"%s\"", option, least,
                   most, text);
    return value;
}

static void take_option(struct request *request, int letter, const char *name)
{
    bool taken = false;

    for (size_t i = 0; i < HAIL_COUNTOF(takers); i++)
        taken = taken || (takers[i].letter == letter && (takers[i].commands & request->command));
    if (!taken)
        fail_usage("--%s is not an option of this command", name);
    switch (letter) {
    case 'd':
        request->dir = optarg;
        return;
    case 'n':
        if (request->name_count == NAMES_MAX)
            fail_usage("at most %d names go into one certificate", NAMES_MAX);
        request->names[request->name_count++] = optarg;
        return;
    case 'y':
        request->days = parse_number("days", optarg, 1, DAYS_MAX);
        return;
    case 'f':
        request->force = true;
        return;
    case 'k':
        request->key_file = optarg;
        return;
    case 'p':
        request->password_file = optarg;
        return;
    case 'o':
        request->host = optarg;
        return;
    case 'c':
        request->ca_file = optarg;
        return;
    case 'a':
        request->at_s = parse_number("at", optarg, 0, UINT32_MAX);
        return;
    default:
        HAIL_UNREACHABLE("every letter that has a taker is above");
    }
}

static enum command parse_command(const char *word)
{
    if (strcmp(word, "dev") == 0)
        return COMMAND_DEV;
    if (strcmp(word, "inspect") == 0)
        return COMMAND_INSPECT;
    if (strcmp(word, "verify") == 0)
        return COMMAND_VERIFY;
    if (strcmp(word, "ticket-key") == 0)
        return COMMAND_TICKET_KEY;
    fail_usage("there is no command \"%s\", only dev, inspect, verify and ticket-key", word);
}

static void parse(struct request *request, int argc, char **argv)
{
    int letter;
    int index = 0;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
    }
    if (argc < 2)
        fail_usage("a command is missing: dev, inspect, verify or ticket-key");
    *request = (struct request){
        .command = parse_command(argv[1]), .dir = ".", .days = DAYS_DEFAULT, .at_s = time(NULL)};

    opterr = 0; // its own words name the program by its path and do not say what to do
    optind = 2;
    while ((letter = getopt_long(argc, argv, ":", options, &index)) != -1) {
        if (letter == ':')
            fail_usage("%s needs a value", argv[optind - 1]);
        if (letter == '?')
            fail_usage("%s is not an option", argv[optind - 1]);
        take_option(request, letter, options[index].name);
    }
    if (request->command != COMMAND_DEV) {
        if (optind == argc)
            fail_usage("a file is missing");
        request->file = argv[optind++];
    }
    if (optind < argc)
        fail_usage("\"%s\" is one argument too many", argv[optind]);
    if (request->command == COMMAND_VERIFY && !request->host)
        fail_usage("--host is missing: the name or address that a client connects to");
}

static int fail_fault(const char *file, const struct hail_fault_report *report)
{
    fflush(stdout); // what was found comes before what is wrong with it
    // The report of a file that cannot be read names it already.
    if (report->fault == HAIL_FAULT_SYSTEM)
        fprintf(stderr, "hail-cert: %s\n", report->text);
    else
        fprintf(stderr, "hail-cert: %s: %s: %s%s\n", file, hail_fault_name(report->fault),
                report->text,
                report->fault == HAIL_FAULT_PASSWORD
                    ? "; --password-file FILE or the variable HAIL_PASSWORD gives one"
                    : "");
    return EXIT_FAULT;
}

static void content_free(struct content *content)
{
    if (content->data)
        hail_wipe(content->data, content->len);
    free(content->data);
}

static bool content_read(struct content *content, const char *path, size_t len_max,
                         struct hail_fault_report *report)
{
    return hail_file_read(path, len_max, &content->data, &content->len, report);
}

// Copies the password out of the file that the command line names, or out of the environment. `out`
// holds a password that is too long to be one, so that it is refused and not cut.
static const char *read_password(const struct request *request, char *out, size_t out_max,
                                 struct hail_fault_report *report)
{
    const char *given = getenv("HAIL_PASSWORD");
    struct content content = {0};

    if (!request->password_file) {
        if (given)
            snprintf(out, out_max, "%s", given);
        return given ? out : NULL;
    }
    if (!content_read(&content, request->password_file, FILE_MAX, report))
        exit(fail_fault(request->password_file, report));
    size_t len = 0;
    while (len < content.len && len < out_max - 1 && content.data[len] != '\n' &&
           content.data[len] != '\r')
        len++;
    memcpy(out, content.data, len);
    out[len] = '\0';
    content_free(&content);
    return out;
}

// The request's files and password, in memory.
struct sources {
    struct content file;
    struct content key;
    char password[HAIL_PASSWORD_MAX + 2];
    const char *given; // the password; NULL: none
};

static void sources_free(struct sources *sources)
{
    content_free(&sources->file);
    content_free(&sources->key);
    hail_wipe(sources->password, sizeof sources->password);
}

// Reads them, or ends the program.
static void sources_read(struct sources *sources, const struct request *request)
{
    struct hail_fault_report report;

    *sources = (struct sources){0};
    sources->given = read_password(request, sources->password, sizeof sources->password, &report);
    if (!content_read(&sources->file, request->file, FILE_MAX, &report) ||
        (request->key_file && !content_read(&sources->key, request->key_file, FILE_MAX, &report))) {
        sources_free(sources);
        exit(fail_fault(request->file, &report));
    }
}

static struct hail_bytes bytes_of(const struct content *content)
{
    return (struct hail_bytes){content->data, content->len};
}

static void print_bundle(const struct hail_bundle *bundle)
{
    const char *without = bundle->passed_over[0] ? "of a kind that is not used here" : "not here";
    char text[DESCRIPTION_MAX];

    for (size_t i = 0; i < bundle->certificate_count; i++) {
        hail_certificate_describe(bundle->certificates[i], text, sizeof text);
        printf("certificate  %zu of %zu\n%sprivate key  %s\n\n", i + 1, bundle->certificate_count,
               text,
               hail_bundle_key_of(bundle, i) < bundle->key_count ? "here, and it matches"
                                                                 : without);
    }
}

static int inspect(const struct request *request)
{
    struct hail_bundle bundle = {0};
    struct hail_fault_report report;
    struct hail_identity *identity;
    struct sources from;

    sources_read(&from, request);
    struct hail_bytes file = bytes_of(&from.file);
    struct hail_bytes key = bytes_of(&from.key);
    bool read = hail_bundle_load(&bundle, file, key, from.given, &report);
    if (read)
        print_bundle(&bundle);
    bool loaded = read && hail_identity_load(&identity, file, key, from.given, &report);
    hail_bundle_cleanup(&bundle);
    sources_free(&from);
    if (loaded) {
        printf("profile hail: %s\n",
               hail_identity_scheme(identity) != HAIL_SCHEME_NONE
                   ? "yes, a server can use it"
                   : "no: it needs an RSA key of 2048 bits and more, P-256 or Ed25519");
        printf("profile mlapi, signed key exchange: %s\n",
               hail_identity_is_rsa(identity)
                   ? "yes, a server can use it"
                   : "no: it needs an RSA key, and this is another kind");
        hail_identity_free(identity);
        return EXIT_SUCCESS;
    }
    if (read && report.fault == HAIL_FAULT_NO_KEY) { // a CA file, or one for clients: no fault
        printf("profiles hail and mlapi: no, a server needs the private key too\n");
        return EXIT_SUCCESS;
    }
    return fail_fault(request->file, &report);
}

static struct hail_trust *load_trust(const struct request *request)
{
    // Nothing at all would mean the system's store, which an empty CA file does not ask for.
    static const uint8_t newline[] = "\n";
    struct content ca = {0};
    struct hail_fault_report report;
    struct hail_trust *trust;
    const char *path = request->ca_file ? request->ca_file : "the system's store";

    if (request->ca_file && !content_read(&ca, path, CA_FILE_MAX, &report))
        exit(fail_fault(path, &report));
    struct hail_bytes pem = {ca.data, ca.len};
    if (request->ca_file && ca.len == 0)
        pem = (struct hail_bytes){newline, 1};
    bool loaded = hail_trust_load(&trust, pem, &report);
    content_free(&ca);
    if (!loaded)
        exit(fail_fault(path, &report));
    return trust;
}

// Says whether a client of one profile takes the certificate.
static bool verify_profile(const char *profile, bool taken, const struct request *request,
                           const struct hail_fault_report *report)
{
    if (taken)
        printf("profile %s: a client that connects to %s takes it: chain, time, purpose and name "
               "are right\n",
               profile, request->host);
    else
        printf("profile %s: no: %s: %s\n", profile, hail_fault_name(report->fault), report->text);
    return taken;
}

// On hail the server sends its chain along, on mlapi its certificate alone.
static bool verify_both(const struct hail_trust *trust, const struct hail_bundle *bundle,
                        size_t leaf, const struct request *request,
                        struct hail_fault_report *report)
{
    const struct hail_certificate *certificate = bundle->certificates[leaf];
    struct hail_bytes between[HAIL_BUNDLE_CERTIFICATES_MAX];
    struct hail_fault_report of_mlapi = {0};
    size_t count = 0;

    for (size_t i = 0; i < bundle->certificate_count; i++) {
        if (i != leaf)
            between[count++] = hail_certificate_der(bundle->certificates[i]);
    }
    bool native = hail_certificate_serves(certificate, report) &&
                  hail_trust_check_chain(trust, certificate, between, count, request->host,
                                         request->at_s, report);
    bool mlapi = hail_certificate_suits(certificate, HAIL_SIGNATURE_RSA, &of_mlapi) &&
                 hail_trust_check(trust, certificate, request->host, request->at_s, &of_mlapi);
    verify_profile("hail", native, request, report);
    verify_profile("mlapi", mlapi, request, &of_mlapi);
    return native || mlapi;
}

static int verify(const struct request *request)
{
    struct hail_bundle bundle = {0};
    struct hail_fault_report report;
    struct hail_fault_report no_pair;
    struct hail_trust *trust = load_trust(request); // before there is a secret to wipe
    size_t leaf = 0;
    size_t key;
    struct sources from;

    sources_read(&from, request);
    bool held = hail_bundle_read(&bundle, bytes_of(&from.file), from.given, &report);
    sources_free(&from);
    // A server shows the certificate that it has the key of; a file without keys has its leaf
    // first.
    if (held && !hail_bundle_pair(&bundle, &leaf, &key, &no_pair) &&
        bundle.certificate_count == 0) {
        report = no_pair;
        held = false;
    }
    held = held && verify_both(trust, &bundle, leaf, request, &report);
    hail_trust_free(trust);
    hail_bundle_cleanup(&bundle);
    return held ? EXIT_SUCCESS : fail_fault(request->file, &report);
}

// A file that dev writes.
struct product {
    const char *name;
    mode_t mode;
    const char *what;
    struct content content;
};

static bool write_all(int fd, const struct content *content)
{
    for (size_t done = 0; done < content->len;) {
        ssize_t wrote = write(fd, content->data + done, content->len - done);
        if (wrote < 0 && errno != EINTR)
            return false;
        if (wrote > 0)
            done += (size_t)wrote;
    }
    return true;
}

// Writes under a name of its own and renames, so that a file is whole and has its mode from its
// first moment, whatever lay there before.
static bool write_product(const char *dir, const struct product *product)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", dir, product->name) >= (int)sizeof path ||
        snprintf(fresh, sizeof fresh, "%s/.%s.XXXXXX", dir, product->name) >= (int)sizeof fresh) {
        fprintf(stderr, "hail-cert: %s: the path is too long\n", dir);
        return false;
    }
    int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "hail-cert: %s: %s\n", dir, strerror(errno));
        return false;
    }
    bool written = write_all(fd, &product->content) && fchmod(fd, product->mode) == 0;
    written = close(fd) == 0 && written && rename(fresh, path) == 0;
    if (!written) {
        fprintf(stderr, "hail-cert: %s: %s\n", path, strerror(errno));
        unlink(fresh);
        return false;
    }
    printf("%-24s %s\n", path, product->what);
    return true;
}

// Says whether none of the files is there yet.
static bool is_free(const char *dir, const struct product *products, size_t product_count)
{
    char path[PATH_MAX];
    struct stat found;

    for (size_t i = 0; i < product_count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, products[i].name);
        if (lstat(path, &found) == 0) {
            fprintf(stderr,
                    "hail-cert: %s is there already; give another --dir, or --force to write over "
                    "it\n",
                    path);
            return false;
        }
    }
    return true;
}

static bool make_pfx(struct content *out, const struct hail_issued *server)
{
    struct content der = {0};
    struct hail_pfx_content parts = {.certificate = server, .key = server, .password = ""};

    bool made = hail_pfx_write(&parts, &der.data, &der.len) &&
                hail_base64_write((struct hail_bytes){der.data, der.len}, &out->data, &out->len);
    content_free(&der);
    return made;
}

// Makes the CA and the server's certificate, and what of them goes into files.
static bool make_products(struct product products[4], const struct request *request,
                          struct hail_fault_report *report)
{
    struct hail_issued *ca = NULL;
    struct hail_issued *server = NULL;
    int64_t now_s = time(NULL);
    struct hail_issue_terms terms = {
        .common_name = "hail development CA",
        .use = HAIL_ISSUE_CA,
        .from_s = now_s - CLOCK_SLACK_S,
        .to_s = now_s + request->days * DAY_S,
    };

    bool made = hail_issue(&ca, NULL, &terms, report);
    if (made) {
        // The common name is for people alone; a host name may be too long for it.
        terms.common_name =
            strlen(request->names[0]) <= COMMON_NAME_MAX ? request->names[0] : "hail server";
        terms.names = request->names;
        terms.name_count = request->name_count;
        terms.use = HAIL_ISSUE_SERVER;
        made = hail_issue(&server, ca, &terms, report);
    }
    if (made &&
        (!hail_issued_certificate_pem(ca, &products[0].content.data, &products[0].content.len) ||
         !hail_issued_certificate_pem(server, &products[1].content.data,
                                      &products[1].content.len) ||
         !hail_issued_key_pem(server, &products[2].content.data, &products[2].content.len) ||
         !make_pfx(&products[3].content, server))) {
        *report = (struct hail_fault_report){HAIL_FAULT_SYSTEM, "out of memory"};
        made = false;
    }
    hail_issued_free(ca);
    hail_issued_free(server);
    return made;
}

static int dev(struct request *request)
{
    static const char *const defaults[] = {"localhost", "127.0.0.1", "::1"};
    struct hail_fault_report report;
    struct product products[] = {
        {"ca.pem", 0644, "what clients trust", {0}},
        {"cert.pem", 0644, "the server's certificate", {0}},
        {"key.pem", 0600, "its private key", {0}},
        {"server.pfx.b64", 0600, "both, as MLAPI takes them", {0}},
    };

    if (request->name_count == 0) {
        memcpy(request->names, defaults, sizeof defaults);
        request->name_count = HAIL_COUNTOF(defaults);
    }
    if (mkdir(request->dir, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "hail-cert: %s: %s\n", request->dir, strerror(errno));
        return EXIT_FAULT;
    }
    if (!request->force && !is_free(request->dir, products, HAIL_COUNTOF(products)))
        return EXIT_FAULT;

    bool done = make_products(products, request, &report);
    if (!done)
        fprintf(stderr, "hail-cert: %s\n", report.text);
    for (size_t i = 0; i < HAIL_COUNTOF(products); i++) {
        done = done && write_product(request->dir, &products[i]);
        content_free(&products[i].content);
    }
    return done ? EXIT_SUCCESS : EXIT_FAULT;
}

// Made at once under its own name and mode, so that nobody else ever reads it.
static int ticket_key(const struct request *request)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t secret[TICKET_KEY_LEN];
    uint8_t text[2 * TICKET_KEY_LEN + 1];
    const struct content content = {text, sizeof text};
    struct hail_random random;

    if (request->force && unlink(request->file) != 0 && errno != ENOENT) {
        fprintf(stderr, "hail-cert: %s: %s\n", request->file, strerror(errno));
        return EXIT_FAULT;
    }
    int fd = open(request->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        fprintf(stderr, "hail-cert: %s: %s\n", request->file,
                errno == EEXIST ? "is there already; --force writes over it" : strerror(errno));
        return EXIT_FAULT;
    }
    hail_random_init_system(&random);
    hail_random_bytes(&random, secret, sizeof secret);
    hail_random_cleanup(&random);
    for (size_t i = 0; i < sizeof secret; i++) {
        text[2 * i] = (uint8_t)digits[secret[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[secret[i] & 15];
    }
    text[sizeof text - 1] = '\n';
    bool written = write_all(fd, &content);
    written = close(fd) == 0 && written;
    hail_wipe(secret, sizeof secret);
    hail_wipe(text, sizeof text);
    if (!written) {
        fprintf(stderr, "hail-cert: %s: %s\n", request->file, strerror(errno));
        unlink(request->file);
        return EXIT_FAULT;
    }
    printf("%-24s a ticket key\n", request->file);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct request request;

    parse(&request, argc, argv);
    switch (request.command) {
    case COMMAND_DEV:
        return dev(&request);
    case COMMAND_INSPECT:
        return inspect(&request);
    case COMMAND_VERIFY:
        return verify(&request);
    case COMMAND_TICKET_KEY:
        return ticket_key(&request);
    }
    HAIL_UNREACHABLE("parse_command knows no other");
}
