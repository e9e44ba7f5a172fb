/* SPDX-License-Identifier: MIT */
/* What fluxcat counts and tells: progress on a terminal, one JSON object at the end. */
#include "cat/report.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB (1024.0 * 1024.0)

void cat_report_sample(struct cat_report *report, const struct flux_binding *binding, flux_sid sid)
{
	struct flux_session_stats session = { .size = sizeof(session) };

	if (!binding)
		return;
	if (sid && flux_binding_get_session_stats(binding, sid, &session) == 0)
		report->session = session;
	report->endpoint.size = sizeof(report->endpoint);
	flux_binding_get_endpoint_stats(binding, &report->endpoint);
	report->socket.size = sizeof(report->socket);
	flux_binding_get_stats(binding, &report->socket);
}

static double seconds(const struct cat_report *report, flux_ts now)
{
	if (report->up_at == 0 || now <= report->up_at)
		return 0;
	return (double)(now - report->up_at) / 1e9;
}

void cat_report_progress(struct cat_report *report, flux_ts now, bool final)
{
	double span = (double)(now - report->shown_at) / 1e9;
	double rate = (double)(report->bytes - report->shown_bytes);

	if (final && !report->shown)
		return;
	if (final) {
		span = seconds(report, now);
		rate = (double)report->bytes;
	}
	fprintf(stderr, "\r%10.1f MiB", (double)report->bytes / MIB);
	if (report->expected)
		fprintf(stderr, " %3.0f %%",
			100.0 * (double)report->bytes / (double)report->expected);
	fprintf(stderr, " %8.1f MiB/s", span > 0 ? rate / span / MIB : 0);
	if (report->sender)
		fprintf(stderr, "  sent again %" PRIu64, report->session.retransmitted);
	else
		fprintf(stderr, "  lost %" PRIu64, report->session.lost);
	fputs(final ? " \n" : " ", stderr);
	report->shown = true;
	report->shown_at = now;
	report->shown_bytes = report->bytes;
}

/* A JSON string. `text` is printable. */
static void print_string(const char *name, const char *text)
{
	fprintf(stderr, "\"%s\":\"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(stderr, "\\%c", *text);
		else
			fputc(*text, stderr);
	}
	fputc('"', stderr);
}

static void print_loop(const struct loop *loop, const struct loop_options *asked)
{
	print_string("loop", loop_kind_name(loop->ran));
	fputc(',', stderr);
	print_string("loop_asked", loop_kind_name(asked->kind));
	fputc(',', stderr);
	print_string("loop_why", loop->why);
	fputc(',', stderr);
	print_string("idle", loop_idle_name(asked->idle));
	fputc(',', stderr);
}

struct number {
	const char *name;
	uint64_t value;
};

void cat_report_json(const struct cat_report *report, const struct loop *loop, const struct cat_options *options,
		     int status, const char *why)
{
	const struct flux_session_stats *session = &report->session;
	const struct flux_endpoint_stats *endpoint = &report->endpoint;
	const struct number numbers[] = {
		{ "bytes", report->bytes },
		{ "messages", report->messages },
		{ "datagrams_sent", endpoint->tx_datagrams },
		{ "datagrams_received", endpoint->rx_datagrams },
		{ "data_sent", session->tx_datagrams },
		{ "data_received", session->rx_datagrams },
		{ "retransmitted", session->retransmitted },
		{ "naks", report->sender ? session->naks_received : session->naks_sent },
		{ "duplicates", session->duplicates },
		{ "lost", session->lost },
		{ "late_originals", session->late_originals },
		{ "spurious_repairs", session->spurious_repairs },
		{ "breaker_trips", session->breaker_trips },
		{ "feedback_sent", session->feedback_sent },
		{ "feedback_received", session->feedback_received },
		{ "syncs_sent", session->syncs_sent },
		{ "window", session->window },
		{ "srtt_us", session->srtt / 1000 },
		{ "min_rtt_us", session->min_rtt / 1000 },
		{ "bad_checksum", endpoint->rx_bad_checksum },
		{ "malformed", endpoint->rx_malformed },
		{ "kernel_drops", report->socket.rx_kernel_drops },
		{ "rcvbuf", report->socket.rcvbuf },
	};
	double span = seconds(report, report->ended_at);
	char peer[FLUX_ADDR_TEXT], text[FLUX_OPTIONS_TEXT];

	fprintf(stderr, "{\"ok\":%s,", status == 0 ? "true" : "false");
	print_string("role", report->sender ? "sender" : "receiver");
	fputc(',', stderr);
	print_string("peer", flux_addr_format(&report->peer, peer));
	fputc(',', stderr);
	if (why[0]) {
		print_string("error", why);
		fputc(',', stderr);
	}
	if (flux_endpoint_cfg_format(&options->endpoint, text, sizeof(text)) == 0) {
		print_string("options", text);
		fputc(',', stderr);
	}
	print_loop(loop, &options->loop);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		fprintf(stderr, "\"%s\":%" PRIu64 ",", numbers[i].name, numbers[i].value);
	fprintf(stderr, "\"seconds\":%.6f,\"bytes_per_second\":%.0f}\n", span,
		span > 0 ? (double)report->bytes / span : 0);
}
