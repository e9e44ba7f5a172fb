#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxcat where something goes wrong on the way: each end says what, and none hangs.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

noise 30000000 >"$tmp/file"

start receiver $fluxcat -l 127.0.0.1:0 -o /dev/full
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i "$tmp/file"
await "$pid"
expect_status sender 1
expect_words sender "No space left"
await "$receiver"
expect_status receiver 1
expect_words receiver "No space left"
finish "/dev/full as output: both ends say so"

start receiver sh -c "$fluxcat -l 127.0.0.1:0 | head -c 1000 >'$tmp/head'"
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i "$tmp/file"
await "$pid"
expect_status sender 1
expect_words sender "Broken pipe"
await "$receiver"
expect_words receiver "Broken pipe"
finish "the reader of the output leaves"

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy"
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i /dev/zero --rate 20M --timeout 1
sender=$pid
sleep 0.5
kill -9 "$receiver"
await "$sender"
expect_status sender 1
expect_words sender "receiver"
await "$receiver"
finish "the receiver is killed: the sender ends with a reason"

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --timeout 1
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i /dev/zero --rate 20M
sender=$pid
sleep 0.5
kill -9 "$sender"
await "$receiver"
expect_status receiver 1
expect_words receiver "sender"
await "$sender"
finish "the sender is killed: the receiver ends with a reason"

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy"
receiver=$pid
listening receiver
start sender $fluxcat "$addr" -i /dev/zero --rate 20M
sender=$pid
sleep 0.5
kill -INT "$sender"
await "$sender"
expect_status sender 1
expect_words sender "interrupt"
await "$receiver"
expect_status receiver 1
expect_words receiver "interrupt"
finish "an interrupt at the sender reaches the receiver"

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy"
receiver=$pid
listening receiver
mkfifo "$tmp/fifo"
start sender $fluxcat "$addr" -i "$tmp/fifo"
sender=$pid
exec 3>"$tmp/fifo"
head -c 100000 "$tmp/file" >&3
sleep 0.5
start second $fluxcat "$addr" -i "$tmp/file"
await "$pid"
expect_status second 1
expect_words second "already receiving"
tail -c +100001 "$tmp/file" >&3
exec 3>&-
await "$sender"
expect_status sender 0
await "$receiver"
expect_status receiver 0
cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
finish "a second sender is refused and told why; the first goes on"

# port_of PID: the UDP port of its socket.
port_of()
{
	for fd in /proc/"$1"/fd/*; do
		inode=$(readlink "$fd" | sed -n 's/socket:\[\(.*\)\]/\1/p')
		[ -z "$inode" ] || awk -v inode="$inode" '$10 == inode { sub(/.*:/, "", $2); print $2 }' \
			/proc/"$1"/net/udp /proc/"$1"/net/udp6
	done | head -n 1
}

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --json
receiver=$pid
listening receiver
start thrower $throw 127.0.0.1 "${addr##*:}" 3000 1
start sender $fluxcat "$addr" -i "$tmp/file" --rate 20M
sender=$pid
sleep 0.3
port=$(port_of "$sender")
[ -n "$port" ] || complain "the sender's port was not found"
start thrower2 $throw 127.0.0.1 $((0x${port:-9})) 3000 2
await "$sender"
expect_status sender 0
await "$receiver"
expect_status receiver 0
cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
[ "$(count malformed "$tmp/receiver.err")" -gt 0 ] || complain "nothing was counted as malformed"
finish "garbage thrown at both ports is dropped and counted"
tap_done
