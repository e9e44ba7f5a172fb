/* SPDX-License-Identifier: MIT */
/* The command line of fluxperf: what each option takes, and what goes together. */
#include "perf/options.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "perf/check.h"
#include "perf/parse.h"
#include "perf/ring.h"

#define DEFAULT_SLOT     64u
#define DEFAULT_BATCH    64u
#define DEFAULT_CAPACITY 16384u
#define DEFAULT_COUNT    10000000u
#define DEFAULT_TRIPS    100000u

static const char help[] =
	"Usage: fluxperf ring [OPTION]...                  throughput between threads\n"
	"       fluxperf ipc [OPTION]...                   the same between processes\n"
	"       fluxperf rtt [--over ring|ipc] [OPTION]... round trips over two rings\n"
	"       fluxperf udp --help                        all about udp, rudp and rtt over them\n"
	"\n"
	"Every item is written, read, summed and checked, and each party has its CPU. The time that a\n"
	"cache line takes between the first two CPUs stands before and after each figure.\n"
	"\n"
	"      --kind KIND     spsc (default), broadcast (each reader gets everything), mpsc,\n"
	"                      spmc or mpmc (each item goes to one reader)\n"
	"      --slot BYTES    of an item, 8 to 1M (default 64)\n"
	"      --batch N       items of one claim and of one peek (default 64; rtt: 1)\n"
	"      --capacity N    items that the ring holds, a power of two (default 16K)\n"
	"      --count N       items of all writers together (default 10000000; rtt: 100000)\n"
	"      --seconds S     run for so long, instead of --count\n"
	"      --writers N     where KIND has several: 1 to 64 (default 2)\n"
	"      --readers N     the same\n"
	"      --wait HOW      adaptive (default), spin (default of rtt), yield, sleep, block or fd\n"
	"      --records       messages of all lengths from 8 bytes to --slot\n"
	"      --sums          a CRC32C with each item, verified by the reader\n"
	"      --cpus LIST     one for each party in turn, writers first, such as 0,2-3 (default:\n"
	"                      all that are allowed)\n"
	"      --huge HOW      large pages: try or require\n"
	"      --rounds N      measure so often, 1 to 99 (default 1)\n"
	"      --json          one JSON object a round on standard output\n"
	"      --help          print this and exit\n"
	"      --version       print the version and exit\n"
	"\n"
	"Numbers take the suffixes K, M and G (powers of 1024).\n"
	"Exit status: 0 all arrived and was right, 1 not (one line says why), 2 wrong usage.\n";

