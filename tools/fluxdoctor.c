/* SPDX-License-Identifier: MIT */
/* fluxdoctor: what this machine offers Flux, what Flux will use of it, and what would change the rest. */
#include <getopt.h>

#include "doctor/doctor.h"

static const char help[] =
	"Usage: fluxdoctor [--json]\n"
	"\n"
	"Tries on this machine, without root and without leaving a trace, what Flux can make use of: what\n"
	"there is, what follows where it is not as it should be, and the command that changes that; at the\n"
	"end, what Flux uses here.\n"
	"\n"
	"      --json      one JSON object on standard output\n"
	"      --help      print this and exit\n"
	"      --version   print the version and exit\n"
	"\n"
	"ok: it works. note: nothing is lost by it, unless it is asked for. poor: it costs speed.\n"
	"missing: it costs a function.\n"
	"\n"
	"Exit status: 0 nothing is poor or missing, 1 something is, 2 wrong usage.\n";

enum {
	OPT_JSON = CLI_LONG,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	static struct doctor doctor = { .root = "" };
	bool json = false;
	int c, rc;

	cli_init("fluxdoctor");
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_JSON:
			json = true;
			break;
		case OPT_HELP:
			return cli_print_help(help);
		case OPT_VERSION:
			return cli_print_version();
		default:
			return cli_usage_getopt(c, argv);
		}
	}
	if (optind < argc)
		return cli_usage("\"%s\" is too much", argv[optind]);
	doctor_check(&doctor);
	if (json)
		doctor_print_json(&doctor);
	else
		doctor_print(&doctor);
	rc = cli_close_stdout();
	return rc == CLI_OK && doctor_worst(&doctor) > DOCTOR_NOTE ? CLI_FAILED : rc;
}
