/* SPDX-License-Identifier: MIT */
/*
 * CRC32C by the processor's own instruction: SSE4.2 on x86-64, asked of cpuid at run time; on
 * aarch64 only where the compiler may assume it, since asking there needs the C library.
 */
#include "core/base/crc32c.h"

#include "core/base/bytes.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <nmmintrin.h>

#define INSN_TARGET __attribute__((target("sse4.2")))

INSN_TARGET static inline uint32_t step_u64(uint32_t crc, uint64_t v)
{
	return (uint32_t)_mm_crc32_u64(crc, v);
}

INSN_TARGET static inline uint32_t step_u8(uint32_t crc, uint8_t v)
{
	return _mm_crc32_u8(crc, v);
}

static int have_insn(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

#define INSN_TARGET

static inline uint32_t step_u64(uint32_t crc, uint64_t v)
{
	return __crc32cd(crc, v);
}

static inline uint32_t step_u8(uint32_t crc, uint8_t v)
{
	return __crc32cb(crc, v);
}

static int have_insn(void)
{
	return 1;
}

#endif

#ifdef INSN_TARGET

INSN_TARGET static uint32_t crc_insn(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8)
		crc = step_u64(crc, flux_load_u64(p));
	for (; len > 0; len--, p++)
		crc = step_u8(crc, *p);
	return ~crc;
}

flux_crc32c_fn flux_crc32c_insn(void)
{
	return have_insn() ? crc_insn : NULL;
}

#else

flux_crc32c_fn flux_crc32c_insn(void)
{
	return NULL;
}

#endif
