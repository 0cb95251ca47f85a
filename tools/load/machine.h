// machine.h: what a measurement was made on, by what and how: without it figures say nothing.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_MACHINE_H
#define HAIL_TOOLS_LOAD_MACHINE_H

#include <jansson.h>

// machine_json returns the kernel and the processor, by keys for programs.
json_t *machine_json(void);

// machine_about returns all there is to tell, as texts by keys for people: processor and its flags,
// kernel, system, load, versions of hail and of the libraries in this process, time and command.
json_t *machine_about(int argc, char **argv);

// machine_set adds a value to an object; without memory it is left out, which is told on stderr.
void machine_set(json_t *object, const char *key, json_t *value);

#endif
