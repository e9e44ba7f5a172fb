#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxdoctor on this machine, and on this machine with rights taken away: the row and its advice change.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

fluxdoctor=tools/fluxdoctor
forbid=tests/process/forbid
keys='kernel machine cpus cpu_quota isolation smt numa checksum libevent io_uring gso gro mmsg rxq_ovfl
rcvbuf sndbuf clock timer timer_slack epoll_pwait2 huge_2m huge_1g thp shm memlock nofile'

# doctor STATUS COMMAND...: run it; STATUS "any" is 0 or 1. Its output is in doctor.out and doctor.err.
doctor()
{
	doctor_wanted=$1
	shift
	start doctor "$@"
	await "$pid"
	case $doctor_wanted:$status in
	any:0 | any:1 | "$status:$doctor_wanted") ;;
	*) complain "$*: $status, not $doctor_wanted: $(cat "$tmp/doctor.out" "$tmp/doctor.err")" ;;
	esac
}

# says KEY STATUS WORDS: of the row in JSON.
says()
{
	grep -q "\"$1\":{\"status\":\"$2\",[^}]*$3" "$tmp/doctor.out" ||
		complain "$1 is not $2 with '$3': $(grep -o "\"$1\":{[^}]*}" "$tmp/doctor.out")"
}

# works FILE: whether io_uring does, according to a report.
works()
{
	grep -q '"io_uring":{"status":"\(ok\|note\)"' "$1"
}

# ---- The report ----

doctor any $fluxdoctor --json
plain_status=$status
cp "$tmp/doctor.out" "$tmp/plain"
for key in $keys; do
	grep -q "[{,]\"$key\":{\"status\":\"\(ok\|note\|poor\|missing\)\",\"fact\":\"[^\"]" "$tmp/plain" ||
		complain "no row $key"
done
[ "$(grep -o '"status":' "$tmp/plain" | wc -l)" -eq $(($(echo "$keys" | wc -w) + 1)) ] ||
	complain "a row that this test does not know"
finish "--json: each row, with a status and a fact"

if command -v python3 >/dev/null; then
	tap_run "--json: it is JSON, what is not ok says what follows, and the exit status fits" \
		python3 - "$tmp/plain" "$plain_status" <<'END'
import json, sys
told = json.load(open(sys.argv[1]))
order = ["ok", "note", "poor", "missing"]
worst = max(order.index(row["status"]) for row in told["checks"].values())
assert told["status"] == order[worst], told["status"]
assert int(sys.argv[2]) == (1 if worst > 1 else 0), sys.argv[2]
for key, row in told["checks"].items():
    assert set(row) == {"status", "fact", "effect", "command"}, key
    assert (row["effect"] == "") == (row["status"] == "ok"), key
uses = told["uses"]
assert uses["loop"] in ("io_uring", "epoll")
assert uses["loop"] == "epoll" or told["checks"]["io_uring"]["status"] in ("ok", "note")
assert uses["rcvbuf"] > 0 and uses["sndbuf"] > 0
assert uses["gso"] or told["checks"]["gso"]["status"] == "poor"
assert uses["spin"] == (told["checks"]["cpus"]["status"] == "ok")
END
else
	tap_skip "--json: it is JSON" "needs python3"
fi

doctor any $fluxdoctor
for key in $keys; do
	grep -q "^\(ok\|note\|poor\|missing\) *$key " "$tmp/doctor.out" || complain "no row $key"
done
grep -q '^Flux uses here: loops over ' "$tmp/doctor.out" || complain "no summary"
[ -z "$(find /dev/shm -maxdepth 1 -name 'fluxdoctor.*' 2>/dev/null)" ] || complain "a file was left in /dev/shm"
finish "for people: the same rows, and nothing is left behind"

# ---- Fewer CPUs ----

