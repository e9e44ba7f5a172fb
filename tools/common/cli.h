/* SPDX-License-Identifier: MIT */
/* What the command-line tools have in common: exit codes, messages, numbers, addresses. */
#ifndef FLUX_TOOLS_COMMON_CLI_H
#define FLUX_TOOLS_COMMON_CLI_H

#include <stdint.h>
#include <sys/socket.h>

/* Exit codes of every tool, and what the calls below return. */
enum {
	CLI_OK = 0,     /* all that was asked was done */
	CLI_FAILED = 1, /* it was not, and one line on stderr says why */
	CLI_USAGE = 2,  /* the command line is wrong; nothing was done */
};

/* A whole number as an option takes it; `unit` says what it counts, perhaps with an example. */
struct cli_uint {
	const char *option;
	const char *unit;
	uint64_t min;
	uint64_t max;
};

/* The same for a number with a decimal point. */
struct cli_real {
	const char *option;
	const char *unit;
	double min;
	double max;
};

/* A socket address as bind() and connect() take it. */
struct cli_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* What an address is for; it decides what an empty HOST and port 0 mean. */
enum cli_addr_use {
	CLI_ADDR_LISTEN,  /* no HOST: every IPv4 address; port 0: any free port */
	CLI_ADDR_CONNECT, /* no HOST: 127.0.0.1; port 0 is refused */
};

/* Room for any text of cli_addr_format(): a scoped IPv6 address, brackets and port. */
#define CLI_ADDR_TEXT 80

/*
 * Set the name that starts every message; call it first. `tool` must stay valid. A standard
 * stream that was closed becomes one on which every read or write fails.
 */
void cli_init(const char *tool);

/* Print "tool: text" as one line on stderr. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, for a failure that ends the tool. Returns CLI_FAILED. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a wrong command line; a second line points to --help. Returns CLI_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where the values of long options without a letter begin, so that no letter is met. */
#define CLI_LONG 256

/*
 * Explain what getopt_long() just refused. Call it for '?' and ':', with `opterr` set to 0 and
 * an option string that starts with ":". Returns CLI_USAGE.
 */
int cli_usage_getopt(int result, char *const *argv);

/* Answer --help with `text` and --version, on stdout. Each returns the exit code. */
int cli_print_help(const char *text);
int cli_print_version(void);

/* Close stdout and find out whether everything reached it. Returns CLI_OK or CLI_FAILED. */
int cli_close_stdout(void);

/*
 * Read the whole of `text` as a number in the range of `spec`; no sign, no blanks. `value` is
 * set only on success. On failure the message names the option, the limits and the unit.
 * A size may end in K, M or G (powers of 1024). Each returns CLI_OK or CLI_USAGE.
 */
int cli_parse_uint(const struct cli_uint *spec, const char *text, uint64_t *value);
int cli_parse_size(const struct cli_uint *spec, const char *text, uint64_t *value);
int cli_parse_real(const struct cli_real *spec, const char *text, double *value);

/*
 * Find `text` in `words`, which NULL ends; *which is its place. Returns CLI_OK, or CLI_USAGE after a
 * message that lists them.
 */
int cli_parse_word(const char *option, const char *const *words, const char *text, uint32_t *which);

/*
 * Resolve HOST:PORT or [IPV6]:PORT; the first address that the resolver gives is taken. `what`
 * names the argument in messages. Returns CLI_OK, CLI_USAGE for a text that is no address, or
 * CLI_FAILED for a name that cannot be resolved.
 */
int cli_addr_parse(const char *what, const char *text, enum cli_addr_use use,
		   struct cli_addr *addr);

/* Write `addr` as cli_addr_parse() reads it into CLI_ADDR_TEXT bytes. Returns `text`. */
const char *cli_addr_format(const struct cli_addr *addr, char *text);

#endif
