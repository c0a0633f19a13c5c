/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Driver packages that are in the sample from the start. One description of a package
 * (inbox.txt) becomes all of it: the INF, the driver files, the folder of the driver
 * store, the service keys and the driver database as Windows' own hives have them.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/guid.h"
#include "samples/package.h"
#include "samples/sign.h"

/* Folder names of the driver store end in this: h = h * 39 + byte over the INF's bytes.
 */
static void store_hash(const struct buffer *inf, char text[17])
{
	uint64_t h = 0;

	for (size_t i = 0; i < inf->len; i++)
		h = h * 39 + inf->data[i];
	for (size_t i = 0; i < 8; i++)
		sprintf(text + 2 * i, "%02x", (unsigned)(h >> (8 * i)) & 0xff);
}

static uint64_t parse_date(const char *text, const char *where)
{
	int month, day, year;
	uint64_t t = 0;

	if (sscanf(text, "%d/%d/%d", &month, &day, &year) == 3)
		t = filetime_from_date(year, month, day);
	if (!t)
		die("%s: %s is no date", where, text);
	return t;
}

uint64_t parse_version(const char *text, const char *where)
{
	unsigned v[4] = {0};

	if (sscanf(text, "%u.%u.%u.%u", &v[0], &v[1], &v[2], &v[3]) < 2)
		die("%s: %s is no version", where, text);
	return (uint64_t)v[0] << 48 | (uint64_t)v[1] << 32 | (uint64_t)v[2] << 16 | v[3];
}

static unsigned arch_number(const struct sample *s)
{
	return s->machine == MACHINE_X86 ? 0 : s->machine == MACHINE_AMD64 ? 9 : 12;
}

static const struct device_class *find_class(const struct packages *p, const char *name)
{
	vec_foreach (c, &p->classes)
		if (text_equal(c->name, name))
			return c;
	die("%s: no class %s", p->where, name);
}

/* ---- files ---------------------------------------------------------------------------
 */

static char *driver_path(const struct package *pkg _unused_, const char *file)
{
	return xasprintf("Windows/System32/%s%s",
			 text_ends_with(file, ".sys") ? "drivers/" : "", file);
}

/* `image` gets the file as it is written. */
static void put_driver(const struct sample *s, const struct package *pkg,
		       const char *file, struct buffer *image)
{
	_cleanup_free_ char *live = driver_path(pkg, file);
	_cleanup_free_ char *stored = xasprintf("%s/%s", pkg->store_path, file);
	struct noise noise = noise_seed(file);
	struct pe pe = {.machine = s->machine,
			.kind = text_ends_with(file, ".sys") ? PE_DRIVER : PE_DLL,
			.name = file,
			.description = pkg->title,
			.company = pkg->provider,
			.version = pkg->version,
			.size = 8192 + noise_next(&noise) % 65536};

	pe_build(&pe, image);
	if (pkg->oem >= 0)
		pe_sign(image, sample_signer());
	file_put(s->dir, live, buffer_view(image));
	file_link(s->dir, live, stored);
}

/* A third-party package has a catalog of its own; inbox ones are in Windows' catalogs. */
static void put_catalog(const struct sample *s, const struct package *pkg,
			const struct catalog_member *members, size_t count)
{
	_cleanup_free_ char *live =
		xasprintf("Windows/System32/CatRoot/"
			  "{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/oem%d.cat",
			  pkg->oem);
	_cleanup_free_ char *name = xstrndup(pkg->name, strlen(pkg->name) - 4);
	_cleanup_free_ char *stored = xasprintf("%s/%s.cat", pkg->store_path, name);
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	catalog_make(&(struct catalog_options){.members = members,
					       .count = count,
					       .sha1_tags = true,
					       .sign = sample_signer()},
		     &out);
	file_put(s->dir, live, buffer_view(&out));
	file_link(s->dir, live, stored);
}

