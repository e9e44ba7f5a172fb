#!/bin/sh
# SPDX-License-Identifier: MIT
# Two evhttp services pass a file over Flux, through a relay that loses 2 % of all datagrams and delays
# each by 5 ms, while the receiver's pages go on being served. Usage: demo.sh BUILD_DIR [LINES]
#
# Exit status 0 only if the file arrived equal and datagrams really were lost on the way.

set -u
build=${1:?usage: demo.sh BUILD_DIR [LINES]}
lines=${2:-10000000} # of the file: its content is the numbers from 1 to this one, 75 MiB
loss=0.02
delay_ms=5
limit_s=50

tmp=$(mktemp -d "${TMPDIR:-/tmp}/flux-demo.XXXXXX") || exit 1
pids=

# shellcheck disable=SC2086 # a list of process ids
clean_up()
{
	[ -z "$pids" ] || kill $pids 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

die()
{
	echo "demo: $*" >&2
	cat "$tmp"/*.err >&2 2>/dev/null
	exit 1
}

# start NAME COMMAND...: in the background, with its output in NAME.out and NAME.err.
start()
{
	name=$1
	shift
	"$@" >"$tmp/$name.out" 2>"$tmp/$name.err" &
	pids="$pids $!"
}

# await FILE: until a line is in it.
await()
{
	tries=0
	until [ -s "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || die "${1##*/} stays empty"
		sleep 0.1
	done
}

# number NAME FILE: the value of the first "NAME": in a line of JSON, or 0.
number()
{
	value=$(sed -n "s/^[^}]*\"$1\":\([0-9.]*\).*/\1/p" "$2")
	echo "${value:-0}"
}

# counter DIRECTION NAME: of the relay.
counter()
{
	sed "s/.*\"$1\":{\([^}]*\)}.*/{\1}/" "$tmp/relay.out" >"$tmp/direction"
	number "$2" "$tmp/direction"
}

for program in tools/fluxrelay examples/service examples/probe; do
	[ -x "$build/$program" ] || die "$build/$program is missing: run make first"
done

seq 1 "$lines" >"$tmp/file" || die "cannot write $tmp/file"
size=$(wc -c <"$tmp/file")
: >"$tmp/copy"

start receiver "$build/examples/service" 127.0.0.1:0 127.0.0.1:0 --save "$tmp/copy" --once
receiver=$!
await "$tmp/receiver.out"
read -r url flux <"$tmp/receiver.out"
start relay "$build/tools/fluxrelay" 127.0.0.1:0 "$flux" --loss $loss --delay $delay_ms --seed 1
relay=$!
await "$tmp/relay.err"
way=$(sed -n 's/.*listening on //p' "$tmp/relay.err")
authority=${url#http://}
authority=${authority%/}
start probe "$build/examples/probe" "${authority%:*}" "${authority##*:}" /stats $limit_s
probe=$!

echo "A file of $((size / 1048576)) MiB from one evhttp service to another, over UDP that loses" \
	"2 % each way and takes $delay_ms ms."
echo "The receiver's page: $url"
start sender "$build/examples/service" 127.0.0.1:0 127.0.0.1:0 --peer "$way" --send "$tmp/file" --once
sender=$!

# The processes end by themselves; show how far they are, on one line if somebody watches.
before='' after='\n' pause=1
[ ! -t 1 ] || { before='\r' after='' pause=0.2; }
started=$(date +%s)
while kill -0 $sender 2>/dev/null; do
	[ $(($(date +%s) - started)) -lt $limit_s ] || die "not done within $limit_s s"
	have=$(wc -c <"$tmp/copy")
	printf "$before%4d %% %6d MiB$after" $((have * 100 / size)) $((have / 1048576))
	sleep $pause
done
printf "$before 100 %% %6d MiB\n" $((size / 1048576))
wait $sender || die "the sender failed"
kill $probe 2>/dev/null
wait $probe || die "the HTTP probe failed"
wait $receiver || die "the receiver failed"
kill $relay
wait $relay || die "the relay failed"
pids=

tail -n 1 "$tmp/receiver.out" >"$tmp/in"
tail -n 1 "$tmp/sender.out" >"$tmp/out"
dropped=$(($(counter forward lost) + $(counter backward lost)))
seconds=$(number seconds "$tmp/in")
echo "throughput        $(awk "BEGIN { printf \"%.1f MiB/s, %.2f s\", $size / 1048576 / $seconds, $seconds }")"
echo "dropped on way    $dropped datagrams of $(($(counter forward received) + $(counter backward received)))"
echo "losses repaired   $(number lost "$tmp/in") (sent again $(number sent_again "$tmp/out"))"
echo "HTTP meanwhile    $(number requests "$tmp/probe.out") answers, half within" \
	"$(number p50_us "$tmp/probe.out") us, 99 % within $(number p99_us "$tmp/probe.out") us"
sum_in=$(sha256sum <"$tmp/file")
sum_out=$(sha256sum <"$tmp/copy")
echo "SHA-256 sent      ${sum_in%% *}"
echo "SHA-256 received  ${sum_out%% *}"
[ "$sum_in" = "$sum_out" ] || die "the files differ"
[ "$dropped" -gt 0 ] || die "nothing was dropped on the way: this shows nothing"
echo "Equal."
