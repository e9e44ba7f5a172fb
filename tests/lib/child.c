/* SPDX-License-Identifier: MIT */
/* fork(), pipes, namespaces and seccomp filters for tests. */
#include "tests/lib/child.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NOBODY 65534

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What was printed and not flushed belongs to the parent. */
static pid_t fork_clean(void)
{
	fflush(NULL);
	return fork();
}

int child_run(int (*body)(void *), void *arg)
{
	pid_t pid = fork_clean();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(arg));
	}
	return pid < 0 ? -1 : wait_for(pid);
}

void child_start(struct child *child, int (*body)(struct child *own, void *arg), void *arg)
{
	int up[2], down[2];

	if (pipe(up) < 0 || pipe(down) < 0)
		abort();
	child->pid = fork_clean();
	if (child->pid < 0)
		abort();
	if (child->pid == 0) {
		struct child own = { .pid = getppid(), .said = down[0], .told = up[1] };

		close(up[0]);
		close(down[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(&own, arg));
	}
	close(up[1]);
	close(down[0]);
	child->said = up[0];
	child->told = down[1];
}

void child_tell(const struct child *child, char c)
{
	if (write(child->told, &c, 1) != 1)
		fprintf(stderr, "# the other process does not listen\n");
}

int child_await(const struct child *child)
{
	char c;
	ssize_t got;

	do
		got = read(child->said, &c, 1);
	while (got < 0 && errno == EINTR);
	return got == 1 ? (unsigned char)c : -1;
}

int child_join(struct child *child)
{
	int status = wait_for(child->pid);

	close(child->said);
	close(child->told);
	return status;
}

void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	child_join(child);
}

bool child_drop_rights(void)
{
	if (geteuid() != 0)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

bool child_mount(const char *dir, const char *type, const char *options)
{
	static bool unshared;

	if (!unshared && (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0))
		return false;
	unshared = true;
	return mount("none", dir, type, 0, options) == 0;
}

static bool install(struct sock_filter *code, size_t len)
{
	struct sock_fprog program = { .len = (unsigned short)len, .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool child_forbid(int error, ...)
{
	struct sock_filter code[64] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	size_t n = 1;
	va_list calls;

	va_start(calls, error);
	for (int call = va_arg(calls, int); call >= 0 && n < 60; call = va_arg(calls, int)) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							 SECCOMP_RET_ERRNO | (uint32_t)error);
	}
	va_end(calls);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return install(code, n);
}

/* The low half of an argument, which stands first on one kind of machine and last on the other. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARG_LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#else
#define ARG_LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n) + 4)
#endif

bool child_forbid_argument(int error, int call, unsigned int n, uint32_t value)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_LOW(n)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(code, sizeof(code) / sizeof(code[0]));
}

/* There in a program that was compiled with one of them. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

bool child_sanitized(void)
{
	return __asan_init || __tsan_init;
}

bool child_instrumented(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return child_sanitized() || (preload && strstr(preload, "vgpreload"));
}
