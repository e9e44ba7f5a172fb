/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over its corpus without a fuzzer, with any compiler: each file, and each
 * prefix of each file. Prints TAP, one line for a file.
 */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Given by the build: the name of the target, and of its folder in the corpus. */
#ifndef FUZZ_TARGET
#error "FUZZ_TARGET is not defined"
#endif

#define CORPUS     "tests/fuzz/corpus/"
#define INPUT_MAX  65536u
#define PREFIX_MAX 4096u /* longer inputs are run whole only */

static int bail(const char *what)
{
	printf("Bail out! %s\n", what);
	return 99;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In a block of exactly its size, so that an address sanitizer sees one byte too far. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	FUZZ_CHECK(copy);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int replay(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f)
		return -1;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
	for (size_t cut = 0; size <= PREFIX_MAX && cut < size; cut++)
		run(data, cut);
	return 0;
}

int main(void)
{
	const char *srcdir = getenv("srcdir");
	struct dirent **entries;
	char folder[2048];
	char path[4096];
	int n;

	snprintf(folder, sizeof(folder), "%s/" CORPUS FUZZ_TARGET, srcdir ? srcdir : ".");
	n = scandir(folder, &entries, visible, alphasort);
	if (n <= 0)
		return bail(folder);
	printf("1..%d\n", n);
	fflush(stdout);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (replay(path) < 0)
			return bail(path);
		printf("ok %d - %s\n", i + 1, entries[i]->d_name);
		fflush(stdout);
		free(entries[i]);
	}
	free(entries);
	return 0;
}
