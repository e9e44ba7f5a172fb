/* SPDX-License-Identifier: MIT */
/* Unpredictable bytes from the kernel, to seed the endpoint's own generator with. */
#ifndef FLUX_SYS_ENTROPY_H
#define FLUX_SYS_ENTROPY_H

#include <stddef.h>

/* Fill `len` bytes. Returns 0 or a negative errno value; may block early in the boot of a machine. */
int flux_entropy_fill(void *out, size_t len);

#endif
