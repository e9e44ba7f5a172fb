#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxcat where something is wrong from the start: the exit status, and one line that says why.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

# refuses NAME STATUS WORDS ARGUMENTS...: ends at once with that status and those words.
refuses()
{
	name=$1
	wanted=$2
	words=$3
	shift 3
	start tool $fluxcat "$@"
	await "$pid"
	expect_status tool "$wanted"
	expect_words tool "$words"
	[ "$(wc -l <"$tmp/tool.err")" -le 2 ] || complain "more than two lines: $(cat "$tmp/tool.err")"
	finish "$name"
}

for option in --help --version; do
	start tool $fluxcat $option
	await "$pid"
	expect_status tool 0
	grep -q fluxcat "$tmp/tool.out" || complain "nothing on standard output"
	finish "$option"
done

start tool $fluxcat --options help
await "$pid"
expect_status tool 0
for key in max_datagram window tx_queue rate_bps idle_timeout; do
	grep -q "^  $key: " "$tmp/tool.out" || complain "no $key in the list"
done
grep -q '16 to 65536, a power of two (default 1024)' "$tmp/tool.out" || complain "no range of window"
finish "--options help"

refuses "no argument" 2 "HOST:PORT"
refuses "an unknown option" 2 "unknown" --no-such-thing 127.0.0.1:7000
refuses "an option without its value" 2 "needs a value" 127.0.0.1:7000 --rate
refuses "two addresses" 2 "too much" 127.0.0.1:7000 127.0.0.1:7001
refuses "an address without a port" 2 "has no port" 127.0.0.1
refuses "port 0 as target" 2 "out of range" 127.0.0.1:0
refuses "port 70000" 2 "out of range" 127.0.0.1:70000
refuses "a name that does not resolve" 1 "cannot resolve" no-such-host.invalid:7000
refuses "-o at the sender" 2 "receiver" 127.0.0.1:7000 -o x
refuses "-i at the receiver" 2 "sender" -l 127.0.0.1:7000 -i x
refuses "--message-size 0" 2 "message-size.*1 to" 127.0.0.1:7000 --message-size 0
refuses "--message-size 2G" 2 "message-size" 127.0.0.1:7000 --message-size 2G
refuses "--max-datagram 100" 2 "max-datagram.*576" 127.0.0.1:7000 --max-datagram 100
refuses "--window 1000" 2 "power of two" 127.0.0.1:7000 --window 1000
refuses "--timeout 0" 2 "timeout" 127.0.0.1:7000 --timeout 0
refuses "--rate x" 2 "rate" 127.0.0.1:7000 --rate x
refuses "a typo in --options" 2 'unknown option "windw": did you mean "window"?' 127.0.0.1:7000 --options windw=64
refuses "an option out of range" 2 'idle_timeout: 5ms is out of range; give 500ms to 600s' \
	-l 127.0.0.1:0 --options window=64,idle_timeout=5ms
refuses "a limit that follows from --max-datagram" 2 'tx_queue: 20K .*give 125K to 1G' \
	127.0.0.1:7000 --max-datagram 8000 --options tx_queue=20K
refuses "an option twice" 2 '"window" is given twice' 127.0.0.1:7000 --options window=64,window=64
refuses "--options twice" 2 'given twice: write one list' 127.0.0.1:7000 --options window=64 --options cwnd=64K
refuses "an option without a value" 2 '"window=" has no value' 127.0.0.1:7000 --options window=
refuses "no options" 2 'an option is empty' 127.0.0.1:7000 --options ''
refuses "what fluxcat decides" 2 'unknown option "accept"' 127.0.0.1:7000 --options accept=1

refuses "a file that is not there" 1 "No such file" 127.0.0.1:7000 -i "$tmp/none"
refuses "a directory as input" 1 "directory" 127.0.0.1:7000 -i "$tmp"
refuses "a directory as output" 1 "directory" -l 127.0.0.1:0 -o "$tmp"
refuses "an output in no directory" 1 "No such file" -l 127.0.0.1:0 -o "$tmp/none/file"
if [ "$(id -u)" -ne 0 ]; then
	: >"$tmp/secret"
	chmod 0 "$tmp/secret"
	refuses "an unreadable file" 1 "ermission" 127.0.0.1:7000 -i "$tmp/secret"
else
	tap_skip "an unreadable file" "root may read all"
fi
refuses "an address of no interface" 1 "198.51.100.1" -l 198.51.100.1:7000
refuses "nobody listens" 1 "not reached within 1 s" 127.0.0.1:9 -i /dev/null --timeout 1
refuses "no sender comes" 1 "no sender came" -l 127.0.0.1:0 -o "$tmp/x" --timeout 0.5

start first $fluxcat -l 127.0.0.1:0 -o "$tmp/x"
first=$pid
listening first
refuses "a port in use" 1 "${addr##*:}" -l "$addr" -o "$tmp/y"
kill -INT "$first"
await "$first"
expect_status first 1
expect_words first "interrupt"
finish "an interrupt ends a receiver that waits"

start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/x" --message-size 1000
receiver=$pid
listening receiver
refuses "a message above the receiver's limit" 1 "up to 1000 bytes" "$addr" -i "$0" --message-size 1001
await "$receiver"
expect_status receiver 1
expect_words receiver "up to 1000 bytes"
finish "the receiver is told of it too"
tap_done
