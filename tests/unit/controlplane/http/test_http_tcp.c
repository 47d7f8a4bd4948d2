// SPDX-License-Identifier: Apache-2.0
//
// http_server over TCP: who reaches which route with which token, scripts of other origins, entity
// tags, limits per address, and TLS with a certificate that is replaced under way. The server is a
// process of its own; openssl is the TLS client.
#include "raw_http.h"

#include "controlplane/http/http_server.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PER_ADDRESS 3
#define MAX_CONNECTIONS 8

static char dir[64], path[96], certificate[96], key[96];
static pid_t server_pid;
static uint16_t port;
// For how long the server waits for a client. A client of these tests may be held up by a busy machine.
static uint32_t timeout_sec = 30;
static uint32_t requests_per_minute = 600;

// ---- the server ------------------------------------------------------------------------------

static int authenticate(void *ctx, const char *token, struct http_caller *ret)
{
	(void)ctx;
	if (strcmp(token, "admin") == 0)
		ret->role = HTTP_ROLE_OPERATOR;
	else if (strcmp(token, "buyer") == 0)
		*ret = (struct http_caller){.role = HTTP_ROLE_BUYER, .buyer = {7}};
	else
		return -EACCES;
	return 0;
}

static void who(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	char text[64];

	(void)ctx;
	snprintf(
		text,
		sizeof(text),
		"role %d buyer %d local %d",
		request->caller.role,
		request->caller.buyer[0],
		request->is_local
	);
	http_reply_text(reply, 200, "text/plain", text);
}

static void get_secret(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	(void)ctx;
	(void)request;
	http_reply_text(reply, 200, "text/plain", "secret");
	reply->is_secret = true;
}

static const struct http_route routes[] = {
	{HTTP_GET, "/operator", who, HTTP_OPERATOR},
	{HTTP_GET, "/buyer", who, HTTP_BUYER},
	{HTTP_POST, "/buyer", who, HTTP_BUYER},
	{HTTP_DELETE, "/buyer", who, HTTP_OPERATOR},
	{HTTP_GET, "/public", who, HTTP_PUBLIC},
	{HTTP_GET, "/secret", get_secret, HTTP_PUBLIC},
};

