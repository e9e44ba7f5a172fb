/* SPDX-License-Identifier: MIT */
/* Locks for libevent, as evthread_use_pthreads() sets them up, that know who took one. */
#ifndef FLUX_TESTS_LOOP_EVLOCKS_H
#define FLUX_TESTS_LOOP_EVLOCKS_H

#include <stdint.h>

/* From now on bases are made with locks; there is no way back. */
void evlocks_use(void);
/* Locks taken by other threads than the one that called evlocks_use(). */
uint64_t evlocks_taken_elsewhere(void);

#endif
