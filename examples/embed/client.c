/* SPDX-License-Identifier: MIT */
/* fluxkv: asks a memcached over Flux, if that has examples/embed in it; one request or many, or how fast. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <flux/epoll.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"

#define MAX_DEPTH    1024
#define IDLE_TIMEOUT FLUX_S(5)
#define LINGER       FLUX_S(5)
#define CELLS        100000u /* of 100 ns; the last one holds what took longer */
#define CELL_NS      100u

/* Exit codes; the worst one counts. */
enum {
	DONE = 0,
	MISS = 1,
	FAILED = 2
};

struct client {
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flux_pub *pub;
	bool (*next)(struct client *client); /* write a request; false: there is none any more */
	void (*got)(struct client *client, const char *reply, size_t len);
	char *request; /* the next one */
	size_t request_len, request_room;
	bool reads; /* all of standard input, into `input` */
	bool have, over, closing, closed;
	char *input;
	size_t input_len, at;
	int status;
	char **words; /* of the command line */
	unsigned depth;
	uint64_t sent, answered;
	flux_ts sent_at[MAX_DEPTH]; /* of requests on their way, by their number */
	flux_ts started, until, last;
	uint64_t cells[CELLS];
};

static void worst(struct client *client, int status)
{
	if (client->status < status)
		client->status = status;
}

static void complain(struct client *client, const char *what, const char *why)
{
	fprintf(stderr, "fluxkv: %s%s%s\n", what, *why ? ": " : "", why);
	worst(client, FAILED);
}

/* ---- Requests ---- */

static bool write_request(struct client *client, const char *line, const char *value, size_t value_len)
{
	size_t line_len = strlen(line);
	size_t len = line_len + 2 + (value ? value_len + 2 : 0);
	char *to = len <= client->request_room ? client->request : realloc(client->request, len);

	if (!to)
		return complain(client, "no memory", ""), false;
	if (len > client->request_room)
		client->request_room = len;
	client->request = to;
	client->request_len = len;
	to = mempcpy(mempcpy(to, line, line_len), "\r\n", 2);
	if (value)
		memcpy(mempcpy(to, value, value_len), "\r\n", 2);
	return true;
}

static bool write_command(struct client *client, const char *verb, const char *key, const char *value,
			  size_t value_len)
{
	char line[512];

	if (strlen(key) > 250) {
		complain(client, key, "a key has up to 250 bytes");
		return false;
	}
	if (strcmp(verb, "set") == 0)
		snprintf(line, sizeof(line), "set %s 0 0 %zu", key, value_len);
	else
		snprintf(line, sizeof(line), "%s %s", verb, key);
	return write_request(client, line, strcmp(verb, "set") == 0 ? value : NULL, value_len);
}

/* The one request that the command line gives; a value that it lacks is the input. */
static bool next_word(struct client *client)
{
	char **words = client->words;
	const char *value = words[2];

	if (client->sent > 0)
		return false;
	if (client->input)
		return write_command(client, words[0], words[1], client->input, client->input_len);
	return write_command(client, words[0], words[1], value, value ? strlen(value) : 0);
}

/* The input itself. */
static bool next_raw(struct client *client)
{
	if (!client->input)
		return false;
	client->request = client->input;
	client->request_len = client->input_len;
	client->input = NULL;
	return true;
}

/* What each line of the input says: get KEY, set KEY VALUE, delete KEY. */
static bool next_line(struct client *client)
{
	char *line = client->input + client->at;
	char *key, *value, *end;

	if (client->at >= client->input_len)
		return false;
	end = memchr(line, '\n', client->input_len - client->at);
	if (!end)
		end = client->input + client->input_len; /* there is room for one byte */
	*end = '\0';
	client->at += (size_t)(end - line) + 1;
	key = strchrnul(line, ' ');
	if (*key)
		*key++ = '\0';
	value = strchrnul(key, ' ');
	if (*value)
		*value++ = '\0';
	return write_command(client, line, key, value, (size_t)(end - value));
}

static bool next_get(struct client *client)
{
	if (client->started == 0) {
		client->started = flux_loop_now();
		client->until += client->started;
	}
	return flux_loop_now() < client->until && write_command(client, "get", client->words[1], NULL, 0);
}

static void begin_end(struct client *client)
{
	client->closing = true;
	flux_binding_close_session(client->binding, flux_pub_sid(client->pub), LINGER);
}

