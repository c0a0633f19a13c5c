/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * .Wdf sections: the settings of user-mode drivers. Windows records them with the
 * device's hardware settings, below the key WUDF, which it clears first (six of six UMDF
 * packages in real hives of 8.1 and 10); kernel-mode ones (KmdfService) leave nothing
 * there.
 */
#include "base/text.h"
#include "injector/driver_private.h"

#define KEY "WUDF"
#define TYPE_DWORD 4
#define TYPE_MULTI_SZ 7

/* "INF DDInstall.WDF section": directives and the words of their values, from 0 on. */
static const struct {
	const char *directive, *value;
	const char *words[4];
} settings[] = {
	{"UmdfImpersonationLevel",
	 "ImpersonationLevel",
	 {"Anonymous", "Identification", "Impersonation", "Delegation"}},
	{"UmdfMethodNeitherAction", "MethodNeitherAction", {"Reject", "Copy"}},
	{"UmdfKernelModeClientPolicy",
	 "KernelModeClientPolicy",
	 {"RejectKernelModeClients", "AllowKernelModeClients"}},
	{"UmdfFileObjectPolicy",
	 "FileObjectPolicy",
	 {"RejectNullAndUnknownFileObjects", "AllowNullAndUnknownFileObjects"}},
	{"UmdfFsContextUsePolicy",
	 "FsContextUsePolicy",
	 {"CanUseFsContext", "CanUseFsContext2", "CannotUseFsContexts"}},
	{"UmdfDirectHardwareAccess",
	 "DirectHardwareAccess",
	 {"RejectDirectHardwareAccess", "AllowDirectHardwareAccess"}},
};

static struct inf_reg *add_reg(struct inf_configuration *c, enum inf_reg_kind kind,
			       const char *name, uint32_t type, unsigned line)
{
	struct inf_reg reg = {
		.kind = kind,
		.root = INF_HKR,
		.key = xstrdup(KEY),
		.name = xstrdup(name),
		.type = type,
		.line = line,
	};

	vec_push(&c->hw_regs, reg);
	return &c->hw_regs.items[c->hw_regs.len - 1];
}

static void read_setting(struct inf *inf, const struct inf_line *line, size_t i,
			 struct inf_configuration *c)
{
	const char *word = inf_field(inf, line, 0);

	for (uint32_t n = 0; n < ARRAY_SIZE(settings[i].words); n++)
		if (settings[i].words[n] && text_equal(settings[i].words[n], word)) {
			struct inf_reg *reg = add_reg(c, INF_REG_SET, settings[i].value,
						      TYPE_DWORD, line->number);

			buffer_append_le32(&reg->data, n);
		}
}

void read_framework(struct inf *inf, const struct inf_line *line,
		    struct inf_configuration *c)
{
	const char *key = inf_key(inf, line);

	if (!text_starts_with(key, "Umdf"))
		return;
	if (!c->umdf)
		add_reg(c, INF_REG_DELETE_KEY, "", 0, line->number);
	c->umdf = true;
	if (text_equal(key, "UmdfServiceOrder") && line->fields) {
		struct inf_reg *reg = add_reg(c, INF_REG_SET, "DriverList", TYPE_MULTI_SZ,
					      line->number);

		for (size_t i = 0; i < line->fields; i++)
			if (*inf_field(inf, line, i))
				utf16_append_z(&reg->data, inf_field(inf, line, i));
		buffer_append_le16(&reg->data, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (text_equal(key, settings[i].directive))
			read_setting(inf, line, i, c);
}
