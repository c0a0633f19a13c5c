/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program: options, and which trees go where. samples/README.md is its manual. */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "samples/sample.h"

/* The day the sample was made: a plain constant, so that every run gives the same bytes.
 */
int64_t sample_time = 1700000000;
uint64_t sample_filetime;

struct request {
	struct sample sample;
	const char *compression;
	unsigned images;
	bool plain; /* no security descriptors */
	struct disk disk;
};

static _Noreturn void usage(int code)
{
	fputs("Usage: mksample tree DIR [OPTION]...     a folder with a sample Windows\n"
	      "       mksample wim FILE [OPTION]...     a WIM with it\n"
	      "       mksample media DIR [OPTION]...    the folder of a setup ISO\n"
	      "       mksample disk FILE [OPTION]...    a raw disk with it\n\n"
	      "  --windows=xp|2003|vista|7|server2008r2|8.1|10|11|server2022  (10)\n"
	      "  --arch=amd64|x86|arm64          (amd64)\n"
	      "  --hal=ID                        xp, 2003: acpipic_up, acpiapic_mp, ...\n"
	      "  --edition=ID                    EditionID: Professional, Core, ...\n"
	      "  --generalized                   as after sysprep\n"
	      "  --pe                            Windows PE\n"
	      "  --oem                           with third-party packages in its store\n"
	      "  --winre                         with System32/Recovery/Winre.wim\n"
	      "  --control-sets=N                (2)\n"
	      "  --system=FILE                   this SYSTEM hive, with FILE.LOG1 and "
	      ".LOG2\n"
	      "  --files=N --size=BYTES          so many files more\n"
	      "WIM:\n"
	      "  --images=N                      editions of one Windows (1; media: 2)\n"
	      "  --compress=none|XPRESS|LZX|LZMS (XPRESS)\n"
	      "  --plain                         no security descriptors, quicker\n"
	      "Disk:\n"
	      "  --table=gpt|mbr|none            (gpt)\n"
	      "  --volume-size=BYTES             of each Windows volume (67108864)\n"
	      "  --sector-size=512|4096          (512)\n"
	      "  --system-volume                 MBR: the boot manager on a volume of "
	      "its "
	      "own\n"
	      "  --images=N                      so many Windows, each on its volume "
	      "(1)\n",
	      code ? stderr : stdout);
	exit(code);
}

static char *scratch_folder(void)
{
	struct error err = ERROR_INIT;
	char *folder = temp_folder_make(NULL, &err);

	die_on(&err);
	return folder;
}

static void make_winre(const struct request *request, const char *dir)
{
	_cleanup_free_ char *pe = scratch_folder(), *wim = NULL;
	struct sample s = request->sample;
	struct wim_image image = {.dir = pe,
				  .name = "Microsoft Windows Recovery Environment",
				  .descriptors = !request->plain};

	s.pe = true;
	s.winre = s.oem = s.generalized = false;
	s.files = s.bytes = 0;
	s.control_sets = 1;
	s.dir = pe;
	sample_tree(&s);
	folder_make(dir, "Windows/System32/Recovery");
	wim = xasprintf("%s/Windows/System32/Recovery/Winre.wim", dir);
	wim_write(wim, &image, 1, "LZX", 1);
	file_put(dir, "Windows/System32/Recovery/ReAgent.xml",
		 (struct bytes){
			 (const uint8_t *)"<?xml version='1.0' encoding='utf-8'?>\r\n",
			 40});
	folder_times(dir);
}

static void make_tree(const struct request *request, const char *dir, const char *edition,
		      bool padded)
{
	struct sample s = request->sample;

	s.dir = dir;
	if (edition)
		s.edition = edition;
	if (!padded)
		s.files = s.bytes = 0;
	sample_tree(&s);
	if (s.winre && !s.pe)
		make_winre(request, dir);
}

/* The editions of one medium; a server's are its own. */
static const char *edition_of(const struct request *request, unsigned i)
{
	static const char *const client[] = {"Professional", "Core", "Enterprise"};
	static const char *const server[] = {"ServerStandard", "ServerDatacenter"};

	if (i == 0 && request->sample.edition)
		return request->sample.edition;
	if (strcmp(request->sample.windows, "server2022") == 0)
		return server[i % ARRAY_SIZE(server)];
	return client[i % ARRAY_SIZE(client)];
}

