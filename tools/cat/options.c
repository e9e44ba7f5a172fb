/* SPDX-License-Identifier: MIT */
/* The command line of fluxcat. */
#include "cat/options.h"

#include <getopt.h>
#include <string.h>

#define MIB             (1024u * 1024u)
#define DEFAULT_MESSAGE 1024u
#define DEFAULT_LIMIT   MIB /* the largest message a receiver takes */
#define DEFAULT_TIMEOUT 30.0

static const char help[] =
	"Usage: fluxcat -l HOST:PORT [-o FILE]    receive one stream, until its sender has closed\n"
	"       fluxcat HOST:PORT [-i FILE]       send a file, or standard input\n"
	"\n"
	"Either side may start first. The sender ends with 0 only when the receiver has written\n"
	"everything and said so.\n"
	"\n"
	"  -l, --listen            receive; an empty HOST is every IPv4 address\n"
	"  -i, --input FILE        what to send (default, and '-': standard input)\n"
	"  -o, --output FILE       where to write (default, and '-': standard output)\n"
	"      --message-size N    bytes of a message (default 1K); a receiver: the largest\n"
	"                          it takes (default 1M)\n"
	"      --rate BYTES/S      send no faster than this, with all headers\n"
	"      --timeout S         give up when the peer was not reached, or has been silent, for\n"
	"                          S seconds (default 30); a receiver without this option waits\n"
	"                          for its sender for ever\n"
	"      --max-datagram N    UDP payload bytes (default 1200); both ends' smaller one holds\n"
	"      --window N          datagrams a receiver keeps unread, a power of two (default 1024)\n" TUNING_HELP LOOP_HELP
	"      --json              print one JSON object with counters on standard error at the end\n"
	"      --help              print this and exit\n"
	"      --version           print the version and exit\n"
	"\n"
	"Sizes and rates take the suffixes K, M and G (powers of 1024).\n"
	"Exit status: 0 all delivered and confirmed, 1 not (one line says why), 2 wrong usage.\n";

enum {
	OPT_MESSAGE_SIZE = 256,
	OPT_RATE,
	OPT_TIMEOUT,
	OPT_MAX_DATAGRAM,
	OPT_WINDOW,
	OPT_OPTIONS,
	OPT_LOOP,
	OPT_IDLE,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "listen", no_argument, NULL, 'l' },
	{ "input", required_argument, NULL, 'i' },
	{ "output", required_argument, NULL, 'o' },
	{ "message-size", required_argument, NULL, OPT_MESSAGE_SIZE },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "max-datagram", required_argument, NULL, OPT_MAX_DATAGRAM },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "options", required_argument, NULL, OPT_OPTIONS },
	{ "loop", required_argument, NULL, OPT_LOOP },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* What the options say before they are checked against each other. */
struct raw {
	const char *input;
	const char *output;
	const char *tuning;
};

static int parse_size(const struct cli_uint *spec, uint32_t *value)
{
	uint64_t n;
	int rc = cli_parse_size(spec, optarg, &n);

	if (rc == CLI_OK)
		*value = (uint32_t)n; /* every caller's maximum fits */
	return rc;
}

static int parse_timeout(struct cat_options *options)
{
	static const struct cli_real spec = { "--timeout", "seconds, such as 2.5", 0.5, 600 };
	double seconds;
	int rc = cli_parse_real(&spec, optarg, &seconds);

	if (rc != CLI_OK)
		return rc;
	options->timeout_ns = (uint64_t)(seconds * 1e9);
	options->timeout_given = true;
	return CLI_OK;
}

static int parse_window(struct cat_options *options)
{
	static const struct cli_uint spec = { "--window", "datagrams", 16, 65536 };
	int rc = parse_size(&spec, &options->endpoint.window);

	if (rc == CLI_OK && (options->endpoint.window & (options->endpoint.window - 1)) != 0)
		return cli_usage("--window: %s is no power of two", optarg);
	return rc;
}

