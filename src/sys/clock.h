/* SPDX-License-Identifier: MIT */
/* The clocks that the hosted loops read; the core is only ever told the time. */
#ifndef FLUX_SYS_CLOCK_H
#define FLUX_SYS_CLOCK_H

#include <flux/base.h>

/* CLOCK_BOOTTIME: monotonic, and a suspend shows as a forward jump. */
flux_ts flux_clock_now(void);
/* CLOCK_REALTIME, which may be set by anybody: only to compare with the kernel's receive stamps. */
flux_ts flux_clock_wall(void);

#endif
