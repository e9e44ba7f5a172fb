/* SPDX-License-Identifier: MIT */
/* Any bytes as a parameter list. What is read and written again reads as the same. */
#include <string.h>

#include "core/wire/params.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flux_params first, second;
	struct flux_reader r;
	struct flux_writer w;
	uint8_t again[64];

	flux_reader_init(&r, data, size);
	if (!flux_params_decode(&first, &r))
		return 0;
	FUZZ_CHECK(flux_reader_left(&r) == 0 && !r.bad);
	FUZZ_CHECK(!first.unknown_critical || (first.unknown_critical & 1));

	/* The longest list that we write has 50 bytes. */
	flux_writer_init(&w, again, sizeof(again));
	flux_params_encode(&first, &w);
	FUZZ_CHECK(!w.bad);
	flux_reader_init(&r, again, (size_t)(w.pos - again));
	FUZZ_CHECK(flux_params_decode(&second, &r));
	first.unknown_critical = 0;
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
	return 0;
}
