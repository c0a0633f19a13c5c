/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The INF of a described package. */
#include "samples/package.h"

char *model_token(const struct model *model)
{
	_cleanup_free_ char *id = text_lower(model->ids.items[0]);

	return xasprintf("%s.devicedesc", id);
}

static void append_escaped(struct buffer *b, const char *text)
{
	for (; *text; text++) {
		buffer_append(b, text, 1);
		if (*text == '"')
			buffer_append(b, text, 1);
	}
}

/* root,subkey,value,flags,data as an AddReg line. */
static void addreg_line(struct buffer *b, const struct setting *setting)
{
	static const struct {
		const char *type, *flags;
	} types[] = {
		{"sz", "0x00000000"},	 {"expand", "0x00020000"}, {"hex", "0x00000001"},
		{"dword", "0x00010001"}, {"multi", "0x00010000"},  {"none", "0x00020001"},
		{"qword", "0x000b0001"},
	};
	_cleanup_free_ char *path = xstrdup(setting->path);
	char *slash = strrchr(path, '\\');
	size_t i = 0;

	if (slash)
		*slash = 0;
	while (i < ARRAY_SIZE(types) &&
	       strcmp(types[i].type, setting->words.items[0]) != 0)
		i++;
	if (i == ARRAY_SIZE(types))
		die("%s: %s cannot be in an INF", setting->path, setting->words.items[0]);
	buffer_printf(b, "HKR,\"%s\",\"%s\",%s", slash ? path : "",
		      slash ? slash + 1 : path, types[i].flags);
	for (size_t w = 1; w < setting->words.len; w++) {
		bool quoted = strcmp(types[i].type, "sz") == 0 ||
			      strcmp(types[i].type, "expand") == 0 ||
			      strcmp(types[i].type, "multi") == 0;

		buffer_append_string(b, quoted ? ",\"" : ",");
		append_escaped(b, setting->words.items[w]);
		buffer_append_string(b, quoted ? "\"" : "");
	}
	buffer_append_string(b, "\n");
}

static void addreg_section(struct buffer *b, const char *name,
			   const struct settings *settings)
{
	if (!settings->len)
		return;
	buffer_printf(b, "\n[%s]\n", name);
	vec_foreach (setting, settings)
		addreg_line(b, setting);
}

static void version_section(struct buffer *b, const struct package *pkg)
{
	buffer_printf(
		b,
		"; %s: %s\n; Part of gild's sample Windows; not the file of that name in "
		"any Windows.\n\n[Version]\nSignature=\"$WINDOWS NT$\"\nClass=%s\n"
		"ClassGuid=%s\nProvider=%%prov%%\nDriverVer=%s,%u.%u.%u.%u\n",
		pkg->name, pkg->title, pkg->class->name, pkg->class->guid, pkg->date_text,
		(unsigned)(pkg->version >> 48), (unsigned)(pkg->version >> 32) & 0xffff,
		(unsigned)(pkg->version >> 16) & 0xffff, (unsigned)pkg->version & 0xffff);
	if (pkg->oem >= 0)
		buffer_printf(b, "CatalogFile=%.*s.cat\n", (int)strlen(pkg->name) - 4,
			      pkg->name);
	buffer_append_string(b, "PnpLockdown=1\n");
}

static void file_sections(struct buffer *b, const struct package *pkg)
{
	if (!pkg->files.len)
		return;
	buffer_append_string(b, "\n[DestinationDirs]\nDefaultDestDir=12\n");
	buffer_append_string(b, "\n[SourceDisksNames]\n1=%disk%\n\n[SourceDisksFiles]\n");
	vec_foreach (file, &pkg->files)
		buffer_printf(b, "%s=1\n", *file);
}

static void install_sections(struct buffer *b, const struct package *pkg,
			     const struct install *install)
{
	_cleanup_free_ char *name =
		xasprintf("%s%s", install->section, install->decoration);
	_cleanup_free_ char *device = xasprintf("%s.Device.AddReg", install->section);
	_cleanup_free_ char *driver = xasprintf("%s.Driver.AddReg", install->section);

	buffer_printf(b, "\n[%s]\n", name);
	vec_foreach (svc, &pkg->services)
		if (install->service && text_equal(svc->name, install->service))
			buffer_printf(b, "CopyFiles=@%s\n", svc->file);
	if (install->driver.len)
		buffer_printf(b, "AddReg=%s\n", driver);
	if (install->score != 0xff)
		buffer_printf(b, "FeatureScore=%02X\n", install->score);
	if (install->service)
		buffer_printf(b, "\n[%s.Services]\nAddService=%s,2,%s_Service\n", name,
			      install->service, install->service);
	else
		buffer_printf(b, "\n[%s.Services]\nAddService=,2\n", name);
	if (install->device.len)
		buffer_printf(b, "\n[%s.HW]\nAddReg=%s\n", name, device);
	addreg_section(b, device, &install->device);
	addreg_section(b, driver, &install->driver);
}

