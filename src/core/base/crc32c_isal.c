/* SPDX-License-Identifier: MIT */
/* CRC32C by ISA-L, which folds by carry-less multiplication where the processor can. */
#include "core/base/crc32c.h"

#ifdef HAVE_ISAL

#include <isa-l/crc.h>

/* ISA-L takes an int; any multiple of 64 below its limit will do. */
#define PIECE_MAX ((size_t)1 << 30)

/* crc32_iscsi() works on the bare register: the inversion at both ends is ours. */
static uint32_t crc_isal(uint32_t crc, const void *data, size_t len)
{
	/* The missing const is an oversight of its header: it only reads. */
	unsigned char *p = (unsigned char *)(uintptr_t)data;

	crc = ~crc;
	for (; len > PIECE_MAX; p += PIECE_MAX, len -= PIECE_MAX)
		crc = crc32_iscsi(p, (int)PIECE_MAX, crc);
	return ~crc32_iscsi(p, (int)len, crc);
}

flux_crc32c_fn flux_crc32c_isal(void)
{
	return crc_isal;
}

#else

flux_crc32c_fn flux_crc32c_isal(void)
{
	return NULL;
}

#endif
