#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxperf udp, rudp and rtt over them: every loop and way to idle, loss and delay, ends of all kinds, and what
# it refuses. Nothing here says how fast anything has to be.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"
. "$srcdir/tests/process/perf.sh"

short='--seconds 0.2'

# agree SIZE: the numbers of the last measurement agree with each other.
agree()
{
	[ "$(number size)" = "$1" ] || complain "size is $(number size), not $1"
	holds "$(number received) + $(number lost) == $(number written)" ||
		complain "counts do not agree: $(cat "$tmp/perf.out")"
	holds "$(number bytes_per_s) / $(number msgs_per_s) / $1 > 0.999 &&
		$(number bytes_per_s) / $(number msgs_per_s) / $1 < 1.001" ||
		complain "bytes do not agree with messages: $(cat "$tmp/perf.out")"
	holds "$(number received) / $(number seconds) / $(number msgs_per_s) > 0.99 &&
		$(number received) / $(number seconds) / $(number msgs_per_s) < 1.01" ||
		complain "rate does not agree with seconds: $(cat "$tmp/perf.out")"
	holds "$(number samples) > 0 && $(number samples) <= $(number received)" ||
		complain "$(number samples) samples"
	holds "$(number cpu_ns_per_msg) - $(number tx_cpu_ns_per_msg) - $(number rx_cpu_ns_per_msg) < 0.1" ||
		complain "processor times do not agree: $(cat "$tmp/perf.out")"
}

# none_lost: which only plain UDP may.
none_lost()
{
	[ "$(number lost)" = 0 ] || complain "$(number lost) are lost"
}

# runs OPTIONS...: whether this build and machine have that loop; else $why.
runs()
{
	start perf $fluxperf rtt --over udp --seconds 0.05 "$@"
	await "$pid"
	why=$(head -n 1 "$tmp/perf.err")
	[ "$status" = 0 ] && return
	# Only these are no fault of ours.
	grep -Eq 'this build has no|io_uring|only CPU' "$tmp/perf.err" && return 1
	complain "$*: $why"
	return 0
}

# all OPTIONS...: everything on one loop, which calls itself $loop.
all()
{
	# shellcheck disable=SC2086 # options
	for command in udp rudp 'rtt --over udp' 'rtt --over rudp'; do
		measure $command $short "$@"
		agree 64
		[ "$command" = udp ] || [ "$command" = 'rtt --over udp' ] || none_lost
		[ "$(word command) $(word over)" = "${command%% *} ${command##* }" ] ||
			complain "$command is called $(word command) over $(word over)"
		[ "$(word loop)" = "$loop" ] || complain "$* ran $(word loop), not $loop"
	done
}

for loop in event uring thread; do
	if runs --loop $loop; then
		all --loop $loop
		finish "--loop $loop"
	else
		tap_skip "--loop $loop" "$why"
	fi
done

loop=thread
! runs --loop uring || loop=uring
all --loop auto
grep -q '"loop_asked":"auto".*"loop_why":"[^"]' "$tmp/perf.out" || complain "no why: $(cat "$tmp/perf.out")"
finish "--loop auto, which says why"

# Where io_uring is refused; CHILD_SKIP is 77 where nothing can be refused.
start perf tests/process/forbid EPERM io_uring_setup -- $fluxperf rudp --loop auto --seconds 0.1 --json
await "$pid"
if [ "$status" = 77 ]; then
	tap_skip "io_uring refused" "no seccomp filters here"
else
	expect_status perf 0
	[ "$(word loop)" = thread ] || complain "--loop auto ran $(word loop)"
	[ -n "$(word loop_why)" ] || complain "no why: $(cat "$tmp/perf.out")"
	if runs --loop uring; then
		start perf tests/process/forbid EPERM io_uring_setup -- $fluxperf rudp --loop uring --seconds 0.1
		await "$pid"
		expect_status perf 1
		expect_words perf "--loop uring --idle adaptive: .*io_uring"
	fi
	finish "io_uring refused: auto takes the other and says why, uring fails"
fi

for idle in spin adaptive epoll; do
	if runs --loop thread --idle $idle; then
		loop=thread
		all --loop thread --idle $idle
		[ "$(word idle)" = $idle ] || complain "$idle is called $(word idle)"
		finish "--idle $idle"
	else
		tap_skip "--idle $idle" "$why"
	fi
done

