// beside.c: see beside.h.
// SPDX-License-Identifier: MIT
#include "tools/beside.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void beside_stay_on(const char *program, int core)
{
    cpu_set_t cores;

    if (core < 0)
        return;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) < 0)
        fprintf(stderr, "%s: cannot stay on core %d: %s\n", program, core, strerror(errno));
}

bool beside_start(struct beside *server, const char *program,
                  int (*serve)(const void *wanted, int line), const void *wanted)
{
    int lines[2];

    *server = (struct beside){.line = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lines) < 0) {
        fprintf(stderr, "%s: socketpair: %s\n", program, strerror(errno));
        return false;
    }
    fflush(NULL); // or the child has what is not written yet as well
    server->pid = fork();
    if (server->pid == 0) {
        signal(SIGINT, SIG_IGN); // the terminal's, for whom we serve; then our line ends
        close(lines[0]);
        _exit(serve(wanted, lines[1]));
    }
    close(lines[1]);
    server->line = lines[0];
    if (server->pid < 0) {
        fprintf(stderr, "%s: fork: %s\n", program, strerror(errno));
        server->pid = 0;
        close(server->line);
        return false;
    }
    if (recv(server->line, &server->port, sizeof server->port, MSG_WAITALL) == sizeof server->port)
        return true;
    beside_stop(server);
    return false;
}

void beside_stop(struct beside *server)
{
    if (server->pid <= 0)
        return;
    shutdown(server->line, SHUT_RDWR); // a server forked since may have a copy of it
    close(server->line);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *server = (struct beside){.line = -1};
}
