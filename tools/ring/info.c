/* SPDX-License-Identifier: MIT */
/* fluxring info: all that can be said of a ring, for people or as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ring/ring.h"

static const char *const states[] = { "free", "coming", "in", "evicted", "cleared" };

static const char *state_of(const struct flux_ring_party *party)
{
	if (party->dead)
		return "dead";
	return party->state < sizeof(states) / sizeof(*states) ? states[party->state] : "unknown";
}

static const char *const happened[] = { "?", "writer died", "reader died", "reader evicted", "no readers left" };

static const char *what_happened(uint32_t what)
{
	return what < sizeof(happened) / sizeof(*happened) ? happened[what] : happened[0];
}

/* ---- For people ---- */

/* A name that somebody else wrote: nothing in it that a terminal would obey. */
static const char *plain(char name[FLUX_RING_NAME])
{
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
	return *name ? name : "-";
}

static void print_reader(const struct flux_ring_info *info, uint32_t place, struct flux_ring_party *party)
{
	printf("  reader %-2" PRIu32 " id %-6" PRIu32 " %-8s %-20s", place, party->id, state_of(party),
	       plain(party->name));
	if (party->flags & FLUX_READER_LOSSY)
		printf(" lossy");
	else if (party->gate == FLUX_RING_OPEN)
		printf(" holds nothing");
	else
		printf(" gate %" PRIu64 " lag %" PRIu64, party->gate, party->count);
	if (party->after)
		printf(" after places 0x%" PRIx64, party->after);
	if (party->patience)
		printf(" evicted after %" PRIu64 " ms", party->patience / 1000000);
	puts(info->gating == party->id ? " (holds the writers)" : "");
}

static void print_writer(const struct flux_ring_info *info, uint32_t place, struct flux_ring_party *party)
{
	printf("  writer %-2" PRIu32 " id %-6" PRIu32 " %-8s %-20s", place, party->id, state_of(party),
	       plain(party->name));
	if (info->stuck == place)
		printf(" open claim of %" PRIu64 " at %" PRIu64, party->count, party->gate);
	putchar('\n');
}

static void print_notes(const struct flux_ring *ring)
{
	struct flux_ring_note note;
	uint64_t cursor = 0;

	while (flux_ring_note_next(ring, &cursor, &note) == 1)
		printf("  note %" PRIu64 ": %s, %s, id %" PRIu32 ", at %" PRIu64 ", %" PRIu64 " slots\n",
		       note.number, what_happened(note.what), plain(note.name), note.who, note.seq, note.count);
}

static void print_info(const struct flux_ring *ring, const struct flux_ring_info *info, bool owner)
{
	struct flux_ring_party party;
	char kind[80];

	printf("%s; %" PRIu64 " slots of %" PRIu32 " bytes, %" PRIu32 " readers and %" PRIu32
	       " writers at most%s; owner %s\n",
	       ring_kind(info, kind), info->capacity, ring->slot, ring->n_readers, ring->n_writers,
	       info->closed ? "; closed" : "", owner ? "lives" : "dead");
	printf("  %s %" PRIu64 ", oldest %" PRIu64 ", used %" PRIu64 ", free %" PRIu64 ", highest %" PRIu64 "\n",
	       ring->n_writers > 1 ? "claimed" : "published", info->published, info->oldest, info->used,
	       info->free, info->highest);
	printf("  aborted %" PRIu64 ", lost %" PRIu64 ", died %" PRIu64 ", evicted %" PRIu64 "\n", info->aborted,
	       info->lost, info->died, info->evicted);
	for (uint32_t i = 0; flux_ring_get_party(ring, 0, i, &party) == 0; i++)
		if (party.state != FLUX_RING_PARTY_NONE)
			print_reader(info, i, &party);
	for (uint32_t i = 0; flux_ring_get_party(ring, 1, i, &party) == 0; i++)
		if (party.state != FLUX_RING_PARTY_NONE)
			print_writer(info, i, &party);
	print_notes(ring);
}

/* ---- For programs ---- */

