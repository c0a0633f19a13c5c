/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's supervisor: its decisions one by one; the whole loop against a stand-in that
 * speaks QMP and misbehaves in every way (this program again, called as "fake SOCKET
 * SCENARIO"), and against QEMU itself.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/input.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/qmp.h"
#include "init/screen.h"
#include "init/supervise.h"
#include "init/tpm.h"

#define BUTTON "FAKE_BUTTON" /* a descriptor: where presses are written */

/* ---- the stand-in ---- */

static void reply(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(3);
}

/* How often this was started before, by a file beside the socket. */
static unsigned count_start(const char *path)
{
	_cleanup_free_ char *name = xasprintf("%s.count", path);
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	off_t before = lseek(fd, 0, SEEK_END);

	(void)!write(fd, "x", 1);
	return (unsigned)before;
}

static void note_flush(const char *path)
{
	_cleanup_free_ char *name = xasprintf("%s.flushed", path);

	closep(&(int){open(name, O_WRONLY | O_CREAT, 0600)});
}

/* By the stand-in itself, when it is where the test wants it: no time has to fit. */
static void press_button(void)
{
	struct input_event event = {.type = EV_KEY, .code = KEY_POWER, .value = 1};
	const char *fd = getenv(BUTTON);

	if (fd)
		(void)!write(atoi(fd), &event, sizeof(event));
}

static const char *term_path;
static void on_term(int number _unused_)
{
	note_flush(term_path);
	_exit(0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		_exit(4);
	return accept(fd, NULL, NULL);
}

#define SHUT_DOWN                                                      \
	"{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":" \
	"\"guest-shutdown\"},\"timestamp\":{\"seconds\":1}}\n"

static void answer(int fd, const char *line, const char *path, const char *scenario)
{
	static bool asked_before;

	if (strstr(line, "query-kvm")) {
		reply(fd, "{\"return\":{\"enabled\":true,\"present\":true},\"id\":"
			  "\"kvm\"}\n");
	} else if (strstr(line, "query-status")) {
		reply(fd, "{\"return\":{\"status\":\"running\",\"running\":true},"
			  "\"id\":\"status\"}\n");
		if (strcmp(scenario, "reboot") == 0)
			reply(fd, "{\"event\":\"RESET\",\"data\":{\"reason\":\"guest-"
				  "reset\"}}\n"
				  "{\"event\":\"RESET\"}\n" SHUT_DOWN);
		if (strcmp(scenario, "reboot") == 0)
			_exit(0);
		if (strcmp(scenario, "nonsense") == 0 && !asked_before)
			reply(fd, "]]]\n");
		else
			press_button();
		asked_before = true;
	} else if (strstr(line, "system_powerdown")) {
		if (strcmp(scenario, "shutdown") == 0 || strcmp(scenario, "crash") == 0 ||
		    strcmp(scenario, "nonsense") == 0) {
			reply(fd, SHUT_DOWN);
			note_flush(path);
			_exit(0);
		}
	} else if (strstr(line, "system_reset")) {
		reply(fd, "{\"event\":\"RESET\",\"data\":{\"reason\":\"host-qmp-"
			  "system-reset\"}}\n");
	} else if (strstr(line, "\"quit\"") && strcmp(scenario, "deaf") == 0) {
		note_flush(path);
		_exit(0);
	}
}

static int fake_qemu(const char *path, const char *scenario)
{
	char line[4096];
	FILE *in;
	int fd;

	term_path = path;
	(void)signal(SIGTERM, strcmp(scenario, "dead") == 0 ? SIG_IGN : on_term);
	if (strcmp(scenario, "crash") == 0 && count_start(path) < 2)
		abort();
	if (strcmp(scenario, "never") == 0)
		return 1;
	if (strcmp(scenario, "mute") == 0) {
		press_button();
		for (;;)
			pause();
	}
	do {
		fd = listen_at(path);
		in = fdopen(fd, "r+");
		reply(fd, "{\"QMP\":{\"version\":{},\"capabilities\":[\"oob\"]}}\n");
		while (fgets(line, sizeof(line), in))
			answer(fd, line, path, scenario);
		(void)unlink(path);
	} while (strcmp(scenario, "nonsense") == 0);
	for (;;)
		pause();
}

/* ---- one run ---- */

/* What is answered has time for it; what is not is given up soon. */
#define LONG 60000
#define SOON 50

static const struct supervise_times quick = {
	.start = LONG,
	.shutdown = LONG,
	.quit = LONG,
	.term = LONG,
	.backoff = 10,
	.backoff_most = 40,
	.healthy = 100000,
};

static char *this_program;

struct outcome {
	struct supervise_result result;
	struct buffer log; /* lines */
	bool flushed;
	char *folder;
};

static void collect(void *arg, const char *line)
{
	buffer_printf(arg, "%s\n", line);
}

static void end_outcome(struct outcome *o)
{
	buffer_free(&o->log);
	temp_folder_remove(o->folder);
}

/* The button is the descriptor that `arg` points to. */
static void press_when_connected(void *arg, size_t guest _unused_,
				 struct qmp *qmp _unused_, bool anew _unused_)
{
	struct input_event event = {.type = EV_KEY, .code = KEY_POWER, .value = 1};

	(void)!write(*(int *)arg, &event, sizeof(event));
}

/* `pressed`: as soon as QEMU answers; the stand-in presses the button for itself. */
static void run(char *const argv[], const char *qmp, bool pressed,
		const struct supervise_times *times, struct outcome *o)
{
	struct evdevs buttons = VEC_INIT;
	int fds[2], stop[2];
	const struct supervise_guest guest = {.argv = argv, .qmp = qmp, .times = times};
	struct supervise_config config = {.guests = &guest,
					  .count = 1,
					  .buttons = &buttons,
					  .say = collect,
					  .say_arg = &o->log,
					  .tell = pressed ? press_when_connected : NULL,
					  .watch_arg = &fds[1]};
	_cleanup_free_ char *flushed = xasprintf("%s.flushed", qmp), *button = NULL;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	config.stop_fd = stop[0];
	vec_push(&buttons, fds[0]);
	button = xasprintf("%d", fds[1]);
	assert_int_equal(setenv(BUTTON, button, 1), 0);
	assert_int_equal(supervise_run(&config, &o->result, NULL), 0);
	assert_int_equal(unsetenv(BUTTON), 0);
	o->flushed = access(flushed, F_OK) == 0;
	buffer_append(&o->log, "", 1);
	close(fds[0]);
	close(fds[1]);
	close(stop[0]);
	close(stop[1]);
	vec_free(&buttons);
}

static void run_fake(const char *scenario, const struct supervise_times *times,
		     struct outcome *o)
{
	_cleanup_free_ char *qmp = NULL;
	char *argv[] = {this_program, (char *)"fake", NULL, (char *)scenario, NULL};

	*o = (struct outcome){.folder = temp_folder_make(NULL, NULL)};
	qmp = xasprintf("%s/qmp", o->folder);
	argv[2] = qmp;
	run(argv, qmp, false, times, o);
}

static void assert_says(const struct outcome *o, const char *text)
{
	if (!strstr((const char *)o->log.data, text))
		fail_msg("the log does not say \"%s\":\n%s", text,
			 (const char *)o->log.data);
}

static void test_button(void **state _unused_)
{
	struct outcome o;

	run_fake("shutdown", &quick, &o);
	assert_true(o.flushed && !o.result.failed);
	assert_int_equal(o.result.starts, 1);
	assert_says(&o, "guest running (kvm)\n");
	assert_says(&o, "asked to shut down\n");
	assert_says(&o, "the guest is off (guest-shutdown)\nQEMU ended with status 0\n");
	end_outcome(&o);
}

/* Each one that does not listen gets the next harsher word, and no harsher one. */
static void test_deaf(void **state _unused_)
{
	struct supervise_times times = quick;
	struct outcome o;

	times.shutdown = SOON;
	run_fake("deaf", &times, &o);
	assert_true(o.flushed);
	assert_says(&o, "QEMU is asked to end");
	assert_null(strstr((char *)o.log.data, "SIG"));
	end_outcome(&o);
	times.quit = SOON;
	run_fake("hung", &times, &o);
	assert_true(o.flushed);
	assert_says(&o, "SIGTERM");
	assert_null(strstr((char *)o.log.data, "SIGKILL"));
	end_outcome(&o);
	times.term = SOON;
	run_fake("dead", &times, &o);
	assert_false(o.flushed);
	assert_says(&o, "SIGKILL");
	assert_int_equal(o.result.starts, 1);
	end_outcome(&o);
	/* Pressed before QEMU speaks QMP at all. */
	times.term = LONG;
	run_fake("mute", &times, &o);
	assert_true(o.flushed);
	assert_says(&o, "SIGTERM");
	end_outcome(&o);
}

static void test_crash(void **state _unused_)
{
	struct outcome o;

	run_fake("crash", &quick, &o);
	assert_int_equal(o.result.starts, 3);
	assert_true(o.flushed && !o.result.failed);
	assert_says(&o, "QEMU ended by signal 6");
	assert_says(&o, "started again in");
	assert_says(&o, "(2 of 10)");
	end_outcome(&o);
	/* A guest that is gone without having shut down did not mean it. */
	run_fake("never", &quick, &o);
	assert_true(o.result.failed);
	assert_int_equal(o.result.starts, SUPERVISE_MAX_CRASHES + 1);
	assert_says(&o, "given up");
	end_outcome(&o);
}

static void test_guest(void **state _unused_)
{
	struct outcome o;

	run_fake("reboot", &quick, &o);
	assert_int_equal(o.result.resets, 2);
	assert_int_equal(o.result.starts, 1);
	assert_false(o.result.failed);
	end_outcome(&o);
	/* It is spoken to again, and listens. */
	run_fake("nonsense", &quick, &o);
	assert_true(o.flushed);
	assert_int_equal(o.result.starts, 1);
	assert_says(&o, "the guest is off (guest-shutdown)\n");
	end_outcome(&o);
}

static void test_missing(void **state _unused_)
{
	char *argv[] = {(char *)"/nonexistent/qemu", NULL};
	struct outcome o = {.folder = temp_folder_make(NULL, NULL)};
	_cleanup_free_ char *qmp = xasprintf("%s/qmp", o.folder);

	run(argv, qmp, false, &quick, &o);
	assert_true(o.result.failed);
	assert_says(&o, "QEMU is not there");
	end_outcome(&o);
}

/* The keeper and a presenter that asks for a reset and for power off, and ends each time.
 */
static void test_screen(void **state _unused_)
{
	struct outcome o = {.folder = temp_folder_make(NULL, NULL)};
	_cleanup_free_ char *qmp = xasprintf("%s/qmp", o.folder);
	_cleanup_free_ char *program = xasprintf("%s/presenter", o.folder);
	char *argv[] = {this_program, (char *)"fake", qmp, (char *)"shutdown", NULL};
	static const char script[] = "#!/bin/sh\n"
				     "cd \"${1#run=}\" || exit 1\n"
				     "while ! [ -e qmp ]; do sleep 0.02; done\n"
				     "sleep 0.2\n"
				     "if [ -e again ]; then letter=p; else letter=r; fi\n"
				     ": >again\n"
				     "printf $letter >&\"${2#control=}\"\n";
	_cleanup_error_ struct error err = ERROR_INIT;
	const struct screen_config presenter = {.program = program, .run = o.folder};
	const struct screen_config gone = {.program = "/bin/false", .run = "/"};
	struct screen screen;
	struct supervise_guest guest = {.argv = argv, .qmp = qmp, .times = &quick};
	struct supervise_config config = {.guests = &guest,
					  .count = 1,
					  .stop_fd = -1,
					  .say = collect,
					  .say_arg = &o.log};

	assert_int_equal(screen_start(&screen, &presenter, &err), -1);
	assert_true(screen.pid == 0 && screen.requests == 0);
	assert_int_equal(
		file_replace(program,
			     (struct bytes){(const uint8_t *)script, strlen(script)},
			     NULL),
		0);
	assert_int_equal(chmod(program, 0700), 0);
	assert_int_equal(screen_start(&screen, &presenter, NULL), 0);
	config.requests = screen.requests;
	assert_int_equal(supervise_run(&config, &o.result, NULL), 0);
	screen_stop(&screen);
	assert_int_equal(screen.pid, 0);
	buffer_append(&o.log, "", 1);
	assert_says(&o, "as was chosen on the screen\nthe guest restarts\n");
	assert_says(&o, "asked to shut down\n");
	assert_int_equal(o.result.resets, 1);
	end_outcome(&o);
	/* A presenter that is gone for good is not waited for. */
	o = (struct outcome){.folder = temp_folder_make(NULL, NULL)};
	argv[3] = (char *)"reboot";
	_cleanup_free_ char *other = xasprintf("%s/qmp", o.folder);
	argv[2] = other;
	guest.qmp = other;
	config.say_arg = &o.log;
	assert_int_equal(screen_start(&screen, &gone, NULL), 0);
	assert_int_equal(kill(screen.pid, SIGKILL), 0);
	config.requests = screen.requests;
	assert_int_equal(supervise_run(&config, &o.result, NULL), 0);
	screen.pid = 0; /* reaped with the others */
	screen_stop(&screen);
	end_outcome(&o);
}

static int count_prepare(void *arg, struct error *err)
{
	unsigned *count = arg;

	return ++*count < 3 ? error_set(err, ERROR_FAILED, "tpm", "is not ready") : 0;
}

/* What QEMU needs is made before each start; where that fails, it is tried again. */
static void test_prepare(void **state _unused_)
{
	struct outcome o = {.folder = temp_folder_make(NULL, NULL)};
	_cleanup_free_ char *qmp = xasprintf("%s/qmp", o.folder);
	char *argv[] = {this_program, (char *)"fake", qmp, (char *)"reboot", NULL};
	unsigned count = 0;
	const struct supervise_guest guest = {.argv = argv,
					      .qmp = qmp,
					      .times = &quick,
					      .prepare = count_prepare,
					      .arg = &count};
	struct supervise_config config = {.guests = &guest,
					  .count = 1,
					  .stop_fd = -1,
					  .say = collect,
					  .say_arg = &o.log};

	assert_int_equal(supervise_run(&config, &o.result, NULL), 0);
	buffer_append(&o.log, "", 1);
	assert_int_equal(count, 3);
	assert_int_equal(o.result.starts, 1);
	assert_says(&o, "tpm: is not ready\n");
	end_outcome(&o);
}

/* QEMUs in a row have a TPM each: swtpm ends, or is ended, also if it hangs, between
 * them. */
static void test_tpm(void **state _unused_)
{
	char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *path = xasprintf("%s/state", folder);
	_cleanup_free_ char *pid_file = xasprintf("%s/tpm.pid", folder);
	_cleanup_error_ struct error err = ERROR_INIT;
	pid_t pid[3];

	if (access("/usr/bin/swtpm", X_OK) < 0) {
		temp_folder_remove(folder);
		print_message("# swtpm is not installed\n");
		skip();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(pid); i++) {
		_cleanup_buffer_ struct buffer text = BUFFER_INIT;

		if (i == 2)
			assert_int_equal(kill(pid[1], SIGSTOP), 0);
		if (tpm_start(folder, path, getuid(), &err) < 0)
			fail_msg("%s: %s", err.subject, err.reason);
		assert_int_equal(file_read(pid_file, 32, &text, NULL), 0);
		buffer_append(&text, "", 1);
		pid[i] = (pid_t)atoi((char *)text.data);
		assert_int_equal(kill(pid[i], 0), 0);
	}
	assert_true(pid[0] != pid[1] && pid[1] != pid[2]);
	assert_int_not_equal(kill(pid[1], 0), 0);
	assert_int_equal(kill(pid[2], SIGTERM), 0);
	/* It writes its state before it goes. */
	for (unsigned i = 0; i < 200 && kill(pid[2], 0) == 0; i++)
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	temp_folder_remove(folder);
}

struct states {
	struct buffer *log;
	int control; /* asks for things once all guests have come up */
	bool running[2];
	unsigned off; /* how often the second was */
};

static void say_states(void *arg, const char *line)
{
	struct states *s = arg;

	buffer_printf(s->log, "%s\n", line);
}

/* The second is shut down alone, then all. */
static void on_state(void *arg, size_t guest, const char *state)
{
	struct states *s = arg;

	buffer_printf(s->log, "[%zu %s]\n", guest, state);
	s->running[guest] |= strcmp(state, "running") == 0;
	if (strcmp(state, "running") == 0 && s->running[0] && s->running[1])
		(void)!write(s->control, "1g", 2);
	/* Started anew once; not while all end. */
	if (guest == 1 && strcmp(state, "off") == 0) {
		const char *next = s->off++ ? "0rp1s" : "1s";

		(void)!write(s->control, next, strlen(next));
	}
}

/* One crashes and comes back, the other is not touched; each ends for itself. */
static void test_several(void **state _unused_)
{
	struct outcome o = {.folder = temp_folder_make(NULL, NULL)};
	_cleanup_free_ char *one = xasprintf("%s/one", o.folder);
	_cleanup_free_ char *two = xasprintf("%s/two", o.folder);
	char *first[] = {this_program, (char *)"fake", one, (char *)"crash", NULL};
	char *second[] = {this_program, (char *)"fake", two, (char *)"shutdown", NULL};
	const struct supervise_guest guests[] = {
		{.name = "a", .argv = first, .qmp = one, .times = &quick},
		{.name = "b", .argv = second, .qmp = two, .times = &quick}};
	struct states states = {.log = &o.log};
	struct supervise_config config = {.guests = guests,
					  .count = 2,
					  .stop_fd = -1,
					  .say = say_states,
					  .on_state = on_state,
					  .say_arg = &states};
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	states.control = fds[1];
	config.requests = fds[0];
	assert_int_equal(supervise_run(&config, &o.result, NULL), 0);
	buffer_append(&o.log, "", 1);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(o.result.starts, 5);
	assert_int_equal(o.result.resets, 1);
	assert_false(o.result.failed);
	assert_says(&o, "a: QEMU ended by signal 6");
	assert_says(&o, "a: QEMU is started again in");
	assert_says(&o, "(2 of 10)");
	assert_says(&o, "[0 crashed]\n");
	assert_says(&o, "b: guest running (kvm)\n");
	assert_says(&o, "b: the guest is asked to shut down\n");
	assert_says(&o, "[1 off]\na: the guest is reset, as was chosen on the screen\n"
			"a: the guest is asked to shut down\n");
	assert_null(strstr((char *)o.log.data, "b: QEMU is started again"));
	assert_null(strstr((char *)o.log.data, "b: the guest restarts"));
	assert_says(&o, "[0 off]\n");
	end_outcome(&o);
	/* As many as there may be, and no more. */
	config.count = SUPERVISE_MAX_GUESTS + 1;
	assert_int_equal(supervise_run(&config, &o.result, NULL), -1);
}

/* No machine is no guest: nobody listens to the button, and "quit" ends QEMU. */
static void test_real(void **state _unused_)
{
	struct outcome o = {.folder = temp_folder_make(NULL, NULL)};
	struct supervise_times times = quick;
	_cleanup_free_ char *qmp = xasprintf("%s/qmp", o.folder);
	_cleanup_free_ char *chardev =
		xasprintf("socket,id=qmp,path=%s,server=on,wait=off", qmp);
	char *argv[] = {(char *)"qemu-system-x86_64",
			(char *)"-machine",
			(char *)"none",
			(char *)"-nodefaults",
			(char *)"-display",
			(char *)"none",
			(char *)"-chardev",
			chardev,
			(char *)"-mon",
			(char *)"chardev=qmp,mode=control",
			(char *)"-S",
			NULL};

	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0) {
		temp_folder_remove(o.folder);
		print_message("# qemu-system-x86_64 is not installed\n");
		skip();
	}
	times.shutdown = SOON;
	run(argv, qmp, true, &times, &o);
	assert_int_equal(o.result.starts, 1);
	assert_false(o.result.failed);
	assert_says(&o, "asked to shut down");
	assert_says(&o, "QEMU ended with status 0");
	assert_null(strstr((char *)o.log.data, "refuses"));
	end_outcome(&o);
}

/* ---- decisions ---- */

static void test_steps(void **state _unused_)
{
	struct supervisor s;
	const struct supervise_times *t = &supervise_default_times;

	assert_int_equal(supervise_begin(&s, t, 0), ACTION_START);
	assert_int_equal(supervise_step(&s, EVENT_CONNECTED, 100), ACTION_NONE);
	assert_int_equal(s.state, SUPERVISE_RUNNING);
	assert_int_equal(s.deadline, -1);
	/* A crash after a long time is the first one again. */
	s.crashes = 7;
	assert_int_equal(supervise_step(&s, EVENT_EXIT, t->healthy + 1), ACTION_NONE);
	assert_int_equal(s.crashes, 1);
	assert_int_equal(s.deadline, t->healthy + 1 + t->backoff);
	assert_int_equal(supervise_step(&s, EVENT_TIMER, s.deadline), ACTION_START);
	/* Pauses double up to the longest. */
	for (unsigned i = 2; i <= SUPERVISE_MAX_CRASHES; i++) {
		int64_t now = s.started + 1;

		assert_int_equal(supervise_step(&s, EVENT_EXIT, now), ACTION_NONE);
		assert_true(s.deadline - now <= t->backoff_most);
		assert_true(s.deadline - now >= t->backoff * 2);
		assert_int_equal(supervise_step(&s, EVENT_TIMER, s.deadline),
				 ACTION_START);
	}
	assert_int_equal(supervise_step(&s, EVENT_EXIT, s.started + 1), ACTION_END);
	assert_true(s.failed);

	/* The button while QEMU is down ends it at once. */
	(void)supervise_begin(&s, t, 0);
	(void)supervise_step(&s, EVENT_EXIT, 1);
	assert_int_equal(supervise_step(&s, EVENT_BUTTON, 2), ACTION_END);
	assert_false(s.failed);

	/* Pressed before QEMU answers: asked as soon as it does; pressed again: again. */
	(void)supervise_begin(&s, t, 0);
	assert_int_equal(supervise_step(&s, EVENT_BUTTON, 1), ACTION_NONE);
	assert_int_equal(supervise_step(&s, EVENT_CONNECTED, 2), ACTION_POWERDOWN);
	assert_int_equal(supervise_step(&s, EVENT_BUTTON, 3), ACTION_POWERDOWN);
	assert_int_equal(s.deadline, 1 + t->shutdown);
	assert_int_equal(supervise_step(&s, EVENT_TIMER, s.deadline), ACTION_QUIT);
	/* Nothing makes it kill while QEMU flushes. */
	assert_int_equal(supervise_step(&s, EVENT_BUTTON, s.deadline - 1), ACTION_NONE);
	assert_int_equal(supervise_step(&s, EVENT_TIMER, s.deadline), ACTION_TERM);
	assert_int_equal(supervise_step(&s, EVENT_TIMER, s.deadline), ACTION_KILL);
	assert_int_equal(supervise_step(&s, EVENT_EXIT, 10), ACTION_END);

	/* The guest shut itself down: that is the end, though nobody pressed anything. */
	(void)supervise_begin(&s, t, 0);
	(void)supervise_step(&s, EVENT_CONNECTED, 1);
	assert_int_equal(supervise_step(&s, EVENT_SHUTDOWN, 2), ACTION_NONE);
	assert_int_equal(supervise_step(&s, EVENT_EXIT, 3), ACTION_END);

	/* QEMU never answers: ended, and tried again. */
	(void)supervise_begin(&s, t, 0);
	assert_int_equal(supervise_step(&s, EVENT_TIMER, s.deadline), ACTION_TERM);
	assert_int_equal(supervise_step(&s, EVENT_EXIT, s.deadline), ACTION_NONE);
	assert_int_equal(s.state, SUPERVISE_WAITING);
}

/* ---- messages ---- */

static void parse(const char *line, struct qmp_message *m)
{
	if (!qmp_parse(line, strlen(line), m))
		fail_msg("not read: %s", line);
}

static void test_messages(void **state _unused_)
{
	static const char *const bad[] = {
		"",	"{",
		"[]",	"1",
		"{}",	"{\"event\":1}",
		"null", "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"};
	struct qmp_message m;

	parse("{\"QMP\":{}}", &m);
	assert_int_equal(m.kind, QMP_GREETING);
	parse("{\"return\":{\"status\":\"paused\"},\"id\":\"a\"}", &m);
	assert_int_equal(m.kind, QMP_RETURN);
	assert_string_equal(m.id, "a");
	assert_string_equal(m.name, "paused");
	parse("{\"return\":[]}", &m);
	assert_string_equal(m.name, "");
	parse("{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}}", &m);
	assert_int_equal(m.kind, QMP_ERROR);
	assert_string_equal(m.reason, "no");
	parse("{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"host-qmp-quit\"}}", &m);
	assert_string_equal(m.name, "SHUTDOWN");
	assert_string_equal(m.reason, "host-qmp-quit");
	parse("{\"event\":\"0123456789012345678901234567890123456789012345678901234567890"
	      "1234567890\"}",
	      &m);
	assert_int_equal(strlen(m.name), QMP_TEXT - 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(qmp_parse(bad[i], strlen(bad[i]), &m));
}

static void test_power_key(void **state _unused_)
{
	struct input_event events[] = {
		{.type = EV_KEY, .code = KEY_A, .value = 1},
		{.type = EV_KEY, .code = KEY_POWER, .value = 0},
		{.type = EV_KEY, .code = KEY_POWER, .value = 2},
		{.type = EV_SYN},
		{.type = EV_KEY, .code = KEY_POWER, .value = 1},
	};
	struct evdevs none = VEC_INIT;
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_false(power_pressed(fds[0]));
	assert_int_equal(write(fds[1], events, 4 * sizeof(*events)), 4 * sizeof(*events));
	assert_false(power_pressed(fds[0]));
	assert_int_equal(write(fds[1], events, sizeof(events)), sizeof(events));
	assert_true(power_pressed(fds[0]));
	close(fds[0]);
	close(fds[1]);
	power_open("/nonexistent", &none);
	assert_int_equal(none.len, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),	  cmocka_unit_test(test_messages),
		cmocka_unit_test(test_power_key), cmocka_unit_test(test_button),
		cmocka_unit_test(test_deaf),	  cmocka_unit_test(test_crash),
		cmocka_unit_test(test_guest),	  cmocka_unit_test(test_missing),
		cmocka_unit_test(test_real),	  cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_screen),	  cmocka_unit_test(test_tpm),
		cmocka_unit_test(test_several),
	};

	if (argc == 4 && strcmp(argv[1], "fake") == 0)
		return fake_qemu(argv[2], argv[3]);
	this_program = realpath(argv[0], NULL);
	argc = cmocka_run_group_tests(tests, NULL, NULL);
	free(this_program);
	return argc;
}