/* As many requests as may be on their way; those behind them wait for replies, or for on_writable. */
static void ask(struct client *client)
{
	int rc = 0;

	while (!client->over && rc == 0 && client->sent - client->answered < client->depth) {
		if (!client->have && !client->next(client)) {
			client->over = true;
			break;
		}
		client->have = true;
		rc = flux_pub_send(client->pub, client->request, (uint32_t)client->request_len);
		if (rc == FLUX_EAGAIN)
			break;
		client->have = false;
		if (rc < 0) {
			complain(client, flux_strerror(rc), flux_loop_detail(client->loop));
			client->over = true;
			break;
		}
		client->sent_at[client->sent++ % MAX_DEPTH] = flux_loop_now();
	}
	if (client->over && client->sent == client->answered && !client->closing)
		begin_end(client);
}

/* ---- Replies ---- */

static bool starts(const char *reply, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(reply, word, strlen(word)) == 0;
}

/* A value as it is and a line's end; else memcached's own word, to those who read errors if it is one. */
static void print_reply(struct client *client, const char *reply, size_t len)
{
	const char *line_end = memmem(reply, len, "\r\n", 2);
	int line_len = line_end ? (int)(line_end - reply) : (int)len;
	char line[512];
	size_t bytes;

	snprintf(line, sizeof(line), "%.*s", line_len, reply);
	if (sscanf(line, "VALUE %*s %*u %zu", &bytes) == 1 && bytes <= len - (size_t)line_len - 2) {
		fwrite(line_end + 2, 1, bytes, stdout);
		putchar('\n');
	} else if (starts(reply, len, "STORED") || starts(reply, len, "DELETED")) {
		puts(line);
	} else if (starts(reply, len, "END") || starts(reply, len, "NOT_")) {
		puts("MISS");
		worst(client, MISS);
	} else {
		fflush(stdout);
		complain(client, line, "");
	}
}

static void count_reply(struct client *client, const char *reply, size_t len)
{
	uint64_t took;

	client->last = flux_loop_now();
	took = client->last - client->sent_at[client->answered % MAX_DEPTH];
	client->cells[took / CELL_NS < CELLS ? took / CELL_NS : CELLS - 1]++;
	if (starts(reply, len, "END"))
		worst(client, MISS);
	else if (!starts(reply, len, "VALUE"))
		worst(client, FAILED);
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid,
				 const struct flux_msg *msg)
{
	struct client *client = ctx;

	(void)sub;
	(void)sid;
	client->got(client, msg->data, msg->len);
	client->answered++;
	ask(client);
	return FLUX_TAKE;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	(void)pub;
	ask(ctx);
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct client *client = ctx;

	(void)binding;
	if (event->type != FLUX_EVENT_CLOSED)
		return;
	if (event->reason != 0)
		complain(client, *event->text ? event->text : flux_strerror(event->reason), "");
	else if (!client->closing)
		complain(client, "the server closed the session", "");
	client->closed = true;
}

static double percentile(const struct client *client, double share)
{
	uint64_t rank = (uint64_t)((double)client->answered * share), seen = 0;
	uint32_t i;

	for (i = 0; i < CELLS - 1; i++) {
		seen += client->cells[i];
		if (seen > rank)
			break;
	}
	return (double)i * CELL_NS / 1000;
}

static void report(const struct client *client, bool json)
{
	double seconds = (double)(client->last - client->started) / 1e9;

	printf(json ? "{\"requests\":%" PRIu64
		      ",\"depth\":%u,\"per_second\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n" :
		      "%" PRIu64 " replies, %u on their way, %.0f a second, half within %.1f us, 99 %% within "
		      "%.1f us\n",
	       client->answered, client->depth, (double)client->answered / seconds, percentile(client, 0.5),
	       percentile(client, 0.99));
}

/* ---- Start ---- */

