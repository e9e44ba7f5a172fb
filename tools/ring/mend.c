/* SPDX-License-Identifier: MIT */
/* fluxring check and repair: what is wrong with a ring, and mending what can be mended. */
#include <inttypes.h>
#include <stdio.h>

#include "ring/ring.h"

struct look {
	const struct flux_ring *ring;
	bool json;
	bool silent;
	uint32_t n;
};

static void print_place(const struct look *look, const struct flux_ring_finding *finding)
{
	const char *side = finding->is_writer ? "writer" : "reader";

	if (finding->place != UINT32_MAX)
		printf(look->json ? ",\"%s\":%" PRIu32 : "%s %" PRIu32 ": ", side, finding->place);
}

static void told(void *ctx, const struct flux_ring_finding *finding)
{
	struct look *look = ctx;
	const char *severity = finding->severity == FLUX_RING_LEFT ? "left" : "damaged";

	if (look->silent)
		return;
	if (look->json) {
		printf("%s{\"what\":\"%s\",\"severity\":\"%s\"", look->n ? "," : "",
		       flux_ring_fault_name(finding->what), severity);
		print_place(look, finding);
		printf(",\"seq\":%" PRIu64 "}", finding->seq);
	} else {
		printf("%-8s", severity);
		print_place(look, finding);
		printf("%s (0x%" PRIx64 ")\n", flux_ring_fault_text(finding->what), finding->seq);
	}
	look->n++;
}

/* Where nobody who lives takes part, more can be asked; somebody may come meanwhile. */
static int examine(struct look *look, bool *still)
{
	int worst;

	look->silent = true;
	*still = !ring_is_used(look->ring);
	worst = flux_ring_check(look->ring, *still ? FLUX_RING_CHECK_STILL : 0, told, look);
	if (*still && ring_is_used(look->ring))
		*still = false;
	look->silent = false;
	return worst == FLUX_RING_CONSISTENT ?
		       worst :
		       flux_ring_check(look->ring, *still ? FLUX_RING_CHECK_STILL : 0, told, look);
}

int ring_check(const struct ring_options *options)
{
	static const char *const verdicts[] = { "consistent", "left by the dead: \"fluxring repair\" mends it",
						"damaged: let its owner create it anew" };
	static const char *const words[] = { "consistent", "left", "damaged" };
	struct flux_shared_ring *shared;
	struct look look = { .json = options->json };
	bool still;
	int worst;

	if (ring_open_or_say(options, false, &shared) != CLI_OK)
		return RING_UNKNOWN;
	look.ring = flux_shared_ring_ring(shared);
	if (options->json)
		printf("{\"findings\":[");
	worst = examine(&look, &still);
	if (options->json)
		printf("],\"verdict\":\"%s\",\"in_use\":%s}\n", words[worst], ring_json_bool(!still));
	else
		printf("%s%s\n", verdicts[worst], still ? "" : " (in use: only what holds at every instant was asked)");
	flux_shared_ring_close(shared);
	return cli_close_stdout() == CLI_OK ? worst : RING_UNKNOWN;
}

/* One that died between the word of a record and the cursor: whoever opens the ring goes on from there. */
static void take_over(struct flux_ring *ring)
{
	struct flux_ring_writer writer;

	if (ring->n_writers == 1 && flux_ring_writer_open(&writer, ring, NULL) == 0)
		flux_ring_writer_close(&writer);
}

int ring_repair(const struct ring_options *options)
{
	struct flux_shared_ring *shared;
	struct flux_ring_info before, after;
	struct look look = { 0 };
	struct flux_ring *ring;
	bool still;
	int mended, worst;

	if (ring_open_or_say(options, true, &shared) != CLI_OK)
		return CLI_FAILED;
	ring = flux_shared_ring_ring(shared);
	look.ring = ring;
	flux_ring_get_info(ring, &before);
	mended = flux_ring_tend(ring);
	take_over(ring);
	flux_ring_get_info(ring, &after);
	printf("gave back %d places of the dead, skipped %" PRIu64 " claims, %" PRIu64 " items are lost\n", mended,
	       after.aborted - before.aborted, after.lost - before.lost);
	worst = examine(&look, &still);
	flux_shared_ring_close(shared);
	if (worst == FLUX_RING_CONSISTENT)
		return cli_close_stdout();
	return cli_fail("not all of it could be mended%s", worst == FLUX_RING_DAMAGED ?
								   ": let its owner create the ring anew" :
								   ": a place may be waiting for another, try again");
}