static int parse_option(struct cat_options *options, struct raw *raw, int option)
{
	static const struct cli_uint message = { "--message-size", "bytes", 1, 1024u * MIB };
	static const struct cli_uint datagram = { "--max-datagram", "bytes", 576, 65472 };
	static const struct cli_uint rate = { "--rate", "bytes a second, such as 10M", 1000,
					      UINT64_C(1) << 40 };

	switch (option) {
	case 'l':
		options->listen = true;
		return CLI_OK;
	case 'i':
		raw->input = optarg;
		return CLI_OK;
	case 'o':
		raw->output = optarg;
		return CLI_OK;
	case OPT_MESSAGE_SIZE:
		return parse_size(&message, &options->message_size);
	case OPT_RATE:
		return cli_parse_size(&rate, optarg, &options->endpoint.rate_bps);
	case OPT_TIMEOUT:
		return parse_timeout(options);
	case OPT_MAX_DATAGRAM:
		return parse_size(&datagram, &options->endpoint.max_datagram);
	case OPT_WINDOW:
		return parse_window(options);
	case OPT_OPTIONS:
		if (raw->tuning)
			return cli_usage("--options is given twice: write one list, key=value,key=value");
		raw->tuning = optarg;
		return CLI_OK;
	case OPT_LOOP:
		return loop_parse_kind(&options->loop, optarg);
	case OPT_IDLE:
		return loop_parse_idle(&options->loop, optarg);
	default:
		options->json = true;
		return CLI_OK;
	}
}

/* A message must fit the queue as a whole, with the headers of its datagrams; 0: the default is enough. */
static uint32_t queue_for(uint32_t message_size)
{
	return message_size > MIB ? message_size + message_size / 8 + MIB : 0;
}

/* What the options of the command line mean for the endpoint, and over that its own ones. */
static int settle_endpoint(struct cat_options *options, const struct raw *raw)
{
	struct flux_endpoint_cfg *endpoint = &options->endpoint;

	endpoint->accept = options->listen;
	endpoint->max_sessions = options->listen ? 4 : 1; /* room to tell further senders why not */
	endpoint->max_message = options->listen ? options->message_size : 0;
	endpoint->tx_queue = options->listen ? 0 : queue_for(options->message_size);
	endpoint->idle_timeout = options->timeout_ns;
	endpoint->connect_timeout = options->timeout_ns;
	return tuning_apply(endpoint, raw->tuning);
}

/* What only makes sense together, and the defaults that depend on the side. */
static int settle(struct cat_options *options, const struct raw *raw)
{
	if (options->listen && raw->input)
		return cli_usage("-i is for the sender: a receiver (-l) takes -o");
	if (!options->listen && raw->output)
		return cli_usage("-o is for the receiver: add -l, or use -i");
	if (options->listen && options->endpoint.rate_bps)
		return cli_usage("--rate is for the sender");
	options->file = options->listen ? raw->output : raw->input;
	if (options->file && strcmp(options->file, "-") == 0)
		options->file = NULL;
	if (options->message_size == 0)
		options->message_size = options->listen ? DEFAULT_LIMIT : DEFAULT_MESSAGE;
	if (options->timeout_ns == 0)
		options->timeout_ns = (uint64_t)(DEFAULT_TIMEOUT * 1e9);
	if (settle_endpoint(options, raw) != CLI_OK)
		return CLI_USAGE;
	return loop_settle(&options->loop);
}

int cat_options_parse(struct cat_options *options, int argc, char **argv, bool *done)
{
	struct raw raw = { NULL, NULL, NULL };
	int option;
	int rc;

	*done = false;
	*options = (struct cat_options){ .endpoint = FLUX_ENDPOINT_CFG_INIT };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":li:o:", long_options, NULL)) != -1) {
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
		return cli_usage(optind == argc ? "the address HOST:PORT is missing" : "one address is enough: '%s' is too much",
				 argv[argc - 1]);
	rc = settle(options, &raw);
	if (rc != CLI_OK)
		return rc;
	return cli_addr_parse(options->listen ? "listen address" : "receiver's address",
			      argv[optind], options->listen ? CLI_ADDR_LISTEN : CLI_ADDR_CONNECT,
			      &options->addr);
}
