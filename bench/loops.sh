#!/bin/sh
# SPDX-License-Identifier: MIT
# One program on each loop, and beside bare sockets under the same: rates, a page's answers beside a
# flood, idle sessions, a steady pace, round trips. In turns (A B C A B C ...) in one run.
# Usage: loops.sh [--rounds N] [--seconds S] [--only stream|http|idle|paced|rtt] [--json] BUILD_DIR
#
# Ratios are medians over the rounds; quote them, not the rates. --json prints instead what each program
# says, a line for each run.

set -u
rounds=7
seconds=1
only=
# shellcheck disable=SC2034 # for lib/rounds.sh
patience=60 # seconds that all rounds together wait for a quiet moment
json=no
while [ $# -gt 1 ]; do
	case $1 in
	--rounds) rounds=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--only) only=$2 && shift ;;
	--json) json=yes ;;
	*) break ;;
	esac
	shift
done
[ $# -eq 1 ] || {
	echo "usage: loops.sh [--rounds N] [--seconds S] [--only stream|http|idle|paced|rtt] [--json] BUILD_DIR" >&2
	exit 2
}
build=$1
bench=$build/bench

# shellcheck source=bench/lib/rounds.sh
. "$(dirname "$0")/lib/rounds.sh"

# wanted ROW
wanted()
{
	[ -z "$only" ] || [ "$only" = "$1" ]
}

# ratio NAME: of medians or medians of ratios, for people.
ratio()
{
	calc "$(median "$1")"
}

# ---- One way, as fast as it goes ----

# What the loopback carries, as TCP does there: the default is what every path carries.
wide=65472

# stream_round SIZE: the loops, bare datagrams that carry as much, and batched TCP.
stream_round()
{
	for loop in $loops; do
		run "$loop" flux_stream --size "$1" --seconds "$seconds" --loop "$loop"
	done
	run wide flux_stream --size "$1" --seconds "$seconds" --loop "$first" --max-datagram "$wide"
	packed=$(calc "$(of "$first" received) / $(of "$first" datagrams)" 0)
	run udp raw_udp --size "$(of "$first" datagram_bytes)" --offload --seconds "$seconds"
	run tcp raw_tcp --size "$1" --seconds "$seconds"
	steady || return 0
	for loop in $loops wide tcp; do
		keep "$1.$loop.rate" "$(of "$loop" messages_per_second)"
		keep "$1.$loop.tx" "$(of "$loop" tx_cpu_ns)"
		keep "$1.$loop.rx" "$(of "$loop" rx_cpu_ns)"
		keep "$1.$loop.of_first" "$(of "$loop" messages_per_second) / $(of "$first" messages_per_second)"
		keep "$1.$loop.of_udp" "$(of "$loop" messages_per_second) / ($(of udp messages_per_second) * $packed)"
		keep "$1.$loop.of_tcp" "$(of "$loop" messages_per_second) / $(of tcp messages_per_second)"
	done
	keep "$1.udp.rate" "$(of udp messages_per_second) * $packed"
	keep "$1.udp.tx" "$(of udp tx_cpu_ns) / $packed"
	keep "$1.udp.rx" "$(of udp rx_cpu_ns) / $packed"
}

# cost NAME: rate, and CPU time of a message.
cost()
{
	echo "$(calc "$(median "$1.rate") / 1e6") M/s; CPU $(calc "$(median "$1.tx")" 0) + $(calc "$(median "$1.rx")" 0) ns a message"
}

# stream SIZE
stream()
{
	round=0
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		probe
		stream_round "$1"
	done
	[ -s "$tmp/$1.udp.rate" ] || { say "$1 bytes" "no round was steady"; return; }
	best=$(for loop in $loops; do median "$1.$loop.of_first"; done | sort -n | tail -n 1)
	say "$1 bytes" "$(wc -l <"$tmp/$1.udp.rate") rounds of $rounds"
	for loop in $loops; do
		say "  $loop" "$(calc "$(median "$1.$loop.of_first") / $best") of the best loop, $(ratio "$1.$loop.of_udp") of bare datagrams, $(ratio "$1.$loop.of_tcp") of TCP; $(cost "$1.$loop")"
	done
	say "  $first, datagrams of $wide" "$(ratio "$1.wide.of_udp") of bare datagrams, $(ratio "$1.wide.of_tcp") of TCP; $(cost "$1.wide")"
	for peer in udp tcp; do
		say "  $peer" "$(cost "$1.$peer")"
	done
}

# ---- A page beside a flood ----

# Each message is read 16 times: the host is slower than who floods it, and its socket never empty.

# Who asks for the page shares the sender's CPU, before it: the page's host has one of its own.
second_cpu()
{
	sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status | tr ',' '\n' |
		awk -F - '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) if (n++ == 1) { print i; exit } }'
}

