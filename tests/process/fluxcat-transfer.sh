#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxcat where all is well: files and pipes of several sizes arrive whole, whoever starts first.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

# transfer NAME FILE [SENDER OPTIONS]: from file to file.
transfer()
{
	name=$1
	file=$2
	shift 2
	start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --json
	receiver=$pid
	listening receiver || complain "the receiver does not listen"
	start sender $fluxcat "$addr" -i "$file" --json "$@"
	await "$pid"
	expect_status sender 0
	await "$receiver"
	expect_status receiver 0
	cmp "$file" "$tmp/copy" >>"$tmp/complaints" 2>&1
	[ "$(count bytes "$tmp/sender.err")" -eq "$(wc -c <"$file")" ] ||
		complain "the sender counts $(count bytes "$tmp/sender.err") bytes"
	[ "$(count messages "$tmp/sender.err")" -eq "$(count messages "$tmp/receiver.err")" ] ||
		complain "messages differ: $(count messages "$tmp/sender.err"), $(count messages "$tmp/receiver.err")"
	finish "$name"
}

: >"$tmp/empty"
printf x >"$tmp/one"
noise 20000000 >"$tmp/file"
head -c 3000000 "$tmp/file" >"$tmp/short"
head -c 50000 "$tmp/file" >"$tmp/tiny"

transfer "an empty file" "$tmp/empty"
transfer "one byte" "$tmp/one"
transfer "20 MB" "$tmp/file"
transfer "messages of one byte" "$tmp/tiny" --message-size 1
transfer "messages of 64 bytes" "$tmp/short" --message-size 64
transfer "messages of 1000003 bytes" "$tmp/file" --message-size 1000003
transfer "messages of 1 MiB" "$tmp/file" --message-size 1M
transfer "datagrams of 8000 bytes" "$tmp/file" --max-datagram 8000 --message-size 4K
transfer "a rate of 10 MiB/s" "$tmp/short" --rate 10M
transfer "a window of 16 datagrams at the sender" "$tmp/short" --window 16

transfer "--options over what other options say" "$tmp/short" --window 16 --options window=32,max_datagram=2000
[ "$(count window "$tmp/sender.err")" = 32 ] || complain "the window is not 32: $(cat "$tmp/sender.err")"
grep -q '"options":"max_sessions=1,max_datagram=2000,.*,window=32,.*idle_timeout=30s' "$tmp/sender.err" ||
	complain "other options are told: $(cat "$tmp/sender.err")"
finish "the options in effect are told"

# E.g. for "tar c | fluxcat" and "fluxcat -l | tar x".
start receiver sh -c "$fluxcat -l 127.0.0.1:0 | cat"
receiver=$pid
listening receiver
start sender sh -c "cat '$tmp/file' | $fluxcat $addr"
await "$pid"
expect_status sender 0
await "$receiver"
expect_status receiver 0
cmp "$tmp/file" "$tmp/receiver.out" >>"$tmp/complaints" 2>&1
finish "from a pipe to a pipe"

# A port that was free a moment ago is good enough: a sender that starts first knows it.
start receiver $fluxcat -l 127.0.0.1:0
listening receiver
kill "$pid"
await "$pid"
start sender $fluxcat "$addr" -i "$tmp/short"
sender=$pid
sleep 1
start receiver $fluxcat -l "$addr" -o "$tmp/copy"
receiver=$pid
await "$sender"
expect_status sender 0
await "$receiver"
expect_status receiver 0
cmp "$tmp/short" "$tmp/copy" >>"$tmp/complaints" 2>&1
finish "A09: the sender starts first"

if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	start receiver $fluxcat -l '[::1]:0' -o "$tmp/copy"
	receiver=$pid
	listening receiver
	start sender $fluxcat "$addr" -i "$tmp/short"
	await "$pid"
	expect_status sender 0
	await "$receiver"
	expect_status receiver 0
	cmp "$tmp/short" "$tmp/copy" >>"$tmp/complaints" 2>&1
	finish "over IPv6"
else
	tap_skip "over IPv6" "no loopback address of IPv6 here"
fi
tap_done