# shellcheck disable=SC2086 # options
{
	for size in 8 9 1201 5000 1M; do
		measure rudp $short --size $size
		none_lost
		measure rtt --over rudp $short --size $size
		none_lost
	done
	for size in 8 9 1473 65507; do
		measure udp $short --size $size --rate 1000
		agree $size
		measure rtt --over udp $short --size $size
		agree $size
	done
	finish "messages of any length"

	measure rudp $short --window 16 --max-datagram 576
	agree 64
	none_lost
	measure rudp $short --window 64 --max-datagram 65472 --size 1M
	agree 1048576
	none_lost
	finish "windows and datagrams of other sizes"

	for command in udp rudp 'rtt --over udp' 'rtt --over rudp'; do
		measure $command --rate 1000 --seconds 0.5
		agree 64
		holds "$(number written) <= 1000 * $(number seconds) + 1" ||
			complain "$command: $(number written) in $(number seconds) s"
		[ "$(number samples)" = "$(number received)" ] ||
			complain "$command: $(number samples) samples of $(number received)"
	done
	finish "at a rate, each message is timed"

	measure rudp --loss 0.02 --rate 10000 $short
	agree 64
	none_lost
	holds "$(number relay_lost) > 0 && $(number retransmitted) > 0" ||
		complain "nothing was lost: $(cat "$tmp/perf.out")"
	measure rudp --loss 0.02 $short
	none_lost
	measure rtt --over rudp --loss 0.05 $short
	none_lost
	finish "what Flux carries survives --loss"

	measure udp --loss 0.02 --rate 5000 --seconds 0.4
	agree 64
	holds "$(number lost) > 0" || complain "nothing was lost: $(cat "$tmp/perf.out")"
	holds "$(number lost) == $(number relay_lost) + $(number relay_dropped) + $(number kernel_drops)" ||
		complain "not all that is lost is explained: $(cat "$tmp/perf.out")"
	measure rtt --over udp --loss 0.3 --seconds 1
	agree 64
	holds "$(number lost) > 0" || complain "no round trip was lost: $(cat "$tmp/perf.out")"
	finish "plain UDP shows what --loss takes, and that is no failure"

	for over in udp rudp; do
		measure $over --delay 20 --rate 1000 $short
		holds "$(number p50_ns) >= 20e6" || complain "$over: $(number p50_ns) ns on a way of 20 ms"
		measure rtt --over $over --delay 20 $short
		holds "$(number p50_ns) >= 40e6" || complain "$over: $(number p50_ns) ns forth and back"
	done
	finish "--delay takes its time, each way"
}

start perf $fluxperf rudp $short --loop thread --rounds 3
await "$pid"
expect_status perf 0
[ "$(wc -l <"$tmp/perf.out")" -eq 6 ] || complain "not 6 lines: $(cat "$tmp/perf.out")"
grep -q 'median$' "$tmp/perf.out" || complain "no median: $(cat "$tmp/perf.out")"
[ ! -s "$tmp/perf.err" ] || complain "no terminal, and yet: $(cat "$tmp/perf.err")"
start perf $fluxperf udp --seconds 0.05 --loop auto
await "$pid"
grep -q '^--loop auto took' "$tmp/perf.out" || complain "does not say what it took: $(cat "$tmp/perf.out")"
finish "a table for people"

# ---- Ends ----

# busy PIDS...: wait until each has worked for some hundredths of a second, so that there is something to show.
busy()
{
	for child; do
		tries=0
		until [ "$(awk '{ print $14 + $15 }' "/proc/$child/stat" 2>/dev/null || echo 9)" -ge 5 ]; do
			tries=$((tries + 1))
			[ $tries -lt $((limit * 10)) ] || return
			sleep 0.1
		done
	done
}

# interrupt NAME WHOM MEMBERS OPTIONS...: what was measured is shown. WHOM is "-" for the whole process group.
interrupt()
{
	name=$1
	whom=$2
	count=$3
	shift 3
	start perf setsid $fluxperf "$@" --seconds 100 --json
	if ! members "$pid" "$count"; then
		kill -TERM "$pid"
		await "$pid"
		tap_skip "$name" "no list of children in /proc"
		return
	fi
	# shellcheck disable=SC2086 # a list
	busy $children
	kill -INT "$whom$pid"
	await "$pid"
	expect_status perf 1
	expect_words perf "stopped by a signal"
	grep -q '^{"ok":true' "$tmp/perf.out" || complain "what was measured is not shown: $(cat "$tmp/perf.out")"
	finish "$name"
}

if command -v setsid >/dev/null; then
	interrupt "an interrupt shows what there is: udp" "" 2 udp
	interrupt "an interrupt shows what there is: rudp" "" 2 rudp --loop thread
	interrupt "an interrupt shows what there is: rtt" "" 2 rtt --over rudp
	interrupt "one from the terminal leaves the relay to the end" - 3 rudp --delay 5
else
	tap_skip "interrupts" "no setsid"
fi

# gone PIDS...: none of them runs any more.
gone()
{
	for child; do
		tries=0
		while kill -0 "$child" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$child/status" 2>/dev/null; do
			tries=$((tries + 1))
			[ $tries -lt $((limit * 10)) ] || {
				complain "the process $child is left"
				return
			}
			sleep 0.1
		done
	done
}