if command -v taskset >/dev/null; then
	cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
	doctor 1 taskset -c "$cpu" $fluxdoctor --json
	says cpus poor 'FLUX_IDLE_SPIN is refused'
	grep -q '"spin":false' "$tmp/doctor.out" || complain "it says that a thread may spin"
	[ "$(nproc --all)" -lt 2 ] || says cpus poor '"command":"taskset -c [0-9,-]* PROGRAM"'
	finish "on one CPU: no spinning, and taskset as the remedy"
else
	tap_skip "on one CPU" "needs taskset"
fi

# ---- A low RLIMIT_MEMLOCK ----

# As root the limit counts only without the capability.
lower='ulimit -l 64; exec "$@"'
unprivileged=
[ "$(id -u)" -ne 0 ] || unprivileged='setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock'
if [ -n "${SAN_CFLAGS:-}" ]; then
	tap_skip "ulimit -l 64" "a sanitizer takes mlock() away"
elif [ -n "$unprivileged" ] && ! $unprivileged true 2>/dev/null; then
	tap_skip "ulimit -l 64" "no setpriv that can drop a capability"
else
	# shellcheck disable=SC2086 # a list of words
	doctor 1 sh -c "$lower" sh $unprivileged $fluxdoctor --json
	says memlock poor 'RLIMIT_MEMLOCK is 64 KiB'
	says memlock poor 'LimitMEMLOCK=infinity'
	# Some kernels count rings against it.
	if works "$tmp/plain" && ! works "$tmp/doctor.out"; then
		says io_uring missing 'RLIMIT_MEMLOCK'
		says io_uring missing 'LimitMEMLOCK=infinity'
	fi
	finish "ulimit -l 64: memory cannot be locked, and how to raise it"
fi

# ---- Seccomp filters ----

uring='io_uring_setup io_uring_enter io_uring_register'
# shellcheck disable=SC2086 # a list of words
if $forbid EPERM timerfd_create -- true 2>/dev/null; then
	if works "$tmp/plain"; then
		doctor 1 $forbid EPERM $uring -- $fluxdoctor --json
		says io_uring missing 'refused by a seccomp filter'
		says io_uring missing '--security-opt seccomp=unconfined'
		grep -q '"loop":"epoll"' "$tmp/doctor.out" || complain "it does not say that epoll is used"
		doctor 1 $forbid ENOSYS $uring -- $fluxdoctor --json
		says io_uring missing 'hidden by a seccomp filter'
		finish "I01: io_uring refused by seccomp, and what allows it"
	else
		tap_skip "I01: io_uring refused by seccomp" "io_uring does not work here anyway"
	fi

	doctor 1 $forbid EPERM timerfd_create sendmmsg -- $fluxdoctor --json
	says timer missing 'seccomp'
	says mmsg missing 'seccomp'
	finish "timers and batches refused by seccomp"

	if grep -q '"numa":{"status":"\(ok\|note\)","fact":"[^"]*can be put there' "$tmp/plain"; then
		doctor any $forbid EPERM mbind -- $fluxdoctor --json
		says numa '\(note\|missing\)' 'cannot be put there'
		says numa '\(note\|missing\)' 'SYS_NICE'
		finish "M02: NUMA policies refused by seccomp"
	else
		tap_skip "M02: NUMA policies refused by seccomp" "they do not work here anyway"
	fi
else
	tap_skip "seccomp filters" "none may be installed here"
fi

# ---- The command line ----

doctor 0 $fluxdoctor --help
grep -q '^Usage: fluxdoctor' "$tmp/doctor.out" || complain "no usage"
doctor 0 $fluxdoctor --version
doctor 2 $fluxdoctor --all-of-it
doctor 2 $fluxdoctor now
expect_words doctor '"now" is too much'
[ ! -w /dev/full ] || {
	start doctor sh -c "exec $fluxdoctor --json >/dev/full"
	await "$pid"
	expect_status doctor 1
	expect_words doctor 'cannot write'
}
finish "the command line"
tap_done
