/* SPDX-License-Identifier: MIT */
/*
 * Looks at a request before memcached does. It has to be strict: of a line that memcached dislikes it
 * takes the data for the next command, and from there on replies would belong to other requests.
 */
#define _GNU_SOURCE 1 /* memmem */
#include "request.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define KEY_BYTES  250
#define MAX_WORDS  6

static const struct verb {
	const char *name;
	int words; /* 2: verb and key; 5: with flags, seconds to live and bytes, and data follows */
} verbs[] = { { "get", 2 }, { "delete", 2 }, { "set", 5 }, { "add", 5 }, { "replace", 5 } };

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

/* A decimal number up to `max`, digits only. */
static bool number(const char *word, uint64_t max, uint64_t *value)
{
	*value = 0;
	for (; *word >= '0' && *word <= '9'; word++) {
		*value = *value * 10 + (uint64_t)(*word - '0');
		if (*value > max)
			return false;
	}
	return *word == '\0';
}

/* Cut a line into words at its single spaces; returns how many, 0 if it has another form. */
static int split(char *line, char **words)
{
	int n = 0;

	for (char *word = line; word; n++) {
		char *space = strchr(word, ' ');

		if (*word == '\0' || word == space || n == MAX_WORDS)
			return 0;
		if (space)
			*space++ = '\0';
		words[n] = word;
		word = space;
	}
	return n;
}

static const char *check_data(char **words, const char *data, size_t len)
{
	uint64_t flags, seconds, bytes;

	if (!number(words[2], UINT32_MAX, &flags) || !number(words[3], INT32_MAX, &seconds) ||
	    !number(words[4], INT32_MAX - 2, &bytes))
		return "flags, seconds and bytes are numbers";
	if (len != bytes + 2 || memcmp(data + bytes, "\r\n", 2) != 0)
		return "the data has another length than its line says";
	return NULL;
}

const char *request_check(const char *text, size_t len)
{
	const char *end = memmem(text, len < LINE_BYTES ? len : LINE_BYTES, "\r\n", 2);
	size_t line_len = end ? (size_t)(end - text) : 0;
	char line[LINE_BYTES], *words[MAX_WORDS];
	const struct verb *verb;
	int n;

	if (!end)
		return "a request is a line that ends in CR LF";
	for (size_t i = 0; i < line_len; i++)
		if ((unsigned char)text[i] < ' ')
			return "no control characters in a request line";
	memcpy(line, text, line_len);
	line[line_len] = '\0';
	n = split(line, words);
	verb = n > 0 ? find_verb(words[0]) : NULL;
	if (!verb)
		return "get, set, add, replace and delete are served";
	if (n != verb->words)
		return "too few or too many words in the request line";
	if (strlen(words[1]) > KEY_BYTES)
		return "a key has up to 250 bytes";
	if (n == 5)
		return check_data(words, end + 2, len - line_len - 2);
	return len == line_len + 2 ? NULL : "more than one request in a message";
}
