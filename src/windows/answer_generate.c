/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The answer file of the common case. Names are bounded as Windows bounds them, text is
 * escaped, and passwords are stored as Windows SIM does when PlainText is false: base64
 * of the UTF-16LE text with the name of the element behind it. That hides them from a
 * glance and from nothing else.
 *
 * Which OOBE settings exist depends on the Windows: one that it does not know makes its
 * setup fail. SkipMachineOOBE, which is deprecated, is not used.
 */
#include <fcntl.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/text.h"
#include "windows/answer_private.h"

/* Windows' limits on names: of accounts (NetUserAdd) and NetBIOS computers. */
#define MAX_USER 20
#define MAX_COMPUTER 15
#define MAX_PASSWORD 127
#define MAX_PASSWORD_FILE 4096
#define NOT_IN_USER "\"/\\[]:;|=,+*?<>@"
#define NOT_IN_COMPUTER "{|}~[\\]^':;<=>?@!\"#$%`()+/.,*& _"

static int refuse_option(struct error *err, const char *option, const char *why,
			 const char *remedy)
{
	error_set(err, ERROR_USAGE, option, "%s", why);
	return error_remedy(err, "%s", remedy);
}

char *answer_password(const char *argument, struct error *err)
{
	const char *file = argument + 1;
	struct buffer text = BUFFER_INIT;
	_cleanup_close_ int fd = -1;
	char *line;

	if (*argument != '@') {
		(void)refuse_option(err, "--password", "is no @FILE",
				    "write the password into a file and give "
				    "--password=@FILE, or @- for standard input");
		return NULL;
	}
	fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO)
				    : open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		(void)error_errno(err, file, "cannot read the password");
		return NULL;
	}
	if (file_read_all(fd, file, MAX_PASSWORD_FILE, &text, err) < 0) {
		buffer_free(&text);
		return NULL;
	}
	line = buffer_steal_string(&text);
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static bool all_in(const char *text, const char *allowed)
{
	return text[strspn(text, allowed)] == '\0';
}

static bool is_printable(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return utf8_valid(text, strlen(text));
}

static int check_user(const struct answer_options *o, struct error *err)
{
	const char *user = o->user;

	if (!user)
		return o->password ? refuse_option(err, "--password",
						   "is given without a user",
						   "give --user=NAME")
				   : 0;
	if (!*user || utf16_units(user) > MAX_USER || !is_printable(user) ||
	    strpbrk(user, NOT_IN_USER) || all_in(user, ". "))
		return refuse_option(err, "--user", "is no name that Windows accepts",
				     "use at most 20 characters, none of "
				     "\" / \\ [ ] : ; | = , + * ? < > @");
	if (o->password &&
	    (utf16_units(o->password) > MAX_PASSWORD || !is_printable(o->password)))
		return refuse_option(err, "--password",
				     "is no password that can be set unattended",
				     "use at most 127 characters, no control characters");
	return 0;
}

static int check_computer(const char *name, struct error *err)
{
	if (!name || strcmp(name, "*") == 0)
		return 0;
	if (!*name || utf16_units(name) > MAX_COMPUTER || !is_printable(name) ||
	    strpbrk(name, NOT_IN_COMPUTER) || all_in(name, "0123456789") ||
	    name[0] == '-')
		return refuse_option(err, "--computer-name",
				     "is no name that Windows accepts",
				     "use at most 15 letters, digits and hyphens, not "
				     "digits only; or \"*\"");
	return 0;
}

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* "de-DE", "zh-Hans-CN", "sr-Latn-RS" */
static bool is_locale(const char *text)
{
	size_t first = strspn(text, LETTERS);

	return first >= 2 && first <= 3 && strlen(text) <= 30 &&
	       (!text[first] || text[first] == '-') && all_in(text, LETTERS DIGITS "-") &&
	       text[strlen(text) - 1] != '-' && !strstr(text, "--");
}

