/* SPDX-License-Identifier: MIT */
/* The command line of fluxrelay. */
#include "relay/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/random.h>

#define IPV6_UDP_BYTES 48
#define QUEUE_BYTES    (256u << 10)
#define SEED_MAX       ((UINT64_C(1) << 53) - 1) /* every reader of JSON holds it exactly */

static const char help[] =
	"Usage: fluxrelay LISTEN TARGET [OPTION]...\n"
	"Relay UDP datagrams between clients at LISTEN and TARGET, and make the way worse.\n"
	"Addresses are HOST:PORT or [IPV6]:PORT. Both directions are impaired alike.\n"
	"\n"
	"  --loss P        lose each datagram with probability P (0.02 is 2 %)\n"
	"  --burst P,R     lose in bursts: a burst begins with probability P a datagram\n"
	"                  and ends with probability R a datagram\n"
	"  --delay MS      deliver MS milliseconds later\n"
	"  --jitter MS     and up to MS more, drawn for each datagram: they may overtake\n"
	"  --reorder P     hold back with probability P, by up to 1 ms or a tenth of --delay\n"
	"  --dup P         duplicate with probability P\n"
	"  --corrupt P     flip one bit with probability P\n"
	"  --mtu N         drop what makes an IP packet of more than N bytes\n"
	"  --rate MBIT     send at most MBIT megabits of IP packets a second\n"
	"  --queue BYTES   wait for the rate in a queue of BYTES (K, M), else be dropped;\n"
	"                  256K if not given\n"
	"  --seed N        make the same random choices as every run with seed N\n"
	"  --seconds S     end after S seconds; else at SIGINT or SIGTERM\n"
	"  --help          print this text\n"
	"  --version       print the version\n"
	"\n"
	"At the end the counters of both directions are printed as one line of JSON.\n"
	"Exit status: 0 ended as asked, 1 failed, 2 wrong usage. See fluxrelay(1).\n";

