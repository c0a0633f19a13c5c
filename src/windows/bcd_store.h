/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whole BCD stores: read with typed elements, written anew, and set up for a disk as
 * bcdboot does it. (bcd.h edits single settings of a store that is there.)
 *
 * Layout and bytes follow stores that bcdedit and bcdboot made, and for device elements
 * the public descriptions in ReactOS' bl.h and phnt's ntbcd.h: the format itself is not
 * documented by Microsoft.
 */
#ifndef WINDOWS_BCD_STORE_H
#define WINDOWS_BCD_STORE_H

#include "base/guid.h"
#include "registry/hive.h"
#include "windows/bcd.h"
#include "windows/target.h"

#define BCD_OBJECTS_MAX 4096u
#define BCD_ELEMENTS_MAX 1024u	/* of one object */
#define BCD_VALUE_MAX 65536u	/* bytes of an element */
#define BCD_DEVICE_DEPTH 4u	/* a file on a file on ... a partition */

/* Object types. */
#define BCD_FIRMWARE_MANAGER 0x10100001u
#define BCD_BOOT_MANAGER 0x10100002u
#define BCD_OS_LOADER 0x10200003u
#define BCD_RESUME_LOADER 0x10200004u
#define BCD_MEMORY_TESTER 0x10200005u
#define BCD_INHERIT 0x20100000u		/* settings for every kind of object */
#define BCD_INHERIT_LOADER 0x20200003u
#define BCD_INHERIT_RESUME 0x20200004u
#define BCD_DEVICE_OPTIONS 0x30000000u

/* Elements. The second digit from the left is the format. */
#define BCD_DEVICE 0x11000001u
#define BCD_PATH 0x12000002u
#define BCD_DESCRIPTION 0x12000004u
#define BCD_LOCALE 0x12000005u
#define BCD_INHERITED 0x14000006u
#define BCD_RECOVERY_SEQUENCE 0x14000008u
#define BCD_RECOVERY_ENABLED 0x16000009u
#define BCD_ISOLATED_CONTEXT 0x16000060u
#define BCD_DEFAULT 0x23000003u		/* of the boot manager */
#define BCD_RESUME_OBJECT 0x23000006u	/* of the boot manager */
#define BCD_DISPLAY_ORDER 0x24000001u
#define BCD_TOOLS_ORDER 0x24000010u
#define BCD_TIMEOUT 0x25000004u
#define BCD_OS_DEVICE 0x21000001u	/* also the device of the hibernation file */
#define BCD_SYSTEM_ROOT 0x22000002u	/* also the hibernation file's path */
#define BCD_RESUME 0x23000003u		/* of an OS loader */
#define BCD_WINPE 0x26000022u
#define BCD_RAMDISK_DEVICE 0x31000003u
#define BCD_RAMDISK_PATH 0x32000004u

enum bcd_format {
	BCD_FORMAT_DEVICE = 1,
	BCD_FORMAT_STRING,
	BCD_FORMAT_OBJECT,
	BCD_FORMAT_OBJECTS,
	BCD_FORMAT_INTEGER,
	BCD_FORMAT_BOOLEAN,
	BCD_FORMAT_INTEGERS,
};

struct bcd_element {
	uint32_t type;
	uint32_t reg_type;	/* enum reg_type */
	struct buffer data;	/* as in the hive */
};
struct bcd_object {
	struct guid guid;
	uint32_t type;
	struct vec_of(struct bcd_element) elements; /* by type */
};
struct bcd_store {
	char *key_name;		/* "BCD00000000" */
	bool system, treat_as_system, firmware_modified;
	struct vec_of(struct bcd_object) objects; /* by the text of their GUIDs */
};

/*
 * Reads a store. What is not named like an object or an element is passed over, as Windows
 * does; too many or too large ones are ERROR_STATE. `name` is for messages.
 */
int bcd_store_read(const struct hive *hive, const char *name, struct bcd_store *ret,
		   struct error *err);
int bcd_store_parse(struct bytes file, const char *name, struct bcd_store *ret,
		    struct error *err);
/* A new hive with just this in it; the same store gives the same bytes. */
int bcd_store_write(const struct bcd_store *store, struct buffer *ret, struct error *err);
void bcd_store_free(struct bcd_store *store);
#define _cleanup_bcd_store_ _cleanup_(bcd_store_free)

/* NULL if there is none. */
struct bcd_object *bcd_object_find(const struct bcd_store *store, const struct guid *guid);
/* Finds or makes it; pointers to other objects are not valid afterwards. */
struct bcd_object *bcd_object_add(struct bcd_store *store, const struct guid *guid,
				  uint32_t type);
const struct bcd_element *bcd_element_find(const struct bcd_object *object, uint32_t type);
enum bcd_format bcd_element_format(uint32_t type);

/* Typed values; false (or NULL) if there is no such element or it is of another shape. */
char *bcd_get_text(const struct bcd_object *object, uint32_t type);
bool bcd_get_guid(const struct bcd_object *object, uint32_t type, struct guid *ret);
DEFINE_VEC(bcd_guids, struct guid);
bool bcd_get_guids(const struct bcd_object *object, uint32_t type, struct bcd_guids *ret);
/* 1 to 8 bytes: templates store short ones. */
bool bcd_get_integer(const struct bcd_object *object, uint32_t type, uint64_t *ret);
bool bcd_get_boolean(const struct bcd_object *object, uint32_t type, bool *ret);
void bcd_set_text(struct bcd_object *object, uint32_t type, const char *text);
void bcd_set_guid(struct bcd_object *object, uint32_t type, const struct guid *guid);
void bcd_set_guids(struct bcd_object *object, uint32_t type, const struct guid *guids,
		   size_t count);
