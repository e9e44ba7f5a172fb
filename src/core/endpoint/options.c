/* SPDX-License-Identifier: MIT */
/* The text form of an endpoint's configuration: read, written, explained. What there is, is in option_rows.c. */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/cfg.h"
#include "core/endpoint/endpoint.h"
#include "core/endpoint/options.h"

#define KEY_MAX   24u /* longer than every key */
#define SHOWN     40u /* of a text that is quoted in words */
#define NEAR      2u  /* edits to a key that is suggested */
#define BEGINNING 4u  /* letters that a key is suggested by */

/* One parse, until it is known that all is right. */
struct parse {
	struct flux_endpoint_cfg cfg;
	uint32_t size; /* of the caller's struct */
	uint32_t seen; /* a bit for each row */
	struct flux_text why;
};

/* A piece of the text. */
struct piece {
	const char *at;
	size_t len;
};

/* ---- Words ---- */

static int refuse(struct parse *p, const char *before, struct piece piece, const char *after)
{
	flux_text_str(&p->why, before);
	flux_text_bytes(&p->why, piece.at, piece.len < SHOWN ? piece.len : SHOWN);
	flux_text_str(&p->why, piece.len > SHOWN ? "..." : "");
	flux_text_str(&p->why, after);
	return FLUX_EINVAL;
}

/* Insertions, removals and replacements between the two; both are shorter than KEY_MAX + NEAR. */
static uint32_t edits(const char *key, struct piece word)
{
	uint32_t row[KEY_MAX + NEAR], len = (uint32_t)word.len;

	for (uint32_t j = 0; j <= len; j++)
		row[j] = j;
	for (uint32_t i = 1; key[i - 1]; i++) {
		uint32_t corner = row[0]++;

		for (uint32_t j = 1; j <= len; j++) {
			uint32_t same = corner + (key[i - 1] != word.at[j - 1]);

			corner = row[j];
			row[j] = flux_min_u32(same, flux_min_u32(row[j], row[j - 1]) + 1);
		}
	}
	return row[len];
}

/* The key that is most probably meant, or NULL. */
static const char *nearest(struct piece word)
{
	const char *best = NULL;
	uint32_t least = NEAR + 1;

	if (word.len >= KEY_MAX)
		return NULL;
	for (uint32_t i = 0; i < FLUX_OPTION_ROWS; i++) {
		const char *key = flux_option_rows[i].key;
		uint32_t n = edits(key, word);

		if (n > NEAR && word.len >= BEGINNING && !strncmp(key, word.at, word.len))
			n = NEAR;
		if (flux_option_rows[i].meaning && n < least) {
			best = key;
			least = n;
		}
	}
	return best;
}

static int refuse_key(struct parse *p, struct piece key)
{
	const char *meant = nearest(key);
	const char *between = " ";

	refuse(p, "unknown option \"", key, meant ? "\": did you mean \"" : "\": there are");
	if (meant) {
		flux_text_str(&p->why, meant);
		flux_text_str(&p->why, "\"?");
		return FLUX_EINVAL;
	}
	for (uint32_t i = 0; i < FLUX_OPTION_ROWS; i++) {
		if (!flux_option_rows[i].meaning)
			continue;
		flux_text_str(&p->why, between);
		flux_text_str(&p->why, flux_option_rows[i].key);
		between = ", ";
	}
	return FLUX_EINVAL;
}

static int refuse_value(struct parse *p, const struct flux_option_row *row, struct piece value, const char *after)
{
	flux_text_str(&p->why, row->key);
	refuse(p, ": \"", value, after);
	flux_option_write_range(&p->why, row, row->lo);
	return FLUX_EINVAL;
}

/* ---- Reading ---- */

static bool is_word(const char *word, struct piece piece)
{
	return word && strlen(word) == piece.len && !memcmp(word, piece.at, piece.len);
}

static int take_value(struct parse *p, const struct flux_option_row *row, struct piece text)
{
	static const char *const no_number[] = {
		[FLUX_UNIT_COUNT] = "\" is no number; give ",
		[FLUX_UNIT_SIZE] = "\" is no size such as 1200, 64K or 2M; give ",
		[FLUX_UNIT_TIME] = "\" is no time such as 500us, 20ms or 15s; give ",
	};
	uint64_t value = row->word_value;
	int rc;

	if (!is_word(row->word, text)) {
		switch (flux_number_read(text.at, text.len, row->unit, &value)) {
		case FLUX_NUMBER_NONE:
			return refuse_value(p, row, text, no_number[row->unit]);
		case FLUX_NUMBER_HUGE:
			return refuse_value(p, row, text, "\" is out of range; give ");
		default:
			rc = flux_option_check(row, value, row->lo, &p->why);
			if (rc)
				return rc;
		}
	}
	flux_option_set(row, &p->cfg, value);
	return 0;
}