static char *image_name(const struct request *request, const char *edition)
{
	if (request->sample.pe)
		return xstrdup("Microsoft Windows PE");
	return xasprintf("Windows %s %s", request->sample.windows, edition);
}

static void make_wim(const struct request *request, const char *path)
{
	_cleanup_free_ struct wim_image *images =
		xcalloc(request->images, sizeof(*images));
	_cleanup_free_ char *padding = NULL;

	if (request->sample.files && !request->plain) {
		padding = scratch_folder();
		padding_make(padding, request->sample.files, request->sample.bytes);
		folder_times(padding);
	}
	for (unsigned i = 0; i < request->images; i++) {
		const char *edition = edition_of(request, i);
		char *dir = scratch_folder();

		make_tree(request, dir, request->sample.pe ? NULL : edition,
			  request->plain);
		images[i] = (struct wim_image){.dir = dir,
					       .name = image_name(request, edition),
					       .descriptors = !request->plain,
					       .padding = padding};
	}
	wim_write(path, images, request->images, request->compression,
		  request->sample.pe);
	for (unsigned i = 0; i < request->images; i++) {
		free((char *)images[i].dir);
		free((char *)images[i].name);
	}
}

/* boot.wim: Windows PE, then Windows Setup, which is what the medium starts. */
static void make_boot_wim(const struct request *request, const char *path)
{
	struct wim_image images[2] = {
		{.name = "Microsoft Windows PE", .descriptors = !request->plain},
		{.name = "Microsoft Windows Setup", .descriptors = !request->plain}};

	for (int i = 0; i < 2; i++) {
		struct sample s = request->sample;

		s.pe = true;
		s.setup = i == 1;
		s.oem = s.winre = s.generalized = false;
		s.files = s.bytes = 0;
		s.control_sets = 1;
		s.dir = images[i].dir = scratch_folder();
		sample_tree(&s);
	}
	wim_write(path, images, 2, "LZX", 2);
	free((char *)images[0].dir);
	free((char *)images[1].dir);
}

static void make_media(struct request *request, const char *dir)
{
	_cleanup_free_ char *boot = xasprintf("%s/sources/boot.wim", dir);
	_cleanup_free_ char *install = xasprintf("%s/sources/install.wim", dir);
	static const char *const files[] = {"setup.exe",
					    "bootmgr",
					    "bootmgr.efi",
					    "boot/bcd",
					    "boot/boot.sdi",
					    "efi/boot/bootx64.efi",
					    "efi/microsoft/boot/bcd",
					    "sources/setup.exe"};

	folder_make(dir, "sources");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct noise noise = noise_seed(files[i]);
		uint8_t data[20000];

		noise_fill(&noise, data, sizeof(data));
		file_put(dir, files[i], (struct bytes){data, sizeof(data)});
	}
	request->sample.generalized = true;
	make_boot_wim(request, boot);
	make_wim(request, install);
	folder_times(dir);
}

static void make_disk(const struct request *request, const char *path)
{
	_cleanup_free_ char **dirs = xcalloc(request->images, sizeof(*dirs));
	struct disk disk = request->disk;

	for (unsigned i = 0; i < request->images; i++) {
		const char *edition = edition_of(request, i);

		dirs[i] = scratch_folder();
		make_tree(request, dirs[i], request->sample.pe ? NULL : edition, true);
	}
	disk.dirs = (const char *const *)dirs;
	disk.count = request->images;
	disk_make(path, &disk);
	for (unsigned i = 0; i < request->images; i++)
		free(dirs[i]);
}

enum {
	OPT_WINDOWS = 256,
	OPT_ARCH,
	OPT_EDITION,
	OPT_HAL,
	OPT_GENERALIZED,
	OPT_PE,
	OPT_OEM,
	OPT_WINRE,
	OPT_SETS,
	OPT_SYSTEM,
	OPT_FILES,
	OPT_SIZE,
	OPT_IMAGES,
	OPT_COMPRESS,
	OPT_PLAIN,
	OPT_TABLE,
	OPT_VOLUME_SIZE,
	OPT_SECTOR_SIZE,
	OPT_SYSTEM_VOLUME,
	OPT_HELP
};

