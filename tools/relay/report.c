/* SPDX-License-Identifier: MIT */
/* What the relay tells: the final line of JSON, and the status line of a terminal. */
#include "relay/report.h"

static void print_counters(FILE *out, const char *name, const struct relay_counters *count)
{
	const char *separator = "";

	fprintf(out, ",\"%s\":{", name);
#define X(field)                                                                            \
	fprintf(out, "%s\"" #field "\":%llu", separator, (unsigned long long)count->field); \
	separator = ",";
	RELAY_COUNTERS(X)
#undef X
	fputc('}', out);
}

void relay_report_json(FILE *out, const struct relay_report *report)
{
	fprintf(out, "{\"seed\":%llu,\"seconds\":%.3f,\"clients\":%llu,\"refused\":%llu",
		(unsigned long long)report->seed, (double)report->run_ns / RELAY_NS_PER_S,
		(unsigned long long)report->clients, (unsigned long long)report->refused);
	print_counters(out, "forward", report->count[RELAY_FORWARD]);
	print_counters(out, "backward", report->count[RELAY_BACKWARD]);
	fputs("}\n", out);
}

/* All that did not come through, whatever the cause. */
static uint64_t dropped(const struct relay_counters *count)
{
	return count->lost + count->burst_lost + count->queue_dropped + count->mtu_dropped +
	       count->kernel_dropped + count->send_failed;
}

void relay_report_status(FILE *out, const struct relay_report *report,
			 struct relay_counters last[2], uint64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns / RELAY_NS_PER_S;

	fprintf(out, "\r%6.0f s", (double)report->run_ns / RELAY_NS_PER_S);
	for (int i = 0; i < 2; i++) {
		const struct relay_counters *count = report->count[i];
		double datagrams = (double)(count->forwarded - last[i].forwarded);
		double bytes = (double)(count->bytes - last[i].bytes);

		fprintf(out, "  %s %8.0f/s %7.2f MB/s %llu dropped",
			i == RELAY_FORWARD ? "forward" : "backward", datagrams / seconds,
			bytes / 1e6 / seconds, (unsigned long long)dropped(count));
		last[i] = *count;
	}
	fputs("\033[K", out);
	fflush(out);
}
