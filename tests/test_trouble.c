/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest whose disk fails, as the supervisor sees it: full, damaged, pulled out. QEMU is
 * this program again, called as "fake SOCKET SCENARIO".
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "init/supervise.h"

/* ---- the stand-in ---- */

static void reply(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(3);
}

#define IO_ERROR(space)                                                               \
	"{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"operation\":\"write\",\"action\":" \
	"\"stop\",\"nospace\":" space ",\"reason\":\"Input/output error\"}}\n"
#define RUNNING "{\"return\":{\"status\":\"running\"},\"id\":\"status\"}\n"
#define SHUT_DOWN "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-shutdown\"}}\n"

/* At once with the answer: between them the guest would run. */
static void begin_trouble(int fd, const char *scenario)
{
	if (strcmp(scenario, "full") == 0) /* one for each request that was under way */
		reply(fd, RUNNING IO_ERROR("true") IO_ERROR("true"));
	else if (strcmp(scenario, "bad") == 0 || strcmp(scenario, "away") == 0)
		reply(fd, RUNNING IO_ERROR("false"));
	else
		reply(fd, RUNNING);
	if (strcmp(scenario, "lost") == 0)
		abort();
}

static _Noreturn void end(int fd)
{
	reply(fd, SHUT_DOWN);
	_exit(0);
}

static void answer(int fd, const char *line, const char *scenario)
{
	if (strstr(line, "query-status"))
		begin_trouble(fd, scenario);
	else if (strstr(line, "\"cont\""))
		reply(fd, "{\"event\":\"RESUME\"}\n");
	else if (strstr(line, "system_powerdown") && strcmp(scenario, "bad") != 0)
		end(fd);
	else if (strstr(line, "\"quit\""))
		_exit(0);
}

static int fake_qemu(const char *path, const char *scenario)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char line[4096];
	FILE *in;

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return 4;
	fd = accept(fd, NULL, NULL);
	in = fdopen(fd, "r+");
	reply(fd, "{\"QMP\":{\"version\":{}}}\n");
	while (in && fgets(line, sizeof(line), in))
		answer(fd, line, scenario);
	return 0;
}

/* ---- one run ---- */

static char *this_program;

struct trouble {
	struct buffer log;
	unsigned explained, asked, came_up;
	bool comes_back;     /* not for want of space */
	unsigned space_from; /* there is space from this question on; 0: never */
	int stop[2];
};

static void collect(void *arg, const char *line)
{
	struct trouble *t = arg;

	buffer_printf(&t->log, "%s\n", line);
}

static char *explain(void *arg, bool no_space, const char *reason)
{
	struct trouble *t = arg;

	t->explained++;
	return xasprintf("stopped: %s", no_space ? "full" : reason);
}

static bool has_space(void *arg)
{
	struct trouble *t = arg;

	/* Asked again, while QEMU has not said that the guest goes on: that counts not.
	 */
	if (t->space_from && t->asked >= t->space_from)
		return true;
	t->asked++;
	return t->space_from && t->asked >= t->space_from;
}

static bool is_lost(void *arg _unused_, char **ret)
{
	*ret = xstrdup("the stick is gone");
	return true;
}

/* Then the button is pressed, so that each run has an end. */
static void came_up(void *arg)
{
	struct trouble *t = arg;

	t->came_up++;
	(void)!write(t->stop[1], "x", 1);
}

#define LONG 60000 /* ms, in which all that is asked here is answered */

static const struct supervise_times quick = {
	.start = LONG,
	.shutdown = LONG,
	.quit = LONG,
	.term = LONG,
	.backoff = 10,
	.backoff_most = 40,
	.healthy = 100000,
	.up = 50,
	.space = 20,
};

static void run(const char *scenario, bool losable, bool press, struct trouble *t,
		struct supervise_result *result)
{
	char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *qmp = xasprintf("%s/qmp", folder);
	char *argv[] = {this_program, (char *)"fake", qmp, (char *)scenario, NULL};
	const struct supervise_guest guest = {
		.argv = argv,
		.qmp = qmp,
		.times = &quick,
		.disk = {.explain = explain,
			 .has_space = has_space,
			 .is_back = t->comes_back ? has_space : NULL,
			 .is_lost = losable ? is_lost : NULL,
			 .came_up = came_up,
			 .arg = t}};
	struct supervise_config config = {
		.guests = &guest, .count = 1, .say = collect, .say_arg = t};

	assert_int_equal(pipe2(t->stop, O_CLOEXEC), 0);
	config.stop_fd = t->stop[0];
	if (press)
		(void)!write(t->stop[1], "x", 1);
	assert_int_equal(supervise_run(&config, result, NULL), 0);
	buffer_append(&t->log, "", 1);
	close(t->stop[0]);
	close(t->stop[1]);
	temp_folder_remove(folder);
}

static void assert_says(const struct trouble *t, const char *text)
{
	if (!strstr((const char *)t->log.data, text))
		fail_msg("the log does not say \"%s\":\n%s", text,
			 (const char *)t->log.data);
}

/* It is said once, the guest goes on when there is space, and comes up then. */
static void test_full(void **state _unused_)
{
	struct trouble t = {.space_from = 3};
	struct supervise_result result;

	run("full", false, false, &t, &result);
	assert_int_equal(t.explained, 1);
	assert_int_equal(t.asked, 3);
	assert_int_equal(t.came_up, 1);
	assert_false(result.failed);
	assert_says(&t, "stopped: full\n");
	assert_says(&t, "the guest goes on: there is room again\n");
	assert_says(&t, "the guest is off (guest-shutdown)\n");
	buffer_free(&t.log);
}

/* It hears no button: QEMU is asked at once. */
static void test_bad(void **state _unused_)
{
	struct trouble t = {0};
	struct supervise_result result;

	run("bad", false, true, &t, &result);
	assert_false(result.failed);
	assert_int_equal(t.came_up, 0);
	assert_says(&t, "QEMU is asked to end\n");
	assert_null(strstr((char *)t.log.data, "goes on"));
	buffer_free(&t.log);
}

/* One that may be there again is asked for, and the guest goes on when it is. */
static void test_back(void **state _unused_)
{
	struct trouble t = {.space_from = 3, .comes_back = true};
	struct supervise_result result;

	run("away", false, false, &t, &result);
	assert_int_equal(t.explained, 1);
	assert_int_equal(t.asked, 3);
	assert_false(result.failed);
	assert_says(&t, "the guest goes on: its disk is there again\n");
	assert_says(&t, "the guest is off (guest-shutdown)\n");
	buffer_free(&t.log);
}

/* A disk that is gone makes no second start worth while. */
static void test_lost(void **state _unused_)
{
	struct trouble t = {0};
	struct supervise_result result;

	run("lost", true, false, &t, &result);
	assert_true(result.failed);
	assert_int_equal(result.starts, 1);
	assert_says(&t, "the stick is gone\n");
	buffer_free(&t.log);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_back),
	};

	if (argc == 4 && strcmp(argv[1], "fake") == 0)
		return fake_qemu(argv[2], argv[3]);
	this_program = realpath(argv[0], NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
