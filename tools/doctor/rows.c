/* SPDX-License-Identifier: MIT */
/* Making the rows of fluxdoctor, and the order of its checks. */
#include "doctor/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void doctor_check(struct doctor *doctor)
{
	doctor_check_kernel(doctor);
	doctor_check_cpus(doctor);
	doctor_check_quota(doctor);
	doctor_check_topology(doctor);
	doctor_check_build(doctor);
	doctor_check_uring(doctor);
	doctor_check_offload(doctor);
	doctor_check_buffers(doctor);
	doctor_check_time(doctor);
	doctor_check_memory(doctor);
	doctor_check_limits(doctor);
}

struct doctor_row *doctor_add(struct doctor *doctor, const char *key)
{
	struct doctor_row *row;

	if (doctor->count == DOCTOR_ROWS)
		abort(); /* a check was added and its row not counted */
	row = &doctor->rows[doctor->count++];
	row->key = key;
	row->status = DOCTOR_OK;
	row->fact[0] = row->effect[0] = row->command[0] = '\0';
	return row;
}

void doctor_fact(struct doctor_row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(row->fact, sizeof(row->fact), format, args);
	va_end(args);
}

void doctor_effect(struct doctor_row *row, enum doctor_status status, const char *format, ...)
{
	va_list args;

	row->status = status;
	va_start(args, format);
	vsnprintf(row->effect, sizeof(row->effect), format, args);
	va_end(args);
}

void doctor_command(struct doctor_row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(row->command, sizeof(row->command), format, args);
	va_end(args);
}

enum doctor_status doctor_worst(const struct doctor *doctor)
{
	enum doctor_status worst = DOCTOR_OK;

	for (uint32_t i = 0; i < doctor->count; i++)
		if (doctor->rows[i].status > worst)
			worst = doctor->rows[i].status;
	return worst;
}

const char *doctor_size(uint64_t bytes, char text[DOCTOR_SIZE_TEXT])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (unit < sizeof(units) / sizeof(*units) - 1 && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, DOCTOR_SIZE_TEXT, "%" PRIu64 " %s", bytes, units[unit]);
	return text;
}
