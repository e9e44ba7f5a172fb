/* SPDX-License-Identifier: MIT */
/* The command line of fluxperf udp, rudp, and rtt over them. */
#include "perf/net_options.h"

#include <getopt.h>
#include <string.h>

#include <flux/udp.h>

#include "perf/item.h"
#include "perf/parse.h"

#define DEFAULT_SIZE 64u
#define DEFAULT_RUN  UINT64_C(2000000000)
#define MOST_SIZE    (1u << 20) /* that a receiver takes by default */

/* Over loopback nobody needs longer, whatever is lost. */
#define CONNECT_TIMEOUT FLUX_S(5)

static const char help[] =
	"Usage: fluxperf udp [OPTION]...                   datagrams of plain UDP, one way\n"
	"       fluxperf rudp [OPTION]...                  messages of Flux, one way\n"
	"       fluxperf rtt --over udp|rudp [OPTION]...   round trips\n"
	"\n"
	"Two processes over loopback, each with a loop. What arrives is counted by the receiver: every\n"
	"message is written, read, summed and checked, and so is its order.\n"
	"\n"
	"      --size BYTES    of a message, 8 to 1M (udp: 65507), default 64\n"
	"      --seconds S     send for so long (default 2)\n"
	"      --rate N        messages a second (default 0: as fast as it goes)\n"
	"      --loss P        lose each datagram with probability P, each way (0.02 is 2 %)\n"
	"      --delay MS      deliver MS milliseconds later, each way\n" LOOP_HELP
	"      --window N      rudp: datagrams a receiver keeps unread, a power of two (default 1024)\n"
	"      --max-datagram N  rudp: UDP payload bytes (default 1200)\n" TUNING_HELP
	"      --cpus LIST     the sender's, then the receiver's, such as 0,2 (default: all allowed)\n"
	"      --rounds N      measure so often, 1 to 99 (default 1)\n"
	"      --json          one JSON object a round on standard output\n"
	"      --help          print this and exit\n"
	"      --version       print the version and exit\n"
	"\n"
	"Numbers take the suffixes K, M and G (powers of 1024).\n"
	"Exit status: 0 all arrived (udp: something did) and was right, 1 not (one line says why),\n"
	"2 wrong usage.\n";

enum {
	OPT_OVER = CLI_LONG,
	OPT_SIZE,
	OPT_SECONDS,
	OPT_RATE,
	OPT_LOSS,
	OPT_DELAY,
	OPT_LOOP,
	OPT_IDLE,
	OPT_WINDOW,
	OPT_MAX_DATAGRAM,
	OPT_OPTIONS,
	OPT_CPUS,
	OPT_ROUNDS,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "over", required_argument, NULL, OPT_OVER },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "loss", required_argument, NULL, OPT_LOSS },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "loop", required_argument, NULL, OPT_LOOP },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "max-datagram", required_argument, NULL, OPT_MAX_DATAGRAM },
	{ "options", required_argument, NULL, OPT_OPTIONS },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char *const commands[] = { "udp", "rudp", "rtt", NULL };
static const char *const overs[] = { "udp", "rudp", "ring", "ipc", NULL };

static bool is_net(const char *word)
{
	return strcmp(word, "udp") == 0 || strcmp(word, "rudp") == 0;
}

/* No option of rings takes such a word. */
bool net_options_meant(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++) {
		const char *equals = strncmp(argv[i], "--o", 3) == 0 ? strchr(argv[i], '=') : NULL;

		if (is_net(equals ? equals + 1 : argv[i]))
			return true;
	}
	return false;
}

/* ---- Options one by one ---- */

/* What is held against the rest when all is read. */
struct raw {
	bool over;
	uint32_t over_word; /* place in `overs` */
	const char *tuning;
};

static int parse_window(uint32_t *window)
{
	static const struct cli_uint spec = { "--window", "datagrams, a power of two", 16, 65536 };
	int rc = perf_parse_u32(&spec, window);

	if (rc == CLI_OK && (*window & (*window - 1)) != 0)
		return cli_usage("--window: %s is no power of two; the next one is %u", optarg,
				 1u << (32 - __builtin_clz(*window)));
	return rc;
}