enum {
	OPT_KIND = CLI_LONG,
	OPT_SLOT,
	OPT_BATCH,
	OPT_CAPACITY,
	OPT_COUNT,
	OPT_SECONDS,
	OPT_WRITERS,
	OPT_READERS,
	OPT_WAIT,
	OPT_OVER,
	OPT_RECORDS,
	OPT_SUMS,
	OPT_CPUS,
	OPT_HUGE,
	OPT_ROUNDS,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "slot", required_argument, NULL, OPT_SLOT },
	{ "batch", required_argument, NULL, OPT_BATCH },
	{ "capacity", required_argument, NULL, OPT_CAPACITY },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "writers", required_argument, NULL, OPT_WRITERS },
	{ "readers", required_argument, NULL, OPT_READERS },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "over", required_argument, NULL, OPT_OVER },
	{ "records", no_argument, NULL, OPT_RECORDS },
	{ "sums", no_argument, NULL, OPT_SUMS },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "huge", required_argument, NULL, OPT_HUGE },
	{ "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* ---- Words ---- */

static const char *const kinds[] = { "spsc", "broadcast", "mpsc", "spmc", "mpmc", NULL };
static const char *const waits[] = { "adaptive", "spin", "yield", "sleep", "block", "fd", NULL };
static const char *const commands[] = { "ring", "ipc", "rtt", "udp", "rudp", NULL };
static const char *const overs[] = { "ring", "ipc", "udp", "rudp", NULL };
static const char *const wants[] = { "no", "try", "require", NULL };

const char *perf_kind_name(uint32_t kind)
{
	return kinds[kind];
}

const char *perf_wait_name(uint32_t wait)
{
	return waits[wait];
}

bool perf_kind_many_writers(uint32_t kind)
{
	return kind == PERF_MPSC || kind == PERF_MPMC;
}

bool perf_kind_shares(uint32_t kind)
{
	return kind == PERF_SPMC || kind == PERF_MPMC;
}

static bool many_readers(uint32_t kind)
{
	return kind == PERF_BROADCAST || perf_kind_shares(kind);
}

/* ---- Options one by one ---- */

static int parse_capacity(struct perf_options *options)
{
	static const struct cli_uint spec = { "--capacity", "items, a power of two", 2, 1u << 30 };
	int rc = perf_parse_u32(&spec, &options->capacity);

	if (rc == CLI_OK && (options->capacity & (options->capacity - 1)) != 0)
		return cli_usage("--capacity: %s is no power of two; the next one is %u", optarg,
				 1u << (32 - __builtin_clz(options->capacity)));
	return rc;
}

/* The command line before its parts are held against each other: what was not given stays 0. */
struct raw {
	uint32_t over; /* place in `overs`, plus one */
	bool waits;
};

static int parse_option(struct perf_options *options, struct raw *raw, int option)
{
	static const struct cli_uint slot = { "--slot", "bytes", ITEM_LEAST, 1u << 20 };
	static const struct cli_uint batch = { "--batch", "items", 1, 1u << 30 };
	static const struct cli_uint count = { "--count", "items, such as 10M", 1, UINT64_C(1) << 50 };
	static const struct cli_uint writers = { "--writers", "threads or processes", 1, FLUX_RING_SEATS };
	static const struct cli_uint readers = { "--readers", "threads or processes", 1, FLUX_RING_SEATS };
	static const struct cli_uint rounds = { "--rounds", "rounds", 1, 99 };
	int rc;

	switch (option) {
	case OPT_KIND:
		return cli_parse_word("--kind", kinds, optarg, &options->kind);
	case OPT_SLOT:
		return perf_parse_u32(&slot, &options->slot);
	case OPT_BATCH:
		return perf_parse_u32(&batch, &options->batch);
	case OPT_CAPACITY:
		return parse_capacity(options);
	case OPT_COUNT:
		return cli_parse_size(&count, optarg, &options->count);
	case OPT_SECONDS:
		return perf_parse_seconds(&options->run_ns);
	case OPT_WRITERS:
		return perf_parse_u32(&writers, &options->writers);
	case OPT_READERS:
		return perf_parse_u32(&readers, &options->readers);
	case OPT_WAIT:
		raw->waits = true;
		return cli_parse_word("--wait", waits, optarg, &options->wait);
	case OPT_OVER:
		rc = cli_parse_word("--over", overs, optarg, &raw->over);
		raw->over++;
		return rc;
	case OPT_CPUS:
		return perf_parse_cpus(&options->cpus);
	case OPT_HUGE:
		return cli_parse_word("--huge", wants, optarg, &options->huge);
	case OPT_ROUNDS:
		return perf_parse_u32(&rounds, &options->rounds);
	case OPT_RECORDS:
		options->records = true;
		return CLI_OK;
	case OPT_SUMS:
		options->sums = true;
		return CLI_OK;
	default:
		options->json = true;
		return CLI_OK;
	}
}

/* ---- What goes together ---- */

static int settle_command(struct perf_options *options, const struct raw *raw, const char *word)
{
	uint32_t command;

	if (cli_parse_word("command", commands, word, &command) != CLI_OK)
		return CLI_USAGE;
	options->rtt = command == 2;
	options->processes = command == 1 || raw->over == 2;
	if (raw->over && !options->rtt)
		return cli_usage("--over is for rtt; write fluxperf %s", overs[raw->over - 1]);
	if (options->rtt && options->records)
		return cli_usage("--records: rtt sends items of one length; leave it away, or use ring or ipc");
	return CLI_OK;
}

/* How many of one side there are: `given` (0: not), where the kind has several or one. */
static int settle_side(const struct perf_options *options, const char *side, bool many, uint32_t *given)
{
	if (*given > 1 && options->rtt)
		return cli_usage("--%ss %u: rtt has one party at each end; leave it away", side, *given);
	if (*given > 1 && !many)
		return cli_usage("--%ss %u: %s has one %s; choose --kind %s or mpmc", side, *given,
				 perf_kind_name(options->kind), side,
				 side[0] == 'w' ? "mpsc" : "broadcast, spmc");
	if (!*given)
		*given = many && !options->rtt ? 2 : 1;
	return CLI_OK;
}

/* Half of the machine's memory is more than any ring is good for; the rest of the machine lives too. */
static int settle_memory(const struct perf_options *options)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t most = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : UINT64_C(1) << 40;
	uint64_t bytes = perf_ring_bytes(options) * (options->rtt ? 2 : 1);

	if (!bytes)
		return cli_usage("--capacity: %u records of up to %u bytes are more than a ring can hold; lower "
				 "--capacity or --slot",
				 options->capacity, options->slot);
	if (bytes <= most)
		return CLI_OK;
	return cli_usage("--capacity: %u items of up to %u bytes take %.1f GiB, more than half of this machine's "
			 "memory (%.1f GiB); lower --capacity or --slot",
			 options->capacity, options->slot, (double)bytes / (1u << 30),
			 (double)most / (1u << 30));
}