static void serve(int port_fd, bool has_tls)
{
	struct sockaddr_storage addr = {.ss_family = AF_INET};
	struct http_server_conf conf = {
		.socket_path = path,
		.socket_mode = 0600,
		.listen = &addr,
		.tls_certificate = has_tls ? certificate : NULL,
		.tls_key = has_tls ? key : NULL,
		.connections_per_address = PER_ADDRESS,
		.requests_per_minute = requests_per_minute,
		.request_timeout_sec = timeout_sec,
		.max_connections = MAX_CONNECTIONS,
	};
	struct http_server *server;
	char err[512];

	((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	if (http_server_create(&server, &conf, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		exit(1);
	}
	http_server_authenticate_with(server, authenticate, NULL);
	http_server_routes_add(server, routes, TEST_N_ROWS(routes), NULL);
	port = http_server_port(server);
	if (write(port_fd, &port, sizeof(port)) != sizeof(port) || http_server_run(server) < 0)
		exit(1);
	http_server_destroy(server);
	exit(0);
}

static int start(bool has_tls)
{
	int fds[2];

	if (pipe(fds) < 0)
		return -1;
	server_pid = fork();
	if (server_pid == 0)
		serve(fds[1], has_tls);
	close(fds[1]);
	if (read(fds[0], &port, sizeof(port)) != sizeof(port))
		return -1;
	close(fds[0]);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return start(false);
}

static int make_certificate(const char *name)
{
	char command[1200];

	snprintf(
		command,
		sizeof(command),
		"cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
		" -days 2 -subj /CN=%s -keyout key.new -out crt.new 2>/dev/null &&"
		" chmod 600 key.new && mv key.new tls.key && mv crt.new tls.crt",
		dir,
		name
	);
	return system(command);
}

static int set_up_tls(void **state)
{
	(void)state;
	return make_certificate("first") == 0 ? start(true) : -1;
}

static int set_up_impatient_tls(void **state)
{
	int r;

	timeout_sec = 1;
	r = set_up_tls(state);
	timeout_sec = 30;
	return r;
}

// A request is paid back in ten seconds, so that a client that is held up gains none by it.
static int set_up_meagre(void **state)
{
	int r;

	requests_per_minute = 6;
	r = set_up(state);
	requests_per_minute = 600;
	return r;
}

static int tear_down(void **state)
{
	int status;

	(void)state;
	kill(server_pid, SIGTERM);
	waitpid(server_pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

// ---- tests -----------------------------------------------------------------------------------

// One request from an address of its own, so that no other row's limit counts.
static int ask(const char *request, char *head, size_t head_cap, char *body, size_t body_cap)
{
	static unsigned n;
	char from[32];
	int fd, status;

	snprintf(from, sizeof(from), "127.1.%u.%u", n / 250, 1 + n % 250);
	n++;
	fd = raw_http_connect_tcp(from, port);
	if (fd < 0)
		return -1;
	raw_http_send(fd, request, strlen(request));
	status = raw_http_read(fd, head, head_cap, body, body_cap);
	close(fd);
	return status;
}

#define AS(token) "HTTP/1.1\r\nHost: x\r\nAuthorization: " token "\r\n\r\n"
#define PLAIN "HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_access(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *part; // of head and body
	} rows[] = {
		{"GET /operator " PLAIN, 401, "www-authenticate: Bearer"},
		{"GET /operator " AS("Bearer wrong"), 401, "unknown or has expired"},
		{"GET /operator " AS("Bearer "), 401, "unknown or has expired"},
		{"GET /operator " AS("Basic admin"), 401, "send the header"},
		{"GET /operator " AS("Beareradmin"), 401, "send the header"},
		{"GET /operator " AS("Bearer buyer"), 403, "only the operator"},
		{"GET /operator " AS("Bearer admin"), 200, "role 2 buyer 0 local 0"},
		{"GET /operator " AS("bearer   admin"), 200, "role 2 buyer 0 local 0"},
		{"GET /buyer " PLAIN, 401, "access-control-allow-origin: *"},
		{"PUT /buyer " PLAIN, 405, "access-control-allow-origin: *"},
		{"POST /buyer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		 411,
		 "access-control-allow-origin: *"},
		{"GET /buyer " AS("Bearer buyer"), 200, "role 1 buyer 7 local 0"},
		{"GET /buyer " AS("Bearer admin"), 200, "role 2 buyer 0 local 0"},
		{"DELETE /buyer " AS("Bearer buyer"), 403, "only the operator"},
		{"GET /public " PLAIN, 200, "role 0 buyer 0 local 0"},
		{"GET /public " AS("Bearer wrong"), 200, "role 0 buyer 0 local 0"},
		{"GET /nothing " AS("Bearer admin"), 404, "nothing at"},
		{"OPTIONS /operator " PLAIN, 405, "allow: GET"},
		{"OPTIONS /buyer " PLAIN, 204, "access-control-allow-methods: GET, POST\r\n"},
		{"OPTIONS /public " PLAIN, 204, "access-control-allow-headers: authorization"},
	};
	char head[2048], body[4096];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int status = ask(rows[i].request, head, sizeof(head), body, sizeof(body));
		bool is_operators = strstr(rows[i].request, "/operator") != NULL;

		if (status != rows[i].status ||
		    (strstr(head, rows[i].part) == NULL && strstr(body, rows[i].part) == NULL))
			fail_msg("%s\n-> %d %s%s", rows[i].request, status, head, body);
		if (is_operators && strstr(head, "access-control") != NULL)
			fail_msg("%s\n-> %s", rows[i].request, head);
		if (status >= 400 && strstr(head, "application/problem+json") == NULL)
			fail_msg("%s\n-> %s", rows[i].request, head);
	}
	// The UNIX socket's mode is its credential.
	assert_int_equal(raw_http_ask(path, "GET /operator " PLAIN, body, sizeof(body)), 200);
	assert_string_equal(body, "role 2 buyer 0 local 1");
}

static void test_entity_tags(void **state)
{
	static const char *const matching[] = {"%s", "W/%s", "\"x\", %s", "\"x\",W/%s, \"y\"", "*"};
	static const char *const others[] = {"\"x\"", "%.5s", "%sx", "", "W/"};
	char head[2048], body[4096], etag[64], list[160], request[512];
	const char *p;

	(void)state;
	assert_int_equal(ask("GET /public " PLAIN, head, sizeof(head), body, sizeof(body)), 200);
	p = strstr(head, "\r\netag: ");
	assert_non_null(p);
	assert_int_equal(sscanf(p, "\r\netag: %63[^\r]", etag), 1);
	assert_non_null(strstr(head, "cache-control: private, no-cache"));
	for (size_t i = 0; i < TEST_N_ROWS(matching) + TEST_N_ROWS(others); i++) {
		bool is_match = i < TEST_N_ROWS(matching);
		const char *format = is_match ? matching[i] : others[i - TEST_N_ROWS(matching)];
		const char *percent = strchr(format, '%');

		if (percent == NULL)
			snprintf(list, sizeof(list), "%s", format);
		else if (percent[1] == 's')
			snprintf(
				list,
				sizeof(list),
				"%.*s%s%s",
				(int)(percent - format),
				format,
				etag,
				percent + 2
			);
		else
			snprintf(list, sizeof(list), "%.5s", etag);
		snprintf(
			request,
			sizeof(request),
			"GET /public HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n",
			list
		);
		if (ask(request, head, sizeof(head), body, sizeof(body)) != (is_match ? 304 : 200))
			fail_msg("%s -> %s", list, head);
		assert_non_null(strstr(head, etag));
	}
	assert_int_equal(ask("GET /secret " PLAIN, head, sizeof(head), body, sizeof(body)), 200);
	assert_null(strstr(head, "etag:"));
	assert_non_null(strstr(head, "no-store"));
}

static void test_rate_per_address(void **state)
{
	static const char get[] = "GET /public " PLAIN;
	char head[2048], body[4096];
	int fd = raw_http_connect_tcp("127.0.0.7", port), status = 0;
	const char *retry_after;

	(void)state;
	for (int i = 0; i < 6; i++) {
		raw_http_send(fd, get, sizeof(get) - 1);
		status = raw_http_read(fd, head, sizeof(head), body, sizeof(body));
		assert_int_equal(status, 200);
	}
	raw_http_send(fd, get, sizeof(get) - 1);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 429);
	retry_after = strstr(head, "retry-after: ");
	assert_non_null(retry_after);
	assert_in_range(atoi(retry_after + strlen("retry-after: ")), 1, 10);
	assert_non_null(strstr(head, "access-control-allow-origin: *"));
	assert_non_null(strstr(body, "too many requests"));
	close(fd);
	// Reconnecting forgives nothing; another address and the UNIX socket are not meant.
	fd = raw_http_connect_tcp("127.0.0.7", port);
	raw_http_send(fd, get, sizeof(get) - 1);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 429);
	close(fd);
	fd = raw_http_connect_tcp("127.0.0.8", port);
	raw_http_send(fd, get, sizeof(get) - 1);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	close(fd);
	assert_int_equal(raw_http_ask(path, get, body, sizeof(body)), 200);
}

