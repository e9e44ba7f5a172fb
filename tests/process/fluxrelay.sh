#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxrelay as a user meets it: usage, failures, its end, and datagrams through the loopback.

. "${srcdir:?}/tests/build/tap.sh"

relay=$PWD/tools/fluxrelay
probe=$PWD/tests/process/relay_probe

# expect STATUS PATTERN ARGS...: the relay ends with STATUS and says PATTERN on standard error. If
# it starts instead, it ends by itself.
expect()
{
	status=$1
	pattern=$2
	shift 2
	"$relay" --seconds 5 "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	if [ $got -ne "$status" ]; then
		echo "fluxrelay $*: status $got, not $status"
	elif ! grep -q -e "$pattern" "$tmp/err"; then
		echo "fluxrelay $*: not a word of '$pattern' in"
		cat "$tmp/err"
	elif [ -s "$tmp/out" ]; then
		echo "fluxrelay $*: it printed to standard output"
	fi
}

usage()
{
	expect 2 "$@"
	[ "$(wc -l <"$tmp/err")" -eq 2 ] || echo "fluxrelay $*: not two lines of explanation"
}

# ---- the command line ----

{
	a=127.0.0.1:0
	b=127.0.0.1:9
	usage "address is missing"
	usage "address is missing" $a
	usage "'x' is too much" $a $b x
	usage "LISTEN: '127.0.0.1' has no port" 127.0.0.1 $b
	usage "TARGET: '0' is out of range; give 1 to 65535" $a 127.0.0.1:0
	usage "in brackets" $a ::1:9
	usage "unknown or ambiguous option '--lose=1'" $a $b --lose=1
	usage "unknown option '-x'" $a $b -x
	usage "'--loss' needs a value" $a $b --loss
	usage "'--help=1' takes no value" $a $b --help=1
	usage "--loss: '2%' is not a number; give 0 to 1" $a $b --loss 2%
	usage "--dup: '1.5' is out of range; give 0 to 1" $a $b --dup 1.5
	usage "--corrupt: 'nan' is not a number" $a $b --corrupt nan
	usage "--reorder: '-1' is not a number" $a $b --reorder -1
	usage "--delay: '10001' is out of range; give 0 to 10000 (milliseconds)" $a $b --delay 10001
	usage "--jitter: 'x' is not a number" $a $b --jitter x
	usage "--burst: '0.1' is not P,R" $a $b --burst 0.1
	usage "--burst R: '0' is out of range" $a $b --burst 0.1,0
	usage "--burst P: '2' is out of range" $a $b --burst 2,0.1
	usage "--mtu: '67' is out of range; give 68 to 65535" $a $b --mtu 67
	usage "--rate: '0' is out of range" $a $b --rate 0
	usage "--queue: .* without --rate" $a $b --queue 64K
	usage "--queue: '2G' is out of range" $a $b --rate 1 --queue 2G
	usage "--seed: '9007199254740992' is out of range" $a $b --seed 9007199254740992
	usage "--seconds: '0' is out of range" $a $b --seconds 0
} >"$tmp/complaints"
tap_empty "wrong usage ends with 2 and says what, limits and remedy" "$tmp/complaints"

tap_run "--help" sh -c "'$relay' --help | grep -q 'Usage: fluxrelay LISTEN TARGET'"
tap_run "--version" sh -c "'$relay' --version | grep -q '^fluxrelay (Flux) [0-9]'"
if [ -w /dev/full ]; then
	"$relay" --help >/dev/full 2>"$tmp/err"
	tap_run "a full standard output is an error" \
		test $? -eq 1 -a "$(grep -c 'No space left' "$tmp/err")" -eq 1
else
	tap_skip "a full standard output is an error" "no /dev/full"
fi

# ---- its beginning and its end ----

expect 1 "cannot listen on 192.0.2.1:5000: Cannot assign" 192.0.2.1:5000 127.0.0.1:9 \
	>"$tmp/complaints"
tap_empty "an address that is not ours" "$tmp/complaints"

# start ARGS...: $port is where it listens, $pid who it is; its counters go to $tmp/json.
start()
{
	rm -f "$tmp/ready"
	mkfifo "$tmp/ready"
	"$relay" 127.0.0.1:0 127.0.0.1:9 --seconds 100 "$@" >"$tmp/json" 2>"$tmp/ready" &
	pid=$!
	# A word about small socket buffers may come first.
	while read -r line; do
		case $line in "listening on "*) break ;; esac
	done <"$tmp/ready"
	port=${line##*:}
}

