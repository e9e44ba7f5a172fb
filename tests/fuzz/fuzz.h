/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share: the entry point's shape, and a check that stays on in every
 * build.
 */
#ifndef FLUX_TESTS_FUZZ_FUZZ_H
#define FLUX_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The property under test, not an assertion of the library: it must hold for any input. */
#define FUZZ_CHECK(cond) ((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))

static inline void fuzz_fail(const char *file, int line, const char *cond)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, cond);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
