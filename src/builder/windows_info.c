/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "builder/windows_info.h"

#include "base/text.h"

/* Names of the languages that Windows has been published in ([MS-LCID]). */
static const struct {
	uint16_t id;
	const char *name;
} language_names[] = {
	{0x0401, "ar-SA"},	{0x0402, "bg-BG"}, {0x0404, "zh-TW"}, {0x0405, "cs-CZ"},
	{0x0406, "da-DK"},	{0x0407, "de-DE"}, {0x0408, "el-GR"}, {0x0409, "en-US"},
	{0x040a, "es-ES"},	{0x040b, "fi-FI"}, {0x040c, "fr-FR"}, {0x040d, "he-IL"},
	{0x040e, "hu-HU"},	{0x0410, "it-IT"}, {0x0411, "ja-JP"}, {0x0412, "ko-KR"},
	{0x0413, "nl-NL"},	{0x0414, "nb-NO"}, {0x0415, "pl-PL"}, {0x0416, "pt-BR"},
	{0x0418, "ro-RO"},	{0x0419, "ru-RU"}, {0x041a, "hr-HR"}, {0x041b, "sk-SK"},
	{0x041d, "sv-SE"},	{0x041e, "th-TH"}, {0x041f, "tr-TR"}, {0x0422, "uk-UA"},
	{0x0424, "sl-SI"},	{0x0425, "et-EE"}, {0x0426, "lv-LV"}, {0x0427, "lt-LT"},
	{0x0804, "zh-CN"},	{0x0809, "en-GB"}, {0x080a, "es-MX"}, {0x0816, "pt-PT"},
	{0x081a, "sr-Latn-CS"}, {0x0c04, "zh-HK"}, {0x0c0a, "es-ES"}, {0x0c0c, "fr-CA"},
	{0x241a, "sr-Latn-RS"},
};
#define MAX_LANGUAGES 200

static const char *language_name(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(language_names); i++)
		if (language_names[i].id == id)
			return language_names[i].name;
	return NULL;
}

/* Control\MUI\UILanguages has a key for each, with its number. */
static void read_languages(const struct hive *system, const char *set, uint16_t id,
			   struct windows_info *ret)
{
	_cleanup_free_ char *path = xasprintf("%s\\Control\\MUI\\UILanguages", set);
	hkey key = hive_find(system, hive_root(system), path);
	const char *name;

	for (uint32_t i = 0; key && i < MAX_LANGUAGES; i++) {
		hkey child = hive_child(system, key, i);
		_cleanup_free_ char *language = NULL;
		uint32_t number;

		if (!child)
			break;
		language = hive_key_name(system, child);
		if (!language)
			continue;
		strings_push(&ret->languages, language);
		if (hive_get_dword(system, child, "LCID", &number) && number == id &&
		    !ret->default_language)
			ret->default_language = xstrdup(language);
	}
	name = language_name(id);
	if (!ret->default_language && name)
		ret->default_language = xstrdup(name);
}

static const char *product_type(enum product_type product)
{
	switch (product) {
	case PRODUCT_CLIENT:
		return "WinNT";
	case PRODUCT_DC:
		return "LanmanNT";
	case PRODUCT_SERVER:
		return "ServerNT";
	default:
		return NULL;
	}
}

static void read_system(const struct hive *system, const struct installation *in,
			struct windows_info *ret)
{
	_cleanup_free_ char *path =
		xasprintf("%s\\Control\\ProductOptions", in->control_set);
	struct strings suites = VEC_INIT;
	hkey key = hive_find(system, hive_root(system), path);

	if (key && hive_get_strings(system, key, "ProductSuite", &suites) && suites.len &&
	    *suites.items[0])
		ret->product_suite = xstrdup(suites.items[0]);
	strings_free(&suites);
	read_languages(system, in->control_set, in->target.language, ret);
}

void windows_info_read(const struct installation *in, struct registry *registry,
		       struct windows_info *ret)
{
	const struct hive *system = registry_hive(registry, REGISTRY_SYSTEM, NULL);

	*ret = (struct windows_info){0};
	if (system && in->control_set)
		read_system(system, in, ret);
	ret->wim = (struct wim_windows){
		.arch = in->target.arch,
		.product = in->product,
		.edition = in->edition,
		.installation_type = in->installation_type,
		.product_type = product_type(in->target.product),
		.product_suite = ret->product_suite,
		.languages = &ret->languages,
		.default_language = ret->default_language,
		.system_root = "WINDOWS",
		.major = in->target.major,
		.minor = in->target.minor,
		.build = in->target.build,
		.spbuild = in->revision,
		.splevel = in->service_pack,
	};
}

void windows_info_free(struct windows_info *info)
{
	free(info->product_suite);
	free(info->default_language);
	strings_free(&info->languages);
}