enum {
	OPT_LOSS,
	OPT_DUP,
	OPT_CORRUPT,
	OPT_REORDER,
	OPT_DELAY,
	OPT_JITTER,
	OPT_RATE,
	OPT_SECONDS,
	OPT_REALS, /* the options above take a number with a decimal point */
	OPT_BURST = OPT_REALS,
	OPT_MTU,
	OPT_QUEUE,
	OPT_SEED,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "loss", required_argument, NULL, CLI_LONG + OPT_LOSS },
	{ "dup", required_argument, NULL, CLI_LONG + OPT_DUP },
	{ "corrupt", required_argument, NULL, CLI_LONG + OPT_CORRUPT },
	{ "reorder", required_argument, NULL, CLI_LONG + OPT_REORDER },
	{ "delay", required_argument, NULL, CLI_LONG + OPT_DELAY },
	{ "jitter", required_argument, NULL, CLI_LONG + OPT_JITTER },
	{ "rate", required_argument, NULL, CLI_LONG + OPT_RATE },
	{ "seconds", required_argument, NULL, CLI_LONG + OPT_SECONDS },
	{ "burst", required_argument, NULL, CLI_LONG + OPT_BURST },
	{ "mtu", required_argument, NULL, CLI_LONG + OPT_MTU },
	{ "queue", required_argument, NULL, CLI_LONG + OPT_QUEUE },
	{ "seed", required_argument, NULL, CLI_LONG + OPT_SEED },
	{ "help", no_argument, NULL, CLI_LONG + OPT_HELP },
	{ "version", no_argument, NULL, CLI_LONG + OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char probability[] = "a probability; 0.02 is 2 %";

static const struct cli_real reals[OPT_REALS] = {
	[OPT_LOSS] = { "--loss", probability, 0, 1 },
	[OPT_DUP] = { "--dup", probability, 0, 1 },
	[OPT_CORRUPT] = { "--corrupt", probability, 0, 1 },
	[OPT_REORDER] = { "--reorder", probability, 0, 1 },
	[OPT_DELAY] = { "--delay", "milliseconds", 0, 10000 },
	[OPT_JITTER] = { "--jitter", "milliseconds", 0, 10000 },
	[OPT_RATE] = { "--rate", "megabits a second", 0.001, 10000 },
	[OPT_SECONDS] = { "--seconds", "seconds", 0.001, 1e6 },
};

static const struct cli_uint mtu = { "--mtu", "bytes of an IP packet", 68, 65535 };
static const struct cli_uint queue = { "--queue", "bytes", 0, 1u << 30 };
static const struct cli_uint seed = { "--seed", "0 is a random seed", 0, SEED_MAX };

/* "P,R". An R of 0 would lose everything from the first burst on, for ever. */
static int parse_burst(const char *text, struct relay_impairments *set)
{
	static const struct cli_real enter = { "--burst P", probability, 0, 1 };
	static const struct cli_real leave = { "--burst R", probability, 1e-9, 1 };
	const char *comma = strchr(text, ',');
	char first[32];
	int rc;

	if (!comma || (size_t)(comma - text) >= sizeof(first))
		return cli_usage("--burst: '%s' is not P,R; 0.01,0.2 loses 5 %% in runs of 5",
				 text);
	memcpy(first, text, (size_t)(comma - text));
	first[comma - text] = '\0';
	rc = cli_parse_real(&enter, first, &set->burst_enter);
	return rc != CLI_OK ? rc : cli_parse_real(&leave, comma + 1, &set->burst_leave);
}

static void set_real(int opt, double value, struct relay_options *options)
{
	struct relay_impairments *set = &options->set;

	switch (opt) {
	case OPT_LOSS:
		set->loss = value;
		break;
	case OPT_DUP:
		set->dup = value;
		break;
	case OPT_CORRUPT:
		set->corrupt = value;
		break;
	case OPT_REORDER:
		set->reorder = value;
		break;
	case OPT_DELAY:
		set->delay_ns = (uint64_t)(value * RELAY_NS_PER_MS);
		break;
	case OPT_JITTER:
		set->jitter_ns = (uint64_t)(value * RELAY_NS_PER_MS);
		break;
	case OPT_RATE:
		set->ns_per_byte = 8000 / value;
		break;
	default:
		options->run_ns = (uint64_t)(value * RELAY_NS_PER_S);
		break;
	}
}

static int set_option(int opt, const char *text, struct relay_options *options)
{
	double real;
	uint64_t whole;
	int rc;

	if (opt < OPT_REALS) {
		rc = cli_parse_real(&reals[opt], text, &real);
		if (rc == CLI_OK)
			set_real(opt, real, options);
		return rc;
	}
	switch (opt) {
	case OPT_BURST:
		return parse_burst(text, &options->set);
	case OPT_MTU:
		rc = cli_parse_uint(&mtu, text, &whole);
		if (rc == CLI_OK)
			options->set.mtu_bytes = (uint32_t)whole;
		return rc;
	case OPT_QUEUE:
		return cli_parse_size(&queue, text, &options->set.queue_bytes);
	default:
		return cli_parse_uint(&seed, text, &options->seed);
	}
}

/* What can only be said when all options are known. */
static int finish(int argc, char **argv, struct relay_options *options)
{
	struct relay_impairments *set = &options->set;
	uint32_t random;
	bool is_v6;
	int rc;

	if (argc - optind < 2)
		return cli_usage("an address is missing; give LISTEN and TARGET, HOST:PORT");
	if (argc - optind > 2)
		return cli_usage("'%s' is too much; give LISTEN and TARGET only",
				 argv[optind + 2]);
	if (set->queue_bytes == UINT64_MAX)
		set->queue_bytes = QUEUE_BYTES;
	else if (set->ns_per_byte <= 0)
		return cli_usage("--queue: nothing waits in it without --rate; give both");
	rc = cli_addr_parse("LISTEN", argv[optind], CLI_ADDR_LISTEN, &options->listen);
	if (rc == CLI_OK)
		rc = cli_addr_parse("TARGET", argv[optind + 1], CLI_ADDR_CONNECT,
				    &options->target);
	if (rc != CLI_OK)
		return rc;
	is_v6 = options->target.ss.ss_family == AF_INET6;
	set->header_bytes = is_v6 ? IPV6_UDP_BYTES : RELAY_IPV4_UDP_BYTES;
	while (options->seed == 0) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return cli_fail("no random seed from the system: %s; give --seed",
					strerror(errno));
		options->seed = random;
	}
	return CLI_OK;
}

int relay_options_parse(int argc, char **argv, struct relay_options *options)
{
	int opt;
	int rc = CLI_OK;

	memset(options, 0, sizeof(*options));
	options->set.queue_bytes = UINT64_MAX; /* not given */
	opterr = 0;
	while (rc == CLI_OK && (opt = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (opt < CLI_LONG)
			return cli_usage_getopt(opt, argv);
		opt -= CLI_LONG;
		options->is_answered = opt == OPT_HELP || opt == OPT_VERSION;
		if (opt == OPT_HELP)
			return cli_print_help(help);
		if (opt == OPT_VERSION)
			return cli_print_version();
		rc = set_option(opt, optarg, options);
	}
	return rc != CLI_OK ? rc : finish(argc, argv, options);
}
