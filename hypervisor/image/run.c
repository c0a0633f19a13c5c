/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/run.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "block/container.h"
#include "block/partition.h"
#include "image/media.h"

#define OVMF "/usr/share/OVMF/OVMF_"
#define DEFAULT_MEMORY (2 * MEDIA_GIB)
#define LARGE_MEMORY (4 * MEDIA_GIB)
#define WINDOWS_11 22000

const char *run_what_name(enum run_what what)
{
	static const char *const names[] = {"stick", "iso", "folder", "image"};

	return names[what];
}

void run_plan_free(struct run_plan *plan)
{
	free(plan->why);
	strings_free(&plan->argv);
}

static void add(struct run_plan *plan, const char *argument)
{
	strings_push(&plan->argv, argument);
}

static void add_text(struct run_plan *plan, const char *option, char *value)
{
	add(plan, option);
	vec_push(&plan->argv, value);
}

/* In QEMU's options a comma is written twice. The caller's. */
static char *quoted(const char *path)
{
	struct buffer b = BUFFER_INIT;

	for (const char *p = path; *p; p++)
		buffer_append(&b, *p == ',' ? ",," : p, *p == ',' ? 2 : 1);
	return buffer_steal_string(&b);
}

/* ---- what it is ---- */

/* A raw disk with a root partition of ours. */
static int is_stick(const char *path, bool *ret, struct error *err)
{
	_cleanup_block_ struct block *disk = block_file_open(path, false, 0, err);
	_cleanup_partition_table_ struct partition_table table = {0};
	struct guid root;

	*ret = false;
	if (!disk)
		return -1;
	(void)guid_parse(LAYOUT_TYPE_ROOT, &root);
	if (partition_table_read(disk, &table, NULL) < 0)
		return 0;
	vec_foreach (p, &table.partitions)
		if (guid_equal(&p->type, &root))
			*ret = true;
	return 0;
}

static int recognise(const char *path, enum run_what *ret, struct error *err)
{
	_cleanup_free_ char *kernel = xasprintf("%s/vmlinuz", path);
	struct stat st;
	bool stick;

	if (stat(path, &st) < 0)
		return error_errno(err, path, "cannot be opened");
	*ret = RUN_GOLDEN;
	if (S_ISDIR(st.st_mode)) {
		*ret = RUN_FOLDER;
		if (access(kernel, R_OK) == 0)
			return 0;
		error_set(err, ERROR_USAGE, path, "was not made by gild pack");
		return error_remedy(err, "give a stick, an ISO, a folder that gild pack "
					 "made, or a golden image");
	}
	if (text_ends_with(path, ".iso")) {
		*ret = RUN_ISO;
		return 0;
	}
	if (is_stick(path, &stick, err) < 0)
		return -1;
	if (stick)
		*ret = RUN_STICK;
	return 0;
}

/* ---- the PC ---- */

static int add_firmware(struct run_plan *plan, enum run_firmware firmware,
			struct error *err)
{
	bool secure = firmware == RUN_UEFI_SECURE;
	const char *code = secure ? OVMF "CODE_4M.ms.fd" : OVMF "CODE_4M.fd";
	const char *variables = secure ? OVMF "VARS_4M.ms.fd" : OVMF "VARS_4M.fd";

	add_text(plan, "-machine", xasprintf("q35%s", secure ? ",smm=on" : ""));
	if (firmware == RUN_BIOS)
		return 0;
	if (access(code, R_OK) < 0 || access(variables, R_OK) < 0) {
		error_errno(err, code, "cannot be read");
		return error_remedy(err, "install the Debian package ovmf, or give "
					 "--firmware=bios");
	}
	if (secure)
		add_text(plan, "-global",
			 xstrdup("driver=cfi.pflash01,property=secure,value=on"));
	add_text(plan, "-drive",
		 xasprintf("if=pflash,unit=0,format=raw,readonly=on,file=%s", code));
	/* Its variables are those of a new PC each time. */
	add_text(plan, "-drive",
		 xasprintf("if=pflash,unit=1,format=raw,snapshot=on,file=%s", variables));
	return 0;
}

static void add_accelerator(struct run_plan *plan)
{
	plan->kvm = kvm_probe("", KVM_PROBE_MS, &plan->why);
	if (plan->kvm == KVM_RUNS) {
		add_text(plan, "-accel", xstrdup("kvm"));
		add_text(plan, "-cpu", xstrdup("host"));
		return;
	}
	/* A CPU with SVM: KVM runs inside all the same, if slowly. */
	add_text(plan, "-accel", xstrdup("tcg,thread=multi"));
	add_text(plan, "-cpu", xstrdup("max,+svm"));
}

static void add_drive(struct run_plan *plan, const struct run_options *o,
		      const char *format, const char *device)
{
	_cleanup_free_ char *path = quoted(o->path);

	add_text(plan, "-drive",
		 xasprintf("if=none,id=disk,format=%s,%s,file=%s", format,
			   plan->what == RUN_ISO ? "readonly=on"
			   : o->write		 ? "snapshot=off"
						 : "snapshot=on",
			   path));
	add_text(plan, "-device", xasprintf("%s,drive=disk,bootindex=1", device));
}

/*
 * QEMU serves the folder by TFTP to the iPXE in the ROM of a network card. Shim does not
 * get on with that (docs/hypervisor.md, "Traps"): under Secure Boot the card has no ROM,
 * and OVMF's own driver loads shim.
 */
