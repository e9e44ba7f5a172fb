/* SPDX-License-Identifier: MIT */
/* Addresses as text and back, without the C library: RFC 4291 forms in, RFC 5952 form out. */
#include <flux/error.h>

#include <stdbool.h>
#include <string.h>

#define GROUPS 8u

/* Decimal without leading zeros, at most `max`. Moves *s behind it. */
static bool parse_decimal(const char **s, uint32_t max, uint32_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return false;
	}
	*out = (uint32_t)v;
	*s = p;
	return true;
}

static bool parse_ipv4(const char **s, uint8_t out[4])
{
	const char *p = *s;

	for (int i = 0; i < 4; i++) {
		uint32_t v;

		if (i > 0 && *p++ != '.')
			return false;
		if (!parse_decimal(&p, 255, &v))
			return false;
		out[i] = (uint8_t)v;
	}
	*s = p;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_group(const char **s, uint8_t out[2])
{
	const char *p = *s;
	uint32_t v = 0;

	for (; p - *s < 4 && hex_digit(*p) >= 0; p++)
		v = v << 4 | (uint32_t)hex_digit(*p);
	if (p == *s || hex_digit(*p) >= 0)
		return false;
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	*s = p;
	return true;
}

/* As many groups as there are. "::" may stand once, for one group of zeros or more. */
static bool parse_ipv6(const char **s, uint8_t ip[16])
{
	const uint32_t none = GROUPS + 1;
	const char *p = *s;
	uint32_t n = 0;      /* groups read */
	uint32_t gap = none; /* groups before "::" */

	memset(ip, 0, 16);
	for (;;) {
		if (p[0] == ':' && p[1] == ':') {
			if (gap != none)
				return false;
			gap = n;
			p += 2;
			if (hex_digit(*p) < 0)
				break;
		} else if (n > 0) {
			if (*p != ':')
				break;
			p++;
		}
		if (n <= GROUPS - 2 && parse_ipv4(&p, ip + 2 * n)) {
			n += 2;
			break;
		}
		if (n == GROUPS || !parse_group(&p, ip + 2 * n))
			return false;
		n++;
	}
	if (gap == none ? n != GROUPS : n >= GROUPS)
		return false;
	if (gap != none) {
		memmove(ip + 16 - 2 * (n - gap), ip + 2 * gap, 2 * (n - gap));
		memset(ip + 2 * gap, 0, 16 - 2 * n);
	}
	*s = p;
	return true;
}

/* Everything between the brackets and the brackets themselves. */
static bool parse_bracketed(const char **s, struct flux_addr *a)
{
	const char *p = *s + 1;

	a->family = 6;
	if (!parse_ipv6(&p, a->ip))
		return false;
	if (*p == '%') {
		p++;
		if (!parse_decimal(&p, UINT32_MAX, &a->scope))
			return false;
	}
	if (*p != ']')
		return false;
	*s = p + 1;
	return true;
}

int flux_addr_parse(const char *text, struct flux_addr *addr)
{
	struct flux_addr a = { .family = 4 };
	uint32_t port;

	if (!text || !addr)
		return FLUX_EINVAL;
	if (*text == '[' ? !parse_bracketed(&text, &a) : !parse_ipv4(&text, a.ip))
		return FLUX_EINVAL;
	if (*text++ != ':' || !parse_decimal(&text, UINT16_MAX, &port) || *text != '\0')
		return FLUX_EINVAL;
	a.port = (uint16_t)port;
	*addr = a;
	return 0;
}

static char *put_number(char *p, uint32_t v, uint32_t radix)
{
	char digits[10];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % radix];
		v /= radix;
	} while (v > 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

static char *put_ipv4(char *p, const uint8_t ip[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_number(p, ip[i], 10);
	}
	return p;
}

/* The first of the longest runs of two or more zero groups; *len is 0 if there is none. */
static uint32_t longest_zeros(const uint8_t ip[16], uint32_t *len)
{
	uint32_t best = 0;
	uint32_t run = 0;

	*len = 1;
	for (uint32_t i = 0; i < GROUPS; i++) {
		run = ip[2 * i] == 0 && ip[2 * i + 1] == 0 ? run + 1 : 0;
		if (run > *len) {
			*len = run;
			best = i + 1 - run;
		}
	}
	if (*len < 2)
		*len = 0;
	return best;
}

static char *put_ipv6(char *p, const uint8_t ip[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	uint32_t zeros;
	uint32_t at = longest_zeros(ip, &zeros);

	if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
		memcpy(p, "::ffff:", 7);
		return put_ipv4(p + 7, ip + 12);
	}
	for (uint32_t i = 0; i < GROUPS; i++) {
		if (zeros > 0 && i == at) {
			*p++ = ':';
			i += zeros - 1;
			if (i == GROUPS - 1)
				*p++ = ':';
			continue;
		}
		if (i > 0)
			*p++ = ':';
		p = put_number(p, (uint32_t)ip[2 * i] << 8 | ip[2 * i + 1], 16);
	}
	return p;
}

const char *flux_addr_format(const struct flux_addr *addr, char text[FLUX_ADDR_TEXT])
{
	char *p = text;

	if (addr->family == 4) {
		p = put_ipv4(p, addr->ip);
	} else if (addr->family == 6) {
		*p++ = '[';
		p = put_ipv6(p, addr->ip);
		if (addr->scope != 0) {
			*p++ = '%';
			p = put_number(p, addr->scope, 10);
		}
		*p++ = ']';
	} else {
		memcpy(text, "none", 5);
		return text;
	}
	*p++ = ':';
	p = put_number(p, addr->port, 10);
	*p = '\0';
	return text;
}

int flux_addr_equal(const struct flux_addr *a, const struct flux_addr *b)
{
	if (a->family != b->family)
		return 0;
	if (a->family == 4)
		return a->port == b->port && memcmp(a->ip, b->ip, 4) == 0;
	if (a->family == 6)
		return a->port == b->port && a->scope == b->scope &&
		       memcmp(a->ip, b->ip, 16) == 0;
	return 1;
}
