# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the tests of fluxperf share: measuring, reading its JSON, and seeing it refuse.
#
# Sourced after tests/process/tools.sh.

fluxperf=tools/fluxperf

# number NAME: of the one line of JSON.
number()
{
	sed -n "s/.*[,{]\"$1\":\([0-9.]*\)[,}].*/\1/p" "$tmp/perf.out"
}

# word NAME: the same of a string.
word()
{
	sed -n "s/.*[,{]\"$1\":\"\([^\"]*\)\"[,}].*/\1/p" "$tmp/perf.out"
}

# holds EXPRESSION: of numbers.
holds()
{
	awk "BEGIN { exit !($1) }"
}

# measure OPTIONS...: must succeed and say so in one object of which all is there. What arrived was right.
measure()
{
	start perf $fluxperf "$@" --json
	await "$pid"
	expect_status perf 0
	[ "$(wc -l <"$tmp/perf.out")" -eq 1 ] || complain "$*: not one line: $(cat "$tmp/perf.out")"
	grep -q '^{"ok":true,.*}$' "$tmp/perf.out" || complain "$*: not ok: $(cat "$tmp/perf.out")"
	for name in msgs_per_s bytes_per_s received lost cpu_ns_per_msg p50_ns p99_ns p999_ns max_ns \
		probe_before_ns probe_after_ns written damaged disordered; do
		[ -n "$(number $name)" ] || complain "$*: no $name in $(cat "$tmp/perf.out")"
	done
	[ ! -s "$tmp/complaints" ] || return
	[ "$(number damaged)$(number disordered)" = 00 ] || complain "$*: not all is right"
	holds "$(number p50_ns) <= $(number p99_ns) && $(number p99_ns) <= $(number p999_ns) &&
		$(number p999_ns) <= $(number max_ns) && $(number max_ns) > 0" ||
		complain "$*: percentiles: $(cat "$tmp/perf.out")"
	holds "$(number msgs_per_s) > 0 && $(number cpu_ns_per_msg) > 0" ||
		complain "$*: rates: $(cat "$tmp/perf.out")"
}

# refuses NAME STATUS WORDS ARGUMENTS...: ends with that status and those words.
refuses()
{
	name=$1
	wanted=$2
	words=$3
	shift 3
	start tool $fluxperf "$@"
	await "$pid"
	expect_status tool "$wanted"
	expect_words tool "$words"
	[ "$(wc -l <"$tmp/tool.err")" -le 2 ] || complain "more than two lines: $(cat "$tmp/tool.err")"
	finish "$name"
}

# members PID COUNT: wait until it has so many children; their pids go to $children.
members()
{
	tries=0
	children=
	[ -r "/proc/$1/task/$1/children" ] || return 1
	until children=$(cat "/proc/$1/task/$1/children") && [ "$(echo "$children" | wc -w)" = "$2" ]; do
		tries=$((tries + 1))
		[ $tries -lt $((limit * 10)) ] || return 1
		sleep 0.1
	done
}
