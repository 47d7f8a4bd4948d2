// SPDX-License-Identifier: Apache-2.0
//
// See http_tcp.h. A certificate belongs to a vhost of libwebsockets: a new one makes a new vhost, and
// the old one goes with its last connection.
#include "http_tcp.h"

#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 512

static struct http_tcp_stamp stamp_of(const char *path)
{
	struct http_tcp_stamp stamp = {0};
	struct stat st;

	if (stat(path, &st) == 0) {
		stamp.mtime = st.st_mtim;
		stamp.inode = st.st_ino;
		stamp.size = st.st_size;
	}
	return stamp;
}

// Returns: whether a file is not as it was last tried.
static bool take_stamps(struct http_tcp *tcp)
{
	struct http_tcp_stamp now[2] = {stamp_of(tcp->certificate_path), stamp_of(tcp->key_path)};
	bool is_changed = memcmp(now, tcp->stamps, sizeof(now)) != 0;

	memcpy(tcp->stamps, now, sizeof(now));
	return is_changed;
}

// Whoever can read the key can be the node.
static int check_key_mode(const char *path, char *err, size_t err_len)
{
	struct stat st;
	int r = stat(path, &st) == 0 ? 0 : -errno;

	if (r < 0)
		snprintf(err, err_len, "api.tls_key: %s: %s", path, strerror(-r));
	else if ((st.st_mode & 0007) != 0 || (st.st_mode & 0020) != 0) {
		snprintf(
			err,
			err_len,
			"api.tls_key: %s is open to others (mode %04o): chmod 0600 it",
			path,
			(unsigned)st.st_mode & 07777
		);
		r = -EPERM;
	}
	return r;
}

static int create_vhost(struct http_tcp *tcp, char *err, size_t err_len)
{
	struct http_tcp_vhost *vhost = calloc(1, sizeof(*vhost));
	char name[32];
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = tcp->protocols,
		.vhost_name = name,
		.server_string = "tollwire",
		.alpn = "http/1.1",
		.ssl_cert_filepath = tcp->certificate_path,
		.ssl_private_key_filepath = tcp->key_path,
		.options = LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG |
			(tcp->key_path == NULL ? 0 : LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT),
		.listen_accept_role = "raw-skt", // what is no HTTP: http_astray.h
		.listen_accept_protocol = "http",
	};
	int r = 0;

	if (vhost == NULL)
		return -ENOMEM;
	if (tcp->key_path != NULL)
		r = check_key_mode(tcp->key_path, err, err_len);
	snprintf(name, sizeof(name), "tcp-%u", tcp->n_vhosts++);
	if (r == 0 && (vhost->vhost = lws_create_vhost(tcp->context, &info)) == NULL) {
		r = -EINVAL;
		snprintf(
			err,
			err_len,
			"api.tls_certificate %s and api.tls_key %s are not a PEM certificate chain "
			"and its "
			"key",
			tcp->certificate_path,
			tcp->key_path
		);
	}
	if (r < 0) {
		free(vhost);
		return r;
	}
	if (tcp->current != NULL)
		LIST_INSERT_HEAD(&tcp->retired, tcp->current, link);
	tcp->current = vhost;
	return 0;
}

static int listen_on(const struct sockaddr_storage *addr)
{
	socklen_t len = addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						   : sizeof(struct sockaddr_in6);
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, r;

	if (fd < 0)
		return -errno;
	// Each family has its own listener, as the configuration says it; Nagle would hold back the end
	// of a reply, accepted sockets inherit the option.
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    (addr->ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, (const struct sockaddr *)addr, len) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int http_tcp_open(
	struct http_tcp *ret,
	struct lws_context *context,
	const struct lws_protocols *protocols,
	const struct http_server_conf *conf,
	char *err,
	size_t err_len
)
{
	int r;

	*ret = (struct http_tcp){.fd = -1, .context = context, .protocols = protocols};
	if (conf->listen == NULL)
		return 0;
	if (conf->tls_certificate != NULL) {
		ret->certificate_path = strdup(conf->tls_certificate);
		ret->key_path = strdup(conf->tls_key);
		if (ret->certificate_path == NULL || ret->key_path == NULL) {
			snprintf(err, err_len, "out of memory");
			http_tcp_close(ret);
			return -ENOMEM;
		}
		take_stamps(ret);
	}
	r = create_vhost(ret, err, err_len);
	if (r == 0) {
		r = listen_on(conf->listen);
		if (r < 0)
			snprintf(err, err_len, "api.listen: cannot listen: %s", strerror(-r));
	}
	if (r < 0) {
		http_tcp_close(ret);
		return r;
	}
	ret->fd = r;
	return 0;
}

void http_tcp_close(struct http_tcp *tcp)
{
	struct http_tcp_vhost *vhost;

	while ((vhost = LIST_FIRST(&tcp->retired)) != NULL) {
		LIST_REMOVE(vhost, link);
		free(vhost);
	}
	free(tcp->current);
	free(tcp->certificate_path);
	free(tcp->key_path);
	if (tcp->fd >= 0)
		close(tcp->fd);
	*tcp = (struct http_tcp){.fd = -1};
}

void http_tcp_refresh(struct http_tcp *tcp)
{
	struct http_tcp_vhost *vhost, *next;
	char err[512];

	if (tcp->certificate_path != NULL && take_stamps(tcp)) {
		if (create_vhost(tcp, err, sizeof(err)) == 0)
			log_info("http", "took up the new certificate %s", tcp->certificate_path);
		else
			log_warn("http", "%s; the one before stays in use", err);
	}
	for (vhost = LIST_FIRST(&tcp->retired); vhost != NULL; vhost = next) {
		next = LIST_NEXT(vhost, link);
		if (vhost->n_conns > 0)
			continue;
		LIST_REMOVE(vhost, link);
		lws_vhost_destroy(vhost->vhost);
		free(vhost);
	}
}

int http_tcp_accept(const struct http_tcp *tcp, uint8_t addr[16])
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	int fd = accept4(tcp->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	memset(addr, 0, 16);
	if (from.ss_family == AF_INET6) {
		memcpy(addr, &((struct sockaddr_in6 *)&from)->sin6_addr, 16);
	} else {
		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, &((struct sockaddr_in *)&from)->sin_addr, 4);
	}
	return fd;
}

void http_tcp_release(struct http_tcp_vhost *vhost)
{
	if (vhost != NULL)
		vhost->n_conns--;
}
