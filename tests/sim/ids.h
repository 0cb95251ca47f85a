// ids.h: the certificate that simulated servers show, with a chain that needs several datagrams,
// and what simulated clients trust; made once a process, in files that go when it ends.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_SIM_IDS_H
#define HAIL_TESTS_SIM_IDS_H

// ids_identity and ids_trust return the paths of the PEM files.
const char *ids_identity(void);
const char *ids_trust(void);

#endif
