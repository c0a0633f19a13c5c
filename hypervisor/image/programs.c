/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/programs.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define OWN "gild's own programs"
#define LIBRARIES "shared libraries"
#define MAX_PROGRAM ((size_t)64 << 20)
#define QEMU_MODULES "/usr/lib/x86_64-linux-gnu/qemu/"
#define ALSA "/usr/share/alsa/"

/* A path that ends with '/' is a folder with all files in it. */
enum need {
	NEEDED,
	OPTIONAL, /* said to be left out */
	IF_THERE, /* other versions have it inside, or elsewhere */
};
static const struct wanted {
	const char *path, *package, *part;
	enum need need;
	bool program;
} wanted[] = {
	{"/usr/bin/qemu-system-x86_64", "qemu-system-x86", "QEMU", NEEDED, true},
	/* What it loads by itself: sound, USB devices, graphics cards; TCG for tests. */
	{QEMU_MODULES "audio-alsa.so", "qemu-system-common", "QEMU", IF_THERE, true},
	{QEMU_MODULES "hw-usb-host.so", "qemu-system-common", "QEMU", IF_THERE, true},
	{QEMU_MODULES "hw-display-virtio-gpu.so", NULL, "QEMU", IF_THERE, true},
	{QEMU_MODULES "hw-display-virtio-gpu-pci.so", NULL, "QEMU", IF_THERE, true},
	{QEMU_MODULES "hw-display-virtio-vga.so", NULL, "QEMU", IF_THERE, true},
	{QEMU_MODULES "accel-tcg-x86_64.so", NULL, "QEMU", IF_THERE, true},
	{"/usr/share/qemu/kvmvapic.bin", "qemu-system-data", "QEMU", NEEDED, false},
	{"/usr/share/qemu/keymaps/en-us", "qemu-system-data", "QEMU", NEEDED, false},

	{"/usr/share/seabios/bios-256k.bin", "seabios", "SeaBIOS", NEEDED, false},
	{"/usr/share/seabios/vgabios-stdvga.bin", "seabios", "SeaBIOS", NEEDED, false},
	{"/usr/share/seabios/vgabios-virtio.bin", "seabios", "SeaBIOS", NEEDED, false},
	{"/usr/share/seabios/vgabios-cirrus.bin", "seabios", "SeaBIOS", NEEDED, false},
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf", "OVMF", NEEDED, false},
	{"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "ovmf", "OVMF", NEEDED, false},
	{"/usr/share/OVMF/OVMF_VARS_4M.fd", "ovmf", "OVMF", NEEDED, false},
	{"/usr/share/OVMF/OVMF_VARS_4M.ms.fd", "ovmf", "OVMF", NEEDED, false},
	{"/usr/lib/ipxe/qemu/efi-virtio.rom", "ipxe-qemu", "network ROMs", NEEDED, false},
	{"/usr/lib/ipxe/qemu/efi-e1000.rom", "ipxe-qemu", "network ROMs", NEEDED, false},
	{"/usr/lib/ipxe/qemu/efi-e1000e.rom", "ipxe-qemu", "network ROMs", NEEDED, false},
	{"/usr/lib/ipxe/qemu/efi-rtl8139.rom", "ipxe-qemu", "network ROMs", NEEDED,
	 false},
	{"/usr/lib/ipxe/qemu/pxe-virtio.rom", "ipxe-qemu", "network ROMs", NEEDED, false},
	{"/usr/lib/ipxe/qemu/pxe-e1000.rom", "ipxe-qemu", "network ROMs", NEEDED, false},
	{"/usr/lib/ipxe/qemu/pxe-rtl8139.rom", "ipxe-qemu", "network ROMs", NEEDED,
	 false},

	{"/usr/bin/swtpm", "swtpm", "swtpm", NEEDED, true},

	{ALSA "alsa.conf", "libasound2-data", "ALSA", OPTIONAL, false},
	{ALSA "cards/", NULL, "ALSA", IF_THERE, false},
	{ALSA "pcm/", NULL, "ALSA", IF_THERE, false},
	{ALSA "ctl/", NULL, "ALSA", IF_THERE, false},

	{"/usr/sbin/wpa_supplicant", "wpasupplicant", "Wi-Fi and DHCP", OPTIONAL, true},
	{"/usr/lib/firmware/regulatory.db", "wireless-regdb", "Wi-Fi and DHCP", OPTIONAL,
	 false},
	{"/usr/lib/firmware/regulatory.db.p7s", NULL, "Wi-Fi and DHCP", IF_THERE, false},
	{"/usr/sbin/dhcpcd", "dhcpcd-base", "Wi-Fi and DHCP", OPTIONAL, true},
	/* MD4 for the passwords of company networks. */
	{"/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so", NULL, "Wi-Fi and DHCP",
	 IF_THERE, true},
	/* What proves servers of golden images. */
	{"/etc/ssl/certs/ca-certificates.crt", "ca-certificates", "certificates",
	 OPTIONAL, false},
	/* The C library loads it when a thread ends. */
	{"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", "libgcc-s1", LIBRARIES, NEEDED, true},
};

/* Debian before 13 has some of them in /lib and /sbin. */
static char *find(const char *sysroot, const char *path)
{
	char *file = sysroot_file(sysroot, path);

	return file ? file : sysroot_file(sysroot, path + strlen("/usr"));
}

static void add_folder(struct image_files *files, const char *sysroot,
		       const struct wanted *w)
{
	_cleanup_free_ char *folder = xasprintf("%s%s", sysroot, w->path);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = xasprintf("%s%s", w->path, *name);
		_cleanup_free_ char *file = sysroot_file(sysroot, path);

		if (file)
			image_files_source(files, path, file, 0644, w->part);
	}
}

