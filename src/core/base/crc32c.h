/* SPDX-License-Identifier: MIT */
/*
 * CRC32C (Castagnoli), by ISA-L when built with it, else by the processor's instruction or a
 * table.
 */
#ifndef FLUX_CORE_BASE_CRC32C_H
#define FLUX_CORE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Chained: flux_crc32c(0, "123456789") is 0xE3069283, and crc(crc(0, a), b) is crc(0, ab).
 * The way is chosen at run time, once, without a constructor and safely from any thread.
 */
uint32_t flux_crc32c(uint32_t crc, const void *data, size_t len);

/*
 * Each way by itself, for tests; a way this processor or build lacks is NULL. All give equal
 * results.
 */
typedef uint32_t (*flux_crc32c_fn)(uint32_t crc, const void *data, size_t len);
flux_crc32c_fn flux_crc32c_isal(void);
flux_crc32c_fn flux_crc32c_insn(void);
flux_crc32c_fn flux_crc32c_table(void);

#endif
