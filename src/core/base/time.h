/* SPDX-License-Identifier: MIT */
/* Arithmetic on flux_ts that cannot overflow past "never". */
#ifndef FLUX_CORE_BASE_TIME_H
#define FLUX_CORE_BASE_TIME_H

#include <flux/base.h>

static inline flux_ts flux_ts_add(flux_ts t, flux_ts d)
{
	return d >= FLUX_NEVER - t ? FLUX_NEVER : t + d;
}

/* How long ago `t` was; 0 if it lies ahead. */
static inline flux_ts flux_ts_since(flux_ts now, flux_ts t)
{
	return now > t ? now - t : 0;
}

static inline flux_ts flux_ts_min(flux_ts a, flux_ts b)
{
	return a < b ? a : b;
}

static inline flux_ts flux_ts_max(flux_ts a, flux_ts b)
{
	return a > b ? a : b;
}

static inline flux_ts flux_ts_clamp(flux_ts t, flux_ts lo, flux_ts hi)
{
	return t < lo ? lo : (t > hi ? hi : t);
}

/* The clock of the wire: microseconds mod 2^32. */
static inline uint32_t flux_ts_us(flux_ts t)
{
	return (uint32_t)(t / 1000u);
}

#endif
