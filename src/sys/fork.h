/* SPDX-License-Identifier: MIT */
/* Telling whether this is still the process that made something, at the cost of a load. */
#ifndef FLUX_SYS_FORK_H
#define FLUX_SYS_FORK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A mark that is set here, and clear in every child made by fork(): the kernel gives it an empty page. It may
 * be set again there. NULL: no memory.
 */
uint8_t *flux_fork_mark(void);

/* Free it; NULL is allowed. */
void flux_fork_unmark(uint8_t *mark);

/* Read it: it changes without an assignment, between any two calls. */
static inline bool flux_fork_is_here(const uint8_t *mark)
{
	return *(const volatile uint8_t *)mark != 0;
}

#endif
