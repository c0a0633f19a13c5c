/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Applies an image of a WIM to a new volume in a file:
 *
 *   applytool [OPTION...] WIM INDEX VOLUME
 *
 * VOLUME is made, sparse. Options: --size=BYTES (else what is needed and 64 MiB),
 * --sector=4096, --hidden=SECTORS, --label=TEXT, --threads=N, --compact, --need (prints
 * the size that is needed, and does no more). Prints "allocated content compacted".
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "tree/files.h"

struct request {
	struct ntfs_build_options options;
	uint64_t size;
	uint32_t sector;
	bool need;
};

static int fail(const struct error *err)
{
	char *message = error_message(err);

	fprintf(stderr, "applytool: %s\n", message);
	free(message);
	return 1;
}

static int apply(const struct request *request, struct files *files, const char *path,
		 struct error *err)
{
	struct ntfs_build_result result;
	struct block *block;
	uint64_t size = request->size;
	int fd, status;

	if (!size)
		size = ntfs_build_size(files, request->sector, &request->options) +
		       (64u << 20);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, path, "cannot make it");
	close(fd);
	block = block_file_open(path, true, 0, err);
	if (!block)
		return -1;
	block->sector_size = request->sector;
	status = ntfs_build(block, files, &request->options, &result, err);
	block_close(block);
	if (status == 0)
		printf("%ju %ju %ju\n", (uintmax_t)result.allocated,
		       (uintmax_t)result.content, (uintmax_t)result.compacted);
	return status;
}

static int run(const struct request *request, char **args, struct error *err)
{
	_cleanup_image_ struct image *image =
		image_open(args[0], &(struct image_options){0}, err);
	_cleanup_files_ struct files *files = NULL;

	if (!image)
		return -1;
	files = files_of_wim(image, (size_t)atoi(args[1]) - 1, err);
	if (!files)
		return -1;
	if (!request->need)
		return apply(request, files, args[2], err);
	printf("%ju\n",
	       (uintmax_t)ntfs_build_size(files, request->sector, &request->options));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"size", required_argument, NULL, 's'},
						{"sector", required_argument, NULL, 'S'},
						{"hidden", required_argument, NULL, 'h'},
						{"label", required_argument, NULL, 'l'},
						{"threads", required_argument, NULL, 't'},
						{"compact", no_argument, NULL, 'c'},
						{"need", no_argument, NULL, 'n'},
						{0}};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct request request = {.sector = 512};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 's')
			request.size = strtoull(optarg, NULL, 0);
		else if (option == 'S')
			request.sector = (uint32_t)atoi(optarg);
		else if (option == 'h')
			request.options.hidden_sectors = strtoull(optarg, NULL, 0);
		else if (option == 'l')
			request.options.label = optarg;
		else if (option == 't')
			files_set_threads((unsigned)atoi(optarg));
		else if (option == 'c')
			request.options.compact = true;
		else if (option == 'n')
			request.need = true;
		else
			return 2;
	}
	if (argc - optind < (request.need ? 2 : 3))
		return 2;
	return run(&request, argv + optind, &err) < 0 ? fail(&err) : 0;
}
