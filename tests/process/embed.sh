#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's memcached with Flux in its main loop (examples/embed): right answers, in order, to clients that
# are many, slow, broken or gone; and a memcached that starts and ends as it does without.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

fluxkv=examples/embed/fluxkv
module=$PWD/examples/embed/.libs/flux_embed.so
room_kib=32768

skip_all()
{
	tap_skip "memcached with Flux in its loop" "$1"
	tap_done
}

command -v memcached >/dev/null || skip_all "no memcached: apt-get install memcached"
command -v bash >/dev/null || skip_all "no bash, which is the TCP client here"
[ -f "$module" ] || skip_all "the module needs shared libraries, and this build has none"
preload=$module
case $SAN_CFLAGS in
*address*) # comes before all else, and what memcached leaves behind is not ours
	preload=$($CC -print-file-name=libasan.so):$module
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	export ASAN_OPTIONS
	room_kib=1048576 # of which most is the sanitizer's
	;;
*-fsanitize*) skip_all "memcached cannot be run with this sanitizer" ;;
esac

# serve NAME FLUX_EMBED OPTION...: a memcached; its pid goes to $server, its TCP port to $port.
serve()
{
	serve_name=$1
	serve_at=$2
	shift 2
	start "$serve_name" env "LD_PRELOAD=$preload" "FLUX_EMBED=$serve_at" \
		"MEMCACHED_PORT_FILENAME=$tmp/$serve_name.port" \
		memcached -u "$(id -un)" -l 127.0.0.1 -p -1 -A -t 2 "$@"
	server=$pid
	wait_until grep -qs '^TCP INET: ' "$tmp/$serve_name.port"
	port=$(sed -n 's/^TCP INET: //p' "$tmp/$serve_name.port")
}

# by_tcp: what memcached answers to standard input, without the CRs; a quit has to be the end of it.
by_tcp()
{
	# shellcheck disable=SC2016 # for bash
	timeout 60 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && cat >&3 && cat <&3' by_tcp "$port" | tr -d '\r'
}

# tcp COMMAND: what memcached answers to it.
tcp()
{
	printf '%b\r\nquit\r\n' "$1" | by_tcp
}

# expect WANTED COMMAND...: what it says on standard output.
expect()
{
	wanted=$1
	shift
	said=$("$@" 2>"$tmp/expect.err")
	[ "$said" = "$wanted" ] || complain "$*: '$said', not '$wanted': $(cat "$tmp/expect.err")"
}

# refuse WORDS REQUEST: a message that is none ends its session with a reason.
refuse()
{
	# shellcheck disable=SC2059 # the request is a format
	printf "$2" | $fluxkv "$flux" raw >"$tmp/refuse.out" 2>"$tmp/refuse.err"
	[ $? -eq 2 ] && grep -q -- "$1" "$tmp/refuse.err" ||
		complain "'$2': $(cat "$tmp/refuse.out" "$tmp/refuse.err"), not '$1'"
}

# connections: how many memcached has, this one included.
connections()
{
	tcp stats | sed -n 's/^STAT curr_connections //p'
}

start demo env "LD_PRELOAD=${preload%"$module"}" bash "$srcdir/examples/embed/demo.sh" .
await "$pid"
expect_status demo 0
grep -q 'ended as it does' "$tmp/demo.out" || complain "$(cat "$tmp/demo.out")"
finish "the demonstration"

serve cache 127.0.0.1:0
listening cache || complain "no port: $(cat "$tmp/cache.err")"
flux=$addr
before=$(connections)
[ "${before:-0}" -gt 0 ] || complain "no statistics"
finish "memcached starts, and says where Flux listens"

# usage ARGUMENT...: refused before anything is sent.
usage()
{
	$fluxkv "$@" >"$tmp/usage.out" 2>"$tmp/usage.err" </dev/null
	[ $? -eq 2 ] && grep -q '^Usage' "$tmp/usage.err" || complain "fluxkv $*: $(cat "$tmp/usage.err")"
}