void bcd_set_integer(struct bcd_object *object, uint32_t type, uint64_t v);
void bcd_set_boolean(struct bcd_object *object, uint32_t type, bool v);
void bcd_set_bytes(struct bcd_object *object, uint32_t type, struct bytes data);
/* As it is in another object. */
void bcd_set_raw(struct bcd_object *object, const struct bcd_element *element);
void bcd_unset(struct bcd_object *object, uint32_t type);

/* ---- devices ---- */

enum bcd_device_kind {
	BCD_DEVICE_UNKNOWN,	/* only its bytes are known */
	BCD_DEVICE_BOOT,	/* what the boot manager was started from */
	BCD_DEVICE_GPT,		/* a partition by its GUIDs */
	BCD_DEVICE_MBR,		/* a partition by disk signature and offset */
	BCD_DEVICE_LOCATE,	/* the volume on which a path is found */
	BCD_DEVICE_FILE,
	BCD_DEVICE_VHD,		/* the disk in `parent`, a file */
	BCD_DEVICE_RAMDISK,	/* a file that is loaded into memory */
};
struct bcd_device {
	enum bcd_device_kind kind;
	struct guid options;	/* object with further options; zeros if there is none */
	struct guid partition, disk;	/* GPT */
	uint64_t offset;	/* MBR: of the partition, bytes */
	uint32_t signature;	/* MBR */
	uint32_t element;	/* LOCATE: which element has the path; 0: `path` has it */
	char *path;		/* LOCATE, FILE, RAMDISK */
	struct bcd_device *parent;	/* FILE, RAMDISK: the volume; LOCATE, VHD: or NULL */
};
/*
 * Takes the value of a device element apart. What is of no kind above becomes UNKNOWN;
 * false if sizes contradict each other or it is nested too deeply.
 */
bool bcd_device_parse(struct bytes data, struct bcd_device *ret);
/* Appends the value; the kind must be known, FILE, RAMDISK and VHD have a parent. */
void bcd_device_format(const struct bcd_device *device, struct buffer *ret);
void bcd_device_free(struct bcd_device *device);
#define _cleanup_bcd_device_ _cleanup_(bcd_device_free)
void bcd_set_device(struct bcd_object *object, uint32_t type,
		    const struct bcd_device *device);
/* "partition {guid} of disk {guid}", "locate=\Windows": for messages. The caller's. */
char *bcd_device_text(const struct bcd_device *device);

/* ---- stores for a disk ---- */

enum bcd_form {
	BCD_FORM_PARTITION,	/* by GUIDs, or disk signature and offset */
	/*
	 * Windows by its paths, wherever they are found, the boot manager by "boot":
	 * survives repartitioning.
	 */
	BCD_FORM_LOCATE,
	BCD_FORM_BOOT,		/* one volume for boot manager and Windows */
};
/* A volume, for BCD_FORM_PARTITION. */
struct bcd_volume {
	bool gpt;
	struct guid partition, disk;	/* gpt */
	uint64_t offset;		/* MBR, bytes */
	uint32_t signature;
};
struct bcd_options {
	bool uefi;
	const struct target *target;	/* the Windows that is started */
	const char *product;	/* its name, for unknown versions; or NULL */
	const char *locale;	/* "en-US" */
	const char *folder;	/* "\\Windows" */
	struct bytes template;	/* its BCD-Template hive; empty: made from scratch */
	enum bcd_form form;
	struct bcd_volume system, windows;
	/* Windows RE: its volume and folder ("\\Recovery\\WindowsRE"); NULL: no entry. */
	const struct bcd_volume *recovery;
	const char *recovery_folder;
	bool no_memory_tester;	/* the image has no memtest: no entry for it */
	struct bytes seed;	/* GUIDs of objects follow from it */
};
/* The store of \Boot\BCD or \EFI\Microsoft\Boot\BCD. */
int bcd_build(const struct bcd_options *options, struct bcd_store *ret, struct error *err);
/* What bcdboot puts at \EFI\Microsoft\Recovery\BCD: a boot manager without entries. */
int bcd_build_recovery(const struct bcd_options *options, struct bcd_store *ret,
		       struct error *err);
/* What bcdboot calls the Windows: "Windows 10". The caller's. */
char *bcd_description(const struct target *target, const char *product);

/*
 * What sysprep /generalize makes of the store at `path` of a system volume: the boot
 * manager's and memory tester's device `boot`, that of loaders and their Windows "locate",
 * recovery off, timeout 30; firmware entries, which are one PC's, go. Stages the store and
 * empties its logs. What was changed is added to `ret` as "PATH {guid}: device". 1: changed,
 * 0: no such store or nothing to do, -1: error.
 */
int bcd_generalize(struct tree *tree, const char *path, bool accept_dirty,
		   struct strings *ret, struct error *err);

#endif
