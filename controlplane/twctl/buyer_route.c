// SPDX-License-Identifier: Apache-2.0
//
// See buyer_route.h. Runs wg(8) without a shell.
#include "buyer_route.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn_wg(const char *interface, int out, pid_t *ret_pid)
{
	char *const argv[] = {
		(char *)"wg", (char *)"show", (char *)interface, (char *)"fwmark", NULL};
	posix_spawn_file_actions_t actions;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(ret_pid, "wg", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

// Up to cap - 1 characters; what comes after them is read away so that nobody waits for us.
static void read_all(int fd, char *dst, size_t cap)
{
	size_t len = 0;
	char rest[64];
	ssize_t n;

	for (;;) {
		n = len < cap - 1 ? read(fd, dst + len, cap - 1 - len)
				  : read(fd, rest, sizeof(rest));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (len < cap - 1)
			len += (size_t)n;
	}
	dst[len] = '\0';
}

int buyer_route_fwmark(const char *interface, uint32_t *ret, char why[BUYER_ROUTE_WHY])
{
	int fds[2], status = 0, r;
	char text[64], *end;
	unsigned long mark;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0) {
		r = -errno;
		snprintf(why, BUYER_ROUTE_WHY, "wg cannot be asked: %s", strerror(-r));
		return r;
	}
	r = spawn_wg(interface, fds[1], &pid);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		snprintf(why, BUYER_ROUTE_WHY, "wg cannot be run: %s", strerror(-r));
		return r;
	}
	read_all(fds[0], text, sizeof(text));
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		snprintf(why, BUYER_ROUTE_WHY, "wg show %.16s fwmark: no answer", interface);
		return -ENOENT;
	}
	text[strcspn(text, "\r\n")] = '\0';
	if (strcmp(text, "off") == 0) {
		*ret = 0;
		return 0;
	}
	errno = 0;
	mark = strtoul(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || mark > UINT32_MAX) {
		snprintf(why, BUYER_ROUTE_WHY, "wg show %.16s fwmark: no number", interface);
		return -EBADMSG;
	}
	*ret = (uint32_t)mark;
	return 0;
}
