// SPDX-License-Identifier: Apache-2.0
//
// See twctl_client.h.
#include "twctl_client.h"

#include "controlplane/chain/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Why nobody can be reached, which the HTTP client cannot tell. Returns: -errno; 0 when it is possible
// by now.
static int try_connect(const char *socket_path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(socket_path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, socket_path, strlen(socket_path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

static void explain(int r, const char *why, const char *socket_path, char err[512])
{
	const char *way_out = "is tollwire-control running? Start it, or name its socket with "
			      "--socket or --config";
	int connect_r = try_connect(socket_path);

	if (connect_r == -EACCES)
		way_out = "run twctl as root or as a member of the socket's group";
	else if (r == -ETIMEDOUT)
		way_out = "tollwire-control is there but does not answer; its log says why";
	else if (r == -EMSGSIZE)
		way_out = "ask for less with --limit";
	snprintf(
		err,
		512,
		"cannot ask tollwire-control at %s: %s; %s",
		socket_path,
		connect_r < 0 ? strerror(-connect_r) : why,
		way_out
	);
}

// Takes the response.
static int read_response(
	struct twctl_client_reply *ret,
	struct http_client_response *response,
	const char *socket_path,
	char err[512]
)
{
	struct twctl_client_reply reply = {
		.status = response->status,
		.text = response->body,
		.len = response->len,
	};
	char json_err[160];

	if (reply.len > 0 &&
	    json_parse_limited(
		    &reply.json,
		    reply.text,
		    reply.len,
		    &json_limits_reply,
		    json_err,
		    sizeof(json_err)
	    ) < 0) {
		snprintf(
			err,
			512,
			"what answers at %s (status %ld) is not tollwire-control: %s",
			socket_path,
			reply.status,
			json_err
		);
		twctl_client_fini(&reply);
		return -EIO;
	}
	*ret = reply;
	return 0;
}

int twctl_client_ask(
	struct twctl_client_reply *ret,
	const char *socket_path,
	const char *method,
	const char *path,
	const char *body,
	char err[512]
)
{
	struct http_client_conf conf = {
		.connect_timeout_ms = 2000,
		.timeout_ms = 10000,
		.response_max_bytes = json_limits_reply.max_bytes,
		.unix_socket = socket_path,
	};
	struct http_client_response response;
	char url[1024], why[HTTP_CLIENT_WHY_SIZE];
	struct http_client *client;
	int r;

	r = http_client_create(&client, &conf);
	if (r < 0) {
		snprintf(err, 512, "out of memory");
		return -EIO;
	}
	snprintf(url, sizeof(url), "http://localhost%s", path);
	r = http_client_request(
		client, method, url, body, body == NULL ? 0 : strlen(body), &response, why
	);
	http_client_destroy(client);
	if (r < 0) {
		explain(r, why, socket_path, err);
		return -EIO;
	}
	return read_response(ret, &response, socket_path, err);
}

void twctl_client_fini(struct twctl_client_reply *reply)
{
	struct http_client_response response = {.body = reply->text, .len = reply->len};

	if (reply->text != NULL)
		explicit_bzero(reply->text, reply->len);
	http_client_response_fini(&response);
	json_free(reply->json);
	*reply = (struct twctl_client_reply){0};
}

int twctl_client_escape(char *dst, size_t cap, const char *segment)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t len = 0;

	for (; *segment != '\0'; segment++) {
		if (len + 4 > cap)
			return -ENOSPC;
		if (strchr(plain, *segment) != NULL)
			dst[len++] = *segment;
		else
			len += (size_t)sprintf(dst + len, "%%%02X", (unsigned char)*segment);
	}
	dst[len] = '\0';
	return 0;
}