static void put_files(const struct sample *s, struct package *pkg)
{
	_cleanup_free_ char *live = xasprintf("Windows/INF/%s", pkg->published);
	_cleanup_free_ char *stored = NULL;
	struct catalog_member *members = xcalloc(pkg->files.len + 1, sizeof(*members));
	struct buffer *images = xcalloc(pkg->files.len + 1, sizeof(*images));

	pkg->store_path =
		xasprintf("Windows/System32/DriverStore/FileRepository/%s", pkg->id);
	stored = xasprintf("%s/%s", pkg->store_path, pkg->name);
	file_put(s->dir, live, buffer_view(&pkg->inf));
	file_link(s->dir, live, stored);
	members[0] = (struct catalog_member){pkg->name, buffer_view(&pkg->inf)};
	for (size_t i = 0; i < pkg->files.len; i++) {
		put_driver(s, pkg, pkg->files.items[i], &images[i]);
		members[i + 1] = (struct catalog_member){pkg->files.items[i],
							 buffer_view(&images[i])};
	}
	if (pkg->oem >= 0)
		put_catalog(s, pkg, members, pkg->files.len + 1);
	for (size_t i = 0; i < pkg->files.len; i++)
		buffer_free(&images[i]);
	free(images);
	free(members);
}

/* ---- services ------------------------------------------------------------------------
 */

/* KEY\VALUE words... below `k`. */
static void set_setting(struct key *k, const struct setting *setting)
{
	_cleanup_free_ char *path = xstrdup(setting->path);
	char *slash = strrchr(path, '\\'), *name = path;

	if (slash) {
		*slash = 0;
		k = key_open(k, path);
		name = slash + 1;
	}
	key_set_words(k, name, setting->words.items, setting->words.len, setting->path);
}

static void set_service(const struct sample *s, const struct package *pkg,
			const struct service *svc, unsigned set)
{
	_cleanup_free_ char *path =
		xasprintf("ControlSet%03u\\Services\\%s", set, svc->name);
	_cleanup_free_ char *image =
		xasprintf("%sSystem32\\drivers\\%s",
			  svc->start == 0 ? "" : "\\SystemRoot\\", svc->file);
	struct key *k = key_open(s->system, path);

	key_set_string(k, "ImagePath", TYPE_EXPAND, image);
	key_set_dword(k, "Type", svc->type);
	key_set_dword(k, "Start", svc->start);
	if (!s->database)
		key_set_string(k, "DriverPackageId", TYPE_SZ, pkg->id);
	key_set_dword(k, "ErrorControl", svc->error);
	if (svc->group)
		key_set_string(k, "Group", TYPE_SZ, svc->group);
	if (svc->tag)
		key_set_dword(k, "Tag", svc->tag);
	if (svc->display) {
		_cleanup_free_ char *text = xasprintf(
			"@%s,%%%s_desc%%;%s", pkg->published, svc->name, svc->display);

		key_set_string(k, "DisplayName", TYPE_SZ,
			       s->database ? text : svc->display);
	}
	if (s->database)
		key_append_multi(k, "Owners", pkg->published);
	if (svc->boot_flags)
		key_set_dword(k, "BootFlags", svc->boot_flags);
	vec_foreach (setting, &svc->settings)
		set_setting(k, setting);
	/* What the boot leaves behind for a driver that found no device. */
	if (svc->masked && set == 1 && s->database)
		key_set_dword(key_open(k, "StartOverride"), "0", 3);
}

/* ---- database ------------------------------------------------------------------------
 */

static void set_version_blob(struct key *k, const struct sample *s,
			     const struct package *pkg)
{
	uint8_t blob[48] = {pkg->oem < 0 ? 0xff : 0x00, 0xff};
	struct guid guid;

	if (!guid_parse(pkg->class->guid, &guid))
		die("%s is no GUID", pkg->class->guid);
	put_le16(blob + 2, (uint16_t)arch_number(s));
	memcpy(blob + 8, &guid, 16);
	put_le64(blob + 24, pkg->date);
	put_le64(blob + 32, pkg->version);
	put_le32(blob + 40, pkg->reasons);
	key_set(k, "Version", TYPE_BINARY, (struct bytes){blob, sizeof(blob)});
}

static void set_device_id(struct key *db, const struct package *pkg, const char *id,
			  unsigned type, unsigned score, unsigned index)
{
	_cleanup_free_ char *path = xasprintf("DeviceIds\\%s", id);
	uint8_t data[4] = {(uint8_t)type, (uint8_t)score};

	put_le16(data + 2, (uint16_t)index);
	key_set(key_open(db, path), pkg->published, TYPE_BINARY, (struct bytes){data, 4});
}

