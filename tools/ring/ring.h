/* SPDX-License-Identifier: MIT */
/* What the commands of fluxring share: options, opening a ring by its name, texts. */
#ifndef FLUX_TOOLS_RING_RING_H
#define FLUX_TOOLS_RING_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <flux/shared_ring.h>

#include "common/cli.h"

enum {
	RING_LEFT = 1,    /* check: what the dead left; repair mends it */
	RING_DAMAGED = 2, /* check */
	RING_UNKNOWN = 3  /* check: it could not be looked at, or the command line is wrong */
};

struct ring_options {
	const char *name; /* a path, or a name in /dev/shm; ls: a directory */
	bool json, raw, follow, any_owner;
	uint64_t last; /* tail: so many items */
};

/* The commands; each returns the exit code. */
int ring_ls(const struct ring_options *options);
int ring_info(const struct ring_options *options);
int ring_check(const struct ring_options *options);
int ring_repair(const struct ring_options *options);
int ring_tail(const struct ring_options *options);

/*
 * Attach the ring of that name, only to read it unless `write`. The code of flux_shared_ring_open();
 * `why` has FLUX_WHY_TEXT bytes.
 */
int ring_open(const struct ring_options *options, const char *name, bool write, struct flux_shared_ring **shared,
	      char *why);
/* The same, and a message with its remedy: CLI_OK or CLI_FAILED. */
int ring_open_or_say(const struct ring_options *options, bool write, struct flux_shared_ring **shared);
/* What to do about such an error; "" if nothing is known. */
const char *ring_remedy(int code);

/* Whether a living process has a place in the ring. */
bool ring_is_used(const struct flux_ring *ring);
/* "slots, shared, checksums" */
const char *ring_kind(const struct flux_ring_info *info, char text[80]);
/* A string as JSON has it, with its quotes, on stdout. */
void ring_json_text(const char *text);
const char *ring_json_bool(bool value);

#endif
