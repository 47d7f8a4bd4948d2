// SPDX-License-Identifier: Apache-2.0
//
// See twctl_client.h.
#include "twctl_client.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_SEC 10
#define MAX_REPLY_BYTES (16 * 1024 * 1024)

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct twctl_client_reply *reply = ctx;
	size_t len = size * n;
	char *text;

	if (len > MAX_REPLY_BYTES - reply->len)
		return 0;
	text = realloc(reply->text, reply->len + len + 1);
	if (text == NULL)
		return 0;
	memcpy(text + reply->len, data, len);
	reply->text = text;
	reply->len += len;
	text[reply->len] = '\0';
	return len;
}

static void explain(CURLcode code, long os_error, const char *socket_path, char err[512])
{
	const char *what = os_error != 0 ? strerror((int)os_error) : curl_easy_strerror(code);
	const char *way_out =
		"is tollwire-control running? Start it, or name its socket with --socket "
		"or --config";

	if (os_error == EACCES)
		way_out = "run twctl as root or as a member of the socket's group";
	else if (code == CURLE_OPERATION_TIMEDOUT)
		way_out = "tollwire-control is there but does not answer; its log says why";
	else if (code == CURLE_WRITE_ERROR)
		way_out = "the answer is larger than twctl takes; ask for less with --limit";
	snprintf(err, 512, "cannot ask tollwire-control at %s: %s; %s", socket_path, what, way_out);
}

static CURLcode perform(
	CURL *curl,
	struct twctl_client_reply *reply,
	const char *socket_path,
	const char *method,
	const char *path,
	const char *body
)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	char url[1024];
	CURLcode code;

	snprintf(url, sizeof(url), "http://localhost%s", path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SEC);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
	if (strcmp(method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body == NULL ? "" : body);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	} else if (strcmp(method, "GET") != 0) {
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	}
	code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	return code;
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
	struct twctl_client_reply reply = {0};
	CURL *curl = curl_easy_init();
	char json_err[160];
	long os_error = 0;
	CURLcode code;

	if (curl == NULL) {
		snprintf(err, 512, "libcurl could not be started: out of memory");
		return -EIO;
	}
	code = perform(curl, &reply, socket_path, method, path, body);
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
	curl_easy_cleanup(curl);
	if (code != CURLE_OK) {
		explain(code, os_error, socket_path, err);
		twctl_client_fini(&reply);
		return -EIO;
	}
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

void twctl_client_fini(struct twctl_client_reply *reply)
{
	if (reply->text != NULL)
		explicit_bzero(reply->text, reply->len);
	free(reply->text);
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
