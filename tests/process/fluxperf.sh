#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxperf: every kind in every way of waiting, the figures of its JSON, and what it refuses.
# Nothing here says how fast anything has to be.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"
. "$srcdir/tests/process/perf.sh"

kinds='spsc broadcast mpsc spmc mpmc'
waits='adaptive spin yield sleep block fd'
small='--count 20K --capacity 256 --batch 16'

# received KIND COUNT: what all readers of KIND together have of COUNT items.
received()
{
	[ "$1" = broadcast ] && echo $((2 * $2)) || echo "$2"
}

# sums KIND COUNT [SLOT]: the numbers of the last measurement agree with each other.
sums()
{
	[ "$(number lost)" = 0 ] || complain "$(number lost) are lost"
	[ "$(number written)" = "$2" ] || complain "written is $(number written), not $2"
	[ "$(number received)" = "$(received "$1" "$2")" ] || complain "received is $(number received)"
	[ $# -lt 3 ] || holds "$(number bytes_per_s) / $(number msgs_per_s) / $3 > 0.999 &&
		$(number bytes_per_s) / $(number msgs_per_s) / $3 < 1.001" ||
		complain "bytes do not agree with messages: $(cat "$tmp/perf.out")"
	holds "$(number written) / $(number seconds) / $(number msgs_per_s) > 0.99 &&
		$(number written) / $(number seconds) / $(number msgs_per_s) < 1.01" ||
		complain "rate does not agree with seconds: $(cat "$tmp/perf.out")"
}

# all COMMAND NAME: every kind in every way of waiting.
all()
{
	for kind in $kinds; do
		for wait in $waits; do
			# shellcheck disable=SC2086 # options
			measure $1 --kind $kind --wait $wait $small
			sums $kind 20480 64
		done
		finish "$2, $kind: adaptive, spin, yield, sleep, block, fd"
	done
}

all ring "between threads"
all ipc "between processes"

for slot in 8 9 64 100 128 1000; do
	for batch in 1 7; do
		measure ring --slot $slot --batch $batch --count 5000 --capacity 64
		sums spsc 5000 $slot
	done
done
finish "slots of any length, singly and in batches over the wrap"

for kind in $kinds; do
	for wait in adaptive block fd; do
		for command in ring ipc; do
			measure $command --kind $kind --records --slot 300 --capacity 64 --count 5000 --wait $wait
			sums $kind 5000
		done
	done
done
finish "records of all lengths"

for kind in $kinds; do
	# shellcheck disable=SC2086
	measure ring --kind $kind --sums $small
	sums $kind 20480 64
	# shellcheck disable=SC2086
	measure ring --kind $kind --sums --records $small
	sums $kind 20480
done
finish "checksums"

measure ring --kind mpmc --writers 5 --readers 3 --count 10001
sums mpmc 10001 64
finish "a count that the writers cannot share evenly"

for kind in $kinds; do
	for wait in adaptive block; do
		measure rtt --kind $kind --wait $wait --count 2000
		sums "" 2000 64
		[ "$(number samples)" = 2000 ] || complain "$(number samples) round trips, not 2000"
	done
done
for wait in spin yield sleep fd; do
	measure rtt --over ring --wait $wait --count 200
	sums "" 200 64
done
for wait in $waits; do
	measure rtt --over ipc --wait $wait --count 200
	sums "" 200 64
done
measure rtt --batch 16 --count 2000 --capacity 16
sums "" 2000 64
[ "$(number samples)" = 125 ] || complain "$(number samples) round trips, not 125"
finish "round trips"

measure ring --seconds 0.2
holds "$(number seconds) >= 0.19 && $(number received) == $(number written)" ||
	complain "$(cat "$tmp/perf.out")"
finish "for a time"

cpu=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)
measure ring --cpus "$cpu" --count 2000
[ "$(number probe_before_ns)" = 0 ] || complain "a probe between one CPU: $(number probe_before_ns)"
finish "all on one CPU"

measure ring --huge try --count 2000
finish "large pages, if there are any"

start perf $fluxperf ring --count 20K --rounds 3
await "$pid"
expect_status perf 0
[ "$(wc -l <"$tmp/perf.out")" -eq 6 ] || complain "not 6 lines: $(cat "$tmp/perf.out")"
grep -q 'median$' "$tmp/perf.out" || complain "no median: $(cat "$tmp/perf.out")"
[ ! -s "$tmp/perf.err" ] || complain "no terminal, and yet: $(cat "$tmp/perf.err")"
finish "a table for people"

