/* SPDX-License-Identifier: MIT */
/* The closed list of results. A function returns 0 or a count, or one of these negative codes. */
#ifndef FLUX_ERROR_H
#define FLUX_ERROR_H

#include <errno.h>
#include <flux/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * X(name, value, text). Codes above -4096 are negated errno values, and the kernel's own pass
 * through unchanged; below are conditions for which errno has no word.
 */
#define FLUX_ERRORS(X)                                                                           \
	X(FLUX_EAGAIN, -EAGAIN, "not now: run the loop and try again when told")                 \
	X(FLUX_EINVAL, -EINVAL, "an argument is out of range")                                   \
	X(FLUX_ENOMEM, -ENOMEM, "the allocator returned no memory")                              \
	X(FLUX_EMSGSIZE, -EMSGSIZE, "the message is larger than the limit")                      \
	X(FLUX_E2BIG, -E2BIG, "a configuration of a newer library asks for what this one lacks") \
	X(FLUX_ENOTSUP, -EOPNOTSUPP, "not supported by this build or in this form")              \
	X(FLUX_EBUSY, -EBUSY, "every slot is taken: raise the limit or close something first")   \
	X(FLUX_ETIMEDOUT, -ETIMEDOUT, "nothing was heard from the peer within the time limit")   \
	X(FLUX_EREFUSED, -ECONNREFUSED, "the peer refused")                                      \
	X(FLUX_EBADMSG, -EBADMSG, "the message does not have its checksum")                      \
	X(FLUX_EEXIST, -EEXIST, "a living process has it: attach, or choose another name")       \
	X(FLUX_ENOSPC, -ENOSPC, "the file system has not the blocks that were asked for")        \
	X(FLUX_EPERM, -EPERM, "the system refuses: a privilege or a higher limit is needed")     \
	X(FLUX_ECLOSED, -4096, "the session is closed, or the handle is no longer valid")        \
	X(FLUX_EVERSION, -4097, "the peer speaks no protocol version that we speak")             \
	X(FLUX_EPROTO, -4098, "the peer broke the protocol")                                     \
	X(FLUX_ERESTARTED, -4099, "the peer started anew: this session ended with its old life") \
	X(FLUX_ERESET, -4100, "the peer no longer knows this session")                           \
	X(FLUX_EABORTED, -4101, "the peer gave up and said why in the code")                     \
	X(FLUX_EUNDELIVERED, -4102, "the close deadline passed before everything was confirmed") \
	X(FLUX_ETHREAD, -4103, "called from a thread that does not own the handle")              \
	X(FLUX_EFORKED, -4115, "the handle is of the process that this one was forked from")     \
	X(FLUX_EUNSAFE, -4104, "refused as unsafe: the words tell what lets whom do harm")       \
	X(FLUX_EMAGIC, -4105, "no Flux region: it does not begin as one")                        \
	X(FLUX_ELAYOUT, -4106, "the region is laid out by another version of the library")       \
	X(FLUX_EHEADER, -4107, "the header of the region has another length than ours")          \
	X(FLUX_EBYTEORDER, -4108, "the region was made by a machine of the other byte order")    \
	X(FLUX_EWORDSIZE, -4109, "the region was made by a program of another word size")        \
	X(FLUX_ESIZE, -4110, "the region has another size than is wanted or written in it")      \
	X(FLUX_ETRUNCATED, -4111, "the region was cut: its file is shorter than it says")        \
	X(FLUX_EKIND, -4112, "the region holds another kind of thing than is wanted")            \
	X(FLUX_EKINDVERSION, -4113, "what the region holds has another version than ours")       \
	X(FLUX_EEVICTED, -4114, "the reader held the writers for too long: leave and join again")

#define FLUX_ERROR_ENUM(name, value, text) name = (value),
enum flux_error {
	FLUX_ERRORS(FLUX_ERROR_ENUM)
	FLUX_ERROR_LAST_ = -4115
};
#undef FLUX_ERROR_ENUM

/**
 * The static text of a code.
 *
 * @param code  a code of this list; other values get "system error" (ask strerror(-code)), 0 "success".
 *
 * @return a static string; never NULL, never freed.
 *
 * Thread: any.
 * Cost:   a switch.
 */
FLUX_API const char *flux_strerror(int code);

/**
 * The name of a code, for instance "FLUX_EMSGSIZE"; "errno" for codes of the kernel, "OK" for 0.
 *
 * Thread: any.
 * Cost:   a switch.
 */
FLUX_API const char *flux_errname(int code);

#ifdef __cplusplus
}
#endif

#endif