static int check_texts(const struct answer_options *o, struct error *err)
{
	static const char key_form[] = "#####-#####-#####-#####-#####";
	const char *key = o->product_key;

	if (o->locale && !is_locale(o->locale))
		return refuse_option(err, "--locale", "is no locale",
				     "give a name such as en-US or de-DE");
	if (o->keyboard && (!*o->keyboard || strlen(o->keyboard) > 500 ||
			    !all_in(o->keyboard, LETTERS DIGITS ":;{}-")))
		return refuse_option(err, "--keyboard", "is no keyboard layout",
				     "give LANGUAGE:LAYOUT such as 0407:00000407, or a "
				     "locale such as de-DE");
	if (o->time_zone &&
	    (!*o->time_zone || strlen(o->time_zone) > 128 || !is_printable(o->time_zone)))
		return refuse_option(
			err, "--time-zone", "is no time zone",
			"give a name that 'tzutil /l' of Windows lists, such "
			"as \"W. Europe Standard Time\"");
	for (size_t i = 0; key && i < sizeof(key_form); i++)
		if (key_form[i] == '#' ? !key[i] || !strchr(LETTERS DIGITS, key[i])
				       : key[i] != key_form[i])
			return refuse_option(err, "--product-key", "is no product key",
					     "it has five groups of five letters and "
					     "digits: XXXXX-XXXXX-XXXXX-XXXXX-XXXXX");
	return 0;
}

static int check_target(const struct target *t, struct error *err)
{
	static const enum windows_arch known[] = {ARCH_X86, ARCH_AMD64, ARCH_ARM64,
						  ARCH_ARM};

	if (target_compare_version(t, 6, 1, 0) < 0)
		return refuse_option(err, "--answer=auto",
				     "writes answer files for Windows 7 and later",
				     "write one yourself and give --answer=FILE");
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (t->arch == known[i])
			return 0;
	return refuse_option(err, "--answer=auto",
			     "writes answer files for x86, amd64 and ARM only",
			     "write one yourself and give --answer=FILE");
}

/* ---- text --------------------------------------------------------------------------
 */

/* One element with text; nothing for NULL. */
static void element(struct buffer *out, unsigned depth, const char *name,
		    const char *text)
{
	if (!text)
		return;
	buffer_printf(out, "%*s<%s>", (int)(2 * depth), "", name);
	buffer_append_markup(out, text);
	buffer_printf(out, "</%s>\n", name);
}

static void begin(struct buffer *out, unsigned depth, const char *text)
{
	buffer_printf(out, "%*s<%s>\n", (int)(2 * depth), "", text);
}

static void end(struct buffer *out, unsigned depth, const char *name)
{
	buffer_printf(out, "%*s</%s>\n", (int)(2 * depth), "", name);
}

static void component(struct buffer *out, const struct target *t, const char *name)
{
	buffer_printf(out,
		      "    <component name=\"%s\" processorArchitecture=\"%s\" "
		      "publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" "
		      "versionScope=\"nonSxS\">\n",
		      name, arch_name(t->arch));
}

/* `kind` is "Password" or "AdministratorPassword": element and what is put behind. */
static void password(struct buffer *out, unsigned depth, const char *kind,
		     const char *text)
{
	_cleanup_free_ char *full = xasprintf("%s%s", text ? text : "", kind);
	struct buffer utf16 = BUFFER_INIT;
	_cleanup_free_ char *encoded = NULL;

	utf16_append(&utf16, full);
	encoded = xcalloc(1, 4 * ((utf16.len + 2) / 3) + 1);
	EVP_EncodeBlock((unsigned char *)encoded, utf16.data, (int)utf16.len);
	begin(out, depth, kind);
	element(out, depth + 1, "Value", encoded);
	element(out, depth + 1, "PlainText", "false");
	end(out, depth, kind);
	explicit_bzero(full, strlen(full));
	explicit_bzero(utf16.data, utf16.len);
	buffer_free(&utf16);
}

/* ---- passes ------------------------------------------------------------------------
 */

