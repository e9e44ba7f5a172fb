/* SPDX-License-Identifier: MIT */
/* CRC32C by the best way that this build and processor have; each way has a file of its own. */
#include "core/base/crc32c.h"

/*
 * Chosen at the first use. Any number of threads may choose at once: all store the same
 * pointer, to code that was always there, so relaxed is enough.
 */
static flux_crc32c_fn chosen;

static flux_crc32c_fn choose(void)
{
	flux_crc32c_fn fn = flux_crc32c_isal();

	if (!fn)
		fn = flux_crc32c_insn();
	if (!fn)
		fn = flux_crc32c_table();
	__atomic_store_n(&chosen, fn, __ATOMIC_RELAXED);
	return fn;
}

uint32_t flux_crc32c(uint32_t crc, const void *data, size_t len)
{
	flux_crc32c_fn fn = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

	if (!fn)
		fn = choose();
	return fn(crc, data, len);
}
