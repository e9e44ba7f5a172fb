/* SPDX-License-Identifier: MIT */
/*
 * Bytes that stand in a text file: hexadecimal words, "00*8" for eight of a kind, # comments.
 */
#ifndef FLUX_TESTS_LIB_HEXFILE_H
#define FLUX_TESTS_LIB_HEXFILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read `path`, relative to the source tree, into out[0, cap). Returns the number of bytes; says
 * what is wrong and ends the program if the file is missing, malformed or too long.
 */
size_t hexfile_read(const char *path, uint8_t *out, size_t cap);

#endif