static void add_folder(struct run_plan *plan, const char *path,
		       enum run_firmware firmware)
{
	_cleanup_free_ char *folder = quoted(path);
	bool secure = firmware == RUN_UEFI_SECURE;

	add_text(plan, "-netdev",
		 xasprintf("user,id=boot,tftp=%s,bootfile=%s", folder,
			   secure ? "bootx64.efi" : "boot.ipxe"));
	add_text(plan, "-device",
		 xasprintf("virtio-net-pci,netdev=boot,bootindex=1%s",
			   secure ? ",romfile=" : ""));
}

static const char *qemu_format(const struct container *container)
{
	switch (container->format) {
	case CONTAINER_QCOW2:
		return "qcow2";
	case CONTAINER_VHD:
		return "vpc";
	case CONTAINER_VHDX:
		return "vhdx";
	case CONTAINER_VMDK:
		return "vmdk";
	default:
		return "raw";
	}
}

static const char *device_of(const char *storage)
{
	if (!storage)
		return "ide-hd,bus=ide.0";
	if (strcmp(storage, "virtio-blk") == 0)
		return "virtio-blk-pci";
	return strcmp(storage, "virtio-scsi") == 0 ? "scsi-hd,bus=scsi.0"
						   : "ide-hd,bus=ide.0";
}

/* ---- a golden image ---- */

static int learn(const struct run_options *o, struct golden *golden, struct error *err)
{
	struct strings words = VEC_INIT;
	struct golden_options options = {
		.image = o->image, .words = &words, .force = true};
	_cleanup_error_ struct error why = ERROR_INIT;
	int result = golden_open(o->path, &options, golden, &why);

	if (result == 0 || why.code != ERROR_USAGE)
		return result < 0 ? error_move(err, &why) : 0;
	/* What is no Windows starts like one, by what its disk looks like. */
	golden_release(golden);
	strings_push(&words, "windows=10.0.0");
	result = golden_open(o->path, &options, golden, err);
	strings_free(&words);
	return result;
}

static int add_golden(struct run_plan *plan, const struct run_options *o,
		      struct golden *golden, struct error *err)
{
	struct container container = {0};
	const char *storage = golden_word(golden, "storage");

	if (container_probe(o->path, o->image->allow_backing, &container, err) < 0)
		return -1;
	if (storage && strcmp(storage, "virtio-scsi") == 0)
		add_text(plan, "-device", xstrdup("virtio-scsi-pci,id=scsi"));
	add_drive(plan, o, qemu_format(&container), device_of(storage));
	container_free(&container);
	return 0;
}

static bool starts_by_bios(const struct golden *golden)
{
	const char *firmware = golden_word(golden, "firmware");

	return firmware && strcmp(firmware, "bios") == 0;
}

static uint64_t memory_for(const struct run_options *o, const struct golden *golden)
{
	const char *version = golden->name ? golden_word(golden, "windows") : NULL;
	const char *build = version ? strrchr(version, '.') : NULL;

	if (o->memory)
		return o->memory;
	return build && strtoul(build + 1, NULL, 10) >= WINDOWS_11 ? LARGE_MEMORY
								   : DEFAULT_MEMORY;
}

static int plan(const struct run_options *o, struct golden *golden, struct run_plan *ret,
		struct error *err)
{
	enum run_firmware firmware = o->firmware;

	if (ret->what == RUN_GOLDEN && learn(o, golden, err) < 0)
		return -1;
	if (firmware == RUN_CHOSEN)
		firmware = ret->what == RUN_GOLDEN && starts_by_bios(golden) ? RUN_BIOS
									     : RUN_UEFI;
	add(ret, "qemu-system-x86_64");
	add(ret, "-nodefaults");
	if (add_firmware(ret, firmware, err) < 0)
		return -1;
	add_accelerator(ret);
	add_text(ret, "-m",
		 xasprintf("%juM", (uintmax_t)(memory_for(o, golden) / MEDIA_MIB)));
	add_text(ret, "-smp", xstrdup("2"));
	add_text(ret, "-vga", xstrdup("std"));
	add_text(ret, "-serial", xstrdup(o->serial ? o->serial : "vc"));
	add_text(ret, "-device", xstrdup("qemu-xhci,id=xhci"));
	add_text(ret, "-device", xstrdup("usb-tablet,bus=xhci.0"));
	add_text(ret, "-nic", xstrdup("user,model=e1000e"));
	if (o->display)
		add_text(ret, "-display", xstrdup(o->display));
	switch (ret->what) {
	case RUN_STICK:
		add_drive(ret, o, "raw", "usb-storage,bus=xhci.0");
		return 0;
	case RUN_ISO:
		add_drive(ret, o, "raw", "ide-cd,bus=ide.0");
		return 0;
	case RUN_FOLDER:
		add_folder(ret, o->path, firmware);
		return 0;
	default:
		return add_golden(ret, o, golden, err);
	}
}

int run_plan_make(const struct run_options *o, struct run_plan *ret, struct error *err)
{
	struct golden golden = {0};
	int result;

	if (recognise(o->path, &ret->what, err) < 0)
		return -1;
	result = plan(o, &golden, ret, err);
	golden_release(&golden);
	return result;
}
