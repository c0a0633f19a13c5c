/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gild-init: PID 1 of the bare-metal image, and on any other machine a program that says
 * what its verdict would be there: gild-init [root=DIR] [profiles=FILE] KEY=VALUE...
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "init/helper.h"
#include "init/mounts.h"
#include "init/network.h"
#include "init/root.h"
#include "init/session.h"

#define MIN_FREE_KIB "16384"

static FILE *log_file; /* NULL: not open yet */

/* The screen is the console's, whatever it is; the log stays for the status overlay. */
static void say(const char *line)
{
	printf("gild: %s\n", line);
	(void)fflush(stdout);
	if (!log_file)
		return;
	fprintf(log_file, "%s\n", line);
	(void)fflush(log_file);
}

static void say_error(const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	say(text);
}

/* ---- PID 1 ---- */

/* Ctrl-Alt-Del and the signals that end other programs press the power button. */
static int watch_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGPWR);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)reboot(RB_DISABLE_CAD);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		(void)dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void write_verdict(const struct session *s)
{
	_cleanup_free_ char *text = verdict_text(&s->verdict, &s->question);
	const char *at = text;

	session_write_verdict(s);
	/* Its lines have our name before them already. */
	for (size_t len; *at; at += len + (at[len] != 0)) {
		_cleanup_free_ char *line = NULL;

		len = strcspn(at, "\n");
		line = xstrndup(at, len);
		say(strncmp(line, "gild: ", 6) == 0 ? line + 6 : line);
	}
}

/*
 * The kernel asks for modules by itself: file systems, checksums, code pages. There is no
 * modprobe but this program, which it then starts as PROGRAM -q -- NAME.
 */
static void become_modprobe(void)
{
	_cleanup_free_ char *program = helper_self();
	int fd = open("/proc/sys/kernel/modprobe", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && program)
		(void)!write(fd, program, strlen(program));
	closep(&fd);
}

/*
 * For huge pages the kernel keeps 66 MiB and more free, whatever the PC has. The guest
 * gets these pages before there is anything else that wants them.
 */
static void spare_memory(void)
{
	int fd = open("/proc/sys/vm/min_free_kbytes", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, MIN_FREE_KIB, strlen(MIN_FREE_KIB));
	closep(&fd);
}

static bool is_modprobe(int argc, char **argv)
{
	return argc == 4 && strcmp(argv[1], "-q") == 0 && strcmp(argv[2], "--") == 0;
}

static int modprobe(const char *name)
{
	struct coldplug c = {.root = ""};
	int result =
		coldplug_load(&c, &name, 1, NULL) < 0 || c.failed.len || !c.loaded.len;

	coldplug_free(&c);
	return result;
}

/* Drivers that the machine itself needs before it can be judged. */
static int load_early(struct session *s, struct error *err)
{
	const char *names[] = {"qemu_fw_cfg", root_kvm_module()};

	return coldplug_load(&s->coldplug, names, names[1] ? 2 : 1, err);
}

/* The plan keeps drivers off what goes to the guest; the verdict comes after them. */
static int decide(struct session *s, struct error *err)
{
	if (load_early(s, err) < 0 || session_read_facts(s, ROOT_FACTS, err) < 0 ||
	    session_configure(s, SESSION_CONFIG, "/proc/cmdline", SESSION_PROFILES, err) <
		    0 ||
	    session_judge(s, err) < 0 || session_drivers(s, err) < 0)
		return -1;
	machine_refresh("", &s->machine);
	if (session_judge(s, err) < 0)
		return -1;
	return s->verdict.mode == VERDICT_NATIVE ? session_find_native(s, err) : 0;
}

static _Noreturn void end(bool restart)
{
	say(restart ? "the PC restarts" : "off");
	sync();
	mounts_end("/state");
	mounts_end("/media");
	(void)reboot(restart ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		(void)pause();
}

static int begin(int *stop_fd, struct error *err)
{
	int result;

	(void)umask(022);
	result = mounts_kernel("", NULL, err);
	open_console();
	*stop_fd = watch_signals();
	(void)mkdir(SESSION_RUN, 0755);
	log_file = fopen(SESSION_RUN "/log", "ae");
	become_modprobe();
	spare_memory();
	(void)setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1);
	return result;
}

/*
 * Goes to the root file system that the kernel's command line names, if it names one.
 * This program goes on as it is: what is of the initramfs and mapped stays in memory, so
 * that nothing of it is read from a medium that may be pulled out at any time.
 */
static int first_stage(int stop_fd, struct error *err)
{
	_cleanup_options_ struct options o = OPTIONS_INIT;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *cmdline = NULL;
	int result;

	if (file_read("/proc/cmdline", OPTIONS_MAX_TEXT, &data, err) < 0)
		return -1;
	cmdline = buffer_steal_string(&data);
	if (options_add_cmdline(&o, cmdline, err) < 0)
		return -1;
	if (!options_get(&o, "root"))
		return 0;
	result = root_switch(&o, say, stop_fd, err);
	if (result == 1)
		end(false);
	return result;
}

static _Noreturn void run_pid1(void)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct evdevs buttons = VEC_INIT;
	struct session s;
	bool failed = true, restart = false;
	int stop_fd, result;

	result = begin(&stop_fd, &err);
	if (result == 0)
		result = first_stage(stop_fd, &err);
	/* efivarfs is a module, which could not be asked for before. */
	if (result == 0)
		result = mounts_kernel("", NULL, &err);
	session_init(&s, "", say);
	if (result == 0)
		result = decide(&s, &err);
	power_open("", &buttons);
	if (result == 0) {
		write_verdict(&s);
		if (s.verdict.mode != VERDICT_NATIVE) {
			result = session_run(&s, &buttons, stop_fd, &failed, &err);
		} else {
			/* What the PC lacks, another version would not have either. */
			session_came_up(&s);
			result = session_native(&s, &restart, &err);
		}
	}
	if (result < 0) {
		/* What was found out since then. */
		if (s.question.machine)
			session_write_verdict(&s);
		say_error(&err);
	}
	if (failed && !restart)
		restart = session_wait(&s, &buttons, stop_fd);
	coldplug_stop(&s.coldplug);
	end(restart);
}

/* ---- any other machine ---- */

static int print_verdict(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	const char *root = "", *profiles = NULL;
	_cleanup_free_ char *json = NULL, *cmdline = NULL;
	struct session s;
	int result = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "root=", 5) == 0)
			root = argv[i] + 5;
		else if (strncmp(argv[i], "profiles=", 9) == 0)
			profiles = argv[i] + 9;
	}
	session_init(&s, root, say);
	cmdline = xasprintf("%s/proc/cmdline", root);
	result = session_configure(&s, NULL, cmdline, profiles, &err);
	for (int i = 1; i < argc && result == 0; i++)
		if (strncmp(argv[i], "root=", 5) != 0 &&
		    strncmp(argv[i], "profiles=", 9) != 0)
			result = session_add_words(&s, argv[i], "command line", &err);
	if (result == 0)
		result = session_judge(&s, &err);
	if (result == 0) {
		json = verdict_json(&s.verdict, &s.question);
		printf("%s\n", json);
	} else {
		_cleanup_free_ char *text = error_message(&err);

		fprintf(stderr, "gild-init: %s\n", text);
	}
	session_free(&s);
	return result < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		run_pid1();
	if (network_is_lease(argc))
		return network_lease(NETWORK_RESOLV_CONF);
	if (is_modprobe(argc, argv))
		return modprobe(argv[3]);
	return print_verdict(argc, argv);
}
