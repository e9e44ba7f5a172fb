#!/bin/sh
# SPDX-License-Identifier: MIT
# The figures of Flux beside those of bare UDP and TCP, taken in turns (A B C A B C ...) in one run.
# Usage: first_light.sh [--short] [--json] BUILD_DIR
#
# Ratios are medians over the rounds; quote them, not the rates. --json prints instead what each program
# says, a line for each run.

set -u
rounds=7
seconds=2
idle_s=10
# shellcheck disable=SC2034 # for lib/rounds.sh
patience=300 # seconds that all rounds together wait for a quiet moment
json=no
while [ $# -gt 1 ]; do
	case $1 in
	--short) rounds=3 seconds=0.5 idle_s=4 patience=10 ;;
	--json) json=yes ;;
	*) set -- ;;
	esac
	[ $# -eq 0 ] || shift
done
build=${1:?usage: first_light.sh [--short] [--json] BUILD_DIR}
bench=$build/bench

# shellcheck source=bench/lib/rounds.sh
. "$(dirname "$0")/lib/rounds.sh"

# note CASE NAME PER-DATAGRAM: rates and CPU times per message of what ran, to CASE.NAME.*
note()
{
	rate=$(of "$2" messages_per_second)
	keep "$1.$2.rate" "$rate * $3"
	keep "$1.$2.tx" "$(of "$2" tx_cpu_ns) / $3"
	keep "$1.$2.rx" "$(of "$2" rx_cpu_ns) / $3"
	rate=$(calc "$rate * $3" 0)
}

# compare CASE SIZE on|off: Flux, bare datagrams of the same size and TCP in turns.
compare()
{
	if [ "$3" = on ]; then
		raw=--offload flux=--offload
	else
		raw=--no-offload flux=--no-offload
	fi
	round=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		probe
		run flux flux_stream --size "$2" $flux --seconds $seconds
		bytes=$(of flux datagram_bytes)
		packed=$(calc "$(of flux received) / $(of flux datagrams)" 0)
		run udp raw_udp --size "$bytes" $raw --seconds $seconds
		run tcp raw_tcp --size "$2" --seconds $seconds
		steady || continue
		note "$1" flux 1
		ours=$rate
		note "$1" udp "$packed"
		keep "$1.of_udp" "$ours / $rate"
		note "$1" tcp 1
		keep "$1.of_tcp" "$ours / $rate"
		keep "$1.calls" "$(of flux rx_per_call)"
		keep "$1.offload" "$(of flux tx_offload) + $(of flux rx_offload)"
	done
}

# cpu CASE NAME
cpu()
{
	echo "$(calc "$(median "$1.$2.tx")" 1) + $(calc "$(median "$1.$2.rx")" 1)"
}

# tell CASE TITLE
tell()
{
	[ -s "$tmp/$1.of_udp" ] || { say "$2" "no round was steady"; return; }
	say "$2" "$(calc "$(median "$1.of_udp")") of bare datagrams, $(calc "$(median "$1.of_tcp")") of batched TCP; $(wc -l <"$tmp/$1.of_udp") rounds of $rounds"
	say "  rate" "$(calc "$(median "$1.flux.rate") / 1e6") M/s; bare $(calc "$(median "$1.udp.rate") / 1e6"), TCP $(calc "$(median "$1.tcp.rate") / 1e6")"
	say "  CPU, ns/message" "$(cpu "$1" flux) to send and receive; bare $(cpu "$1" udp), TCP $(cpu "$1" tcp)"
	say "  offload" "in force at $(calc "$(median "$1.offload")" 0) ends, $(median "$1.calls") datagrams a receive call"
}

# rr NAME [RELAY OPTIONS]: request and response, through the relay if it has something to do.
rr()
{
	name=$1
	shift
	: >"$tmp/rr.out"
	: >"$tmp/relay.err"
	probe
	"$bench/flux_rr" -l 127.0.0.1:0 >"$tmp/rr.out" &
	server=$!
	pids="$pids $server"
	await "$tmp/rr.out"
	to=$(cat "$tmp/rr.out")
	if [ $# -gt 0 ]; then
		"$build/tools/fluxrelay" 127.0.0.1:0 "$to" "$@" >"$tmp/relay.out" 2>"$tmp/relay.err" &
		relay=$!
		pids="$pids $relay"
		await "$tmp/relay.err"
		to=$(sed -n 's/.*listening on //p' "$tmp/relay.err")
	fi
	"$bench/flux_rr" --seconds $((idle_s / 2)) "$to" >"$tmp/$name.now" || exit 1
	kill $server
	[ $# -eq 0 ] || kill "$relay"
	wait
	pids=
	latency "$name" "round trip"
}

# http NAME SIZE: how an evhttp page answers while the stream runs; SIZE 1 is without it.
http()
{
	: >"$tmp/http.out"
	probe
	"$bench/http_load" --size "$2" --seconds $((idle_s / 2)) >"$tmp/http.out" &
	pids="$pids $!"
	await "$tmp/http.out"
	read -r host port <"$tmp/http.out"
	sleep 0.5
	nice -n -10 "$build/examples/probe" "$host" "$port" / $((idle_s / 4)) >"$tmp/$1.now" 2>/dev/null || exit 1
	wait
	pids=
	latency "$1" "HTTP"
	[ "$2" -eq 1 ] || say "  beside it" "$(tail -n 1 "$tmp/http.out" | number messages_per_second) messages/s"
}

# latency NAME TITLE
latency()
{
	[ $json = no ] || cat "$tmp/$1.now"
	say "$2 $1" "p50 $(of "$1" p50_us) us, p99 $(of "$1" p99_us), p99.9 $(of "$1" p999_us)"
}

say_machine
compare plain 1024 off
tell plain "1 KiB, no offload"
compare big 1024 on
tell big "1 KiB"
compare small 64 on
tell small "64 B"
rr clean
rr lossy --loss 0.01 --seed 1
http quiet 1
http busy 1024
run idle idle --seconds $idle_s
say "idle CPU" "$(of idle client_cpu_percent) % and $(of idle server_cpu_percent) %"
say_probes