static void test_connections_per_address(void **state)
{
	int fds[PER_ADDRESS], others[MAX_CONNECTIONS], n_others = 0, fd;
	char head[2048], body[4096], from[32];

	(void)state;
	for (int i = 0; i < PER_ADDRESS; i++)
		fds[i] = raw_http_connect_tcp("127.0.0.9", port);
	fd = raw_http_connect_tcp("127.0.0.9", port);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 429);
	close(fd);
	// All addresses together have a limit too, and twctl another.
	for (int i = 0; i < MAX_CONNECTIONS; i++) {
		snprintf(from, sizeof(from), "127.0.2.%d", i + 1);
		others[n_others++] = raw_http_connect_tcp(from, port);
	}
	fd = others[MAX_CONNECTIONS - 1];
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 503);
	assert_non_null(strstr(body, "\"status\":503"));
	assert_non_null(strstr(head, "application/problem+json"));
	assert_int_equal(raw_http_ask(path, "GET /public " PLAIN, body, sizeof(body)), 200);
	for (int i = 0; i < PER_ADDRESS; i++)
		close(fds[i]);
	for (int i = 0; i < n_others; i++)
		close(others[i]);
}

// Out: what openssl got, head and body. Returns: the subject's common name, "" for none.
static const char *ask_tls(char *reply, size_t cap)
{
	static char name[64];
	char command[512];
	size_t len;
	FILE *out;

	snprintf(
		command,
		sizeof(command),
		"printf 'GET /operator HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer admin\\r\\n"
		"Connection: close\\r\\n\\r\\n' |"
		" timeout 30 openssl s_client -quiet -verify_quiet -no_ign_eof -ign_eof"
		" -connect 127.0.0.1:%u 2>&1; "
		"timeout 30 openssl s_client -connect 127.0.0.1:%u </dev/null 2>/dev/null |"
		" sed -n 's/^subject=CN = \\?//p'",
		port,
		port
	);
	out = popen(command, "r");
	len = fread(reply, 1, cap - 1, out);
	pclose(out);
	reply[len] = '\0';
	name[0] = '\0';
	while (len > 0 && reply[len - 1] == '\n')
		reply[--len] = '\0';
	if (strstr(reply, "role 2") != NULL)
		snprintf(name, sizeof(name), "%s", strstr(reply, "local 0") + strlen("local 0"));
	return name;
}

