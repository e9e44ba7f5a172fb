/* SPDX-License-Identifier: MIT */
/*
 * An endpoint's options as text: every key at its borders and beyond, words that say what to write instead, nothing
 * changed on failure, and both directions giving the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <flux/error.h>
#include <flux/options.h>

static const struct flux_endpoint_cfg init = FLUX_ENDPOINT_CFG_INIT;
static struct flux_endpoint_cfg cfg;
static char why[FLUX_WHY_TEXT];

static int setup(void **state)
{
	(void)state;
	cfg = init;
	return 0;
}

static int parse(const char *text)
{
	int rc;

	memset(why, 'x', sizeof(why));
	rc = flux_endpoint_cfg_parse(&cfg, text, why);
	assert_non_null(memchr(why, '\0', sizeof(why)));
	assert_int_equal(rc == 0, why[0] == '\0');
	return rc;
}

static void takes(const char *text)
{
	if (parse(text))
		fail_msg("\"%s\": %s", text, why);
}

/* Refused, with all of these words. */
static void refuses(const char *text, const char *first, const char *second)
{
	const struct flux_endpoint_cfg before = cfg;

	if (parse(text) != FLUX_EINVAL)
		fail_msg("\"%s\" is not refused", text);
	if (!strstr(why, first) || !strstr(why, second))
		fail_msg("\"%s\": \"%s\" should say \"%s\" and \"%s\"", text, why, first, second);
	assert_memory_equal(&cfg, &before, sizeof(cfg));
	assert_int_equal(flux_endpoint_cfg_parse(&cfg, text, NULL), FLUX_EINVAL);
}

#define TAKES(text, member, value)                             \
	do {                                                   \
		struct flux_endpoint_cfg want = init;          \
		setup(NULL);                                   \
		takes(text);                                   \
		want.member = (value);                         \
		assert_true(cfg.member == (value));            \
		assert_memory_equal(&cfg, &want, sizeof(cfg)); \
	} while (0)

/* ---- Keys and values ---- */

static void numbers(void **state)
{
	(void)state;
	TAKES("max_sessions=1", max_sessions, 1);
	TAKES("max_sessions=64K", max_sessions, 65536);
	TAKES("max_datagram=576", max_datagram, 576);
	TAKES("max_datagram=65472", max_datagram, 65472);
	TAKES("max_message=1", max_message, 1);
	TAKES("max_message=1G", max_message, 1u << 30);
	TAKES("window=16", window, 16);
	TAKES("window=65536", window, 65536);
	TAKES("rx_pool=64", rx_pool, 64);
	TAKES("rx_pool=16M", rx_pool, 1u << 24);
	TAKES("tx_queue=19200", tx_queue, 19200);
	TAKES("tx_queue=1g", tx_queue, 1u << 30);
	TAKES("cwnd=1", cwnd, 1);
	TAKES("cwnd=4294967295", cwnd, UINT32_MAX);
	TAKES("rate_bps=1", rate_bps, 1);
	TAKES("rate_bps=10M", rate_bps, 10u << 20);
	TAKES("rate_bps=18446744073709551615", rate_bps, UINT64_MAX);
	TAKES("first_seq=1", first_seq, 1);
	TAKES("first_seq=4611686018427387903", first_seq, (UINT64_C(1) << 62) - 1);
	TAKES("boot_id=18446744073709551615", boot_id, UINT64_MAX);
}

static void times(void **state)
{
	(void)state;
	TAKES("granularity=1ns", granularity, 1);
	TAKES("granularity=50us", granularity, FLUX_US(50));
	TAKES("granularity=1s", granularity, FLUX_S(1));
	TAKES("idle_timeout=500ms", idle_timeout, FLUX_MS(500));
	TAKES("idle_timeout=600s", idle_timeout, FLUX_S(600));
	TAKES("connect_timeout=1ns", connect_timeout, 1);
	TAKES("connect_timeout=2500ms", connect_timeout, FLUX_MS(2500));
	setup(NULL);
	refuses("idle_timeout=15", "idle_timeout: \"15\" is no time", "500ms to 600s");
	refuses("idle_timeout=15m", "no time", "15s");
	refuses("granularity=1K", "no time", "1ns to 1s");
}

