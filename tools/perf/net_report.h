/* SPDX-License-Identifier: MIT */
/* What fluxperf tells of a measurement over the network: a table for people, or JSON. */
#ifndef FLUX_TOOLS_PERF_NET_REPORT_H
#define FLUX_TOOLS_PERF_NET_REPORT_H

#include "perf/net_run.h"

/* What is measured, and the heads of the columns; `first` is the first round. */
void net_report_head(const struct net_options *options, const struct net_result *first);

/* One round; a line of the table. */
void net_report_row(const struct net_result *result);

/* Medians over the rounds; nothing for fewer than two. */
void net_report_median(const struct net_result *results, uint32_t rounds);

/* The same as one JSON object on one line, for one round. */
void net_report_json(const struct net_options *options, const struct net_result *result);

#endif