static int parse_option(struct net_options *options, struct raw *raw, int option)
{
	static const struct cli_uint size = { "--size", "bytes", ITEM_LEAST, MOST_SIZE };
	static const struct cli_uint rate = { "--rate", "messages a second; 0: as fast as it goes", 0, 1u << 30 };
	static const struct cli_real loss = { "--loss", "a probability; 0.02 is 2 %", 0, 1 };
	static const struct cli_real delay = { "--delay", "milliseconds", 0, 1000 };
	static const struct cli_uint datagram = { "--max-datagram", "bytes", 576, 65472 };
	static const struct cli_uint rounds = { "--rounds", "rounds", 1, 99 };

	switch (option) {
	case OPT_OVER:
		raw->over = true;
		return cli_parse_word("--over", overs, optarg, &raw->over_word);
	case OPT_SIZE:
		return perf_parse_u32(&size, &options->size);
	case OPT_SECONDS:
		return perf_parse_seconds(&options->run_ns);
	case OPT_RATE:
		return cli_parse_size(&rate, optarg, &options->rate);
	case OPT_LOSS:
		return cli_parse_real(&loss, optarg, &options->loss);
	case OPT_DELAY:
		return cli_parse_real(&delay, optarg, &options->delay_ms);
	case OPT_LOOP:
		return loop_parse_kind(&options->loop, optarg);
	case OPT_IDLE:
		return loop_parse_idle(&options->loop, optarg);
	case OPT_WINDOW:
		return parse_window(&options->endpoint.window);
	case OPT_MAX_DATAGRAM:
		return perf_parse_u32(&datagram, &options->endpoint.max_datagram);
	case OPT_OPTIONS:
		if (raw->tuning)
			return cli_usage("--options is given twice: write one list, key=value,key=value");
		raw->tuning = optarg;
		return CLI_OK;
	case OPT_CPUS:
		return perf_parse_cpus(&options->cpus);
	case OPT_ROUNDS:
		return perf_parse_u32(&rounds, &options->rounds);
	default:
		options->json = true;
		return CLI_OK;
	}
}

/* ---- What goes together ---- */

static int settle_command(struct net_options *options, const struct raw *raw, const char *word)
{
	uint32_t command;

	if (raw->over && strcmp(word, "rtt") != 0)
		return cli_usage("--over is for rtt; write fluxperf %s", overs[raw->over_word]);
	if (cli_parse_word("command", commands, word, &command) != CLI_OK)
		return CLI_USAGE;
	options->rtt = command == 2;
	if (options->rtt && (!raw->over || !is_net(overs[raw->over_word])))
		return cli_usage("rtt: give --over udp or --over rudp, and no other command");
	options->reliable = options->rtt ? raw->over_word == 1 : command == 1;
	return CLI_OK;
}

/* The options that are of Flux only. */
static int settle_endpoint(struct net_options *options, const struct raw *raw)
{
	struct flux_endpoint_cfg *endpoint = &options->endpoint;
	const char *over = net_over(options);

	if (!options->reliable && endpoint->window)
		return cli_usage("--window: %s has none; leave it away, or measure rudp", over);
	if (!options->reliable && endpoint->max_datagram)
		return cli_usage("--max-datagram: in %s each message is a datagram; leave it away, or measure rudp",
				 over);
	if (!options->reliable && raw->tuning)
		return cli_usage("--options: %s has none; leave it away, or measure rudp", over);
	endpoint->max_sessions = 4;
	endpoint->connect_timeout = CONNECT_TIMEOUT;
	return tuning_apply(endpoint, raw->tuning);
}

static int settle(struct net_options *options, const struct raw *raw)
{
	if (!options->reliable && options->size > FLUX_UDP_MAX)
		return cli_usage("--size: %u bytes are no datagram; give %u to %u, or measure rudp", options->size,
				 ITEM_LEAST, FLUX_UDP_MAX);
	if (settle_endpoint(options, raw) != CLI_OK)
		return CLI_USAGE;
	if (!options->cpus.count && cpus_allowed(&options->cpus) < 0)
		return cli_usage("--cpus: cannot find out which CPUs are allowed; name some");
	return loop_settle(&options->loop);
}

int net_options_parse(struct net_options *options, int argc, char **argv, bool *done)
{
	struct raw raw = { false, 0, NULL };
	int option, rc;

	*done = false;
	*options = (struct net_options){ .size = DEFAULT_SIZE, .run_ns = DEFAULT_RUN, .rounds = 1, .endpoint = FLUX_ENDPOINT_CFG_INIT };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return cli_usage_getopt(option, argv);
		if (option == OPT_HELP || option == OPT_VERSION) {
			*done = true;
			return option == OPT_HELP ? cli_print_help(help) : cli_print_version();
		}
		if (option == OPT_OPTIONS && tuning_wants_help(optarg)) {
			*done = true;
			return tuning_print_help();
		}
		rc = parse_option(options, &raw, option);
		if (rc != CLI_OK)
			return rc;
	}
	if (argc - optind != 1)
		return cli_usage(optind == argc ? "say what to measure: udp, rudp or rtt" : "one command is enough: '%s' is too much",
				 argv[argc - 1]);
	rc = settle_command(options, &raw, argv[optind]);
	return rc == CLI_OK ? settle(options, &raw) : rc;
}