static void words(void **state)
{
	(void)state;
	TAKES("cwnd=none", cwnd, UINT32_MAX);
	TAKES("connect_timeout=never", connect_timeout, FLUX_NEVER);
	setup(NULL);
	cfg.rate_bps = cfg.first_seq = cfg.boot_id = 7;
	takes("rate_bps=none,first_seq=random,boot_id=random");
	assert_memory_equal(&cfg, &init, sizeof(cfg));
	refuses("idle_timeout=never", "no time", "500ms");
	refuses("cwnd=nonesuch", "cwnd: \"nonesuch\" is no size", ", or none");
	refuses("connect_timeout=Never", "no time", ", or never");
}

static void out_of_range(void **state)
{
	(void)state;
	refuses("max_sessions=0", "max_sessions: 0 is out of range", "give 1 to 65536");
	refuses("max_sessions=65537", "max_sessions", "1 to 65536");
	refuses("max_datagram=575", "max_datagram: 575", "576 to 65472");
	refuses("max_datagram=64K", "max_datagram: 64K", "576 to 65472");
	refuses("max_message=0", "max_message", "1 to 1G");
	refuses("max_message=2G", "max_message: 2G", "1 to 1G");
	refuses("window=15", "window: 15", "16 to 65536, a power of two");
	refuses("window=100", "window: 100 is no power of two", "16 to 65536");
	refuses("window=128K", "window: 131072", "16 to 65536");
	refuses("window=4294967296", "out of range", "16 to 65536");
	refuses("rx_pool=0", "rx_pool", "1 to 16777216");
	refuses("rx_pool=17M", "rx_pool", "1 to 16777216");
	refuses("tx_queue=9215", "tx_queue", "9K to 1G");
	refuses("tx_queue=2G", "tx_queue", "9K to 1G");
	refuses("cwnd=0", "cwnd: 0", "1 to 4294967295, or none");
	refuses("cwnd=4G", "cwnd: 4G", "1 to 4294967295");
	refuses("rate_bps=0", "rate_bps: 0", "1 and up, or none");
	refuses("rate_bps=18446744073709551616", "\"18446744073709551616\" is out of range", "1 and up");
	refuses("granularity=0s", "granularity: 0ns", "1ns to 1s");
	refuses("granularity=1001ms", "granularity: 1001ms", "1ns to 1s");
	refuses("idle_timeout=499ms", "idle_timeout: 499ms", "500ms to 600s");
	refuses("idle_timeout=601s", "idle_timeout: 601s", "500ms to 600s");
	refuses("connect_timeout=0s", "connect_timeout", "1ns and up, or never");
	refuses("first_seq=0", "first_seq", "or random");
	refuses("first_seq=4611686018427387904", "first_seq", "1 to 4611686018427387903");
	refuses("boot_id=0", "boot_id", "or random");
}

/* Limits that follow from another member, wherever in the text it stands. */
static void limits_of_others(void **state)
{
	(void)state;
	takes("tx_queue=9216,max_datagram=576");
	refuses("max_datagram=1200", "tx_queue: 9K", "19200 to 1G, at least 16 times max_datagram");
	setup(NULL);
	refuses("tx_queue=19199", "tx_queue: 19199", "19200 to 1G");
	refuses("rx_pool=63", "rx_pool: 63", "64 to 16777216, at least max_sessions");
	takes("rx_pool=4,max_sessions=4");
	assert_int_equal(cfg.rx_pool, 4);
}

/* ---- What is no option ---- */

static void typos(void **state)
{
	(void)state;
	refuses("windw=64", "unknown option \"windw\": did you mean \"window\"?", "");
	assert_string_equal(why, "unknown option \"windw\": did you mean \"window\"?");
	refuses("widnow=64", "did you mean \"window\"", "");
	refuses("Window=64", "did you mean \"window\"", "");
	refuses(" window=64", "did you mean \"window\"", "");
	refuses("window =64", "did you mean \"window\"", "");
	refuses("maxmessage=1", "did you mean \"max_message\"", "");
	refuses("max-session=1", "did you mean \"max_sessions\"", "");
	refuses("rate=10M", "did you mean \"rate_bps\"", "");
	refuses("idle=1s", "did you mean \"idle_timeout\"", "");
	refuses("cwn", "did you mean \"cwnd\"", "");
	refuses("win=64", "unknown option \"win\": there are max_sessions, ", ", boot_id");
	refuses("wiXXXw=64", "there are max_sessions", "");
	/* What whoever opens the socket sets, and what is none of a text. */
	refuses("accept=1", "unknown option \"accept\": there are", "");
	refuses("rcvbuf=1M", "unknown option \"rcvbuf\": there are", "");
	refuses("seed=1", "unknown option \"seed\"", "");
	refuses("mem=1", "unknown option \"mem\"", "");
	refuses("size=1", "unknown option \"size\"", "");
}