static int run(struct client *client, const char *server)
{
	struct flux_endpoint_cfg limits = FLUX_ENDPOINT_CFG_INIT;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_pub_cfg out = { .size = sizeof(out), .on_writable = on_writable, .ctx = client };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = on_message, .ctx = client };
	struct flux_sub *sub;
	flux_sid sid;

	limits.max_message = KV_MAX_MESSAGE;
	limits.idle_timeout = IDLE_TIMEOUT;
	cfg.endpoint = &limits;
	cfg.on_event = on_event;
	cfg.ctx = client;
	if (flux_loop_open_epoll(&client->loop) < 0)
		return complain(client, "no loop", strerror(errno)), FAILED;
	if (flux_binding_open(&client->binding, client->loop, &cfg) < 0 ||
	    flux_binding_connect(client->binding, server, &sid) < 0 ||
	    flux_pub_open(&client->pub, client->binding, sid, &out) < 0 ||
	    flux_sub_open(&sub, client->binding, sid, &in) < 0)
		complain(client, server, flux_loop_detail(client->loop));
	else
		while (!client->closed)
			flux_loop_poll_epoll(client->loop, FLUX_NEVER);
	flux_loop_close(client->loop);
	free(client->request);
	free(client->input);
	return client->status;
}

/* Read all of standard input: before the start, as it may take its time and the loop may not. */
static bool slurp(struct client *client)
{
	size_t room = 0, n = 0;
	char *more;

	do {
		client->input_len += n;
		if (client->input_len == room) {
			room = room ? room * 2 : 65536;
			more = realloc(client->input, room);
			if (!more)
				return false;
			client->input = more;
		}
		n = fread(client->input + client->input_len, 1, room - client->input_len, stdin);
	} while (n > 0);
	return !ferror(stdin);
}

static const char usage[] =
	"Usage: fluxkv [OPTIONS] HOST:PORT get KEY\n"
	"       fluxkv [OPTIONS] HOST:PORT set KEY [VALUE]   no value: standard input\n"
	"       fluxkv [OPTIONS] HOST:PORT delete KEY\n"
	"       fluxkv [OPTIONS] HOST:PORT lines             one of these on each line of standard input\n"
	"       fluxkv [OPTIONS] HOST:PORT raw               standard input is one request as it is\n"
	"       fluxkv [OPTIONS] HOST:PORT latency KEY       get it again and again, tell how long it took\n"
	"\n"
	"  -d, --depth N     requests on their way at a time, 1 to 1024; default 64, latency 1\n"
	"  -s, --seconds S   of latency; default 3\n"
	"  -j, --json        latency as a line of JSON\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 done; 1 something was not there; 2 it failed, standard error says why.\n";

static bool parse_command(struct client *client, int argc, char **words)
{
	static const struct command {
		const char *name;
		int least, most;
		bool (*next)(struct client *client);
	} commands[] = {
		{ "get", 2, 2, next_word },
		{ "set", 2, 3, next_word },
		{ "delete", 2, 2, next_word },
		{ "lines", 1, 1, next_line },
		{ "raw", 1, 1, next_raw },
		{ "latency", 2, 2, next_get },
	};

	client->words = words;
	client->got = print_reply;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(words[0], commands[i].name) == 0 && argc >= commands[i].least &&
		    argc <= commands[i].most)
			client->next = commands[i].next;
	if (client->next == next_get)
		client->got = count_reply;
	if (client->depth == 0)
		client->depth = client->next == next_get ? 1 : 64;
	client->reads = client->next == next_line || client->next == next_raw ||
			(strcmp(words[0], "set") == 0 && argc == 2);
	return client->next != NULL;
}

static bool parse_seconds(struct client *client, const char *text)
{
	double seconds = strtod(text, NULL);

	client->until = seconds > 0 && seconds < 1e6 ? (flux_ts)(seconds * 1e9) : 0;
	return client->until > 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "depth", required_argument, NULL, 'd' },
						 { "seconds", required_argument, NULL, 's' },
						 { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	static struct client client;
	bool json = false, ok = true;
	int option, status;

	client.until = FLUX_S(3);
	while ((option = getopt_long(argc, argv, "d:s:jh", options, NULL)) != -1) {
		if (option == 'd')
			ok = (client.depth = (unsigned)strtoul(optarg, NULL, 10)) > 0 &&
			     client.depth <= MAX_DEPTH && ok;
		else if (option == 's')
			ok = parse_seconds(&client, optarg) && ok;
		else if (option == 'j')
			json = true;
		else if (option == 'h')
			return fputs(usage, stdout), 0;
		else
			ok = false;
	}
	if (!ok || argc - optind < 2 || !parse_command(&client, argc - optind - 1, argv + optind + 1))
		return fputs(usage, stderr), FAILED;
	if (client.reads && !slurp(&client))
		return perror("fluxkv: standard input"), FAILED;
	status = run(&client, argv[optind]);
	if (client.got == count_reply && client.answered > 0)
		report(&client, json);
	return status;
}