static void specialize(struct buffer *out, const struct answer_options *o,
		       const struct target *t)
{
	bool shell = o->computer_name || o->time_zone || o->product_key;

	if (!shell && !o->extend)
		return;
	begin(out, 1, "settings pass=\"specialize\"");
	if (o->extend) {
		component(out, t, "Microsoft-Windows-Deployment");
		begin(out, 3, "ExtendOSPartition");
		element(out, 4, "Extend", "true");
		end(out, 3, "ExtendOSPartition");
		end(out, 2, "component");
	}
	if (shell) {
		component(out, t, "Microsoft-Windows-Shell-Setup");
		element(out, 3, "ComputerName", o->computer_name);
		element(out, 3, "ProductKey", o->product_key);
		element(out, 3, "TimeZone", o->time_zone);
		end(out, 2, "component");
	}
	end(out, 1, "settings");
}

static void languages(struct buffer *out, const struct answer_options *o,
		      const struct target *t)
{
	if (!o->locale && !o->keyboard)
		return;
	component(out, t, "Microsoft-Windows-International-Core");
	element(out, 3, "InputLocale", o->keyboard ? o->keyboard : o->locale);
	element(out, 3, "SystemLocale", o->locale);
	element(out, 3, "UILanguage", o->locale);
	element(out, 3, "UserLocale", o->locale);
	end(out, 2, "component");
}

static void oobe(struct buffer *out, const struct answer_options *o,
		 const struct target *t)
{
	bool modern = target_compare_version(t, 6, 2, 0) >= 0;

	begin(out, 3, "OOBE");
	element(out, 4, "HideEULAPage", "true");
	if (modern) {
		element(out, 4, "HideOEMRegistrationScreen", "true");
		/* Without a user someone has to be able to sign in. */
		element(out, 4, "HideOnlineAccountScreens", o->user ? "true" : NULL);
	}
	element(out, 4, "HideWirelessSetupInOOBE", "true");
	if (!modern) /* later Windows do not ask */
		element(out, 4, "NetworkLocation", "Work");
	element(out, 4, "ProtectYourPC", "3");
	end(out, 3, "OOBE");
}

static void accounts(struct buffer *out, const struct answer_options *o,
		     const struct target *t)
{
	bool builtin = text_equal(o->user, "Administrator");
	bool server = t->product == PRODUCT_SERVER || t->product == PRODUCT_DC;

	begin(out, 3, "UserAccounts");
	if (o->password && (builtin || server))
		password(out, 4, "AdministratorPassword", o->password);
	if (!builtin) {
		begin(out, 4, "LocalAccounts");
		begin(out, 5, "LocalAccount wcm:action=\"add\"");
		password(out, 6, "Password", o->password);
		element(out, 6, "DisplayName", o->user);
		element(out, 6, "Group", "Administrators");
		element(out, 6, "Name", o->user);
		end(out, 5, "LocalAccount");
		end(out, 4, "LocalAccounts");
	}
	end(out, 3, "UserAccounts");
}

static void oobe_system(struct buffer *out, const struct answer_options *o,
			const struct target *t)
{
	begin(out, 1, "settings pass=\"oobeSystem\"");
	languages(out, o, t);
	component(out, t, "Microsoft-Windows-Shell-Setup");
	oobe(out, o, t);
	/* Windows 7 asks for it in OOBE, although specialize has set it. */
	element(out, 3, "TimeZone", o->time_zone);
	if (o->user)
		accounts(out, o, t);
	end(out, 2, "component");
	end(out, 1, "settings");
}

struct answer *answer_generate(const struct answer_options *options,
			       const struct target *target, struct error *err)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	if (check_target(target, err) < 0 || check_user(options, err) < 0 ||
	    check_computer(options->computer_name, err) < 0 ||
	    check_texts(options, err) < 0)
		return NULL;
	buffer_append_string(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
	begin(&out, 0,
	      "unattend xmlns=\"" ANSWER_NAMESPACE
	      "\" xmlns:wcm=\"" ANSWER_STATE_NAMESPACE "\"");
	specialize(&out, options, target);
	oobe_system(&out, options, target);
	end(&out, 0, "unattend");
	return answer_parse(buffer_view(&out), "--answer=auto", err);
}