static void json_party(const struct flux_ring_info *info, int is_writer, uint32_t place,
		       const struct flux_ring_party *party)
{
	printf("{\"place\":%" PRIu32 ",\"id\":%" PRIu32 ",\"state\":\"%s\",\"member\":%" PRIu32 ",\"name\":", place,
	       party->id, state_of(party), party->member);
	ring_json_text(party->name);
	if (is_writer && info->stuck == place)
		printf(",\"claim\":%" PRIu64 ",\"claim_slots\":%" PRIu64, party->gate, party->count);
	if (!is_writer && party->gate != FLUX_RING_OPEN)
		printf(",\"gate\":%" PRIu64 ",\"lag\":%" PRIu64, party->gate, party->count);
	if (!is_writer)
		printf(",\"lossy\":%s,\"gating\":%s,\"after\":%" PRIu64 ",\"evict_after_ns\":%" PRIu64,
		       ring_json_bool(party->flags & FLUX_READER_LOSSY), ring_json_bool(info->gating == party->id),
		       party->after, party->patience);
	putchar('}');
}

static void json_side(const struct flux_ring *ring, const struct flux_ring_info *info, int is_writer)
{
	struct flux_ring_party party;
	const char *between = "";

	printf(",\"%s\":[", is_writer ? "writers" : "readers");
	for (uint32_t i = 0; flux_ring_get_party(ring, is_writer, i, &party) == 0; i++) {
		if (party.state == FLUX_RING_PARTY_NONE)
			continue;
		fputs(between, stdout);
		json_party(info, is_writer, i, &party);
		between = ",";
	}
	putchar(']');
}

static void json_notes(const struct flux_ring *ring)
{
	struct flux_ring_note note;
	const char *between = "";
	uint64_t cursor = 0;

	printf(",\"notes\":[");
	while (flux_ring_note_next(ring, &cursor, &note) == 1) {
		printf("%s{\"number\":%" PRIu64 ",\"what\":\"%s\",\"who\":%" PRIu32 ",\"seq\":%" PRIu64
		       ",\"count\":%" PRIu64 ",\"name\":",
		       between, note.number, what_happened(note.what), note.who, note.seq, note.count);
		ring_json_text(note.name);
		putchar('}');
		between = ",";
	}
	putchar(']');
}

static void json_info(const struct flux_ring *ring, const struct flux_ring_info *info, bool owner)
{
	char kind[80];

	printf("{\"kind\":\"%s\",\"flags\":%" PRIu32 ",\"slot\":%" PRIu32 ",\"capacity\":%" PRIu64
	       ",\"max_readers\":%" PRIu32 ",\"max_writers\":%" PRIu32 ",\"owner_alive\":%s,\"closed\":%s",
	       ring_kind(info, kind), info->flags, ring->slot, info->capacity, ring->n_readers, ring->n_writers,
	       ring_json_bool(owner), ring_json_bool(info->closed));
	printf(",\"published\":%" PRIu64 ",\"oldest\":%" PRIu64 ",\"used\":%" PRIu64 ",\"free\":%" PRIu64
	       ",\"highest\":%" PRIu64 ",\"aborted\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"died\":%" PRIu64
	       ",\"evicted\":%" PRIu64,
	       info->published, info->oldest, info->used, info->free, info->highest, info->aborted, info->lost,
	       info->died, info->evicted);
	json_side(ring, info, 0);
	json_side(ring, info, 1);
	json_notes(ring);
	puts("}");
}

int ring_info(const struct ring_options *options)
{
	struct flux_shared_ring *shared;
	struct flux_ring_info info;
	bool owner;

	if (ring_open_or_say(options, false, &shared) != CLI_OK)
		return CLI_FAILED;
	owner = flux_region_member_alive(flux_shared_ring_region(shared), FLUX_REGION_OWNER) == 1;
	flux_ring_get_info(flux_shared_ring_ring(shared), &info);
	(options->json ? json_info : print_info)(flux_shared_ring_ring(shared), &info, owner);
	flux_shared_ring_close(shared);
	return cli_close_stdout();
}
