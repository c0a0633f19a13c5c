/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes the driver packages of samples/drivers (packs.txt) for tests and the demo. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "samples/package.h"
#include "samples/sign.h"

int64_t sample_time = 1700000000;
uint64_t sample_filetime;

struct made {
	char *name;
	struct buffer data;
};

struct making {
	const char *dir;
	char **only; /* NULL-terminated; empty: all */
	char *pack;  /* folder of the pack being made, NULL if it is not wanted */
	struct vec_of(struct made) files; /* what it has so far, for its catalog */
};

/* Writes a file of the pack and remembers it for the catalog. */
static void put(struct making *m, const char *name, struct buffer *data)
{
	file_put(m->pack, name, buffer_view(data));
	vec_push(&m->files, (struct made){xstrdup(name), *data});
	*data = (struct buffer)BUFFER_INIT;
}

static void forget_files(struct making *m)
{
	vec_foreach (file, &m->files) {
		free(file->name);
		buffer_free(&file->data);
	}
	vec_free(&m->files);
}

/* From LF in the source tree to what Windows' tools write. */
static void put_inf(struct making *m, char *const *words, size_t count)
{
	const char *encoding = word_option(words, count, "encoding");
	const char *from = word_option(words, count, "from");
	_cleanup_free_ char *source =
		xasprintf("%s/drivers/%s", samples_folder(), from ? from : words[1]);
	_cleanup_buffer_ struct buffer text = BUFFER_INIT, crlf = BUFFER_INIT,
				       out = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)file_read(source, 1 << 20, &text, &err);
	die_on(&err);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n')
			buffer_append(&crlf, "\r", 1);
		buffer_append(&crlf, text.data + i, 1);
	}
	buffer_append(&crlf, "", 1);
	crlf.len--;
	if (encoding && strcmp(encoding, "utf-16le") == 0) {
		buffer_append(&out, "\xff\xfe", 2);
		utf16_append(&out, (const char *)crlf.data);
	} else {
		buffer_append(&out, crlf.data, crlf.len);
	}
	put(m, words[1], &out);
}

/* sys PATH ARCH VERSION [unsigned] */
static void put_sys(struct making *m, char *const *words, bool sign, const char *where)
{
	_cleanup_buffer_ struct buffer image = BUFFER_INIT;
	struct pe pe = {.machine = strcmp(words[2], "amd64") == 0   ? MACHINE_AMD64
				   : strcmp(words[2], "arm64") == 0 ? MACHINE_ARM64
								    : MACHINE_X86,
			.kind = PE_DRIVER,
			.name = path_base(words[1]),
			.description = "Example driver",
			.company = "Example",
			.version = parse_version(words[3], where),
			.size = 40000};

	pe_build(&pe, &image);
	if (sign)
		pe_sign(&image, sample_signer());
	put(m, words[1], &image);
}

/* The catalog of what the pack has so far. */
static void put_cat(const struct making *m, const char *name)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	struct catalog_member *members = xcalloc(m->files.len + 1, sizeof(*members));

	for (size_t i = 0; i < m->files.len; i++)
		members[i] =
			(struct catalog_member){path_base(m->files.items[i].name),
						buffer_view(&m->files.items[i].data)};
	catalog_make(&(struct catalog_options){.members = members,
					       .count = m->files.len,
					       .sha1_tags = true,
					       .sign = sample_signer()},
		     &out);
	file_put(m->pack, name, buffer_view(&out));
	free(members);
}

static void pack_line(void *arg, char *line, const char *where)
{
	struct making *m = arg;
	char *words[8];
	size_t count = split_words(line, words, ARRAY_SIZE(words), where);

	if (strcmp(words[0], "pack") == 0 && count == 2) {
		bool wanted = !*m->only;

		for (char **name = m->only; *name; name++)
			wanted |= strcmp(*name, words[1]) == 0;
		free(m->pack);
		forget_files(m);
		m->pack = wanted ? xasprintf("%s/%s", m->dir, words[1]) : NULL;
		if (wanted)
			folder_make(m->dir, words[1]);
	} else if (!m->pack) {
		return;
	} else if (strcmp(words[0], "inf") == 0 && count >= 2) {
		put_inf(m, words, count);
	} else if (strcmp(words[0], "sys") == 0 && count == 4) {
		put_sys(m, words, true, where);
	} else if (strcmp(words[0], "sys") == 0 && count == 5 &&
		   strcmp(words[4], "unsigned") == 0) {
		put_sys(m, words, false, where);
	} else if (strcmp(words[0], "cat") == 0 && count == 2) {
		put_cat(m, words[1]);
	} else {
		die("%s: %s is not understood", where, words[0]);
	}
}

int main(int argc, char **argv)
{
	struct making m = {0};
	struct variables vars = VEC_INIT;

	if (argc < 2 || argv[1][0] == '-') {
		fputs("Usage: mkdrivers DIR [PACK...]    (samples/drivers/README.md "
		      "lists them)\n",
		      stderr);
		return 2;
	}
	if (clock_is_fixed())
		sample_time = clock_now();
	sample_filetime = filetime_from_unix(sample_time);
	m.dir = argv[1];
	m.only = argv + 2;
	if (mkdir(m.dir, 0755) < 0 && access(m.dir, W_OK) < 0)
		die("%s cannot be made", m.dir);
	description_read("drivers/packs.txt", &vars, pack_line, &m);
	folder_times(m.dir);
	free(m.pack);
	forget_files(&m);
	sample_signer_free();
	return 0;
}
