/* SPDX-License-Identifier: MIT */
/* An allocator that counts, checks the size that comes back on free, and fails when it is told to. */
#ifndef FLUX_TESTS_LIB_FAULTMEM_H
#define FLUX_TESTS_LIB_FAULTMEM_H

#include <stdint.h>

#include <flux/base.h>

struct faultmem {
	struct flux_mem mem; /* give this to the library */
	uint32_t calls;      /* of alloc */
	uint32_t fail_at;    /* this call fails, counted from 1; 0: none does */
	uint64_t live_blocks, live_bytes;
};

void faultmem_init(struct faultmem *fm, uint32_t fail_at);

#endif
