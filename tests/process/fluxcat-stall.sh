#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxcat with an end that does not go on for a while: nothing is lost, and memory stays bounded.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

# What a sender may hold beyond a file that it sends in place; the queue is 2 MiB.
kib_limit=65536

noise 60000000 >"$tmp/file"

# resident PID: KiB.
resident()
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/"$1"/status
}

expect_small()
{
	case $SAN_CFLAGS in
	*-fsanitize*) return ;; # the shadow of a sanitizer is not ours
	esac
	kib=$(resident "$2")
	[ "${kib:-0}" -le $kib_limit ] || complain "$1 holds $kib KiB"
}

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy"
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i "$tmp/file" --rate 40M
sender=$pid
sleep 0.5
kill -STOP "$receiver"
sleep 2
expect_small sender "$sender"
kill -CONT "$receiver"
await "$sender"
expect_status sender 0
await "$receiver"
expect_status receiver 0
cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
finish "the receiver is stopped and continued"

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy"
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i "$tmp/file" --rate 40M
sender=$pid
sleep 0.5
kill -STOP "$sender"
sleep 2
kill -CONT "$sender"
await "$sender"
expect_status sender 0
await "$receiver"
expect_status receiver 0
cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
finish "the sender is stopped and continued"

# Longer than the timeout: a reader that is slow is not a peer that is gone.
mkfifo "$tmp/fifo"
start receiver sh -c "exec $fluxcat -l 127.0.0.1:0 >'$tmp/fifo'"
receiver=$pid
exec 3<"$tmp/fifo"
listening receiver
start sender $fluxcat "$addr" -i "$tmp/file" --timeout 1
sender=$pid
sleep 3
kill -0 "$sender" 2>/dev/null || complain "the sender did not wait: $(cat "$tmp/sender.err")"
expect_small sender "$sender"
expect_small receiver "$receiver"
cat <&3 >"$tmp/copy" &
reader=$!
exec 3<&-
await "$sender"
expect_status sender 0
await "$receiver"
expect_status receiver 0
wait "$reader"
cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
finish "an output that is not read holds the sender back"
tap_done
