#!/bin/sh
# SPDX-License-Identifier: MIT
# Optional libraries: {installed, not} x {--with, --without, neither} gives what was asked for, or an
# error that names the package. Installed ones are pretended by .pc files.

. "${srcdir:?}/tests/build/tap.sh"

source=$(cd "$srcdir" && pwd)
libs='isal:libisal:libisal-dev libevent:libevent_core:libevent-dev liburing:liburing:liburing-dev numa:numa:libnuma-dev cmocka:cmocka:libcmocka-dev'
mkdir "$tmp/installed" "$tmp/nothing"
PKG_CONFIG_LIBDIR=$tmp/pc
export PKG_CONFIG_LIBDIR
for lib in $libs; do
	pc=${lib#*:}
	pc=${pc%:*}
	printf 'Name: %s\nDescription: pretended\nVersion: 2.99\nLibs: -l%s\n' \
		"$pc" "${pc#lib}" >"$tmp/installed/$pc.pc"
done

# configured DIR OPTIONS: run configure as if the libraries were those of $tmp/DIR. Answers that do not
# depend on them are kept in a cache. Nothing but the summary and what the caller asks for is made.
configured()
{
	rm -rf "$tmp/build" "$tmp/pc"
	ln -s "$1" "$tmp/pc"
	shift
	mkdir "$tmp/build"
	(cd "$tmp/build" && env -u MAKEFLAGS -u PKG_CONFIG_PATH CC="$CC" \
		"$source/configure" --cache-file="$tmp/cache" --no-create "$@") >"$tmp/out" 2>&1
}

# expect NAME yes|no: state of all libraries in summary, config.h and .pc files; the tools are always built.
expect()
{
	(cd "$tmp/build" && ./config.status -q config.h flux.pc flux-event.pc flux-uring.pc Makefile) >>"$tmp/out" 2>&1
	for lib in $libs; do
		name=${lib%%:*}
		grep -q "^  $name  *$2 " "$tmp/out" || echo "summary: $name is not $2"
		upper=$(echo "$name" | tr '[:lower:]' '[:upper:]')
		[ "$(grep -c "^#define HAVE_$upper 1" "$tmp/build/config.h")" = "$([ "$2" = yes ] && echo 1 || echo 0)" ] ||
			echo "config.h: HAVE_$upper is not $2"
	done >"$tmp/complaints"
	programs=$(sed -n '/^bin_PROGRAMS = /,/[^\\]$/p' "$tmp/build/Makefile")
	for tool in fluxcat fluxdoctor fluxperf fluxrelay fluxring; do
		case $programs in
		*tools/$tool'$'*) ;;
		*) echo "$tool is not built" ;;
		esac
	done >>"$tmp/complaints"
	grep -q '^Requires.private:.*libisal' "$tmp/build/flux.pc" && pc=yes || pc=no
	[ "$pc" = "$2" ] || echo "flux.pc: libisal is not $2" >>"$tmp/complaints"
	[ ! -s "$tmp/complaints" ] || cat "$tmp/out" >>"$tmp/complaints"
	tap_empty "$1" "$tmp/complaints"
}

with='--with-isal --with-libevent --with-liburing --with-numa --with-cmocka'
without='--without-isal --without-libevent --without-liburing --without-numa --without-cmocka'
# shellcheck disable=SC2086 # lists of options
{
	configured installed
	expect "installed, not asked for: used" yes
	configured installed $with
	expect "installed, --with: used" yes
	configured installed $without
	expect "installed, --without: not used" no
	configured nothing
	expect "not installed, not asked for: left out" no
	configured nothing $without
	expect "not installed, --without: left out" no
}

for lib in $libs; do
	name=${lib%%:*}
	tap_name="not installed, --with-$name: an error that names ${lib##*:}"
	if configured nothing "--with-$name"; then
		echo "configure went on" | tap_fail "$tap_name"
	else
		tap_run "$tap_name" grep -q "error: --with-$name: .* apt-get install ${lib##*:}" "$tmp/out"
	fi
done

tap_name="--with-isal=perhaps: refused"
if configured installed --with-isal=perhaps; then
	echo "configure went on" | tap_fail "$tap_name"
else
	tap_run "$tap_name" grep -q 'error: --with-isal=perhaps' "$tmp/out"
fi
tap_done