int programs_add(struct image_files *files, const char *sysroot, struct strings *left_out,
		 struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct wanted *w = &wanted[i];
		_cleanup_free_ char *file = NULL;

		if (text_ends_with(w->path, "/")) {
			add_folder(files, sysroot, w);
			continue;
		}
		file = find(sysroot, w->path);
		if (file) {
			image_files_source(files, w->path, file, w->program ? 0755 : 0644,
					   w->part);
		} else if (w->need == OPTIONAL) {
			vec_push(left_out,
				 xasprintf("%s: %s", path_base(w->path), w->package));
		} else if (w->need == NEEDED) {
			error_set(err, ERROR_FAILED, w->path, "is not there");
			return error_remedy(err, "apt-get install %s", w->package);
		}
	}
	return 0;
}

/* ---- gild's own ---- */

/* Beside the program that was built, else where make install puts it. */
static char *find_own(const char *name)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	_cleanup_free_ char *built = NULL, *installed = NULL;

	if (len > 0) {
		const char *folder = name + strlen("gild-");

		self[len] = 0;
		self[path_base(self) - self] = 0;
		built = xasprintf("%shypervisor/%s/%s", self, folder, name);
		if (access(built, X_OK) == 0)
			return steal_ptr(built);
	}
	installed = xasprintf(PKGLIBEXECDIR "/%s", name);
	return access(installed, X_OK) == 0 ? steal_ptr(installed) : NULL;
}

int programs_add_own(struct image_files *files, const char *name, const char *given,
		     const char *target, struct error *err)
{
	_cleanup_free_ char *path = given ? xstrdup(given) : find_own(name);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (!path) {
		error_set(err, ERROR_FAILED, name, "is neither beside gild nor in %s",
			  PKGLIBEXECDIR);
		return error_remedy(err, "build it with gild: make");
	}
	if (file_read(path, MAX_PROGRAM, &data, err) < 0 ||
	    elf_strip(&data, path, err) < 0)
		return -1;
	image_files_bytes(files, target, buffer_view(&data), 0755, OWN);
	return 0;
}

/* ---- libraries ---- */

static int add_libraries_of(struct elf_closure *closure, const struct image_file *file,
			    struct error *err)
{
	_cleanup_(elf_free) struct elf elf = {0};

	if (file->type == IMAGE_SOURCE)
		return elf_closure_add(closure, file->path, file->source, err);
	if (elf_parse(buffer_view(&file->bytes), file->path, &elf, err) < 0)
		return -1;
	return elf_closure_add_parsed(closure, file->path, &elf, err);
}

int programs_add_libraries(struct image_files *files, const char *sysroot,
			   struct error *err)
{
	struct elf_closure closure;
	int result = 0;

	elf_closure_init(&closure, sysroot);
	vec_foreach (file, &files->list) {
		if ((file->type != IMAGE_SOURCE && file->type != IMAGE_BYTES) ||
		    !(file->mode & 0111))
			continue;
		result = add_libraries_of(&closure, file, err);
		if (result < 0)
			break;
	}
	vec_foreach (file, &closure.files)
		if (result == 0)
			image_files_source(files, file->path, file->source, 0755,
					   LIBRARIES);
	elf_closure_free(&closure);
	return result;
}