static uint32_t find(struct piece key)
{
	uint32_t i = 0;

	while (i < FLUX_OPTION_ROWS && !(flux_option_rows[i].meaning && is_word(flux_option_rows[i].key, key)))
		i++;
	return i;
}

static int take_item(struct parse *p, struct piece item)
{
	const char *equals = memchr(item.at, '=', item.len);
	struct piece key = { item.at, equals ? (size_t)(equals - item.at) : item.len }, value;
	const struct flux_option_row *row;
	uint32_t i;

	if (item.len == 0)
		return refuse(p, "an option is empty: write key=value,key=value", item, "");
	if (key.len == 0)
		return refuse(p, "\"", item, "\" has no key before the \"=\": write key=value");
	i = find(key);
	if (i == FLUX_OPTION_ROWS)
		return refuse_key(p, key);
	row = &flux_option_rows[i];
	if (row->at + row->bytes > p->size)
		return refuse(p, "", key, ": this program was built before there was this option");
	if (p->seen & 1u << i)
		return refuse(p, "option \"", key, "\" is given twice: leave one away");
	p->seen |= 1u << i;
	value.at = equals ? equals + 1 : item.at + item.len;
	value.len = (size_t)(item.at + item.len - value.at);
	if (value.len == 0)
		return refuse_value(p, row, item, "\" has no value; give ");
	return take_value(p, row, value);
}

int flux_endpoint_cfg_parse(struct flux_endpoint_cfg *cfg, const char *text, char *why)
{
	struct parse p = { .seen = 0 };
	struct flux_endpoint_cfg full;
	int rc;

	flux_text_init(&p.why, why, why ? FLUX_WHY_TEXT : 0);
	rc = flux_endpoint_cfg_take(&p.cfg, cfg, &p.why);
	p.size = cfg->size;
	while (!rc) {
		struct piece item = { text, strcspn(text, ",") };

		rc = take_item(&p, item);
		if (!text[item.len])
			break;
		text += item.len + 1;
	}
	if (rc)
		return rc;
	full = p.cfg;
	rc = flux_endpoint_cfg_complete(&full, &p.why);
	if (rc)
		return rc;
	p.cfg.size = p.size;
	memcpy(cfg, &p.cfg, flux_min_u64(p.size, sizeof(p.cfg)));
	return 0;
}

/* ---- Writing ---- */

int flux_endpoint_cfg_format(const struct flux_endpoint_cfg *cfg, char *out, size_t size)
{
	struct flux_endpoint_cfg full;
	struct flux_text t, unheard;
	char text[FLUX_OPTIONS_TEXT];
	int rc;

	flux_text_init(&unheard, NULL, 0);
	rc = flux_endpoint_cfg_take(&full, cfg, &unheard);
	if (!rc)
		rc = flux_endpoint_cfg_complete(&full, &unheard);
	if (rc)
		return rc;
	flux_text_init(&t, text, sizeof(text));
	for (uint32_t i = 0; i < FLUX_OPTION_ROWS; i++) {
		const struct flux_option_row *row = &flux_option_rows[i];

		if (!row->meaning)
			continue;
		flux_text_str(&t, t.len ? "," : "");
		flux_text_str(&t, row->key);
		flux_text_str(&t, "=");
		flux_option_write_value(&t, row, flux_option_get(row, &full));
	}
	if (t.len >= size)
		return FLUX_EMSGSIZE;
	memcpy(out, text, t.len + 1);
	return 0;
}

int flux_endpoint_option(uint32_t i, struct flux_option *option)
{
	const struct flux_option_row *row = flux_option_rows;
	struct flux_option full = FLUX_OPTION_INIT;
	struct flux_text t;

	for (;; row++) {
		if (row == flux_option_rows + FLUX_OPTION_ROWS)
			return 0;
		if (row->meaning && i-- == 0)
			break;
	}
	full.key = row->key;
	full.meaning = row->meaning;
	flux_text_init(&t, full.range, sizeof(full.range));
	flux_option_write_range(&t, row, row->lo);
	flux_text_init(&t, full.initial, sizeof(full.initial));
	if (row->initially)
		flux_text_str(&t, row->initially);
	else
		flux_option_write_value(&t, row, row->initial);
	flux_stats_copy(option, &full, sizeof(full));
	return 1;
}