static void set_install(struct key *k, const struct sample *s, const struct package *pkg,
			const struct install *install)
{
	_cleanup_free_ char *path =
		xasprintf("Configurations\\%s%s", install->section, install->decoration);
	uint32_t scope = 1;

	k = key_open(k, path);
	if (install->service) {
		key_set_string(k, "Service", TYPE_SZ, install->service);
		scope |= 4;
		vec_foreach (svc, &pkg->services)
			if (text_equal(svc->name, install->service))
				vec_foreach (setting, &svc->settings) {
					_cleanup_free_ char *sub =
						xasprintf("Services\\%s", svc->name);

					set_setting(key_open(k, sub), setting);
				}
	}
	vec_foreach (setting, &install->device)
		set_setting(key_open(k, "Device"), setting);
	vec_foreach (setting, &install->driver)
		set_setting(key_open(k, "Driver"), setting);
	if (install->device.len)
		scope |= 2;
	key_set_dword(k, "ConfigFlags", 0);
	if (s->version >> 48 >= 10)
		key_set_dword(k, "ConfigScope", scope);
}

static const struct install *find_install(const struct package *pkg, const char *section)
{
	vec_foreach (install, &pkg->installs)
		if (text_equal(install->section, section))
			return install;
	die("%s: no install section %s", pkg->name, section);
}

static void set_model(struct key *k, struct key *db, const struct package *pkg,
		      const struct model *model)
{
	const struct install *install = find_install(pkg, model->section);
	_cleanup_free_ char *config =
		xasprintf("%s%s", install->section, install->decoration);
	_cleanup_free_ char *token = model_token(model);
	_cleanup_free_ char *description = xasprintf("%%%s%%", token);
	unsigned index = 0;

	vec_foreach (id, &model->ids) {
		_cleanup_free_ char *path = xasprintf("Descriptors\\%s", *id);
		bool first = id == model->ids.items;

		set_device_id(db, pkg, *id,
			      pkg->class->extension ? 3
			      : first		    ? 1
						    : 2,
			      install->score, first ? 0 : index++);
		if (!pkg->reflected)
			continue;
		struct key *d = key_open(k, path);

		key_set_string(d, "Configuration", TYPE_SZ, config);
		key_set_string(d, "Manufacturer", TYPE_SZ, "%mfg%");
		key_set_string(d, "Description", TYPE_SZ, description);
	}
	if (!pkg->reflected)
		return;
	k = key_open(k, "Strings");
	key_set_string(k, token, TYPE_SZ, model->description);
	key_set_string(k, "mfg", TYPE_SZ, pkg->manufacturer);
}

static void set_oem_values(struct key *k, const struct package *pkg)
{
	_cleanup_free_ char *cat = xstrdup(pkg->name);
	uint8_t time[8];

	strcpy(cat + strlen(cat) - 3, "cat");
	put_le64(time, sample_filetime);
	key_set_string(k, "InfName", TYPE_SZ, pkg->name);
	key_set_string(k, "OemPath", TYPE_SZ, "C:\\Drivers\\Sample");
	key_set_string(k, "SignerName", TYPE_SZ, "Sample Hardware Signer");
	key_set_string(k, "Catalog", TYPE_SZ, cat);
	key_set(k, "ImportDate", TYPE_BINARY, (struct bytes){time, 8});
}

static void set_database(const struct sample *s, const struct package *pkg)
{
	struct key *hive = pkg->class->system_node ? s->system : s->drivers;
	struct key *db = key_open(hive, "DriverDatabase"), *inf, *k;
	_cleanup_free_ char *inf_path = xasprintf("DriverInfFiles\\%s", pkg->published);
	_cleanup_free_ char *pkg_path = xasprintf("DriverPackages\\%s", pkg->id);
	_cleanup_free_ char *class_path = xasprintf("DeviceIds\\%s", pkg->class->guid);

	inf = key_open(db, inf_path);
	key_append_multi(inf, "", pkg->id);
	key_set_string(inf, "Active", TYPE_SZ, pkg->id);
	if (pkg->installs.len || pkg->models.len)
		key_set(key_open(db, class_path), pkg->published, TYPE_NONE,
			(struct bytes){0});

	k = key_open(db, pkg_path);
	key_set_string(k, "", TYPE_SZ, pkg->published);
	set_version_blob(k, s, pkg);
	key_set_string(k, "Provider", TYPE_SZ, pkg->provider);
	key_set_dword(k, "SignerScore", pkg->oem < 0 ? 0x0d000003 : 0x0d000005);
	key_set_dword(k, "StatusFlags", pkg->oem < 0 ? 0x16 : 0x12);
	if (pkg->oem >= 0)
		set_oem_values(k, pkg);
	if (pkg->reflected)
		vec_foreach (install, &pkg->installs) {
			_cleanup_free_ char *config =
				xasprintf("%s%s", install->section, install->decoration);

			key_append_multi(inf, "Configurations", config);
			set_install(k, s, pkg, install);
		}
	vec_foreach (model, &pkg->models)
		set_model(k, db, pkg, model);
}

