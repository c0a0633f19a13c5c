/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define KVM_API 12 /* the only version there is (KVM_GET_API_VERSION) */
const char *kvm_state_name(enum kvm_state state)
{
	static const char *const names[] = {"runs",   "missing", "denied",
					    "broken", "slow",	 "hangs"};

	return names[state];
}

/* What the child sends: a state, then why. */
struct answer {
	uint8_t state;
	char why[200];
};

static struct answer broken(const char *what)
{
	struct answer a = {.state = KVM_BROKEN};

	(void)snprintf(a.why, sizeof(a.why), "%s: %s", what, strerror(errno));
	return a;
}

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#ifdef __x86_64__

/*
 * The guest's memory: three tables that map the first 2 MiB to themselves, then its code.
 * Long mode with paging is what operating systems need; real mode alone runs on hosts on
 * which none of these starts.
 */
#define GUEST_MEMORY 0x5000u
#define PML4_AT 0x1000u
#define PDPT_AT 0x2000u
#define PD_AT 0x3000u
#define GUEST_AT 0x4000u
#define PAGE_TABLE 0x3u	 /* present, writable */
#define PAGE_LARGE 0x83u /* the same, 2 MiB */
#define CR0_PE_PG 0x80000011u
#define CR4_PAE 0x20u
#define EFER_LME_LMA 0x500u
#define GUEST_PORT 0xE9
#define GUEST_ANSWER 0x5A

/*
 * mov $LOOPS, %ecx; 1: mov %rcx, 0x4100; dec %ecx; jnz 1b
 * mov $0x2D, %al; add %al, %al; out %al, $0xE9; hlt
 */
#define LOOPS 0x10000u
static const uint8_t guest_code[] =
	"\xB9\x00\x00\x01\x00\x48\x89\x0C\x25\x00\x41\x00\x00\xFF\xC9\x75\xF4"
	"\xB0\x2D\x00\xC0\xE6\xE9\xF4";

/*
 * Some hosts emulate every instruction of a guest: a kernel would not come up in minutes.
 * So the guest is measured by the same loop outside of it, the best of a few runs each,
 * which load does not disturb. Measured: 250 times slower on a PC that QEMU's TCG
 * emulates, where guests do come up; 25,000 times where they do not.
 */
#define RUNS 5
#define TIMES_SLOWER 2000
#define LONG_ENOUGH 1000000000 /* ns: no further run */

static struct answer wrong_exit(const struct kvm_run *run, bool answered)
{
	struct answer a = {.state = KVM_BROKEN};

	(void)snprintf(a.why, sizeof(a.why), "the probe's guest %s with exit reason %u",
		       answered ? "answered, then stopped" : "stopped", run->exit_reason);
	return a;
}

static int set_registers(int vcpu)
{
	struct kvm_regs regs = {.rip = GUEST_AT, .rflags = 2};
	struct kvm_sregs sregs;
	struct kvm_segment code = {.limit = 0xFFFFFFFF,
				   .selector = 8,
				   .type = 11,
				   .present = 1,
				   .s = 1,
				   .l = 1,
				   .g = 1};

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	sregs.cs = code;
	code.selector = 16;
	code.type = 3;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = code;
	sregs.cr3 = PML4_AT;
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE_PG;
	sregs.efer = EFER_LME_LMA;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0)
		return -1;
	return ioctl(vcpu, KVM_SET_REGS, &regs);
}

static void fill_memory(uint8_t *memory)
{
	put_le64(memory + PML4_AT, PDPT_AT | PAGE_TABLE);
	put_le64(memory + PDPT_AT, PD_AT | PAGE_TABLE);
	put_le64(memory + PD_AT, PAGE_LARGE);
	memcpy(memory + GUEST_AT, guest_code, sizeof(guest_code) - 1);
}

/* Until the guest halts; it must have answered before. */
static struct answer run_guest(int vcpu, const struct kvm_run *run)
{
	bool answered = false;

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			return broken("KVM_RUN");
		}
		if (run->exit_reason == KVM_EXIT_HLT && answered)
			return (struct answer){.state = KVM_RUNS};
		if (run->exit_reason != KVM_EXIT_IO || run->io.port != GUEST_PORT ||
		    ((const uint8_t *)run)[run->io.data_offset] != GUEST_ANSWER)
			return wrong_exit(run, answered);
		answered = true;
	}
}