# kill_one NTH NAME: of the processes that measure; the others end at once, and say of whom.
kill_one()
{
	start perf $fluxperf rudp --seconds 100 --delay 1
	if ! members "$pid" 3; then
		kill -TERM "$pid"
		await "$pid"
		tap_skip "kill -9 of the $2" "no list of children in /proc"
		return
	fi
	kill -9 "$(echo "$children" | cut -d ' ' -f "$1")"
	await "$pid"
	expect_status perf 1
	expect_words perf "the $2, was killed by signal 9"
	# shellcheck disable=SC2086 # a list
	gone $children
	finish "kill -9 of the $2"
}

kill_one 1 receiver
kill_one 2 relay
kill_one 3 sender

start perf $fluxperf rudp --seconds 100 --delay 1
if members "$pid" 3; then
	kill -9 "$pid"
	await "$pid"
	# shellcheck disable=SC2086
	gone $children
	finish "kill -9 of the first process leaves no other"
else
	kill -TERM "$pid"
	await "$pid"
	tap_skip "kill -9 of the first process leaves no other" "no list of children in /proc"
fi

# ---- What it refuses ----

for option in --help --version; do
	start tool $fluxperf udp $option
	await "$pid"
	expect_status tool 0
	grep -q fluxperf "$tmp/tool.out" || complain "nothing on standard output"
	finish "udp $option"
done

refuses "udp when nothing gets through" 1 "heard nothing: [1-9]" udp --loss 1 --rate 1000 --seconds 0.1
refuses "rudp when nothing gets through" 1 "not reached within 5 s" rudp --loss 1 --seconds 0.1
refuses "rtt when nothing gets through" 1 "none of [1-9][0-9]* messages was answered" rtt --over udp --loss 1 \
	--seconds 0.1
refuses "--loop epoll" 2 "loop.*give event, uring, thread or auto" rudp --loop epoll
refuses "--idle sleep" 2 "idle.*give adaptive, spin or epoll" rudp --idle sleep
if runs --loop event; then
	refuses "--idle spin of --loop event" 2 "sleeps by itself; give --idle epoll, or choose --loop thread" rudp \
		--loop event --idle spin
else
	tap_skip "--idle spin of --loop event" "$why"
fi
cpu=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)
if command -v taskset >/dev/null; then
	start tool taskset -c "$cpu" $fluxperf rudp --loop thread --idle spin --seconds 0.1
	await "$pid"
	expect_status tool 1
	expect_words tool "allow a second one"
	finish "--idle spin on one CPU"
else
	tap_skip "--idle spin on one CPU" "no taskset"
fi
refuses "a CPU that is not there" 1 "4095" udp --cpus 4095 --seconds 0.1
refuses "--size 7" 2 "size.*give 8 to 1048576" rudp --size 7
refuses "--size 2M" 2 "size.*give 8 to 1048576" rudp --size 2M
refuses "udp --size 65508" 2 "size.*give 8 to 65507, or measure rudp" udp --size 65508
refuses "udp --window" 2 "window.*has none" udp --window 64
refuses "udp --max-datagram" 2 "max-datagram.*each message is a datagram" rtt --over udp --max-datagram 1000
refuses "--window 100" 2 "no power of two; the next one is 128" rudp --window 100
refuses "--window 8" 2 "window.*give 16 to 65536" rudp --window 8
refuses "--max-datagram 500" 2 "max-datagram.*give 576 to 65472" rudp --max-datagram 500
refuses "udp --options" 2 "options.*has none" udp --options window=64
refuses "a typo in --options" 2 'did you mean "cwnd"' rudp --options cwn=64K
refuses "an option out of range" 2 'window: 8 is out of range; give 16 to 65536' rtt --over rudp --options window=8
refuses "nothing gets through in a time of its own" 1 "not reached within 0.5 s" rudp --loss 1 --seconds 0.1 \
	--options connect_timeout=500ms
refuses "--loss 2" 2 "loss.*give 0 to 1" rudp --loss 2
refuses "--delay 2000" 2 "delay.*give 0 to 1000 (milliseconds)" rudp --delay 2000
refuses "--rate x" 2 "rate.*whole number" rudp --rate x
refuses "--seconds 0" 2 "seconds" rudp --seconds 0
refuses "--rounds 100" 2 "rounds.*1 to 99" rudp --rounds 100
refuses "--cpus x" 2 "cpus.*such as 0,2-3" rudp --cpus x
refuses "--over of rudp" 2 "over is for rtt; write fluxperf udp" rudp --over udp
refuses "--over of ring" 2 "over is for rtt; write fluxperf rudp" ring --over rudp
refuses "--over ring udp" 2 "give --over udp or --over rudp" rtt --over ring --over=ring --size 64 --over udp --over ring
refuses "two commands" 2 "too much" rudp ring
refuses "an option of rings" 2 "unknown" rudp --slot 64
tap_done