static void service_sections(struct buffer *b, const struct service *svc)
{
	_cleanup_free_ char *addreg = xasprintf("%s_AddReg", svc->name);

	buffer_printf(b, "\n[%s_Service]\n", svc->name);
	if (svc->display)
		buffer_printf(b, "DisplayName=%%%s_desc%%\n", svc->name);
	buffer_printf(b,
		      "ServiceType=%u\nStartType=%u\nErrorControl=%u\nServiceBinary=%%12%"
		      "%\\%s\n",
		      svc->type, svc->start, svc->error, svc->file);
	if (svc->group)
		buffer_printf(b, "LoadOrderGroup=%s\n", svc->group);
	if (svc->boot_flags)
		buffer_printf(b, "BootFlags=0x%x\n", svc->boot_flags);
	if (svc->settings.len)
		buffer_printf(b, "AddReg=%s\n", addreg);
	addreg_section(b, addreg, &svc->settings);
}

static void model_sections(struct buffer *b, const struct package *pkg, const char *arch)
{
	if (!pkg->models.len)
		return;
	buffer_printf(b, "\n[Manufacturer]\n%%mfg%%=Devices,NT%s\n\n[Devices.NT%s]\n",
		      arch, arch);
	vec_foreach (model, &pkg->models) {
		_cleanup_free_ char *token = model_token(model);

		buffer_printf(b, "%%%s%%=%s", token, model->section);
		vec_foreach (id, &model->ids)
			buffer_printf(b, ",%s", *id);
		buffer_append_string(b, "\n");
	}
}

static void string_section(struct buffer *b, const struct package *pkg)
{
	buffer_printf(b, "\n[Strings]\nprov=\"%s\"\nmfg=\"%s\"\ndisk=\"%s\"\n",
		      pkg->provider, pkg->manufacturer, pkg->title);
	vec_foreach (svc, &pkg->services)
		if (svc->display)
			buffer_printf(b, "%s_desc=\"%s\"\n", svc->name, svc->display);
	vec_foreach (model, &pkg->models) {
		_cleanup_free_ char *token = model_token(model);

		buffer_printf(b, "%s=\"%s\"\n", token, model->description);
	}
}

void package_inf(struct package *pkg, const struct sample *s)
{
	_cleanup_buffer_ struct buffer text = BUFFER_INIT, crlf = BUFFER_INIT;

	version_section(&text, pkg);
	file_sections(&text, pkg);
	model_sections(&text, pkg, s->arch);
	vec_foreach (install, &pkg->installs)
		install_sections(&text, pkg, install);
	vec_foreach (svc, &pkg->services)
		service_sections(&text, svc);
	if (pkg->raw.len)
		buffer_append_string(&text, "\n");
	vec_foreach (line, &pkg->raw)
		buffer_printf(&text, "%s\n", *line);
	string_section(&text, pkg);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\n')
			buffer_append(&crlf, "\r\n", 2);
		else
			buffer_append(&crlf, text.data + i, 1);
	buffer_append(&crlf, "", 1);
	if (pkg->ansi) {
		buffer_append(&pkg->inf, crlf.data, crlf.len - 1);
	} else {
		buffer_append(&pkg->inf, "\xff\xfe", 2);
		utf16_append(&pkg->inf, (const char *)crlf.data);
	}
}

static void settings_free(struct settings *settings)
{
	vec_foreach (setting, settings) {
		free(setting->path);
		strings_free(&setting->words);
	}
	vec_free(settings);
}

void package_free(struct package *pkg)
{
	char *texts[] = {pkg->name,	    pkg->published, pkg->title, pkg->provider,
			 pkg->manufacturer, pkg->date_text, pkg->id,	pkg->store_path};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	vec_foreach (svc, &pkg->services) {
		free(svc->name);
		free(svc->file);
		free(svc->group);
		free(svc->display);
		settings_free(&svc->settings);
	}
	vec_foreach (install, &pkg->installs) {
		free(install->section);
		free(install->decoration);
		free(install->service);
		settings_free(&install->device);
		settings_free(&install->driver);
	}
	vec_foreach (model, &pkg->models) {
		free(model->section);
		free(model->description);
		strings_free(&model->ids);
	}
	vec_free(&pkg->services);
	vec_free(&pkg->installs);
	vec_free(&pkg->models);
	strings_free(&pkg->files);
	strings_free(&pkg->raw);
	buffer_free(&pkg->inf);
	free(pkg);
}
