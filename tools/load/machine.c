// machine.c: see machine.h.
// SPDX-License-Identifier: MIT
#include "tools/load/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "engine/hail.h"

enum {
    TEXT_LEN = 8192
};

void machine_set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        fprintf(stderr, "hail-load: no memory for %s in the JSON\n", key);
}

// The first line of a file that begins with `name`, from behind `mark` to its end; or "unknown".
static void read_line(const char *path, const char *name, char mark, char text[TEXT_LEN])
{
    char line[TEXT_LEN];
    FILE *file = fopen(path, "re");

    snprintf(text, TEXT_LEN, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *value = mark ? strchr(line, mark) : line;
        if (strncmp(line, name, strlen(name)) != 0 || !value)
            continue;
        value += mark ? 1 : 0;
        value += strspn(value, " \"");
        snprintf(text, TEXT_LEN, "%.*s", (int)strcspn(value, "\"\n"), value);
        break;
    }
    if (file)
        fclose(file);
}

json_t *machine_json(void)
{
    json_t *machine = json_object();
    struct utsname system;
    char model[TEXT_LEN];

    read_line("/proc/cpuinfo", "model name", ':', model);
    if (uname(&system) == 0) {
        machine_set(machine, "kernel", json_string(system.release));
        machine_set(machine, "architecture", json_string(system.machine));
    }
    machine_set(machine, "cpu", json_string(model));
    machine_set(machine, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    return machine;
}

// The names, with versions where they have them, of the shared libraries that matter here.
static void read_libraries(char text[TEXT_LEN])
{
    static const char *const wanted[] = {"libhail.so", "liburing.so", "libcrypto.so", "libc.so",
                                         "libIPSec_MB.so"};
    char line[TEXT_LEN];
    FILE *file = fopen("/proc/self/maps", "re");

    text[0] = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *path = strchr(line, '/');
        const char *name = path ? strrchr(path, '/') + 1 : "";
        line[strcspn(line, "\n")] = 0;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (strncmp(name, wanted[i], strlen(wanted[i])) != 0 || strstr(text, name))
                continue;
            snprintf(text + strlen(text), TEXT_LEN - strlen(text), "%s%s", text[0] ? ", " : "",
                     strstr(path, "/android/") ? "android/" : "");
            snprintf(text + strlen(text), TEXT_LEN - strlen(text), "%s", name);
        }
    }
    if (file)
        fclose(file);
}

static void write_command(int argc, char **argv, char text[TEXT_LEN])
{
    text[0] = 0;
    for (int i = 0; i < argc; i++)
        snprintf(text + strlen(text), TEXT_LEN - strlen(text), "%s%s", i ? " " : "", argv[i]);
}

json_t *machine_about(int argc, char **argv)
{
    json_t *about = json_object();
    char text[TEXT_LEN];
    struct utsname system;
    time_t now = time(NULL);

    read_line("/proc/cpuinfo", "model name", ':', text);
    machine_set(about, "cpu", json_sprintf("%s, %ld cores", text, sysconf(_SC_NPROCESSORS_ONLN)));
    if (uname(&system) == 0)
        machine_set(about, "kernel", json_sprintf("%s %s", system.release, system.machine));
    read_line("/etc/os-release", "PRETTY_NAME", '=', text);
    machine_set(about, "system", json_string(text));
    machine_set(about, "hail", json_sprintf("%s, compiled by %s", hail_version(), __VERSION__));
    read_libraries(text);
    machine_set(about, "libraries", json_string(text));
    read_line("/proc/loadavg", "", 0, text);
    machine_set(about, "load before", json_sprintf("%.*s", (int)strcspn(text, "/") - 2, text));
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    machine_set(about, "time", json_string(text));
    write_command(argc, argv, text);
    machine_set(about, "command", json_string(text));
    read_line("/proc/cpuinfo", "flags", ':', text);
    machine_set(about, "cpu flags", json_string(text));
    return about;
}
