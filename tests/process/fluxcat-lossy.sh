#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxcat through a relay that makes the way worse: equal files, and no more repairs than losses ask
# for, by the relay's own counters.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

bytes=${FLUX_TEST_BYTES:-16000000}
seeds=${FLUX_TEST_SEEDS:-1 2 3}

noise "$bytes" >"$tmp/file"

# forward NAME: a counter of the relay, on the way to the receiver.
forward()
{
	sed -n 's/.*"forward":\({[^}]*}\).*/\1/p' "$tmp/relay.out" >"$tmp/forward"
	count "$1" "$tmp/forward"
}

# through RELAY OPTIONS: the file crosses it.
through()
{
	start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --json
	receiver=$pid
	listening receiver
	start relay $fluxrelay 127.0.0.1:0 "$addr" "$@"
	relay=$pid
	listening relay
	start sender $fluxcat "$addr" -i "$tmp/file" --json
	await "$pid"
	expect_status sender 0
	await "$receiver"
	expect_status receiver 0
	kill "$relay"
	await "$relay"
	expect_status relay 0
	cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
}

for seed in $seeds; do
	through --loss 0.02 --delay 5 --reorder 0.01 --dup 0.01 --corrupt 0.001 --seed "$seed"
	away=$(($(forward data_lost) + $(forward data_corrupted)))
	again=$(count retransmitted "$tmp/sender.err")
	[ "$away" -gt 0 ] || complain "the relay lost nothing"
	[ $((again * 10)) -le $((away * 11)) ] || complain "$again sent again for $away lost or corrupted"
	finish "2 % loss, reordering, duplicates, corruption, seed $seed ($again again for $away)"
done

through --loss 0.3 --seed 1
finish "30 % loss"

through --burst 0.01,0.2 --delay 2 --jitter 2 --seed 1
finish "bursts of losses and jitter"
tap_done
