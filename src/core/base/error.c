/* SPDX-License-Identifier: MIT */
/* Texts that are compiled in: the version, and the names and meanings of the error codes. */
#include <flux/error.h>

/* Codes of the kernel are -1 to -4095; ours lie below. */
#define KERNEL_LOWEST (-4095)

const char *flux_version(void)
{
	return FLUX_VERSION;
}

#define CASE_TEXT(name, value, text) \
	case name:                   \
		return text;

#define CASE_NAME(name, value, text) \
	case name:                   \
		return #name;

const char *flux_strerror(int code)
{
	switch (code) {
	case 0:
		return "success";
		FLUX_ERRORS(CASE_TEXT)
	default:
		return "system error";
	}
}

const char *flux_errname(int code)
{
	switch (code) {
	case 0:
		return "OK";
		FLUX_ERRORS(CASE_NAME)
	default:
		return code < 0 && code >= KERNEL_LOWEST ? "errno" : "unknown";
	}
}