/* Up to Windows 7: one key per ID of a section with a service, '#' for '\\'. */
static void set_critical_device(const struct sample *s, const struct package *pkg,
				const struct install *install, const char *id,
				unsigned set)
{
	_cleanup_free_ char *name = xstrdup(id), *path = NULL;
	_cleanup_free_ char *class = text_upper(pkg->class->guid);
	struct key *k;

	for (char *c = name; *c; c++)
		if (*c == '\\')
			*c = '#';
	path = xasprintf("ControlSet%03u\\Control\\CriticalDeviceDatabase\\%s", set,
			 name);
	k = key_open(s->system, path);
	key_set_string(k, "ClassGUID", TYPE_SZ, class);
	key_set_string(k, "Service", TYPE_SZ, install->service);
	key_set_string(k, "DriverPackageId", TYPE_SZ, pkg->id);
	vec_foreach (setting, &install->device)
		if (text_ends_with(setting->path, "erFilters"))
			set_setting(k, setting);
}

static void set_critical_devices(const struct sample *s, const struct package *pkg)
{
	vec_foreach (model, &pkg->models) {
		const struct install *install = find_install(pkg, model->section);

		if (!install->service)
			continue;
		vec_foreach (id, &model->ids)
			for (unsigned set = 1; set <= s->control_sets; set++)
				set_critical_device(s, pkg, install, *id, set);
	}
}

static void set_lockdown(const struct sample *s, const struct package *pkg)
{
	vec_foreach (file, &pkg->files) {
		_cleanup_free_ char *live = driver_path(pkg, *file);
		/* One key whose name holds the slashes. */
		_cleanup_free_ char *name =
			xasprintf("%%SystemRoot%%%s", live + strlen("Windows"));
		_cleanup_free_ char *source = xasprintf(
			"%%SystemRoot%%\\System32\\DriverStore\\FileRepository\\%s\\%s",
			pkg->id, *file);
		struct key *k = key_open(
			s->software,
			"Microsoft\\Windows\\CurrentVersion\\Setup\\PnpLockdownFiles");

		k = key_open(k, name);
		key_set_dword(k, "Class", 4);
		key_append_multi(k, "Owners", pkg->published);
		key_set_string(k, "Source", TYPE_EXPAND, source);
	}
}

static void mark_oem_number(const struct sample *s, int number)
{
	struct key *nodes[] = {s->system, s->drivers};
	size_t byte = (size_t)number / 8;

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct key *db = key_open(nodes[i], "DriverDatabase");
		uint8_t map[32] = {0};
		size_t len = byte + 1;

		vec_foreach (v, &db->values)
			if (strcmp(v->name, "OemInfMap") == 0 &&
			    v->data.len <= sizeof(map)) {
				memcpy(map, v->data.data, v->data.len);
				len = v->data.len > len ? v->data.len : len;
			}
		map[byte] |= (uint8_t)(0x80 >> number % 8);
		key_set(db, "OemInfMap", TYPE_BINARY, (struct bytes){map, len});
	}
}

static void finish_package(struct packages *p)
{
	struct package *pkg = p->current;
	struct sample *s = p->sample;
	char hash[17];

	if (!pkg)
		return;
	package_inf(pkg, s);
	store_hash(&pkg->inf, hash);
	pkg->id = xasprintf("%s_%s_%s%s", pkg->name, s->arch,
			    s->database ? "" : "neutral_", hash);
	put_files(s, pkg);
	if (pkg->reflected)
		vec_foreach (svc, &pkg->services)
			for (unsigned set = 1; set <= s->control_sets; set++)
				set_service(s, pkg, svc, set);
	if (s->database) {
		set_database(s, pkg);
		set_lockdown(s, pkg);
		if (pkg->oem >= 0)
			mark_oem_number(s, pkg->oem);
	} else if (pkg->reflected && pkg->class->boot) {
		set_critical_devices(s, pkg);
	}
	package_free(pkg);
	p->current = NULL;
}

/* ---- the description -----------------------------------------------------------------
 */