static int settle(struct perf_options *options, const struct raw *raw)
{
	bool rtt = options->rtt;
	int rc;

	if (options->run_ns && options->count)
		return cli_usage("--seconds and --count: give one of the two");
	if (!options->capacity)
		options->capacity = DEFAULT_CAPACITY;
	if (!options->batch)
		options->batch = rtt ? 1 : DEFAULT_BATCH < options->capacity ? DEFAULT_BATCH :
									       options->capacity;
	if (options->batch > options->capacity)
		return cli_usage("--batch %u is more than the ring holds (--capacity %u)", options->batch,
				 options->capacity);
	rc = settle_side(options, "writer", perf_kind_many_writers(options->kind), &options->writers);
	if (rc == CLI_OK)
		rc = settle_side(options, "reader", many_readers(options->kind), &options->readers);
	if (rc != CLI_OK)
		return rc;
	if (options->run_ns)
		options->count = ITEM_MOST_SEQ;
	else if (!options->count)
		options->count = rtt ? DEFAULT_TRIPS : DEFAULT_COUNT;
	if (options->count < options->writers)
		return cli_usage("--count %llu is less than one item for each of %u writers",
				 (unsigned long long)options->count, options->writers);
	if (!raw->waits && rtt)
		options->wait = FLUX_WAIT_SPIN;
	if (!options->cpus.count && cpus_allowed(&options->cpus) < 0)
		return cli_usage("--cpus: cannot find out which CPUs are allowed; name some");
	return settle_memory(options);
}

int perf_options_parse(struct perf_options *options, int argc, char **argv, bool *done)
{
	struct raw raw = { 0, false };
	int option, rc;

	*done = false;
	*options = (struct perf_options){ .slot = DEFAULT_SLOT, .rounds = 1 };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return cli_usage_getopt(option, argv);
		if (option == OPT_HELP || option == OPT_VERSION) {
			*done = true;
			return option == OPT_HELP ? cli_print_help(help) : cli_print_version();
		}
		rc = parse_option(options, &raw, option);
		if (rc != CLI_OK)
			return rc;
	}
	if (argc - optind != 1)
		return cli_usage(optind == argc ? "say what to measure: ring, ipc, rtt, udp or rudp" : "one command is enough: '%s' is too much",
				 argv[argc - 1]);
	rc = settle_command(options, &raw, argv[optind]);
	return rc == CLI_OK ? settle(options, &raw) : rc;
}