usage
usage "$flux" get
usage "$flux" get a b
usage "$flux" incr a
usage --depth 1025 "$flux" get a
usage --seconds -1 "$flux" latency a
expect STORED $fluxkv "$flux" set small here
$fluxkv --seconds 0.2 --json "$flux" latency small >"$tmp/json" 2>&1
[ $? -eq 0 ] && [ "$(count requests "$tmp/json")" -gt 0 ] || complain "$(cat "$tmp/json")"
$fluxkv --seconds 0.1 "$flux" latency nothing >"$tmp/none" 2>&1
[ $? -eq 1 ] || complain "latency of what is not there: $(cat "$tmp/none")"
finish "the client"

# 5000 sets and as many gets of few keys, of 1 to 4000 bytes, through a network that loses.
start relay $fluxrelay 127.0.0.1:0 "$flux" --loss 0.02 --reorder 0.02 --seed 7
relay=$pid
listening relay
awk 'BEGIN {
	for (i = 0; i < 200; i++)
		pad = pad "abcdefghijklmnopqrst"
	for (i = 0; i < 5000; i++) {
		value = i " " substr(pad, 1, i * 37 % 4000)
		key = "key" i % 17
		print "set " key " " value "\nget " key >"'"$tmp/requests"'"
		print "STORED\n" value
	}
}' >"$tmp/wanted"
$fluxkv --depth 1000 "$addr" lines <"$tmp/requests" >"$tmp/got" 2>"$tmp/got.err" ||
	complain "it failed: $(cat "$tmp/got.err")"
cmp "$tmp/wanted" "$tmp/got" >"$tmp/cmp" 2>&1 || complain "$(cat "$tmp/cmp")"
kill "$relay"
await "$relay"
finish "many on their way are answered in order, across losses"

{
	echo "set small before"
	printf 'set large '
	head -c 1048576 /dev/zero | tr '\0' x
	printf '\nget small\nget large\ndelete small\ndelete small\n'
} | $fluxkv "$flux" lines >"$tmp/got" 2>"$tmp/got.err"
printf 'STORED\nbefore\nMISS\nDELETED\nMISS\n' | cmp -s - "$tmp/got" || complain "$(cat "$tmp/got")"
grep -q 'SERVER_ERROR object too large' "$tmp/got.err" || complain "words: $(cat "$tmp/got.err")"
head -c 2000000 /dev/zero | $fluxkv "$flux" set large >"$tmp/got" 2>"$tmp/got.err"
grep -q 'takes messages of at most' "$tmp/got.err" || complain "words: $(cat "$tmp/got.err")"
finish "a value that is too large is refused, and what follows is served"

long=$(seq -s , 1000 | head -c 251)
refuse "are served" 'quit\r\n'
refuse "are served" 'flush_all\r\n'
refuse "are served" '\r\n'
refuse "are served" ' get a\r\n'
refuse "CR LF" ''
refuse "CR LF" 'get a'
refuse "CR LF" 'get a\n'
refuse "control" 'get a\nget b\r\n'
refuse "control" 'get a\001\r\n'
refuse "words" 'get a b\r\n'
refuse "words" 'set a 0 0\r\n\r\n'
refuse "words" 'set a 0 0 1 noreply\r\nx\r\n'
refuse "250" "get $long\r\n"
refuse "250" "set $long 0 0 1\r\nx\r\n"
refuse "numbers" 'set a 4294967296 0 1\r\nx\r\n'
refuse "numbers" 'set a 0 0 1x\r\nx\r\n'
refuse "numbers" 'set a 0 0 -1\r\n\r\n'
refuse "length" 'set a 0 0 5\r\nfour\r\n'
refuse "length" 'set a 0 0 3\r\nfour\r\n'
refuse "length" 'set a 0 0 4\r\nfour\r\nget a\r\n'
refuse "length" 'set a 0 0 4\r\nfour'
refuse "more than one" 'get a\r\nget b\r\n'
printf 'set a 4294967295 2147483647 0\r\n\r\n' | expect STORED $fluxkv "$flux" raw
printf 'get %.250s\r\n' "$long" | expect MISS $fluxkv "$flux" raw
finish "what is no request ends its session, with a reason"

start probe tests/process/embed_probe "$flux" "$server" $room_kib
await "$pid"
expect_status probe 0
[ -s "$tmp/probe.out" ] || complain "$(cat "$tmp/probe.err")"
[ "$status" -eq 0 ] || complain "$(cat "$tmp/probe.out")"
finish "who reads no replies is held back, and costs no memory"

