/* SPDX-License-Identifier: MIT */
/* Copying between structs of different library versions. */
#include "core/base/cfg.h"

#include <stdint.h>
#include <string.h>

#include <flux/error.h>

int flux_cfg_copy(void *dst, size_t known, const void *src)
{
	const uint8_t *bytes = src;
	uint32_t size;

	memcpy(&size, src, sizeof(size));
	if (size < sizeof(size))
		return FLUX_EINVAL;
	for (size_t i = known; i < size; i++)
		if (bytes[i] != 0)
			return FLUX_E2BIG;
	memcpy(dst, src, size < known ? size : known);
	return 0;
}

void flux_stats_copy(void *dst, const void *src, size_t known)
{
	uint32_t size;

	memcpy(&size, dst, sizeof(size));
	if (size > sizeof(size))
		memcpy((uint8_t *)dst + sizeof(size), (const uint8_t *)src + sizeof(size),
		       (size < known ? size : known) - sizeof(size));
}
