// SPDX-License-Identifier: Apache-2.0
//
// One curl easy handle, used again for each exchange so that connections stay open.

#include "http_client.h"

#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESS_CAP 64

struct http_client {
	CURL *curl;
	struct curl_slist *headers;
	struct curl_slist *pinned; // of curl's resolver
	char address[ADDRESS_CAP];
	struct http_client_conf conf;
	char error[CURL_ERROR_SIZE];
	atomic_bool is_interrupted; // written by any thread
	struct http_client_response response; // of the running exchange
	bool is_too_large;
	int socket_error; // 0 or -errno: mark or device could not be set
};

static pthread_once_t http_client_once = PTHREAD_ONCE_INIT;

static void http_client_global_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t http_client_write(char *data, size_t size, size_t n, void *ctx)
{
	struct http_client *client = ctx;
	struct http_client_response *response = &client->response;
	size_t len = size * n;
	char *grown;

	if (len > client->conf.response_max_bytes - response->len) {
		client->is_too_large = true;
		return 0;
	}
	grown = realloc(response->body, response->len + len + 1);
	if (grown == NULL)
		return 0;
	memcpy(grown + response->len, data, len);
	response->body = grown;
	response->len += len;
	response->body[response->len] = '\0';
	return len;
}

static int http_client_progress(
	void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up
)
{
	struct http_client *client = ctx;

	(void)down;
	(void)up_total;
	(void)up;
	// A length that the server announces is refused before it is sent.
	if (down_total > (curl_off_t)client->conf.response_max_bytes) {
		client->is_too_large = true;
		return 1;
	}
	return atomic_load_explicit(&client->is_interrupted, memory_order_relaxed);
}

// Before the connection is made: its first packet must take the right way already.
static int http_client_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	struct http_client *client = ctx;
	const struct http_client_conf *conf = &client->conf;

	(void)purpose;
	if (conf->mark != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &conf->mark, sizeof(conf->mark)) != 0)
		client->socket_error = -errno;
	else if (conf->device != NULL && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, conf->device, (socklen_t)strlen(conf->device)) != 0)
		client->socket_error = -errno;
	return client->socket_error == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

static void http_client_set_options(struct http_client *client)
{
	CURL *curl = client->curl;

	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->conf.connect_timeout_ms);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->conf.timeout_ms);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "tollwire/" TOLLWIRE_VERSION);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, NULL);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_client_write);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, http_client_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
	if (client->conf.mark != 0 || client->conf.device != NULL) {
		curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, http_client_socket);
		curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, client);
	}
	if (client->conf.unix_socket != NULL) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->conf.unix_socket);
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
	}
}

int http_client_create(struct http_client **ret, const struct http_client_conf *conf)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return -ENOMEM;
	pthread_once(&http_client_once, http_client_global_init);
	client->conf = *conf;
	client->curl = curl_easy_init();
	client->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (client->curl == NULL || client->headers == NULL) {
		http_client_destroy(client);
		return -ENOMEM;
	}
	http_client_set_options(client);
	*ret = client;
	return 0;
}

void http_client_destroy(struct http_client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->curl);
	curl_slist_free_all(client->headers);
	curl_slist_free_all(client->pinned);
	free(client);
}

int http_client_pin(
	struct http_client *client, const char *host, uint16_t port, const char *address
)
{
	struct curl_slist *pinned;
	char text[512];

	// A '-' takes an entry out again, which otherwise stays as long as the handle.
	if (address == NULL)
		snprintf(text, sizeof(text), "-%.255s:%u", host, (unsigned)port);
	else
		snprintf(text, sizeof(text), "%.255s:%u:%.63s", host, (unsigned)port, address);
	pinned = curl_slist_append(NULL, text);
	if (pinned == NULL)
		return -ENOMEM;
	curl_easy_setopt(client->curl, CURLOPT_RESOLVE, pinned);
	curl_slist_free_all(client->pinned);
	client->pinned = pinned;
	return 0;
}

