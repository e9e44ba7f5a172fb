/* SPDX-License-Identifier: MIT */
/* fluxring: look at the rings that processes share, also at what a dead process left, and mend it. */
#include <getopt.h>
#include <string.h>

#include "ring/ring.h"

static const char help[] =
	"Usage: fluxring ls [DIR]         the rings of a directory (default /dev/shm)\n"
	"       fluxring info RING        shape, fill level, readers, writers, counters, notes\n"
	"       fluxring check RING       prove it consistent\n"
	"       fluxring repair RING      clean up after processes that died\n"
	"       fluxring tail RING        show the items that go through it\n"
	"\n"
	"RING is a path, or a plain name in /dev/shm. All but repair only read, and work on what a\n"
	"process left that was killed.\n"
	"\n"
	"      --json        ls, info, check: JSON on standard output\n"
	"  -n, --last N      tail: begin with the last N items (default 10)\n"
	"  -f, --follow      tail: go on until the ring is closed\n"
	"      --raw         tail: the bytes as they are, instead of a hexadecimal dump\n"
	"      --any-owner   repair: also a ring of another user\n"
	"      --help        print this and exit\n"
	"      --version     print the version and exit\n"
	"\n"
	"Exit status: 0 done, 1 not (one line says why), 2 wrong usage. Of check: 0 consistent, 1 a dead\n"
	"process left something that repair mends, 2 damaged, 3 it could not be checked.\n";

struct command {
	const char *name;
	int (*run)(const struct ring_options *options);
};

static const struct command commands[] = {
	{ "ls", ring_ls },
	{ "info", ring_info },
	{ "check", ring_check },
	{ "repair", ring_repair },
	{ "tail", ring_tail },
};

enum {
	OPT_JSON = CLI_LONG,
	OPT_RAW,
	OPT_ANY_OWNER,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "last", required_argument, NULL, 'n' },
	{ "follow", no_argument, NULL, 'f' },
	{ "raw", no_argument, NULL, OPT_RAW },
	{ "any-owner", no_argument, NULL, OPT_ANY_OWNER },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int parse(struct ring_options *options, int argc, char **argv, bool *done)
{
	static const struct cli_uint last = { "--last", "items", 0, UINT32_MAX };
	int c, rc = CLI_OK;

	opterr = 0;
	while (rc == CLI_OK && !*done && (c = getopt_long(argc, argv, ":n:f", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_JSON:
			options->json = true;
			break;
		case OPT_RAW:
			options->raw = true;
			break;
		case OPT_ANY_OWNER:
			options->any_owner = true;
			break;
		case 'f':
			options->follow = true;
			break;
		case 'n':
			rc = cli_parse_uint(&last, optarg, &options->last);
			break;
		case OPT_HELP:
		case OPT_VERSION:
			*done = true;
			rc = c == OPT_HELP ? cli_print_help(help) : cli_print_version();
			break;
		default:
			rc = cli_usage_getopt(c, argv);
		}
	}
	return rc;
}

/* What does not belong to a command would be forgotten in silence. */
static int check_options(const struct ring_options *options, const struct command *command)
{
	bool tails = command->run == ring_tail;

	if (options->json && (tails || command->run == ring_repair))
		return cli_usage("--json is for ls, info and check");
	if (!tails && (options->raw || options->follow || options->last != 10))
		return cli_usage("--last, --follow and --raw are for tail");
	if (options->any_owner && command->run != ring_repair)
		return cli_usage("--any-owner is for repair");
	if (!options->name && command->run != ring_ls)
		return cli_usage("%s which ring? A path, or a name in /dev/shm", command->name);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	struct ring_options options = { .last = 10 };
	const struct command *command;
	bool done = false;
	int rc;

	cli_init("fluxring");
	rc = parse(&options, argc, argv, &done);
	if (done)
		return rc;
	command = find(argv[optind]);
	if (rc == CLI_OK && !command)
		rc = argv[optind] ? cli_usage("\"%s\" is no command", argv[optind]) : cli_usage("no command");
	if (rc == CLI_OK && argc - optind > 2)
		rc = cli_usage("\"%s\" is too much", argv[optind + 2]);
	if (rc == CLI_OK) {
		options.name = argv[optind + 1];
		rc = check_options(&options, command);
	}
	if (rc != CLI_OK)
		return command && command->run == ring_check ? RING_UNKNOWN : rc;
	return command->run(&options);
}
