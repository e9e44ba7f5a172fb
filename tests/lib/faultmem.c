/* SPDX-License-Identifier: MIT */
/* Each block is preceded by its size; a wrong one on free ends the program. */
#include "tests/lib/faultmem.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps what follows aligned for any type. */
#define FRONT (2 * alignof(max_align_t))

static void *count_alloc(void *ctx, size_t bytes)
{
	struct faultmem *fm = ctx;
	char *block;

	fm->calls++;
	if (fm->calls == fm->fail_at)
		return NULL;
	block = malloc(FRONT + bytes);
	if (!block)
		return NULL;
	memcpy(block, &bytes, sizeof(bytes));
	fm->live_blocks++;
	fm->live_bytes += bytes;
	/* What a caller must not rely on is not there. */
	return memset(block + FRONT, 0xa5, bytes);
}

static void count_free(void *ctx, void *ptr, size_t bytes)
{
	struct faultmem *fm = ctx;
	char *block = (char *)ptr - FRONT;
	size_t asked;

	memcpy(&asked, block, sizeof(asked));
	if (asked != bytes) {
		fprintf(stderr, "# a block of %zu bytes came back as one of %zu\n", asked, bytes);
		abort();
	}
	fm->live_blocks--;
	fm->live_bytes -= bytes;
	free(block);
}

void faultmem_init(struct faultmem *fm, uint32_t fail_at)
{
	*fm = (struct faultmem){
		.mem = { .alloc = count_alloc, .free = count_free, .ctx = fm },
		.fail_at = fail_at,
	};
}