static void set_class_keys(const struct sample *s, const struct device_class *c)
{
	for (unsigned set = 1; set <= s->control_sets; set++) {
		_cleanup_free_ char *path =
			xasprintf("ControlSet%03u\\Control\\Class\\%s", set, c->guid);
		struct key *k = key_open(s->system, path), *properties;

		key_set_string(k, "", TYPE_SZ, c->description);
		key_set_string(k, "Class", TYPE_SZ, c->name);
		if (c->upper)
			key_append_multi(k, "UpperFilters", c->upper);
		if (c->lower)
			key_append_multi(k, "LowerFilters", c->lower);
		if (!s->database)
			continue;
		properties =
			key_open(k, "Properties\\{6a3433f4-5626-40e8-a9b9-dbd9ecd2884b}");
		if (c->boot)
			key_set(key_open(properties, "0003"), "",
				(uint32_t)TYPE_PROPERTY_BOOLEAN,
				(struct bytes){(const uint8_t *)"\xff", 1});
		key_set(key_open(properties, "0006"), "", (uint32_t)TYPE_PROPERTY_BOOLEAN,
			(struct bytes){(const uint8_t *)"\xff", 1});
	}
}

/* class NAME {GUID} "description" [boot] [extension] [upper=] [lower=] */
static void line_class(struct packages *p, char **words, size_t count)
{
	struct device_class c = {0};

	if (count < 4)
		die("%s: class NAME {GUID} DESCRIPTION [boot]", p->where);
	c.name = xstrdup(words[1]);
	c.guid = xstrdup(words[2]);
	c.description = xstrdup(words[3]);
	for (size_t i = 4; i < count; i++) {
		c.boot |= strcmp(words[i], "boot") == 0;
		c.extension |= strcmp(words[i], "extension") == 0;
	}
	c.system_node = c.boot || c.extension;
	c.upper = word_option(words + 4, count - 4, "upper");
	c.lower = word_option(words + 4, count - 4, "lower");
	set_class_keys(p->sample, &c);
	c.upper = c.lower = NULL;
	vec_push(&p->classes, c);
}

static void line_package(struct packages *p, char **words, size_t count)
{
	struct package *pkg = xcalloc(1, sizeof(*pkg));
	const char *oem, *date, *version, *provider, *encoding;

	finish_package(p);
	if (count < 4)
		die("%s: package NAME.inf CLASS TITLE [option=...]", p->where);
	oem = word_option(words, count, "oem");
	date = word_option(words, count, "date");
	version = word_option(words, count, "version");
	provider = word_option(words, count, "provider");
	encoding = word_option(words, count, "encoding");
	pkg->name = xstrdup(words[1]);
	pkg->class = find_class(p, words[2]);
	pkg->title = xstrdup(words[3]);
	pkg->oem = oem ? (int)parse_number(oem, p->where) : -1;
	pkg->published = oem ? xasprintf("oem%s.inf", oem) : xstrdup(pkg->name);
	pkg->provider = xstrdup(provider ? provider : "Microsoft");
	pkg->manufacturer = xstrdup(provider ? provider : "(Standard devices)");
	pkg->date_text = xstrdup(date ? date : "06/21/2006");
	pkg->date = parse_date(pkg->date_text, p->where);
	pkg->version = version ? parse_version(version, p->where) : p->sample->version;
	pkg->ansi = encoding && strcmp(encoding, "ansi") == 0;
	pkg->reflected = true;
	for (size_t i = 4; i < count; i++)
		if (strcmp(words[i], "staged") == 0) {
			pkg->reflected = false;
			pkg->reasons = 0x8000;
		}
	p->current = pkg;
}

/* service NAME START ERROR-CONTROL FILE [group=] [tag=] [name=] [type=] [bootflags=]
 * [masked] */
