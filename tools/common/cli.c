/* SPDX-License-Identifier: MIT */
/* What the command-line tools have in common: exit codes, messages, numbers, addresses. */
#include "common/cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_TEXT 256 /* a DNS name has at most 253 characters */
#define PORT_TEXT 8

static const char *tool_name = "flux";

void cli_init(const char *tool)
{
	/* A socket that came to be descriptor 1 would take what is printed. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	tool_name = tool;
}

static void print_line(const char *format, va_list args)
{
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void cli_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
}

int cli_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	return CLI_FAILED;
}

int cli_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	fprintf(stderr, "Try '%s --help'.\n", tool_name);
	return CLI_USAGE;
}

int cli_usage_getopt(int result, char *const *argv)
{
	const char *arg = argv[optind - 1];
	bool is_letter = optopt > 0 && optopt < CLI_LONG;

	if (result == ':' && is_letter)
		return cli_usage("option '-%c' needs a value", optopt);
	if (result == ':')
		return cli_usage("option '%s' needs a value", arg);
	if (is_letter)
		return cli_usage("unknown option '-%c'", optopt);
	if (optopt != 0)
		return cli_usage("option '%s' takes no value", arg);
	return cli_usage("unknown or ambiguous option '%s'", arg);
}

int cli_print_help(const char *text)
{
	fputs(text, stdout);
	return cli_close_stdout();
}

int cli_print_version(void)
{
	printf("%s (Flux) %s\n", tool_name, PACKAGE_VERSION);
	return cli_close_stdout();
}

int cli_close_stdout(void)
{
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fclose(stdout) != 0 || failed)
		return cli_fail("cannot write to standard output: %s",
				errno ? strerror(errno) : "an earlier write failed");
	return CLI_OK;
}

/* Numbers */

static int refuse_uint(const struct cli_uint *spec, const char *text, const char *why)
{
	return cli_usage("%s: '%s' is %s; give %llu to %llu (%s)", spec->option, text, why,
			 (unsigned long long)spec->min, (unsigned long long)spec->max,
			 spec->unit);
}

/* Read digits, then at most one of `suffixes`, each worth 1024 times the one before it. */
static int parse_uint(const struct cli_uint *spec, const char *suffixes, const char *text,
		      uint64_t *value)
{
	uint64_t scale = 1;
	unsigned long long n;
	const char *suffix;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return refuse_uint(spec, text, "not a whole number");
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end != '\0') {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1] != '\0')
			return refuse_uint(spec, text, "not a whole number");
		scale <<= 10 * (suffix - suffixes + 1);
	}
	if (errno == ERANGE || n > UINT64_MAX / scale || n * scale < spec->min ||
	    n * scale > spec->max)
		return refuse_uint(spec, text, "out of range");
	*value = n * scale;
	return CLI_OK;
}

int cli_parse_uint(const struct cli_uint *spec, const char *text, uint64_t *value)
{
	return parse_uint(spec, "", text, value);
}

int cli_parse_size(const struct cli_uint *spec, const char *text, uint64_t *value)
{
	return parse_uint(spec, "KMG", text, value);
}

int cli_parse_real(const struct cli_real *spec, const char *text, double *value)
{
	/* Digits and an exponent only: strtod() would also take "inf", "nan" and "0x1p4". */
	bool is_plain = text[strspn(text, "0123456789.eE+-")] == '\0' &&
			text[0] != '+' && text[0] != '-';
	const char *why = "out of range";
	char *end;
	double n = strtod(text, &end);

	if (is_plain && end != text && *end == '\0') {
		if (n >= spec->min && n <= spec->max) {
			*value = n;
			return CLI_OK;
		}
	} else {
		why = "not a number";
	}
	return cli_usage("%s: '%s' is %s; give %g to %g (%s)", spec->option, text, why,
			 spec->min, spec->max, spec->unit);
}

/* Words */

int cli_parse_word(const char *option, const char *const *words, const char *text, uint32_t *which)
{
	char list[96] = "";

	for (uint32_t i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*which = i;
			return CLI_OK;
		}
		strcat(strcat(list, i ? (words[i + 1] ? ", " : " or ") : ""), words[i]);
	}
	return cli_usage("%s: '%s' is unknown; give %s", option, text, list);
}

/* Addresses */

/* Cut `text` into host, without brackets, and port. Returns CLI_OK or CLI_USAGE. */
static int split_address(const char *what, const char *text, char *host, const char **port)
{
	const char *start = text;
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return cli_usage("%s: '%s' has no port; write HOST:PORT", what, text);
	len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (len < 2 || colon[-1] != ']')
			return cli_usage("%s: '%s' is no address; write [IPV6]:PORT", what,
					 text);
		start++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return cli_usage("%s: '%s' is ambiguous; write an IPv6 address in brackets, "
				 "[IPV6]:PORT",
				 what, text);
	}
	if (len >= HOST_TEXT)
		return cli_usage("%s: a host has at most %d characters", what, HOST_TEXT - 1);
	memcpy(host, start, len);
	host[len] = '\0';
	*port = colon + 1;
	return CLI_OK;
}

int cli_addr_parse(const char *what, const char *text, enum cli_addr_use use,
		   struct cli_addr *addr)
{
	uint64_t first_port = use == CLI_ADDR_LISTEN ? 0 : 1;
	const struct cli_uint port_spec = { what, "port", first_port, 65535 };
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found;
	char host[HOST_TEXT];
	const char *port = "";
	uint64_t number;
	int rc;

	rc = split_address(what, text, host, &port);
	if (rc != CLI_OK)
		return rc;
	rc = cli_parse_uint(&port_spec, port, &number);
	if (rc != CLI_OK)
		return rc;
	hints.ai_family = host[0] ? AF_UNSPEC : AF_INET;
	if (use == CLI_ADDR_LISTEN)
		hints.ai_flags |= AI_PASSIVE;
	rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
	if (rc != 0)
		return cli_fail("%s: cannot resolve '%s': %s", what, host,
				rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	memset(addr, 0, sizeof(*addr));
	memcpy(&addr->ss, found->ai_addr, found->ai_addrlen);
	addr->len = found->ai_addrlen;
	freeaddrinfo(found);
	return CLI_OK;
}

const char *cli_addr_format(const struct cli_addr *addr, char *text)
{
	const char *form = addr->ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
	char host[CLI_ADDR_TEXT - PORT_TEXT];
	char port[PORT_TEXT];

	if (getnameinfo((const struct sockaddr *)&addr->ss, addr->len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		strcpy(text, "?");
		return text;
	}
	snprintf(text, CLI_ADDR_TEXT, form, host, port);
	return text;
}
