// matrix.h: hail-load matrix: every combination of what hail can do, measured against servers that
// it starts itself.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_MATRIX_H
#define HAIL_TOOLS_LOAD_MATRIX_H

// matrix_main does what "hail-load matrix" is asked for; argv[1] is "matrix". Returns the exit
// status.
int matrix_main(int argc, char **argv);

#endif
