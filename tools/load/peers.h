// peers.h: other programs that echo, which a matrix measures beside hail: those of bench/, as they
// are there. What they are asked and answer is bench/peer.h's.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_PEERS_H
#define HAIL_TOOLS_LOAD_PEERS_H

#include "tools/load/grid.h"

// peers_rows writes the rows of the programs that are in grid->peers_dir, without figures. Returns
// how many there are; `rows` may be NULL, to count.
size_t peers_rows(const struct grid *grid, struct record_row *rows);

// peers_is says whether a row is one of those.
bool peers_is(const struct record_row *row);

// peers_measure runs a row's program once and adds what it measured. `about`, if it is not NULL,
// gets what the program says of itself. False: it failed, and told why on stderr.
bool peers_measure(const struct grid *grid, struct record_row *row, json_t *about);

#endif
