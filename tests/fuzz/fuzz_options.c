/* SPDX-License-Identifier: MIT */
/* Any bytes as an endpoint's options. What is taken is written and reads as the same; what is not changes nothing. */
#include <string.h>

#include <flux/error.h>
#include <flux/options.h>

#include "tests/fuzz/fuzz.h"

static void check_taken(const struct flux_endpoint_cfg *cfg)
{
	struct flux_endpoint_cfg second = FLUX_ENDPOINT_CFG_INIT;
	char text[FLUX_OPTIONS_TEXT], again[FLUX_OPTIONS_TEXT];

	FUZZ_CHECK(flux_endpoint_cfg_format(cfg, text, sizeof(text)) == 0);
	FUZZ_CHECK(flux_endpoint_cfg_parse(&second, text, NULL) == 0);
	FUZZ_CHECK(flux_endpoint_cfg_format(&second, again, sizeof(again)) == 0);
	FUZZ_CHECK(strcmp(text, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct flux_endpoint_cfg init = FLUX_ENDPOINT_CFG_INIT;
	struct flux_endpoint_cfg cfg = init;
	char *why = malloc(FLUX_WHY_TEXT); /* of exactly this size, for the sanitizers */
	char *text = malloc(size + 1);
	int rc;

	FUZZ_CHECK(why && text);
	memcpy(text, data, size);
	text[size] = '\0';
	rc = flux_endpoint_cfg_parse(&cfg, text, why);
	FUZZ_CHECK(memchr(why, '\0', FLUX_WHY_TEXT));
	FUZZ_CHECK((rc == 0) == (why[0] == '\0'));
	if (rc) {
		FUZZ_CHECK(rc == FLUX_EINVAL);
		FUZZ_CHECK(memcmp(&cfg, &init, sizeof(cfg)) == 0);
	} else {
		check_taken(&cfg);
	}
	free(why);
	free(text);
	return 0;
}