start --seed 7
expect 1 "cannot listen on 127.0.0.1:$port: Address already in use" "127.0.0.1:$port" 127.0.0.1:9 \
	>"$tmp/complaints"
tap_empty "a port in use" "$tmp/complaints"
kill -INT $pid
wait $pid
tap_run "SIGINT ends it well" test $? -eq 0
tap_run "its counters are one line that begins with the seed" \
	sh -c "[ \$(wc -l <'$tmp/json') -eq 1 ] && grep -q '^{\"seed\":7,\"seconds\":[0-9.]*,' '$tmp/json'"

start
kill -TERM $pid
wait $pid
tap_run "SIGTERM ends it well" test $? -eq 0
tap_run "without --seed there is a random one" grep -q '^{"seed":[1-9]' "$tmp/json"

"$relay" 127.0.0.1:0 127.0.0.1:9 --seconds 0.01 >"$tmp/json" 2>"$tmp/err"
tap_run "--seconds ends it well" test $? -eq 0 -a -s "$tmp/json"
if [ -w /dev/full ]; then
	"$relay" 127.0.0.1:0 127.0.0.1:9 --seconds 0.01 >/dev/full 2>"$tmp/err"
	tap_run "counters that cannot be written are an error" \
		test $? -eq 1 -a "$(grep -c 'No space left' "$tmp/err")" -eq 1
else
	tap_skip "counters that cannot be written are an error" "no /dev/full"
fi

"$relay" 127.0.0.1:0 127.0.0.1:9 --seconds 0.01 >&- 2>"$tmp/err"
tap_run "so is a closed standard output" \
	test $? -eq 1 -a "$(grep -c 'cannot write to standard output' "$tmp/err")" -eq 1

# ---- datagrams ----

# through NAME PROBE-OPTIONS... -- RELAY-OPTIONS...: the probe is content; $tmp/json has the counters.
through()
{
	name=$1
	shift
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # a list of options
	if "$probe" $options "$relay" "$@" >"$tmp/json" 2>"$tmp/err"; then
		tap_ok "$name"
	else
		tap_fail "$name" <"$tmp/err"
	fi
}

# both PATTERN: the counters of both directions hold it.
both()
{
	for direction in forward backward; do
		grep -q "\"$direction\":{[^}]*$1[,}]" "$tmp/json" || {
			echo "$direction has no $1:"
			cat "$tmp/json"
		}
	done
}

# three clients x 40 datagrams each way
through "nothing asked: every datagram passes unchanged and in order" -- --seed 1
{
	grep -q '"clients":3,"refused":0' "$tmp/json" || cat "$tmp/json"
	both '"received":120,"forwarded":120,"lost":0,"burst_lost":0,"duplicated":0'
	both '"corrupted":0,"reordered":0,"queue_dropped":0,"mtu_dropped":0,"kernel_dropped":0'
	both '"send_failed":0,"unsent":0,"bytes":908064,"data_received":48,"data_lost":0'
	both '"data_corrupted":0'
} >"$tmp/complaints"
tap_empty "nothing asked: the counters say so" "$tmp/complaints"

through "delay and jitter alone change nothing" -- --delay 0.2 --jitter 0.2 --rate 1000
through "--dup 1: everything twice" -c 2 -- --dup 1
both '"received":120,"forwarded":240,"lost":0,"burst_lost":0,"duplicated":120' >"$tmp/complaints"
tap_empty "--dup 1: the counters say so" "$tmp/complaints"

through "--corrupt 1: one bit of each" -f 1 -- --corrupt 1
{
	both '"corrupted":108' # an empty datagram has no bit
	both '"data_lost":0,"data_corrupted":48'
} >"$tmp/complaints"
tap_empty "--corrupt 1: the counters say so" "$tmp/complaints"

through "--dup 1 --corrupt 1: one bit of each copy" -c 2 -f 1 -- --dup 1 --corrupt 1

# 1,372 bytes and 28 of headers fit; the 1,400 bytes ahead of each do not.
through "--mtu: what fits passes, what does not is dropped" -b -- --mtu 1400
both '"received":240,"forwarded":120,.*"mtu_dropped":120' >"$tmp/complaints"
tap_empty "--mtu: the counters say so" "$tmp/complaints"

if "$probe" -6 "$relay" >"$tmp/json" 2>"$tmp/err"; then
	tap_ok "the same over IPv6"
elif grep -q 'cannot open a socket' "$tmp/err"; then
	tap_skip "the same over IPv6" "no IPv6 here"
else
	tap_fail "the same over IPv6" <"$tmp/err"
fi
tap_done
