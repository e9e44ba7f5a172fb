#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples do what they say, and the demonstration works with a small file.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

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

start service examples/service 127.0.0.1:0 127.0.0.1:0
service=$pid
tries=0
until [ -s "$tmp/service.out" ] || [ $tries -ge 100 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
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