// Who stalls in the handshake.
static void test_tls_is_cut_off(void **state)
{
	int fd = raw_http_connect_tcp("127.0.0.1", port);

	(void)state;
	assert_true(raw_http_wait_closed(fd, PATIENCE_MS) >= 0);
	close(fd);
}

static void test_tls(void **state)
{
	char reply[8192], head[2048], body[256], command[320];
	int fd = raw_http_connect_tcp("127.0.0.1", port), i;

	(void)state;
	// Without TLS nothing is said.
	raw_http_send(fd, "GET /public " PLAIN, strlen("GET /public " PLAIN));
	assert_true(raw_http_read(fd, head, sizeof(head), body, sizeof(body)) <= 0);
	close(fd);

	if (strcmp(ask_tls(reply, sizeof(reply)), "first") != 0)
		fail_msg("%s", reply);
	// A key that does not belong to the certificate: the old pair stays.
	snprintf(command, sizeof(command), "cp -p %s %s.old", key, key);
	assert_int_equal(system(command), 0);
	snprintf(
		command,
		sizeof(command),
		"openssl ecparam -genkey -name prime256v1 >%s 2>/dev/null",
		key
	);
	assert_int_equal(system(command), 0);
	sleep(2);
	assert_string_equal(ask_tls(reply, sizeof(reply)), "first");
	// A good pair again: it is taken up within seconds.
	assert_int_equal(make_certificate("second"), 0);
	for (i = 0; i < 100 && strcmp(ask_tls(reply, sizeof(reply)), "second") != 0; i++)
		usleep(200000);
	assert_string_equal(ask_tls(reply, sizeof(reply)), "second");
}

static void test_tls_refused_at_start(void **state)
{
	struct sockaddr_storage addr = {.ss_family = AF_INET};
	struct http_server_conf conf = {
		.socket_path = path,
		.socket_mode = 0600,
		.listen = &addr,
		.tls_certificate = certificate,
		.tls_key = key,
	};
	static const struct {
		const char *command;
		const char *part;
	} rows[] = {
		{"chmod 644 %s", "is open to others (mode 0644)"},
		{"chmod 600 %s; : >%s", "are not a PEM certificate"},
		{"rm %s", "No such file"},
	};
	struct http_server *server;
	char err[512], command[600];

	(void)state;
	assert_int_equal(make_certificate("third"), 0);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		snprintf(command, sizeof(command), rows[i].command, key, key, key, key);
		assert_int_equal(system(command), 0);
		assert_true(http_server_create(&server, &conf, err, sizeof(err)) < 0);
		if (strstr(err, rows[i].part) == NULL)
			fail_msg("%s", err);
		assert_true(access(path, F_OK) < 0); // nothing is left behind
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_access, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_entity_tags, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rate_per_address, set_up_meagre, tear_down),
		cmocka_unit_test_setup_teardown(test_connections_per_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_tls_is_cut_off, set_up_impatient_tls, tear_down
		),
		cmocka_unit_test_setup_teardown(test_tls, set_up_tls, tear_down),
		cmocka_unit_test(test_tls_refused_at_start),
	};
	char command[128];
	int n_failed;

	snprintf(dir, sizeof(dir), "/tmp/test_http_tcp.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	snprintf(certificate, sizeof(certificate), "%s/tls.crt", dir);
	snprintf(key, sizeof(key), "%s/tls.key", dir);
	n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? n_failed : 1;
}