static void form(void **state)
{
	(void)state;
	refuses("", "an option is empty", "key=value");
	refuses(",", "an option is empty", "");
	refuses("window=64,", "an option is empty", "");
	refuses(",window=64", "an option is empty", "");
	refuses("window=64,,cwnd=1", "an option is empty", "");
	refuses("=64", "\"=64\" has no key", "key=value");
	refuses("window=", "\"window=\" has no value", "give 16 to 65536");
	refuses("window", "\"window\" has no value", "give 16 to 65536");
	refuses("window=64,window=64", "\"window\" is given twice", "");
	refuses("window=64,cwnd=1,window=128", "\"window\" is given twice", "");
	refuses("window=64=64", "window: \"64=64\" is no number", "16 to 65536");
	refuses("window=64 ", "is no number", "");
	refuses("window=-64", "is no number", "");
	refuses("window=6.4", "is no number", "");
	refuses("max_message=1MB", "is no size", "1 to 1G");
	refuses("window=64;cwnd=1", "is no number", "");
}

/* Nothing of a text is taken when its last option is wrong. */
static void all_or_nothing(void **state)
{
	(void)state;
	cfg.window = 32;
	refuses("window=64,max_message=1K,idle_timeout=1s,cwnd=x", "cwnd", "");
	assert_int_equal(cfg.window, 32);
	takes("max_message=1K,idle_timeout=1s");
	assert_int_equal(cfg.window, 32);
	assert_int_equal(cfg.max_message, 1024);
	assert_int_equal(cfg.max_datagram, 0);
}

/* Of any length; the words quote a part. */
static void long_text(void **state)
{
	size_t len = 100000;
	char *text = malloc(len + 1);

	(void)state;
	assert_non_null(text);
	text[len] = '\0';
	memset(text, 'w', len);
	refuses(text, "unknown option \"wwww", "...\": there are");
	memcpy(text, "window=", 7);
	refuses(text, "window: \"wwww", "...\" is no number");
	memset(text + 7, '1', len - 7);
	refuses(text, "...\" is out of range", "16 to 65536");
	memset(text + 7, '0', len - 7);
	memcpy(text + len - 2, "64", 2);
	takes(text);
	assert_int_equal(cfg.window, 64);
	memset(text, ',', len);
	refuses(text, "an option is empty", "");
	free(text);
}

/* ---- The other direction ---- */

static const char *format(const struct flux_endpoint_cfg *c)
{
	static char text[FLUX_OPTIONS_TEXT];

	assert_int_equal(flux_endpoint_cfg_format(c, text, sizeof(text)), 0);
	return text;
}

static void defaults_written(void **state)
{
	(void)state;
	assert_string_equal(format(&init),
			    "max_sessions=64,max_datagram=1200,max_message=1M,window=1024,rx_pool=4160,tx_queue=2M,"
			    "cwnd=none,rate_bps=none,granularity=1ms,idle_timeout=15s,connect_timeout=10s,"
			    "first_seq=random,boot_id=random");
}

static void both_directions(void **state)
{
	static const char *const texts[] = {
		"max_sessions=3,max_datagram=1452,max_message=77K,window=256,rx_pool=1000,tx_queue=3M,cwnd=100001,"
		"rate_bps=12345,granularity=1500ns,idle_timeout=2500ms,connect_timeout=never,first_seq=1,boot_id=99",
		"max_sessions=65536,max_datagram=65472,max_message=1073741823,window=65536,rx_pool=16777215,"
		"tx_queue=1073741823,cwnd=4294967294,rate_bps=18446744073709551615,granularity=999999999ns,"
		"idle_timeout=599999999999ns,connect_timeout=18446744073709551614ns,"
		"first_seq=4611686018427387903,boot_id=18446744073709551615",
	};
	struct flux_endpoint_cfg second;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		setup(NULL);
		takes(texts[i]);
		assert_string_equal(format(&cfg), texts[i]);
		second = init;
		assert_int_equal(flux_endpoint_cfg_parse(&second, format(&cfg), NULL), 0);
		assert_memory_equal(&second, &cfg, sizeof(cfg));
	}
}

