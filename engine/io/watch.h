// watch.h: hears from the kernel when the machine's addresses or routes change.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_IO_WATCH_H
#define HAIL_ENGINE_IO_WATCH_H

#include <stdbool.h>

// hail_watch_open returns a descriptor that is readable when something has changed, or -errno: a
// sandbox may refuse it.
int hail_watch_open(void);

// hail_watch_read takes out whatever has been said. Returns whether there was anything.
bool hail_watch_read(int fd);

#endif
