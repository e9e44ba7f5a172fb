/* SPDX-License-Identifier: MIT */
/* getrandom(), whole and over interruptions. */
#include "sys/entropy.h"

#include <errno.h>
#include <stdint.h>

#include <sys/random.h>

int flux_entropy_fill(void *out, size_t len)
{
	uint8_t *p = out;

	while (len > 0) {
		ssize_t got = getrandom(p, len, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += got;
		len -= (size_t)got;
	}
	return 0;
}