static void room_to_write(void **state)
{
	size_t len = strlen(format(&init));

	(void)state;
	for (size_t size = 0; size <= len + 1; size++) {
		char *out = malloc(size ? size : 1); /* of exactly this size, for the sanitizers */
		int wanted = size > len ? 0 : FLUX_EMSGSIZE;

		assert_non_null(out);
		out[0] = 'x';
		assert_int_equal(flux_endpoint_cfg_format(&init, out, size), wanted);
		assert_int_equal(out[0], wanted ? 'x' : 'm');
		free(out);
	}
	cfg.window = 17;
	assert_int_equal(flux_endpoint_cfg_format(&cfg, why, sizeof(why)), FLUX_EINVAL);
}

/* ---- Structs of other versions ---- */

static void other_sizes(void **state)
{
	uint32_t size = offsetof(struct flux_endpoint_cfg, cwnd);
	struct {
		struct flux_endpoint_cfg known;
		uint8_t tail[8];
	} newer = { .known = init };
	void *old = malloc(size); /* of exactly this size, for the sanitizers */

	(void)state;
	assert_non_null(old);
	cfg.size = size;
	memcpy(old, &cfg, size);
	assert_int_equal(flux_endpoint_cfg_parse(old, "tx_queue=1M", why), 0);
	assert_int_equal(flux_endpoint_cfg_parse(old, "tx_queue=2M,cwnd=1M", why), FLUX_EINVAL);
	assert_non_null(strstr(why, "cwnd"));
	memcpy(&cfg, old, size);
	assert_int_equal(cfg.tx_queue, 1u << 20);
	assert_int_equal(cfg.size, size);
	free(old);

	newer.known.size = sizeof(newer);
	assert_int_equal(flux_endpoint_cfg_parse(&newer.known, "window=64", why), 0);
	assert_int_equal(newer.known.window, 64);
	assert_int_equal(newer.known.size, sizeof(newer));
	newer.tail[7] = 1;
	assert_int_equal(flux_endpoint_cfg_parse(&newer.known, "window=128", why), FLUX_E2BIG);
	assert_int_equal(newer.known.window, 64);
	cfg.size = 0;
	refuses("window=64", "size", "FLUX_ENDPOINT_CFG_INIT");
}

/* ---- The list ---- */

/* Each key of the list is one of the text, its default stands in the text of the defaults, and no other is there. */
static void listed(void **state)
{
	struct flux_option option = FLUX_OPTION_INIT;
	const char *rest = format(&init);
	uint32_t n = 0;

	(void)state;
	for (; flux_endpoint_option(n, &option); n++) {
		size_t len = strlen(option.key);

		assert_int_equal(strncmp(rest, option.key, len), 0);
		assert_int_equal(rest[len], '=');
		rest += len + 1;
		len = strcspn(rest, ",");
		if (strcmp(option.key, "rx_pool") == 0)
			assert_string_equal(option.initial, "max_sessions + 4 windows");
		else
			assert_true(strlen(option.initial) == len && !strncmp(option.initial, rest, len));
		rest += len + (rest[len] == ',');
		assert_true(strlen(option.range) > 0 && strlen(option.range) < sizeof(option.range) - 1);
		assert_true(strlen(option.meaning) > 0);
	}
	assert_string_equal(rest, "");
	assert_int_equal(n, 13);
	assert_int_equal(flux_endpoint_option(UINT32_MAX, &option), 0);
	assert_int_equal(flux_endpoint_option(3, &option), 1);
	assert_string_equal(option.key, "window");
	assert_string_equal(option.range, "16 to 65536, a power of two");
	assert_string_equal(option.initial, "1024");
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(numbers),
		CASE(times),
		CASE(words),
		CASE(out_of_range),
		CASE(limits_of_others),
		CASE(typos),
		CASE(form),
		CASE(all_or_nothing),
		CASE(long_text),
		CASE(defaults_written),
		CASE(both_directions),
		CASE(room_to_write),
		CASE(other_sizes),
		CASE(listed),
	};

	return cmocka_run_group_tests_name("endpoint/options", tests, NULL, NULL);
}
