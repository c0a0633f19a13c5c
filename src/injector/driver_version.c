/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * [Version]: class, provider, DriverVer, catalog and the flags. Setup classes may be
 * named without their GUID (old INFs do); Windows then looks the name up in the registry,
 * here the classes that Windows itself brings are known.
 */
#include "base/clock.h"
#include "base/text.h"
#include "injector/driver_private.h"

#define EXTENSION_CLASS "{e2f84ce7-8efa-411c-aa69-97454ca4cb57}"

/* Names and GUIDs of devguid.h. */
static const struct {
	const char *name, *guid;
} classes[] = {
	{"1394", "6bdd1fc1-810f-11d0-bec7-08002be2092f"},
	{"1394Debug", "66f250d6-7801-4a64-b139-eea80a450b24"},
	{"61883", "7ebefbc0-3200-11d2-b4c2-00a0c9697d07"},
	{"Adapter", "4d36e964-e325-11ce-bfc1-08002be10318"},
	{"APMSupport", "d45b1c18-c8fa-11d1-9f77-0000f805f530"},
	{"AudioEndpoint", "c166523c-fe0c-4a94-a586-f1a80cfbbf3e"},
	{"AudioProcessingObject", "5989fce8-9cd0-467d-8a6a-5419e31529d4"},
	{"AVC", "c06ff265-ae09-48f0-812c-16753d7cba83"},
	{"BarcodeScanner", "c243ffbd-3afc-45e9-b3d3-2ba18bc7ebc5"},
	{"Battery", "72631e54-78a4-11d0-bcf7-00aa00b7b32a"},
	{"Biometric", "53d29ef7-377c-4d14-864b-eb3a85769359"},
	{"Bluetooth", "e0cbf06c-cd8b-4647-bb8a-263b43f0f974"},
	{"Camera", "ca3e7ab9-b4c3-4ae6-8251-579ef933890f"},
	{"CDROM", "4d36e965-e325-11ce-bfc1-08002be10318"},
	{"Computer", "4d36e966-e325-11ce-bfc1-08002be10318"},
	{"Decoder", "6bdd1fc2-810f-11d0-bec7-08002be2092f"},
	{"DiskDrive", "4d36e967-e325-11ce-bfc1-08002be10318"},
	{"Display", "4d36e968-e325-11ce-bfc1-08002be10318"},
	{"Dot4", "48721b56-6795-11d2-b1a8-0080c72e74a2"},
	{"Dot4Print", "49ce6ac8-6f86-11d2-b1e5-0080c72e74a2"},
	{"EhStorSilo", "9da2b80f-f89f-4a49-a5c2-511b085b9e8a"},
	{"Enum1394", "c459df55-db08-11d1-b009-00a0c9081ff6"},
	{"Extension", "e2f84ce7-8efa-411c-aa69-97454ca4cb57"},
	{"FDC", "4d36e969-e325-11ce-bfc1-08002be10318"},
	{"Firmware", "f2e7dd72-6468-4e36-b6f1-6488f42c1b52"},
	{"FloppyDisk", "4d36e980-e325-11ce-bfc1-08002be10318"},
	{"GPS", "6bdd1fc3-810f-11d0-bec7-08002be2092f"},
	{"HDC", "4d36e96a-e325-11ce-bfc1-08002be10318"},
	{"HIDClass", "745a17a0-74d3-11d0-b6fe-00a0c90f57da"},
	{"Holographic", "d612553d-06b1-49ca-8938-e39ef80eb16f"},
	{"Image", "6bdd1fc6-810f-11d0-bec7-08002be2092f"},
	{"Infrared", "6bdd1fc5-810f-11d0-bec7-08002be2092f"},
	{"Keyboard", "4d36e96b-e325-11ce-bfc1-08002be10318"},
	{"LegacyDriver", "8ecc055d-047f-11d1-a537-0000f8753ed1"},
	{"Media", "4d36e96c-e325-11ce-bfc1-08002be10318"},
	{"MediumChanger", "ce5939ae-ebde-11d0-b181-0000f8753ec4"},
	{"Memory", "5099944a-f6b9-4057-a056-8c550228544c"},
	{"Modem", "4d36e96d-e325-11ce-bfc1-08002be10318"},
	{"Monitor", "4d36e96e-e325-11ce-bfc1-08002be10318"},
	{"Mouse", "4d36e96f-e325-11ce-bfc1-08002be10318"},
	{"MTD", "4d36e970-e325-11ce-bfc1-08002be10318"},
	{"Multifunction", "4d36e971-e325-11ce-bfc1-08002be10318"},
	{"MultiportSerial", "50906cb8-ba12-11d1-bf5d-0000f805f530"},
	{"Net", "4d36e972-e325-11ce-bfc1-08002be10318"},
	{"NetClient", "4d36e973-e325-11ce-bfc1-08002be10318"},
	{"NetService", "4d36e974-e325-11ce-bfc1-08002be10318"},
	{"NetTrans", "4d36e975-e325-11ce-bfc1-08002be10318"},
	{"NoDriver", "4d36e976-e325-11ce-bfc1-08002be10318"},
	{"PCMCIA", "4d36e977-e325-11ce-bfc1-08002be10318"},
	{"PNPPrinters", "4658ee7e-f050-11d1-b6bd-00c04fa372a7"},
	{"Ports", "4d36e978-e325-11ce-bfc1-08002be10318"},
	{"Printer", "4d36e979-e325-11ce-bfc1-08002be10318"},
	{"PrinterUpgrade", "4d36e97a-e325-11ce-bfc1-08002be10318"},
	{"Processor", "50127dc3-0f36-415e-a6cc-4cb3be910b65"},
	{"Proximity", "5630831c-06c9-4856-b327-f5d32586e060"},
	{"SBP2", "d48179be-ec20-11d1-b6b8-00c04fa372a7"},
	{"SCSIAdapter", "4d36e97b-e325-11ce-bfc1-08002be10318"},
	{"SDHost", "a0a588a4-c46f-4b37-b7ea-c82fe89870c6"},
	{"SecurityAccelerator", "268c95a1-edfe-11d3-95c3-0010dc4050a5"},
	{"SecurityDevices", "d94ee5d8-d189-4994-83d2-f68d7d41b0e6"},
	{"Sensor", "5175d334-c371-4806-b3ba-71fd53c9258d"},
	{"SmartCardReader", "50dd5230-ba8a-11d1-bf5d-0000f805f530"},
	{"SoftwareComponent", "5c4c3332-344d-483c-8739-259e934c9cc8"},
	{"SoftwareDevice", "62f9c741-b25a-46ce-b54c-9bccce08b6f2"},
	{"Sound", "4d36e97c-e325-11ce-bfc1-08002be10318"},
	{"System", "4d36e97d-e325-11ce-bfc1-08002be10318"},
	{"TapeDrive", "6d807884-7d21-11cf-801c-08002be10318"},
	{"UCM", "e6f1aa1c-7f3b-4473-b2e8-c97d8ac71d53"},
	{"Unknown", "4d36e97e-e325-11ce-bfc1-08002be10318"},
	{"USB", "36fc9e60-c465-11cf-8056-444553540000"},
	{"USBDevice", "88bae032-5a81-49f0-bc3d-a4ff138216d6"},
	{"USBFunctionController", "bbbe8734-08fa-4966-b6a6-4e5ad010cdd7"},
	{"Volume", "71a27cdd-812a-11d0-bec7-08002be2092f"},
	{"VolumeSnapshot", "533c5b84-ec70-11d2-9505-00c04f79deaf"},
	{"WCEUSBS", "25dbce51-6c8f-4a72-8a6d-b54c2b4fc835"},
	{"WPD", "eec5ad98-8080-425f-922a-dabf3de3f69a"},
	{"WSDPrintDevice", "c30ecea0-11ef-4ef9-b02e-6af81e6e65c0"},
};