# page NAME [OPTIONS]: answers to NAME.now, the rate of the stream to NAME.rate.now.
page()
{
	name=$1
	shift
	: >"$tmp/http.out"
	"$bench/http_load" "$@" --seconds "$http_s" >"$tmp/http.out" &
	pids=$!
	await "$tmp/http.out"
	read -r host port <"$tmp/http.out"
	sleep 0.3
	echo '{}' >"$tmp/$name.now"
	timeout -k 1 $((http_s + 3)) nice -n -5 taskset -c "$(second_cpu)" "$build/examples/probe" \
		"$host" "$port" / "$(calc "$http_s - 0.6")" >"$tmp/$name.now" 2>/dev/null
	wait "$pids"
	pids=
	tail -n 1 "$tmp/http.out" >"$tmp/$name.rate.now"
	[ "$json" = no ] || cat "$tmp/$name.now" "$tmp/$name.rate.now"
}

http_round()
{
	page quiet --size 1
	page busy --size 1024 --work 16
	page unbounded --size 1024 --work 16 --unbounded
	steady || return 0
	for name in quiet busy; do
		keep "http.$name.p50" "$(of "$name" p50_us)"
		keep "http.$name.p99" "$(of "$name" p99_us)"
	done
	keep http.p99 "$(of busy p99_us) / $(of quiet p99_us)"
	keep http.rate "$(of busy.rate messages_per_second) / $(of unbounded.rate messages_per_second)"
	keep http.answers "$(of unbounded requests)+0"
}

http()
{
	http_s=$(calc "$seconds < 2 ? 2 : $seconds" 0)
	round=0
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		probe
		http_round
	done
	[ -s "$tmp/http.p99" ] || { say "evhttp page" "no round was steady"; return; }
	say "evhttp page" "p99 $(ratio http.p99) of what it is without the flood, whose rate is $(ratio http.rate) of an unbounded drain's; $(wc -l <"$tmp/http.p99") rounds of $rounds"
	say "  alone" "p50 $(calc "$(median http.quiet.p50)" 0) us, p99 $(calc "$(median http.quiet.p99)" 0)"
	say "  beside it" "p50 $(calc "$(median http.busy.p50)" 0) us, p99 $(calc "$(median http.busy.p99)" 0)"
	say "  unbounded" "$(calc "$(median http.answers)" 0) answers"
}

# ---- Nothing to do, and little ----

idle()
{
	idle_s=$(calc "$seconds < 20 ? 20 : $seconds" 0)
	for sessions in 1 1000; do
		run idle idle --sessions $sessions --seconds "$idle_s" --loop thread --idle epoll
		say "idle, $sessions" "$(of idle client_cpu_percent) % and $(of idle server_cpu_percent) % of a CPU"
	done
}

paced()
{
	round=0
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		run raw raw_paced --seconds 2
		run epoll flux_paced --seconds 2 --loop thread --idle epoll
		[ "$paces" = epoll ] || run event flux_paced --seconds 2 --loop event
		for loop in $paces; do
			keep "paced.$loop.tx" "$(of "$loop" tx_cpu_ns) / $(of raw tx_cpu_ns)"
			keep "paced.$loop.rx" "$(of "$loop" rx_cpu_ns) / $(of raw rx_cpu_ns)"
			keep "paced.$loop" "($(of "$loop" tx_cpu_ns) + $(of "$loop" rx_cpu_ns)) / ($(of raw tx_cpu_ns) + $(of raw rx_cpu_ns))"
		done
		keep paced.raw "($(of raw tx_cpu_ns) + $(of raw rx_cpu_ns)) / 1000"
	done
	for loop in $paces; do
		say "1000/s, $loop" "$(ratio "paced.$loop") of the CPU time of bare sockets; $(ratio "paced.$loop.tx") to send, $(ratio "paced.$loop.rx") to receive"
	done
	say "  bare" "$(calc "$(median paced.raw)" 0) us a message, both ends"
}

# ---- Round trips ----

rtt()
{
	"$bench/udp_rtt" --seconds "$(calc "$seconds / 2")" >"$tmp/rtt" || exit 1
	[ "$json" = no ] || cat "$tmp/rtt"
	while read -r row; do
		say "$(echo "$row" | sed 's/.*"case":"\([^"]*\)".*/\1/')" "p50 $(calc "$(echo "$row" | number p50_ns) / 1000") us, p99 $(calc "$(echo "$row" | number p99_ns) / 1000"), $(echo "$row" | number of_bare) of bare"
	done <"$tmp/rtt"
}

# Those that this build and this machine have.
paces=epoll loops=""
for loop in event uring thread; do
	if "$bench/flux_stream" --loop "$loop" --size 64 --seconds 0.01 >/dev/null 2>"$tmp/trial"; then
		loops="$loops $loop"
	else
		say "no $loop" "$(head -n 1 "$tmp/trial")"
	fi
done
loops=${loops# }
first=${loops%% *}
[ "$first" != event ] || paces="epoll event"
say_machine
! wanted stream || { stream 64 && stream 1024; }
! wanted http || [ "$first" != event ] || http
! wanted idle || idle
! wanted paced || paced
! wanted rtt || rtt
[ ! -s "$tmp/probes" ] || say_probes
