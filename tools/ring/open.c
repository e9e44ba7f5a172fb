/* SPDX-License-Identifier: MIT */
/* Opening a ring by its name, with words for everything that may be wrong with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ring/ring.h"

int ring_open(const struct ring_options *options, const char *name, bool write, struct flux_shared_ring **shared,
	      char *why)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;

	cfg.backing = FLUX_REGION_FILE;
	cfg.open = FLUX_REGION_ATTACH;
	cfg.name = name;
	/* Who only looks trusts nothing of what he sees, and harms nobody. */
	cfg.flags = write ? 0 : FLUX_REGION_READ_ONLY | FLUX_REGION_ANY_OWNER;
	if (options->any_owner)
		cfg.flags |= FLUX_REGION_ANY_OWNER;
	return flux_shared_ring_open(shared, &cfg, NULL, why);
}

const char *ring_remedy(int code)
{
	switch (code) {
	case -ENOENT:
		return "\"fluxring ls\" lists the rings that there are";
	case FLUX_EMAGIC:
	case FLUX_EKIND:
		return "name a file that flux_shared_ring_open() made; \"fluxring ls\" finds them";
	case FLUX_ETRUNCATED:
	case FLUX_ESIZE:
		return "nothing can be saved; let its owner create it anew, or remove it";
	case FLUX_ELAYOUT:
	case FLUX_EHEADER:
	case FLUX_EKINDVERSION:
		return "use the fluxring that came with the library which made it";
	case FLUX_EBYTEORDER:
	case FLUX_EWORDSIZE:
		return "look at it on a machine, and with a build, like the one that made it";
	case -EACCES:
	case FLUX_EPERM:
		return "run fluxring as the user that owns it, or as root";
	case FLUX_EUNSAFE:
		return "to repair another user's ring, say --any-owner";
	case -ELOOP:
		return "name the file itself";
	case FLUX_EAGAIN:
		return "try again";
	default:
		return "";
	}
}

int ring_open_or_say(const struct ring_options *options, bool write, struct flux_shared_ring **shared)
{
	char why[FLUX_WHY_TEXT];
	const char *remedy;
	int rc = ring_open(options, options->name, write, shared, why);

	if (rc == 0)
		return CLI_OK;
	remedy = ring_remedy(rc);
	return cli_fail("%s (%s)%s%s", why, flux_strerror(rc), *remedy ? ": " : "", remedy);
}

bool ring_is_used(const struct flux_ring *ring)
{
	struct flux_ring_party party;

	for (int writers = 0; writers < 2; writers++)
		for (uint32_t i = 0; flux_ring_get_party(ring, writers, i, &party) == 0; i++)
			if (party.state != FLUX_RING_PARTY_NONE && !party.dead)
				return true;
	return false;
}

const char *ring_kind(const struct flux_ring_info *info, char text[80])
{
	snprintf(text, 80, "%s%s%s%s", info->flags & FLUX_RING_RECORDS ? "records" : "slots",
		 info->flags & FLUX_RING_SHARE ? ", shared" : "", info->flags & FLUX_RING_LOSSY ? ", lossy" : "",
		 info->flags & FLUX_RING_SUMS ? ", checksums" : "");
	return text;
}

void ring_json_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			printf("\\u%04x", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

const char *ring_json_bool(bool value)
{
	return value ? "true" : "false";
}
