/* SPDX-License-Identifier: MIT */
/* Reads hexadecimal test data. Wherever the build is, $srcdir says where the source is. */
#include "tests/lib/hexfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 512

static void fail(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s\n", path, what);
	exit(99);
}

/* One word, "XX" or "XX*N", to the end of out. */
static size_t append(const char *path, const char *word, uint8_t *out, size_t room)
{
	unsigned int value;
	size_t count = 1;
	int used = 0;

	if (sscanf(word, "%2x%n", &value, &used) != 1 || used != 2)
		fail(path, word);
	if (word[used] == '*')
		count = strtoul(word + used + 1, NULL, 10);
	else if (word[used] != '\0')
		fail(path, word);
	if (count > room)
		fail(path, "more bytes than the test expects");
	memset(out, (int)value, count);
	return count;
}

size_t hexfile_read(const char *path, uint8_t *out, size_t cap)
{
	const char *srcdir = getenv("srcdir");
	char full[4096];
	char line[LINE_MAX_LEN];
	size_t len = 0;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", srcdir ? srcdir : ".", path);
	f = fopen(full, "r");
	if (!f)
		fail(full, "cannot be opened; tests find it through $srcdir");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "#")] = '\0';
		for (char *word = strtok(line, " \t\n"); word; word = strtok(NULL, " \t\n"))
			len += append(full, word, out + len, cap - len);
	}
	fclose(f);
	return len;
}
