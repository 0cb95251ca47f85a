// joining.h: how to join a server: what both ends must be configured with alike, from the command
// line or the server's own file.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_JOINING_H
#define HAIL_TOOLS_LOAD_JOINING_H

#include "tools/daemon/settings.h"
#include "tools/load/plan.h"

// joining_read takes the plan's profile, protection and channel from its config_file, if it has
// one, and finds the channel that its channel_name means. False: told on `errors`.
bool joining_read(struct plan *plan, FILE *errors);

// joining_apply fills in what a client needs to join. `settings` holds what the config borrows from
// the server's file: settings_cleanup once the endpoint has been started. False: told on stderr.
bool joining_apply(const struct plan *plan, struct settings *settings, struct hail_config *config);

#endif