/* Nanoseconds that the guest's loop takes outside of it. */
static int64_t measure_host(void)
{
	int64_t best = INT64_MAX;
	volatile uint64_t word;

	for (unsigned run = 0; run < RUNS; run++) {
		int64_t begin = now_ns(), took;

		for (uint32_t i = LOOPS; i > 0; i--)
			word = i;
		(void)word;
		took = now_ns() - begin;
		best = took < best ? took : best;
	}
	return best > 0 ? best : 1;
}

static struct answer measure_guest(int vcpu, const struct kvm_run *run)
{
	int64_t host = measure_host(), best = INT64_MAX, start = now_ns();
	struct answer a = {.state = KVM_SLOW};

	for (unsigned n = 0; n < RUNS && now_ns() - start < LONG_ENOUGH; n++) {
		int64_t begin = now_ns(), took;

		if (set_registers(vcpu) < 0)
			return broken("setting registers");
		a = run_guest(vcpu, run);
		took = now_ns() - begin;
		best = took < best ? took : best;
		if (a.state != KVM_RUNS || best / host < TIMES_SLOWER)
			return a;
	}
	a.state = KVM_SLOW;
	(void)snprintf(a.why, sizeof(a.why), "a guest is %lld times slower than the PC",
		       (long long)(best / host));
	return a;
}

static struct answer probe_vcpu(int kvm, int vm)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *run;

	if (vcpu < 0)
		return broken("KVM_CREATE_VCPU");
	if (size < (int)sizeof(*run))
		return broken("KVM_GET_VCPU_MMAP_SIZE");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return broken("mapping the virtual CPU");
	return measure_guest(vcpu, run);
}

static struct answer run_machine(int kvm, int vm)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_MEMORY};
	uint8_t *memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return broken("memory for the guest");
	fill_memory(memory);
	region.userspace_addr = (uint64_t)(uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return broken("KVM_SET_USER_MEMORY_REGION");
	return probe_vcpu(kvm, vm);
}

#else

/* No guest for this processor is at hand: a machine that can be made must do. */
static struct answer run_machine(int kvm _unused_, int vm _unused_)
{
	return (struct answer){.state = KVM_RUNS};
}

#endif

/* In the child: what it opens goes with it. */
static struct answer probe(const char *path)
{
	int kvm = open(path, O_RDWR | O_CLOEXEC), vm;

	if (kvm < 0) {
		struct answer a = broken(path);

		a.state = errno == ENOENT || errno == ENODEV || errno == ENXIO
				  ? KVM_MISSING
				  : KVM_DENIED;
		return a;
	}
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API)
		return broken("KVM_GET_API_VERSION");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	return vm < 0 ? broken("KVM_CREATE_VM") : run_machine(kvm, vm);
}

static int64_t now_ms(void)
{
	return now_ns() / 1000000;
}

/* True if the child's answer came in time; 0 bytes mean that it died. */
static bool wait_answer(int fd, unsigned ms, struct answer *ret, ssize_t *len)
{
	int64_t end = now_ms() + ms;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		*len = read(fd, ret, sizeof(*ret));
		return true;
	}
}

/* A child that the kernel does not let go is left behind rather than waited for. */
static int reap(pid_t pid)
{
	int status = 0;

	(void)kill(pid, SIGKILL);
	for (unsigned i = 0; i < 100; i++) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid || (got < 0 && errno != EINTR))
			break;
		(void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	return status;
}

enum kvm_state kvm_probe(const char *root, unsigned ms, char **why)
{
	_cleanup_free_ char *path = xasprintf("%s/dev/kvm", root);
	struct answer answer = {0};
	int fds[2], status;
	ssize_t len = 0;
	bool in_time;
	pid_t pid;

	*why = NULL;
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		*why = xasprintf("the probe cannot be started: %s", strerror(errno));
		return KVM_BROKEN;
	}
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer = probe(path);
		(void)!write(fds[1], &answer, sizeof(answer));
		_exit(0);
	}
	close(fds[1]);
	in_time = wait_answer(fds[0], ms, &answer, &len);
	close(fds[0]);
	status = reap(pid);
	if (!in_time) {
		*why = xasprintf("the probe's guest did not end within %u ms", ms);
		return KVM_HANGS;
	}
	if (len != (ssize_t)sizeof(answer) || answer.state > KVM_HANGS) {
		*why = xasprintf("the probe ended by signal %d",
				 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		return KVM_BROKEN;
	}
	answer.why[sizeof(answer.why) - 1] = 0;
	if (answer.state != KVM_RUNS)
		*why = xstrdup(answer.why);
	return (enum kvm_state)answer.state;
}
