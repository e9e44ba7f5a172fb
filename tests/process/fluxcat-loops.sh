#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxcat by each --loop and --idle: equal files, pipes that wait, faults and signals as by the default.

# shellcheck disable=SC2086 # $how is a list of words

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

noise 5000000 >"$tmp/file"
head -c 300000 "$tmp/file" >"$tmp/short"
cpus=$(nproc)

# reason LOOP IDLE: why this pair cannot run here, "" if it can.
reason()
{
	case $1:$2 in
	event:*)
		grep -q '^#define HAVE_LIBEVENT 1' config.h || echo "built without libevent"
		;;
	uring:*)
		if ! grep -q '^#define HAVE_LIBURING 1' config.h; then
			echo "built without liburing"
		elif ! tools/fluxdoctor --json | grep -q '"io_uring":{"status":"\(ok\|note\)"'; then
			echo "io_uring does not work here"
		fi
		;;
	esac
	[ "$2" != spin ] || [ "$cpus" -ge 2 ] || echo "one CPU is not enough to spin"
}

# told NAME KEY VALUE: in its last line of JSON.
told()
{
	tail -n 1 "$tmp/$1.err" | grep -q "\"$2\":\"$3\"" || complain "$1 does not tell $2 $3: $(tail -n 1 "$tmp/$1.err")"
}

# have BYTES FILE: wait until it has them.
have()
{
	have_tries=0
	until [ "$(wc -c <"$2")" -ge "$1" ]; do
		have_tries=$((have_tries + 1))
		[ $have_tries -lt $((limit * 20)) ] || {
			complain "not $1 bytes but $(wc -c <"$2")"
			return
		}
		sleep 0.05
	done
}

# transfer LOOP: a file, through a relay that loses datagrams.
transfer()
{
	start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --json $how
	receiver=$pid
	listening receiver || complain "the receiver does not listen"
	start relay $fluxrelay 127.0.0.1:0 "$addr" --loss 0.01 --seed 1
	relay=$pid
	listening relay
	start sender $fluxcat "$addr" -i "$tmp/file" --json $how
	await "$pid"
	expect_status sender 0
	await "$receiver"
	expect_status receiver 0
	kill "$relay"
	await "$relay"
	cmp "$tmp/file" "$tmp/copy" >>"$tmp/complaints" 2>&1
	[ "$(count retransmitted "$tmp/sender.err")" -gt 0 ] || complain "nothing was lost"
	for end in sender receiver; do
		told $end loop_asked "$1"
		[ "$1" = auto ] || told $end loop "$1"
	done
}

# open_pipes: from a pipe, descriptor 3, to another; 1000 bytes have come through.
open_pipes()
{
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	start receiver sh -c "$fluxcat -l 127.0.0.1:0 $how | cat"
	receiver=$pid
	listening receiver || complain "the receiver does not listen"
	start sender $fluxcat "$addr" -i "$tmp/in" $how
	sender=$pid
	exec 3>"$tmp/in"
	head -c 1000 "$tmp/short" >&3
	have 1000 "$tmp/receiver.out"
}

# pipes: what comes in pieces goes out while more is waited for.
pipes()
{
	open_pipes
	tail -c +1001 "$tmp/short" >&3
	exec 3>&-
	await "$sender"
	expect_status sender 0
	await "$receiver"
	expect_status receiver 0
	cmp "$tmp/short" "$tmp/receiver.out" >>"$tmp/complaints" 2>&1
}

# stopped SIGNAL WORDS: it ends the sender, and the receiver hears of it.
stopped()
{
	open_pipes
	kill -"$1" "$sender"
	await "$sender"
	exec 3>&-
	expect_status sender 1
	expect_words sender "$2"
	await "$receiver"
	expect_words receiver "$2"
}

for pair in event:epoll thread:spin thread:adaptive thread:epoll uring:spin uring:adaptive uring:epoll \
	auto:spin auto:adaptive auto:epoll; do
	loop=${pair%:*}
	idle=${pair#*:}
	how="--loop $loop --idle $idle"
	why=$(reason "$loop" "$idle")
	if [ -n "$why" ]; then
		tap_skip "$how" "$why"
		continue
	fi
	transfer "$loop"
	pipes
	stopped INT "an interrupt"
	stopped TERM "SIGTERM"
	finish "$how"
done

# ---- What is not given, and what cannot be ----

grep -q '^#define HAVE_LIBEVENT 1' config.h && default=event || default=auto
start receiver $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --timeout 0.5 --json
await "$pid"
told receiver loop_asked $default
finish "without --loop: $default"

# refused WORDS OPTIONS...: wrong usage.
refused()
{
	refused_words=$1
	shift
	start tool $fluxcat 127.0.0.1:9 -i /dev/null --timeout 0.5 "$@"
	await "$pid"
	expect_status tool 2
	expect_words tool "$refused_words"
}

refused "--loop" --loop kqueue
refused "needs a value" --loop
refused "--idle" --idle busily
[ $default = auto ] || refused "sleeps by itself" --loop event --idle spin
[ $default = event ] || refused "libevent" --loop event
grep -q '^#define HAVE_LIBURING 1' config.h || refused "liburing" --loop uring
finish "words that are none, and pairs that are none"

if command -v taskset >/dev/null; then
	cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
	start tool taskset -c "$cpu" $fluxcat 127.0.0.1:9 -i /dev/null --loop thread --idle spin
	await "$pid"
	expect_status tool 1
	expect_words tool "only CPU"
	finish "spinning on one CPU is refused"
else
	tap_skip "spinning on one CPU is refused" "needs taskset"
fi

if tests/process/forbid EPERM io_uring_setup -- true 2>/dev/null && grep -q '^#define HAVE_LIBURING 1' config.h; then
	start tool tests/process/forbid EPERM io_uring_setup -- $fluxcat 127.0.0.1:9 -i /dev/null --loop uring
	await "$pid"
	expect_status tool 1
	expect_words tool "io_uring"
	start receiver tests/process/forbid EPERM io_uring_setup -- $fluxcat -l 127.0.0.1:0 -o "$tmp/copy" --json --loop auto
	receiver=$pid
	listening receiver
	start sender $fluxcat "$addr" -i "$tmp/short"
	await "$pid"
	expect_status sender 0
	await "$receiver"
	expect_status receiver 0
	cmp "$tmp/short" "$tmp/copy" >>"$tmp/complaints" 2>&1
	told receiver loop thread
	told receiver loop_why 'io_uring: [^"]*'
	finish "I01: io_uring refused: an error where it is named, a thread where it is not"
else
	tap_skip "I01: io_uring refused" "built without liburing, or no seccomp filter may be installed"
fi
tap_done