static const struct option options[] = {
	{"windows", required_argument, NULL, OPT_WINDOWS},
	{"arch", required_argument, NULL, OPT_ARCH},
	{"hal", required_argument, NULL, OPT_HAL},
	{"edition", required_argument, NULL, OPT_EDITION},
	{"generalized", no_argument, NULL, OPT_GENERALIZED},
	{"pe", no_argument, NULL, OPT_PE},
	{"oem", no_argument, NULL, OPT_OEM},
	{"winre", no_argument, NULL, OPT_WINRE},
	{"control-sets", required_argument, NULL, OPT_SETS},
	{"system", required_argument, NULL, OPT_SYSTEM},
	{"files", required_argument, NULL, OPT_FILES},
	{"size", required_argument, NULL, OPT_SIZE},
	{"images", required_argument, NULL, OPT_IMAGES},
	{"compress", required_argument, NULL, OPT_COMPRESS},
	{"plain", no_argument, NULL, OPT_PLAIN},
	{"table", required_argument, NULL, OPT_TABLE},
	{"volume-size", required_argument, NULL, OPT_VOLUME_SIZE},
	{"sector-size", required_argument, NULL, OPT_SECTOR_SIZE},
	{"system-volume", no_argument, NULL, OPT_SYSTEM_VOLUME},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static void set_option(struct request *r, int option, const char *value)
{
	switch (option) {
	case OPT_WINDOWS:
		r->sample.windows = value;
		break;
	case OPT_ARCH:
		r->sample.arch = value;
		break;
	case OPT_HAL:
		r->sample.hal = value;
		break;
	case OPT_EDITION:
		r->sample.edition = value;
		break;
	case OPT_GENERALIZED:
		r->sample.generalized = true;
		break;
	case OPT_PE:
		r->sample.pe = true;
		break;
	case OPT_OEM:
		r->sample.oem = true;
		break;
	case OPT_WINRE:
		r->sample.winre = true;
		break;
	case OPT_SETS:
		r->sample.control_sets = (unsigned)parse_number(value, "--control-sets");
		break;
	case OPT_SYSTEM:
		r->sample.system_file = value;
		break;
	case OPT_FILES:
		r->sample.files = parse_number(value, "--files");
		break;
	case OPT_SIZE:
		r->sample.bytes = parse_number(value, "--size");
		break;
	case OPT_IMAGES:
		r->images = (unsigned)parse_number(value, "--images");
		break;
	case OPT_COMPRESS:
		r->compression = value;
		break;
	case OPT_PLAIN:
		r->plain = true;
		break;
	case OPT_TABLE:
		r->disk.table = value;
		break;
	case OPT_VOLUME_SIZE:
		r->disk.volume_size = parse_number(value, "--volume-size");
		break;
	case OPT_SECTOR_SIZE:
		r->disk.sector_size = (unsigned)parse_number(value, "--sector-size");
		break;
	case OPT_SYSTEM_VOLUME:
		r->disk.system_volume = true;
		break;
	default:
		usage(option == OPT_HELP ? 0 : 2);
	}
}

int main(int argc, char **argv)
{
	struct request request = {
		.sample = {.windows = "10", .control_sets = 2},
		.compression = "XPRESS",
		.disk = {.table = "gpt", .volume_size = 64 << 20, .sector_size = 512}};
	const char *kind, *path;
	int option;

	if (clock_is_fixed())
		sample_time = clock_now();
	sample_filetime = filetime_from_unix(sample_time);
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		set_option(&request, option == 'h' ? OPT_HELP : option, optarg);
	if (!request.sample.arch)
		request.sample.arch =
			sample_is_nt5(request.sample.windows) ? "x86" : "amd64";
	if (argc - optind != 2)
		usage(2);
	kind = argv[optind];
	path = argv[optind + 1];
	if (strcmp(kind, "tree") == 0) {
		if (mkdir(path, 0755) < 0 && access(path, W_OK) < 0)
			die("%s cannot be made", path);
		make_tree(&request, path, NULL, true);
	} else if (strcmp(kind, "wim") == 0) {
		if (request.images == 0)
			request.images = 1;
		make_wim(&request, path);
	} else if (strcmp(kind, "media") == 0) {
		if (request.images == 0)
			request.images = 2;
		if (mkdir(path, 0755) < 0 && access(path, W_OK) < 0)
			die("%s cannot be made", path);
		make_media(&request, path);
	} else if (strcmp(kind, "disk") == 0) {
		if (request.images == 0)
			request.images = 1;
		make_disk(&request, path);
	} else {
		usage(2);
	}
	return 0;
}