# vanish NUMBER: a client dies with requests on their way, and maybe half of a large one across.
vanish()
{
	{
		yes 'get large' | head -n 500
		printf 'set torn '
		head -c 1000000 /dev/zero | tr '\0' z
	} >"$tmp/gone.in"
	$fluxkv --depth 1024 "$flux" lines <"$tmp/gone.in" >"$tmp/gone.$1" 2>&1 &
	gone=$!
	started="$started $gone"
	wait_until test -s "$tmp/gone.$1"
	kill -9 "$gone" || complain "client $1 ended before: $(head -c 200 "$tmp/gone.$1")"
	wait "$gone" 2>/dev/null
}

as_many_as_before()
{
	[ "$(connections)" = "$before" ]
}

head -c 1000000 /dev/zero | tr '\0' y | expect STORED $fluxkv "$flux" set large
expect STORED $fluxkv "$flux" set small here
start other $fluxkv --seconds 2 --depth 16 "$flux" latency small
other=$pid
vanish 1
vanish 2
vanish 3
await "$other"
expect_status other 0
expect here $fluxkv "$flux" get small
tcp 'get small' | grep -q '^here$' || complain "by TCP: $(tcp 'get small')"
wait_until as_many_as_before
as_many_as_before || complain "$(connections) connections, $before before"
finish "clients that vanish disturb nobody, and are forgotten"

one_more()
{
	[ "$(connections)" -gt "$before" ]
}

start last $fluxkv --seconds 100 "$flux" latency small
last=$pid
wait_until one_more
kill "$server"
await "$last"
expect_status last 2
expect_words last "memcached ends"
await "$server"
expect_status cache 0
[ "$(wc -l <"$tmp/cache.err")" -eq 1 ] || complain "it said: $(cat "$tmp/cache.err")"
finish "memcached ends as it does, and its clients are told"

# Values may be longer than messages if memcached is told so: then they are TCP's only.
serve large 127.0.0.1:0 -I 4m
listening large
{
	printf 'set large 0 0 3000000\r\n'
	head -c 3000000 /dev/zero
	printf '\r\nquit\r\n'
} | by_tcp | grep -q STORED || complain "a value of 3 MB is not stored"
printf 'set small here\nget large\nget small\n' | $fluxkv "$addr" lines >"$tmp/got" 2>"$tmp/got.err"
printf 'STORED\nhere\n' | cmp -s - "$tmp/got" || complain "$(cat "$tmp/got")"
grep -q 'SERVER_ERROR the value is larger' "$tmp/got.err" || complain "words: $(cat "$tmp/got.err")"
kill "$server"
await "$server"
expect_status large 0
finish "a value that no message takes is an error, and what follows is served"

# A port that is taken, and nonsense: one line, and memcached is there.
serve first 127.0.0.1:0
listening first
first=$server
for at in "$addr" nonsense 192.0.2.1:7000; do
	serve bad "$at"
	tcp 'set a 0 0 1\r\nx' | grep -q STORED || complain "no memcached with FLUX_EMBED=$at"
	[ "$(wc -l <"$tmp/bad.err")" -eq 1 ] || complain "words: $(cat "$tmp/bad.err")"
	expect_words bad "FLUX_EMBED=$at: .*goes on without"
	kill "$server"
	await "$server"
	expect_status bad 0
	rm -f "$tmp/bad.port"
done
finish "a FLUX_EMBED that does not work takes nothing away"

daemon_ended()
{
	! kill -0 "$daemon" 2>/dev/null
}

# The daemon's child is attached, and by way of its own kind of socket. $addr is free when the first ends.
kill "$first"
await "$first"
LD_PRELOAD=$preload FLUX_EMBED=$addr memcached -u "$(id -un)" -d -P "$tmp/pid" -s "$tmp/socket" -t 2
expect STORED $fluxkv "$addr" set a "by a unix socket"
expect "by a unix socket" $fluxkv "$addr" get a
daemon=$(cat "$tmp/pid")
kill "$daemon" || complain "no daemon"
wait_until daemon_ended
kill -9 "$daemon" 2>/dev/null && complain "it does not end"
finish "a daemon, on a unix socket"
tap_done
