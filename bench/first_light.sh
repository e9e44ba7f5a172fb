#!/bin/sh
# SPDX-License-Identifier: MIT
# The figures of Flux beside those of bare UDP and TCP, taken in turns (A B C A B C ...) in one run.
# Usage: first_light.sh [--short] [--json] BUILD_DIR
#
# CPUs of a virtual machine move, and other people use them: the time a cache line takes between the
# two is taken before and after each round. A round waits (not for ever) for a moment in which nobody
# else runs, and one in which the probe changed is dropped. Ratios are medians over the rounds; quote
# them, not the rates. --json prints instead what each program says, a line for each run.

set -u
rounds=7
seconds=2
idle_s=10
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

tmp=$(mktemp -d "${TMPDIR:-/tmp}/flux-bench.XXXXXX") || exit 1
pids=

# shellcheck disable=SC2086 # a list of process ids
clean_up()
{
	[ -z "$pids" ] || kill $pids 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# number NAME: of the JSON line on standard input.
number()
{
	sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

# await FILE: until a line is in it.
await()
{
	tries=0
	until [ -s "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || exit 1
		sleep 0.1
	done
}

# calc EXPRESSION [DECIMALS]
calc()
{
	awk "BEGIN { printf \"%.${2:-2}f\", $1 }"
}

# median NAME: of the numbers kept under that name.
median()
{
	sort -n "$tmp/$1" 2>/dev/null | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "none" }'
}

say()
{
	[ $json = yes ] || printf '%-18s%s\n' "$1" "$2"
}

# is CONDITION: of numbers.
is()
{
	awk "BEGIN { exit !($1) }"
}

# probe: the time of a cache line, once it is that of two CPUs that nobody else uses, or patience ends.
probe()
{
	line=$("$bench/pingpong")
	while is "$line > 1500" && [ $patience -gt 0 ]; do
		patience=$((patience - 1))
		sleep 1
		line=$("$bench/pingpong")
	done
	echo "$line" >>"$tmp/probes"
}

# run NAME PROGRAM [OPTIONS]: its line goes to NAME.now.
run()
{
	name=$1
	program=$2
	shift 2
	"$bench/$program" "$@" --seconds $seconds >"$tmp/$name.now" || exit 1
	[ $json = no ] || cat "$tmp/$name.now"
}

# keep NAME WHAT EXPRESSION: a round's figure.
keep()
{
	calc "$3" 3 >>"$tmp/$1.$2"
	echo >>"$tmp/$1.$2"
}

# note CASE NAME PER-DATAGRAM: rates and CPU times per message of what ran, to CASE.NAME.*
note()
{
	rate=$(number messages_per_second <"$tmp/$2.now")
	keep "$1" "$2.rate" "$rate * $3"
	keep "$1" "$2.tx" "$(number tx_cpu_ns <"$tmp/$2.now") / $3"
	keep "$1" "$2.rx" "$(number rx_cpu_ns <"$tmp/$2.now") / $3"
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
		before=$line
		run flux flux_stream --size "$2" $flux
		bytes=$(number datagram_bytes <"$tmp/flux.now")
		packed=$(calc "$(number received <"$tmp/flux.now") / $(number datagrams <"$tmp/flux.now")" 0)
		run udp raw_udp --size "$bytes" $raw
		run tcp raw_tcp --size "$2"
		line=$("$bench/pingpong")
		is "$before < 2 * $line && $line < 2 * $before" || continue
		note "$1" flux 1
		ours=$rate
		note "$1" udp "$packed"
		keep "$1" of_udp "$ours / $rate"
		note "$1" tcp 1
		keep "$1" of_tcp "$ours / $rate"
		keep "$1" calls "$(number rx_per_call <"$tmp/flux.now")"
		keep "$1" offload "$(number tx_offload <"$tmp/flux.now") + $(number rx_offload <"$tmp/flux.now")"
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
	say "$2 $1" "p50 $(number p50_us <"$tmp/$1.now") us, p99 $(number p99_us <"$tmp/$1.now"), p99.9 $(number p999_us <"$tmp/$1.now")"
}

say machine "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, $(uname -s -r), $(${CC:-cc} --version 2>/dev/null | head -n 1)"
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
"$bench/idle" --seconds $idle_s >"$tmp/idle.now" || exit 1
[ $json = no ] || cat "$tmp/idle.now"
say "idle CPU" "$(number client_cpu_percent <"$tmp/idle.now") % and $(number server_cpu_percent <"$tmp/idle.now") %"
say "cache line" "$(sort -n "$tmp/probes" | head -n 1) to $(sort -n "$tmp/probes" | tail -n 1) ns forth and back, median $(median probes); above 1500 somebody else had a CPU"
