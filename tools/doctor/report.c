/* SPDX-License-Identifier: MIT */
/* What fluxdoctor prints: rows for people, an object for programs. */
#include "doctor/doctor.h"

#include <stdio.h>

static const char *const names[] = { "ok", "note", "poor", "missing" };

/* ---- For people ---- */

static uint32_t count_of(const struct doctor *doctor, enum doctor_status status)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < doctor->count; i++)
		n += doctor->rows[i].status == status;
	return n;
}

static void print_row(const struct doctor_row *row)
{
	printf("%-8s %-13s %s\n", names[row->status], row->key, row->fact);
	if (row->effect[0])
		printf("%-22s %s\n", "", row->effect);
	if (row->command[0])
		printf("%-22s $ %s\n", "", row->command);
}

void doctor_print(const struct doctor *doctor)
{
	const struct doctor_use *use = &doctor->use;
	char rcvbuf[DOCTOR_SIZE_TEXT], sndbuf[DOCTOR_SIZE_TEXT];

	for (uint32_t i = 0; i < doctor->count; i++)
		print_row(&doctor->rows[i]);
	printf("\nFlux uses here: loops over %s%s; %s; buffers of %s in, %s out; idling that %s; checksums by %s.\n",
	       use->loop, use->event ? " and libevent" : "",
	       use->gso && use->gro ? "runs of datagrams (GSO, GRO)" :
	       use->gso             ? "runs of datagrams when sending (GSO)" :
	       use->gro             ? "runs of datagrams when receiving (GRO)" :
				      "no runs of datagrams",
	       doctor_size(use->rcvbuf, rcvbuf), doctor_size(use->sndbuf, sndbuf),
	       use->spin ? "spins, where asked for" : "may not spin", use->sums);
	printf("%u ok, %u notes, %u poor, %u missing.\n", count_of(doctor, DOCTOR_OK),
	       count_of(doctor, DOCTOR_NOTE), count_of(doctor, DOCTOR_POOR), count_of(doctor, DOCTOR_MISSING));
}

/* ---- For programs ---- */

static void json_text(const char *name, const char *text)
{
	printf("\"%s\":\"", name);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_bool(const char *name, bool value)
{
	printf(",\"%s\":%s", name, value ? "true" : "false");
}

static void json_row(const struct doctor_row *row)
{
	printf("\"%s\":{", row->key);
	json_text("status", names[row->status]);
	putchar(',');
	json_text("fact", row->fact);
	putchar(',');
	json_text("effect", row->effect);
	putchar(',');
	json_text("command", row->command);
	putchar('}');
}

void doctor_print_json(const struct doctor *doctor)
{
	const struct doctor_use *use = &doctor->use;

	putchar('{');
	json_text("version", PACKAGE_VERSION);
	putchar(',');
	json_text("status", names[doctor_worst(doctor)]);
	printf(",\"uses\":{");
	json_text("loop", use->loop);
	json_bool("libevent", use->event);
	json_bool("gso", use->gso);
	json_bool("gro", use->gro);
	json_bool("spin", use->spin);
	printf(",\"rcvbuf\":%u,\"sndbuf\":%u,", use->rcvbuf, use->sndbuf);
	json_text("checksum", use->sums);
	printf("},\"checks\":{");
	for (uint32_t i = 0; i < doctor->count; i++) {
		if (i)
			putchar(',');
		json_row(&doctor->rows[i]);
	}
	puts("}}");
}