int http_client_set_bearer(struct http_client *client, const char *token)
{
	CURLcode code = curl_easy_setopt(client->curl, CURLOPT_XOAUTH2_BEARER, token);

	if (code == CURLE_OK)
		code = curl_easy_setopt(
			client->curl,
			CURLOPT_HTTPAUTH,
			(long)(token == NULL ? CURLAUTH_BASIC : CURLAUTH_BEARER)
		);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

const char *http_client_address(const struct http_client *client)
{
	return client->address;
}

void http_client_describe(const char *url, char *dst, size_t cap)
{
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end == NULL ? url : scheme_end + 3;
	size_t host_len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', host_len);

	if (at != NULL) {
		host_len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	snprintf(
		dst,
		cap,
		"%.*s%.*s",
		scheme_end == NULL ? 0 : (int)(scheme_end + 3 - url),
		url,
		(int)host_len,
		host
	);
}

static int http_client_errno(const struct http_client *client, CURLcode code)
{
	if (client->is_too_large)
		return -EMSGSIZE;
	if (client->socket_error != 0)
		return client->socket_error;
	// The codes are curl's, so the rest of its long list is one case here.
	switch ((int)code) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -ECONNREFUSED;
	case CURLE_ABORTED_BY_CALLBACK:
		return -EINTR;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
}

static void http_client_explain(
	const struct http_client *client, CURLcode code, char why[HTTP_CLIENT_WHY_SIZE]
)
{
	const struct http_client_conf *conf = &client->conf;

	if (client->is_too_large)
		snprintf(
			why,
			HTTP_CLIENT_WHY_SIZE,
			"the answer is larger than %zu bytes",
			conf->response_max_bytes
		);
	else if (client->socket_error != 0 && conf->mark != 0)
		snprintf(
			why,
			HTTP_CLIENT_WHY_SIZE,
			"a socket cannot have mark %u%s%s: %s",
			conf->mark,
			conf->device != NULL ? " and device " : "",
			conf->device != NULL ? conf->device : "",
			strerror(-client->socket_error)
		);
	else if (client->socket_error != 0)
		snprintf(
			why,
			HTTP_CLIENT_WHY_SIZE,
			"a socket cannot be bound to device %s: %s",
			conf->device,
			strerror(-client->socket_error)
		);
	else
		snprintf(
			why,
			HTTP_CLIENT_WHY_SIZE,
			"%s",
			client->error[0] != '\0' ? client->error : curl_easy_strerror(code)
		);
}

static void http_client_set_body(
	struct http_client *client, const char *method, const char *body, size_t len
)
{
	bool is_post = strcmp(method, "POST") == 0;

	if (is_post || body != NULL) {
		curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body == NULL ? "" : body);
		curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	} else {
		curl_easy_setopt(client->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, is_post ? NULL : method);
}

int http_client_post_json(
	struct http_client *client,
	const char *url,
	const char *body,
	size_t len,
	struct http_client_response *ret,
	char why[HTTP_CLIENT_WHY_SIZE]
)
{
	return http_client_request(client, "POST", url, body, len, ret, why);
}

int http_client_request(
	struct http_client *client,
	const char *method,
	const char *url,
	const char *body,
	size_t len,
	struct http_client_response *ret,
	char why[HTTP_CLIENT_WHY_SIZE]
)
{
	const char *address = NULL;
	CURLcode code;
	int r;

	client->response = (struct http_client_response){0};
	client->is_too_large = false;
	client->socket_error = 0;
	client->error[0] = '\0';
	if (atomic_load_explicit(&client->is_interrupted, memory_order_relaxed)) {
		snprintf(why, HTTP_CLIENT_WHY_SIZE, "shutting down");
		return -EINTR;
	}
	curl_easy_setopt(client->curl, CURLOPT_URL, url);
	http_client_set_body(client, method, body, len);
	code = curl_easy_perform(client->curl);
	if (code != CURLE_OK) {
		r = http_client_errno(client, code);
		http_client_explain(client, code, why);
		http_client_response_fini(&client->response);
		return r;
	}
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &client->response.status);
	if (curl_easy_getinfo(client->curl, CURLINFO_PRIMARY_IP, &address) == CURLE_OK &&
	    address != NULL)
		snprintf(client->address, sizeof(client->address), "%s", address);
	if (client->response.body == NULL)
		client->response.body = calloc(1, 1);
	if (client->response.body == NULL)
		return -ENOMEM;
	*ret = client->response;
	client->response = (struct http_client_response){0};
	return 0;
}

void http_client_response_fini(struct http_client_response *response)
{
	free(response->body);
	*response = (struct http_client_response){0};
}

void http_client_interrupt(struct http_client *client)
{
	atomic_store_explicit(&client->is_interrupted, true, memory_order_relaxed);
}
