#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples do what they say, and the demonstration works with a small file.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

# lines N NAME: NAME has printed that many.
lines()
{
	[ "$(grep -c . "$tmp/$2.out")" = "$1" ]
}

# A port that was free a moment ago is good enough.
start port $fluxcat -l 127.0.0.1:0
listening port
kill "$pid"
await "$pid"

start hello examples/hello "$addr"
await "$pid"
expect_status hello 0
grep -q 'Hello over UDP' "$tmp/hello.out" || complain "no greeting but: $(cat "$tmp/hello.out")"
finish "hello"

# Two that write, one that is killed and comes back; who reads last sees the rest.
ring=$tmp/lines.ring
start lines examples/lines read "$ring"
reader=$pid
printf 'one\ntwo\n' >"$tmp/in"
# One who finds a ring in which nobody lives any more makes a new one: the reader comes first.
wait_until test -e "$ring"
examples/lines write "$ring" <"$tmp/in" || complain "the writer failed"
wait_until lines 2 lines
cmp -s "$tmp/in" "$tmp/lines.out" || complain "read: $(cat "$tmp/lines.out")"
kill -9 "$reader"
await "$reader"
start again examples/lines read "$ring"
reader=$pid
examples/lines write "$ring" <"$tmp/in" || complain "the second writer failed"
wait_until lines 2 again
cmp -s "$tmp/in" "$tmp/again.out" || complain "read: $(cat "$tmp/again.out")"
kill -9 "$reader"
await "$reader"
examples/lines write /nowhere/ring <"$tmp/in" 2>"$tmp/no.err" && complain "a ring in no directory"
grep -q nowhere "$tmp/no.err" || complain "words: $(cat "$tmp/no.err")"
finish "lines through shared memory"

# From one ring to another across the network: the ends know of no network, the gateways of no lines.
start far examples/gateway -l 127.0.0.1:0 "$tmp/far.ring"
far=$pid
listening far || complain "no far gateway: $(cat "$tmp/far.err")"
start reader examples/lines read "$tmp/far.ring"
reader=$pid
start near examples/gateway "$tmp/near.ring" "$addr"
near=$pid
wait_until test -e "$tmp/near.ring"
seq 1 5000 >"$tmp/in"
examples/lines write "$tmp/near.ring" <"$tmp/in" || complain "the writer failed"
wait_until lines 5000 reader
cmp -s "$tmp/in" "$tmp/reader.out" || complain "read $(grep -c . "$tmp/reader.out") lines of 5000"
kill "$near" "$far"
kill -9 "$reader"
await "$near"
await "$far"
await "$reader"
examples/gateway /nowhere/ring 127.0.0.1:9 2>"$tmp/no.err" && complain "a ring in no directory"
grep -q nowhere "$tmp/no.err" || complain "words: $(cat "$tmp/no.err")"
examples/gateway "$tmp/near.ring" nonsense 2>"$tmp/no.err" && complain "an address that is none"
grep -q nonsense "$tmp/no.err" || complain "words: $(cat "$tmp/no.err")"
finish "a ring continued across the network"

start service examples/service 127.0.0.1:0 127.0.0.1:0
service=$pid
wait_until test -s "$tmp/service.out"
read -r url _ <"$tmp/service.out"
port=${url##*:}
for page in / /stats /healthz; do
	start probe examples/probe 127.0.0.1 "${port%/}" $page 0.2
	await "$pid"
	expect_status probe 0
	finish "the service answers $page"
done
kill "$service"
await "$service"

start demo sh "$srcdir/examples/demo.sh" . 1000000
await "$pid"
expect_status demo 0
grep -q '^Equal' "$tmp/demo.out" || complain "$(cat "$tmp/demo.out")"
finish "the demonstration, with 7 MB"

# The demonstration must be able to fail: without a loss it shows nothing.
sed 's/^loss=.*/loss=0/' "$srcdir/examples/demo.sh" >"$tmp/lossless.sh"
start lossless sh "$tmp/lossless.sh" . 100000
await "$pid"
expect_status lossless 1
expect_words lossless "nothing was dropped"
finish "a demonstration without losses fails"
tap_done
