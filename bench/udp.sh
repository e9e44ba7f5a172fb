#!/bin/sh
# SPDX-License-Identifier: MIT
# Plain UDP through Flux beside bare sockets, in turns (A B A B ...) in one run; ratios are medians.
# Usage: udp.sh [--rounds N] [--seconds S] BUILD_DIR

set -u
rounds=7
seconds=1
while [ $# -gt 1 ]; do
	case $1 in
	--rounds) rounds=$2 ;;
	--seconds) seconds=$2 ;;
	*) break ;;
	esac
	shift 2
done
build=${1:?usage: udp.sh [--rounds N] [--seconds S] BUILD_DIR}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/flux-bench.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

# number NAME LINE
number()
{
	echo "$2" | sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

# median FILE
median()
{
	sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

echo "cache line between the two CPUs: $("$build/bench/pingpong") ns"
for size in 64 1024 1400; do
	for offload in --offload --no-offload; do
		rm -f "$tmp"/*
		for _ in $(seq "$rounds"); do
			raw=$("$build/bench/raw_udp" --size $size $offload --seconds "$seconds") || exit 1
			flux=$("$build/bench/flux_udp" --size $size $offload --seconds "$seconds") || exit 1
			number messages_per_second "$raw" >>"$tmp/raw"
			number messages_per_second "$flux" >>"$tmp/flux"
			awk "BEGIN { print $(number messages_per_second "$flux") / $(number messages_per_second "$raw") }" >>"$tmp/ratio"
			number tx_cpu_ns "$raw" >>"$tmp/raw.tx"
			number tx_cpu_ns "$flux" >>"$tmp/flux.tx"
			number loss "$raw" >>"$tmp/raw.loss"
			number loss "$flux" >>"$tmp/flux.loss"
		done
		printf '%5d bytes %-13s flux %9.0f/s  bare %9.0f/s  ratio %.2f  cpu to send %5.0f and %5.0f ns  loss %.3f and %.3f\n' \
			$size $offload "$(median "$tmp/flux")" "$(median "$tmp/raw")" "$(median "$tmp/ratio")" \
			"$(median "$tmp/flux.tx")" "$(median "$tmp/raw.tx")" "$(median "$tmp/flux.loss")" "$(median "$tmp/raw.loss")"
	done
done
"$build/bench/udp_rtt"