static void line_service(struct packages *p, char **words, size_t count)
{
	const char *tag = word_option(words, count, "tag");
	const char *type = word_option(words, count, "type");
	const char *flags = word_option(words, count, "bootflags");
	const char *group = word_option(words, count, "group");
	const char *display = word_option(words, count, "name");
	struct service svc = {0};

	if (count < 5)
		die("%s: service NAME START ERROR-CONTROL FILE", p->where);
	svc.name = xstrdup(words[1]);
	svc.start = (uint32_t)parse_number(words[2], p->where);
	svc.error = (uint32_t)parse_number(words[3], p->where);
	svc.file = xstrdup(words[4]);
	svc.type = type ? (uint32_t)parse_number(type, p->where) : 1;
	svc.tag = tag ? (uint32_t)parse_number(tag, p->where) : 0;
	svc.boot_flags = flags ? (uint32_t)parse_number(flags, p->where) : 0;
	svc.group = group ? xstrdup(group) : NULL;
	svc.display = display ? xstrdup(display) : NULL;
	/* A generalized image remembers nothing of a machine. */
	svc.masked = strcmp(words[count - 1], "masked") == 0 &&
		     strcmp(variable_get(&p->sample->vars, "state"), "installed") == 0;
	vec_push(&p->current->services, svc);
	strings_push(&p->current->files, words[4]);
}

static void line_install(struct packages *p, char **words, size_t count)
{
	const char *service = word_option(words, count, "service");
	const char *score = word_option(words, count, "score");
	const char *decoration = word_option(words, count, "decoration");
	struct install install = {.score = 0xff};

	if (count < 2)
		die("%s: install SECTION [service=]", p->where);
	install.section = xstrdup(words[1]);
	install.decoration = xstrdup(decoration ? decoration : "");
	install.service = service ? xstrdup(service) : NULL;
	if (score)
		install.score = (unsigned)parse_number(score, p->where);
	vec_push(&p->current->installs, install);
}

/* param|device|driver KEY\VALUE TYPE DATA...: of the last service or install section. */
static void line_setting(struct packages *p, char **words, size_t count)
{
	struct package *pkg = p->current;
	struct setting setting = {0};
	struct settings *to = NULL;

	if (count < 3)
		die("%s: %s KEY\\VALUE TYPE DATA", p->where, words[0]);
	setting.path = xstrdup(words[1]);
	for (size_t i = 2; i < count; i++)
		strings_push(&setting.words, words[i]);
	if (strcmp(words[0], "param") == 0 && pkg->services.len)
		to = &pkg->services.items[pkg->services.len - 1].settings;
	else if (strcmp(words[0], "device") == 0 && pkg->installs.len)
		to = &pkg->installs.items[pkg->installs.len - 1].device;
	else if (strcmp(words[0], "driver") == 0 && pkg->installs.len)
		to = &pkg->installs.items[pkg->installs.len - 1].driver;
	if (!to)
		die("%s: %s belongs to nothing", p->where, words[0]);
	vec_push(to, setting);
}

/* model SECTION "description" HARDWARE-ID [COMPATIBLE-ID...] */
static void line_model(struct packages *p, char **words, size_t count)
{
	struct model model = {0};

	if (count < 4)
		die("%s: model SECTION DESCRIPTION ID", p->where);
	model.section = xstrdup(words[1]);
	model.description = xstrdup(words[2]);
	for (size_t i = 3; i < count; i++)
		strings_push(&model.ids, words[i]);
	vec_push(&p->current->models, model);
}

static void package_line(void *arg, char *line, const char *where)
{
	struct packages *p = arg;
	char *words[64], *text;
	size_t count;

	p->where = where;
	/* "| text" goes into the INF as it stands. */
	if (*line == '|') {
		if (!p->current)
			die("%s: text outside of a package", where);
		text = line + 1 + (line[1] == ' ');
		strings_push(&p->current->raw, text);
		return;
	}
	count = split_words(line, words, ARRAY_SIZE(words), where);
	if (strcmp(words[0], "class") == 0)
		line_class(p, words, count);
	else if (strcmp(words[0], "package") == 0)
		line_package(p, words, count);
	else if (!p->current)
		die("%s: %s outside of a package", where, words[0]);
	else if (strcmp(words[0], "service") == 0)
		line_service(p, words, count);
	else if (strcmp(words[0], "install") == 0)
		line_install(p, words, count);
	else if (strcmp(words[0], "model") == 0)
		line_model(p, words, count);
	else if (strcmp(words[0], "file") == 0 && count == 2)
		strings_push(&p->current->files, words[1]);
	else
		line_setting(p, words, count);
}

void packages_add(struct sample *s, const char *file)
{
	struct packages p = {.sample = s};

	description_read("classes.txt", &s->vars, package_line, &p);
	description_read(file, &s->vars, package_line, &p);
	finish_package(&p);
	sample_signer_free();
	vec_foreach (c, &p.classes) {
		free(c->name);
		free(c->guid);
		free(c->description);
	}
	vec_free(&p.classes);
}