start perf $fluxperf ring --seconds 100 --wait block --json
sleep 0.5
kill -INT "$pid"
await "$pid"
expect_status perf 1
expect_words perf "stopped by a signal"
grep -q '^{"ok":true' "$tmp/perf.out" || complain "what was measured is not shown: $(cat "$tmp/perf.out")"
finish "an interrupt shows what there is"

# kill_one NTH NAME: of the processes that measure; the others end at once, and say of whom.
kill_one()
{
	start perf $fluxperf ipc --seconds 100 --wait "$3"
	members "$pid" 2 || {
		kill -TERM "$pid"
		await "$pid"
		tap_skip "kill -9 of a $2 ($3)" "no list of children in /proc"
		return
	}
	kill -9 "$(echo "$children" | cut -d ' ' -f "$1")"
	await "$pid"
	expect_status perf 1
	expect_words perf "a $2, was killed by signal 9"
	finish "kill -9 of a $2 ($3)"
}

kill_one 1 writer adaptive
kill_one 1 writer block
kill_one 2 reader fd
kill_one 2 reader block

start perf $fluxperf ipc --seconds 100 --wait fd --json
sleep 0.5
kill -INT "$pid"
await "$pid"
expect_status perf 1
grep -q '^{"ok":true' "$tmp/perf.out" || complain "what was measured is not shown: $(cat "$tmp/perf.out")"
[ -z "$(find /dev/shm -name "fluxperf-$pid-*" 2>/dev/null)" ] || complain "something is left in /dev/shm"
finish "an interrupt ends processes, and nothing is left"

# ---- What it refuses ----

for option in --help --version; do
	start tool $fluxperf $option
	await "$pid"
	expect_status tool 0
	grep -q fluxperf "$tmp/tool.out" || complain "nothing on standard output"
	finish "$option"
done

refuses "no command" 2 "ring, ipc, rtt, udp or rudp"
refuses "an unknown command" 2 "'rong' is unknown; give ring, ipc, rtt, udp or rudp" rong
refuses "two commands" 2 "too much" ring rtt
refuses "an unknown option" 2 "unknown" ring --no-such-thing
refuses "an option without its value" 2 "needs a value" ring --slot
refuses "--kind spsp" 2 "kind.*spsc.*or mpmc" ring --kind spsp
refuses "--wait never" 2 "wait.*adaptive.*or fd" ring --wait never
refuses "--slot 7" 2 "slot.*give 8 to 1048576" ring --slot 7
refuses "--slot 2M" 2 "slot.*give 8 to 1048576" ring --slot 2M
refuses "--batch 0" 2 "batch.*give 1 to" ring --batch 0
refuses "--batch above --capacity" 2 "batch 65.*capacity 64" ring --batch 65 --capacity 64
refuses "--capacity 1000" 2 "no power of two; the next one is 1024" ring --capacity 1000
refuses "--capacity 1" 2 "capacity.*give 2 to" ring --capacity 1
refuses "more than the memory" 2 "lower --capacity or --slot" ring --capacity 1G --slot 1M
refuses "more records than a ring holds" 2 "lower --capacity or --slot" ring --records --capacity 1G
refuses "--count x" 2 "count.*whole number" ring --count x
refuses "--count and --seconds" 2 "one of the two" ring --count 1 --seconds 1
refuses "fewer items than writers" 2 "one item for each of 3" ring --kind mpsc --writers 3 --count 2
refuses "--seconds 0" 2 "seconds" ring --seconds 0
refuses "--writers 2 of spsc" 2 "spsc has one writer; choose --kind mpsc or mpmc" ring --writers 2
refuses "--readers 2 of mpsc" 2 "mpsc has one reader" ring --kind mpsc --readers 2
refuses "--writers 65" 2 "writers.*give 1 to 64" ring --kind mpsc --writers 65
refuses "--writers 2 of rtt" 2 "one party at each end" rtt --kind mpsc --writers 2
refuses "--records of rtt" 2 "records" rtt --records
refuses "--over of ring" 2 "over is for rtt" ring --over ipc
refuses "--over rtt" 2 "give ring, ipc, udp or rudp" rtt --over rtt
refuses "--rounds 100" 2 "rounds.*1 to 99" ring --rounds 100
refuses "--cpus x" 2 "cpus.*such as 0,2-3" ring --cpus x
refuses "--cpus 3-1" 2 "backwards" ring --cpus 3-1
refuses "--cpus 0,," 2 "cpus" ring --cpus 0,,
refuses "a CPU that is not there" 1 "4095" ring --cpus 4095 --count 10
tap_done