bool driver_class_guid(const char *name, struct guid *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (text_equal(classes[i].name, name))
			return guid_parse(classes[i].guid, ret);
	return false;
}

/* The value of a key of [Version], or NULL; *raw as it is written. */
static const char *version_value(struct inf *inf, const char *key, const char **raw)
{
	size_t section = inf_find_section(inf, "Version");
	struct inf_line line;

	if (section == INF_NONE || !inf_find_key(inf, section, key, &line))
		return NULL;
	if (raw)
		*raw = inf_field_raw(inf, &line, 0);
	return inf_field(inf, &line, 0);
}

static bool read_digits(const char **text, unsigned *ret)
{
	const char *s = *text;
	unsigned v = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v > 100000 ? v : v * 10 + (unsigned)(*s - '0');
	while (*s == ' ' || *s == '\t')
		s++;
	*text = s;
	*ret = v;
	return true;
}

void driver_ver_parse(const char *date, const char *version, uint64_t *ret_date,
		      uint64_t *ret_version)
{
	unsigned part[3], v;

	*ret_date = *ret_version = 0;
	for (size_t i = 0; i < 3; i++) {
		if (!read_digits(&date, &part[i]) ||
		    (i < 2 && *date != '/' && *date != '-') || (i == 2 && *date)) {
			part[2] = 0; /* no valid day: as without a date */
			break;
		}
		date++;
	}
	if (part[2])
		*ret_date = filetime_from_date((int)part[2], (int)part[0], (int)part[1]);
	for (unsigned shift = 48; read_digits(&version, &v); shift -= 16) {
		*ret_version |= (uint64_t)(v & 0xFFFF) << shift;
		if (!shift || *version != '.')
			break;
		version++;
	}
}

