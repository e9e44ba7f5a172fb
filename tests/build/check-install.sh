#!/bin/sh
# SPDX-License-Identifier: MIT
# An installed copy is enough: examples/hello.c builds with what pkg-config says and nothing else, as a
# program with shared libraries and with our archives.

. "${srcdir:?}/tests/build/tap.sh"

root=$tmp/root
pcdir=$root${pkgconfigdir:?}
incdir=$root${includedir:?}
archives=$root${libdir:?}

tap_run "B10: make install into DESTDIR from a build out of tree" env -u MAKEFLAGS "$MAKE" -s install DESTDIR="$root"

for header in "$srcdir"/include/flux/*.h; do
	[ -f "$incdir/flux/${header##*/}" ] || echo "${header##*/} is not installed"
done >"$tmp/complaints"
tap_empty "every public header is installed" "$tmp/complaints"

# The copy lies below $root: what is absolute in its .pc files lies there too.
for pc in "$pcdir"/*.pc; do
	sed -i "s|^\([a-z_]*\)=/|\1=$root/|" "$pc"
done
PKG_CONFIG_PATH=$pcdir
LD_LIBRARY_PATH=$archives
export PKG_CONFIG_PATH LD_LIBRARY_PATH

for module in flux flux-event flux-uring; do
	[ -f "$pcdir/$module.pc" ] || continue
	tap_run "$module.pc is valid" "$PKG_CONFIG" --validate "$module"
	tap_run "$module.pc has the version" test "$("$PKG_CONFIG" --modversion $module)" = "$VERSION"
done

# loads LIBRARY NAME: yes or no.
loads()
{
	ldd "$archives/$1.so" | grep -q "lib$2" && echo yes || echo no
}

# Each library loads what was configured, and libevent is the business of libflux-event alone (B02).
if [ -e "$archives/libflux.so" ]; then
	grep -q '^#define HAVE_ISAL 1' config.h && isal=yes || isal=no
	tap_run "libflux.so loads ISA-L: $isal" test "$(loads libflux isal)" = $isal
	tap_run "libflux.so does not load libevent" test "$(loads libflux event)" = no
	tap_run "libflux.so does not load liburing" test "$(loads libflux uring)" = no
fi

if [ ! -f "$pcdir/flux-event.pc" ]; then
	tap_skip "hello.c" "built without libevent"
	tap_done
fi

# hello PKG-CONFIG-OPTIONS: build it, and list the libraries that it loads.
# shellcheck disable=SC2046,SC2086 # lists of options
hello()
{
	rm -f "$tmp/hello"
	$CC $SAN_CFLAGS -o "$tmp/hello" "$srcdir/examples/hello.c" \
		$("$PKG_CONFIG" "$@" --cflags --libs flux-event) && ldd "$tmp/hello"
}

hello_shared()
{
	hello >"$tmp/loads" && grep "libflux-event.*$root" "$tmp/loads" && ! grep 'not found' "$tmp/loads"
}

hello_archives()
{
	rm -f "$archives"/libflux*.so*
	hello --static >"$tmp/loads" && ! grep libflux "$tmp/loads"
}

if [ -e "$archives/libflux.so" ]; then
	tap_run "B05: hello.c with our shared libraries" hello_shared
else
	tap_skip "B05: hello.c with our shared libraries" "--disable-shared"
fi
if [ -e "$archives/libflux.a" ]; then
	tap_run "B05: hello.c with our archives" hello_archives
else
	tap_skip "B05: hello.c with our archives" "--disable-static"
fi
tap_done
