/* SPDX-License-Identifier: MIT */
/* The rows of each kind of loop, a file each. */
#ifndef FLUX_TESTS_LOOP_ROWS_H
#define FLUX_TESTS_LOOP_ROWS_H

#include "tests/loop/world.h"

extern const struct adapter event_rows[5];
extern const struct adapter poll_rows[1];
extern const struct adapter epoll_rows[2];
extern const struct adapter bare_rows[1];
extern const struct adapter uring_rows[2];
extern const struct adapter uv_rows[1];
extern const struct adapter glib_rows[1];
extern const struct adapter sd_rows[1];

#endif
