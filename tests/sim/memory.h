/* SPDX-License-Identifier: MIT */
/* An allocator that counts, checks the sizes it gets back, and can refuse. */
#ifndef FLUX_TESTS_SIM_MEMORY_H
#define FLUX_TESTS_SIM_MEMORY_H

#include <flux/base.h>

struct sim_memory {
	struct flux_mem mem; /* hand this out; ctx is the struct itself */
	uint64_t blocks;     /* held now */
	uint64_t bytes;      /* held now */
	uint64_t peak;       /* most bytes ever held */
	uint64_t calls;      /* successful and refused allocations */
	uint64_t wrong;      /* frees with another size than was asked */
	void *first;         /* of the blocks */
	uint64_t refuse_at;  /* the call with this number (from 1) and all after it fail; 0: none */
};

void sim_memory_init(struct sim_memory *memory);
/* Free what was not given back. */
void sim_memory_fini(struct sim_memory *memory);

#endif
