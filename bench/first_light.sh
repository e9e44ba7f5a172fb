#!/bin/sh
# SPDX-License-Identifier: MIT
# The first figures of Flux beside those of bare UDP, taken in turns (A B A B ...) in one run.
# Usage: first_light.sh [--short] [--json] BUILD_DIR
#
# CPUs of a virtual machine move: the time a cache line takes between the two is shown before and
# after, and a round in which it changed much is dropped. Quote the ratios, not the rates.

set -u
rounds=5
seconds=2
idle_s=10
json=no
while [ $# -gt 1 ]; do
	case $1 in
	--short) rounds=3 seconds=1 idle_s=4 ;;
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

# median FILE: of one number a line.
median()
{
	sort -n "$1" 2>/dev/null | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'
}

ratio()
{
	awk "BEGIN { printf \"%.2f\", ($2 > 0) ? $1 / $2 : 0 }"
}

say()
{
	[ $json = yes ] || printf '%s\n' "$*"
}

# near A B: whether two probes tell of the same placement.
near()
{
	awk "BEGIN { exit !($1 < 2 * $2 && $2 < 2 * $1) }"
}

# pair NAME RAW-SIZE FLUX-SIZE: bare and Flux in turns; the medians go to NAME.raw and NAME.flux.
pair()
{
	: >"$tmp/$1.raw"
	: >"$tmp/$1.flux"
	round=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		before=$("$bench/pingpong")
		"$bench/raw_udp" --size "$2" --seconds $seconds >"$tmp/raw.json" || exit 1
		"$bench/flux_stream" --size "$3" --seconds $seconds >"$tmp/flux.json" || exit 1
		after=$("$bench/pingpong")
		echo "$before $after" >>"$tmp/probes"
		near "$before" "$after" || continue
		number messages_per_second <"$tmp/raw.json" >>"$tmp/$1.raw"
		number messages_per_second <"$tmp/flux.json" >>"$tmp/$1.flux"
		number kernel_drops <"$tmp/flux.json" >>"$tmp/$1.drops"
		number rx_cpu_ns <"$tmp/flux.json" >>"$tmp/$1.rx"
		number tx_cpu_ns <"$tmp/flux.json" >>"$tmp/$1.tx"
	done
}

# rr NAME [RELAY OPTIONS]: request and response, through the relay if it has something to do.
rr()
{
	name=$1
	shift
	: >"$tmp/rr.out"
	: >"$tmp/relay.err"
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
	"$bench/flux_rr" --seconds $((seconds * 2)) "$to" >"$tmp/$name.json" || exit 1
	kill $server
	[ $# -eq 0 ] || kill "$relay"
	wait
	pids=
}

# http NAME SIZE: how an evhttp page answers while the stream runs; SIZE 1 is without it.
http()
{
	: >"$tmp/http.out"
	"$bench/http_load" --size "$2" --seconds $((seconds + 2)) >"$tmp/http.out" &
	pids="$pids $!"
	await "$tmp/http.out"
	read -r host port <"$tmp/http.out"
	sleep 0.5
	nice -n -10 "$build/examples/probe" "$host" "$port" / $seconds >"$tmp/$1.json" 2>/dev/null || exit 1
	wait
	pids=
	tail -n 1 "$tmp/http.out" | number messages_per_second >"$tmp/$1.rate"
}

machine()
{
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, $(uname -s -r)," \
		"$(${CC:-cc} --version 2>/dev/null | head -n 1)"
}

probe_start=$("$bench/pingpong")
say "machine           $(machine)"
say "cache line        $probe_start ns forth and back, before"
pair big 1052 1024
pair small 1052 64
rr clean
rr lossy --loss 0.01 --seed 1
http quiet 1
http busy 1024
"$bench/idle" --seconds $idle_s >"$tmp/idle.json" || exit 1
probe_end=$("$bench/pingpong")

raw=$(median "$tmp/big.raw")
big=$(median "$tmp/big.flux")
small=$(median "$tmp/small.flux")
if [ $json = yes ]; then
	cat <<-JSON
	{"machine":"$(machine)","pingpong_before_ns":$probe_start,"pingpong_after_ns":$probe_end,
	"raw_1052_per_second":$raw,"flux_1024_per_second":$big,"ratio_1024":$(ratio "$big" "$raw"),
	"flux_64_per_second":$small,"rr":$(cat "$tmp/clean.json"),"rr_loss_1_percent":$(cat "$tmp/lossy.json"),
	"http_quiet":$(cat "$tmp/quiet.json"),"http_busy":$(cat "$tmp/busy.json"),
	"http_busy_messages_per_second":$(cat "$tmp/busy.rate"),"idle":$(cat "$tmp/idle.json")}
	JSON
	exit 0
fi
say "cache line        $probe_end ns, after; rounds kept $(wc -l <"$tmp/big.raw") and $(wc -l <"$tmp/small.raw") of $rounds"
say "bare datagrams    $raw/s of 1052 bytes"
say "1 KiB messages    $big/s, $(ratio "$big" "$raw") of bare; CPU $(median "$tmp/big.tx") ns to send, $(median "$tmp/big.rx") to receive"
say "64 B messages     $small/s; CPU $(median "$tmp/small.tx") ns to send, $(median "$tmp/small.rx") to receive"
say "kernel drops      $(median "$tmp/big.drops") and $(median "$tmp/small.drops") datagrams a run"
for name in clean lossy; do
	say "round trip $name  p50 $(number p50_us <"$tmp/$name.json") us, p99 $(number p99_us <"$tmp/$name.json")," \
		"p99.9 $(number p999_us <"$tmp/$name.json")"
done
for name in quiet busy; do
	say "HTTP $name        p50 $(number p50_us <"$tmp/$name.json") us, p99 $(number p99_us <"$tmp/$name.json")," \
		"p99.9 $(number p999_us <"$tmp/$name.json"); $(cat "$tmp/$name.rate") messages/s beside it"
done
say "idle CPU          $(number client_cpu_percent <"$tmp/idle.json") % and $(number server_cpu_percent <"$tmp/idle.json") %"