void version_facts_read(struct inf *inf, struct version_facts *ret)
{
	struct version_facts f = {0};
	size_t section = inf_find_section(inf, "Version");
	const char *raw, *value;
	struct inf_line line;

	if ((value = version_value(inf, "Class", NULL)) && *value)
		f.class_name = xstrdup(value);
	value = version_value(inf, "ClassGUID", NULL);
	if ((!value || !guid_parse(value, &f.class_guid)) && f.class_name)
		(void)driver_class_guid(f.class_name, &f.class_guid);
	if ((value = version_value(inf, "Provider", &raw)) && *value) {
		f.provider = xstrdup(value);
		f.provider_token = inf_token(raw);
	}
	if (section != INF_NONE && inf_find_key(inf, section, "DriverVer", &line))
		driver_ver_parse(inf_field(inf, &line, 0), inf_field(inf, &line, 1),
				 &f.date, &f.version);
	*ret = f;
}

void version_facts_free(struct version_facts *facts)
{
	free(facts->class_name);
	free(facts->provider);
	free(facts->provider_token);
	*facts = (struct version_facts){0};
}

/* CatalogFile.NTarch, then .NT, then the undecorated entry. */
static char *find_catalog(struct reading *r)
{
	_cleanup_free_ char *exact =
		xasprintf("CatalogFile.NT%s", arch_name(r->target->arch));
	const char *const keys[] = {exact, "CatalogFile.NT", "CatalogFile"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = version_value(r->inf, keys[i], NULL);

		if (value && *value)
			return xstrdup(value);
	}
	return NULL;
}

static uint32_t version_number(struct inf *inf, const char *key)
{
	const char *value = version_value(inf, key, NULL);
	uint32_t v;

	return value && inf_parse_number(value, &v) ? v : 0;
}

void read_version(struct reading *r)
{
	struct driver *d = r->driver;
	struct version_facts f;
	struct guid extension;
	const char *value;

	version_facts_read(r->inf, &f);
	d->class_name = steal_ptr(f.class_name);
	d->class_guid = f.class_guid;
	d->provider = steal_ptr(f.provider);
	d->provider_token = steal_ptr(f.provider_token);
	d->date = f.date;
	d->version = f.version;
	version_facts_free(&f);
	d->catalog = find_catalog(r);
	d->pnp_lockdown = version_number(r->inf, "PnpLockdown");
	d->boot_critical = version_number(r->inf, "BootCritical") != 0;
	d->extension = guid_parse(EXTENSION_CLASS, &extension) &&
		       guid_equal(&d->class_guid, &extension);
	value = version_value(r->inf, "ExtensionId", NULL);
	d->has_extension_id = value && guid_parse(value, &d->extension_id);
}
