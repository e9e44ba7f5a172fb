/* SPDX-License-Identifier: MIT */
/* Reading /proc and /sys for fluxdoctor. */
#include "doctor/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_below(const struct doctor *doctor, const char *path)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", doctor->root, path) >= (int)sizeof(full))
		return NULL;
	return fopen(full, "re");
}

bool doctor_read(const struct doctor *doctor, const char *path, char *text, size_t cap)
{
	FILE *file = open_below(doctor, path);
	bool got;

	text[0] = '\0';
	if (!file)
		return false;
	got = fgets(text, (int)cap, file) != NULL;
	fclose(file);
	if (!got)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return got;
}

bool doctor_number(const struct doctor *doctor, const char *path, int64_t *value)
{
	char text[64], *end;

	if (!doctor_read(doctor, path, text, sizeof(text)))
		return false;
	*value = strtoll(text, &end, 10);
	return end != text;
}

bool doctor_process(const struct doctor *doctor, const char *name, char *text, size_t cap)
{
	FILE *file = open_below(doctor, "/proc/self/status");
	size_t len = strlen(name);
	char line[4096];
	bool found = false;

	text[0] = '\0';
	while (file && !found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, name, len) == 0 && line[len] == ':';
		if (!found)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, cap, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
	}
	if (file)
		fclose(file);
	return found;
}
